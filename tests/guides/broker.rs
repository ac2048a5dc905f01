//! The broker as the security guide sets it up: the program can say all it has to say and hear all it has to hear,
//! everybody else can do what they are meant to, and nobody anything beyond that.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::certificates::Authority;
use crate::farm::{Farm, brief, job};
use crate::mosquitto::{Broker, Ear, until};
use crate::text::{block, guide, messages, says, section};

const PASSWORD: &str = "correct horse battery staple";
const USERS: [&str; 3] = ["jetbackup-remote", "homeassistant", "display"];
const RESULT: &str = "jetbackup-remote/command/result";

/// The guide's broker, with certificates and passwords.
struct Guarded {
    broker: Broker,
    authority: Authority,
    directory: tempfile::TempDir,
}

impl Guarded {
    fn start() -> Self {
        let (authority, directory) = (Authority::new("The guide's"), tempfile::tempdir().unwrap());
        let path = |name: &str| directory.path().join(name);
        for (number, user) in USERS.iter().enumerate() {
            let mut make = Command::new("mosquitto_passwd");
            make.args(if number == 0 { &["-b", "-c"][..] } else { &["-b"] });
            make.arg(path("passwords")).args([user, PASSWORD]);
            assert!(make.status().expect("mosquitto_passwd is needed for this test").success());
        }
        fs::write(path("acl"), block(&guide("security.md"), "text", "user jetbackup-remote")).unwrap();
        let places: [(&str, PathBuf); 5] = [
            ("/etc/mosquitto/certs/ca.pem", authority.file("authority.pem")),
            ("/etc/mosquitto/certs/broker.pem", authority.file("here.pem")),
            ("/etc/mosquitto/certs/broker.key", authority.file("here.key")),
            ("/etc/mosquitto/passwords", path("passwords")),
            ("/etc/mosquitto/acl", path("acl")),
        ];
        let mut settings = block(&guide("security.md"), "text", "acl_file");
        for (place, file) in &places {
            assert_eq!(settings.matches(place).count(), 1, "{place}");
            settings = settings.replace(place, file.to_str().unwrap());
        }
        let settings: Vec<&str> = settings.lines().collect();
        let (listener, rest) = settings.split_first().unwrap();
        assert_eq!(*listener, "listener 8883", "the test has a listener of its own");
        Self { broker: Broker::with_usual_queue(rest), authority, directory }
    }

    /// The program's settings for it: the guide's, with other places.
    fn settings(&self) -> serde_json::Value {
        let sample = block(&guide("security.md"), "json", "mqtt-password");
        let mut sample: serde_json::Value = serde_json::from_str(&sample).unwrap();
        let password = self.directory.path().join("mqtt-password");
        fs::write(&password, PASSWORD).unwrap();
        let mqtt = &mut sample["mqtt"];
        assert_eq!(mqtt["username"], USERS[0]);
        mqtt["host"] = json!("localhost");
        mqtt["port"] = json!(self.broker.port());
        mqtt["password"] = json!(format!("FROM_FILE:{}", password.display()));
        mqtt["tls"]["ca_file"] = json!(self.authority.file("authority.pem"));
        // What a command would do is not asked here; that it arrives is.
        mqtt["commands"] = json!(true);
        mqtt.clone()
    }

    /// Publishes as one of the users. What is forbidden is refused without the tool failing.
    fn publish_as(&self, user: &str, topic: &str, payload: &str) {
        let mut publish = self.client("mosquitto_pub", user);
        publish.args(["-q", "1", "-t", topic, "-m", payload]);
        let output = publish.output().unwrap();
        assert!(output.status.code().is_some(), "{publish:?}: {output:?}");
    }

    fn client(&self, program: &str, user: &str) -> Command {
        let mut command = Command::new(program);
        command.args(["-h", "localhost", "-p", &self.broker.port().to_string(), "-V", "5", "--cafile"]);
        command.arg(self.authority.file("authority.pem")).args(["-u", user, "-P", PASSWORD]);
        command
    }
}

/// The answers heard so far, as the command topics that were answered.
fn answered(ear: &Ear) -> Vec<String> {
    ear.on(RESULT).iter().map(|answer| answer["command"].as_str().unwrap().to_owned()).collect()
}

fn command_topics() -> Vec<String> {
    let id = job(0, 0);
    vec![
        "command/run".into(),
        "command/stop".into(),
        "command/release".into(),
        "servers/alpha/command/run".into(),
        format!("jobs/alpha/{id}/command/run"),
        format!("jobs/alpha/{id}/command/stop"),
    ]
}

#[test]
fn with_the_guides_access_list_everybody_can_do_what_they_are_meant_to_and_nothing_else() {
    let guarded = Guarded::start();
    let mut farm = Farm::new([vec![brief()]]);
    farm.mqtt(&guarded.settings());
    let ear = guarded.broker.listen(&["#"]);
    let daemon = farm.start(&["daemon"]);
    farm.until("the program is connected", |farm| farm.status()["broker"]["connected"] == true);

    // It says all it has to say, and is kept from none of it.
    let id = job(0, 0);
    let own = |tail: &str| format!("jetbackup-remote/{tail}");
    until("the program says that it is online", || {
        guarded.broker.holds(&own("availability")).as_deref() == Some("online")
    });
    let retained: BTreeSet<String> = guarded.broker.retained().into_keys().collect();
    let (discovery, states): (BTreeSet<_>, BTreeSet<_>) =
        retained.into_iter().partition(|topic| topic.starts_with("homeassistant/"));
    let wanted = [
        own("availability"),
        own("state"),
        own("servers/alpha/state"),
        own(&format!("jobs/alpha/{id}/state")),
    ];
    assert_eq!(states, BTreeSet::from(wanted));
    assert_eq!(discovery.len(), 3, "the queue, a server and a job: {discovery:?}");

    // It hears every kind of command, from Home Assistant alone.
    for topic in command_topics() {
        for user in ["display", "jetbackup-remote", "homeassistant"] {
            guarded.publish_as(user, &own(&topic), "nonsense");
        }
    }
    ear.wait(RESULT, command_topics().len());
    guarded.publish_as("homeassistant", &own(&format!("jobs/alpha/{id}/command/run")), "PRESS");
    until("the job has run", || farm.results() == ["alpha 0, completed, -"]);
    until("its end is told", || {
        ear.on(&own("events")).iter().any(|event| event["event_type"] == "job_completed")
    });
    let mut expected = command_topics();
    expected.push(format!("jobs/alpha/{id}/command/run"));
    assert_eq!(answered(&ear), expected);

    // Nobody says anything that is not theirs to say; the last one is, and shows that the others were passed over.
    for (user, topic) in [
        ("display", "state"),
        ("display", "availability"),
        ("homeassistant", "state"),
        ("homeassistant", "events"),
        ("homeassistant", "command/result"),
    ] {
        guarded.publish_as(user, &own(topic), "\"forged\"");
    }
    for topic in ["homeassistant/status", "homeassistant/sensor/a/config", "zigbee2mqtt/lock/set", "$SYS/x"] {
        guarded.publish_as("jetbackup-remote", topic, "\"forged\"");
    }
    guarded.publish_as("homeassistant", "homeassistant/mark", "the end");
    until("the last message is heard", || ear.heard().iter().any(|heard| heard.payload == b"the end"));
    let forged: Vec<_> = ear.heard().into_iter().filter(|heard| heard.payload == b"\"forged\"").collect();
    assert!(forged.is_empty(), "{forged:?}");

    // Nothing else can be heard with the program's password.
    let mut listen = guarded.client("mosquitto_sub", "jetbackup-remote");
    listen.args(["-q", "1", "-t", "#", "-F", "%t", "-C", "1", "-W", "60"]);
    let listener = listen.stdout(Stdio::piped()).spawn().unwrap();
    let heard = std::thread::spawn(|| listener.wait_with_output().unwrap());
    // Said again until something is heard, for the listener may not have subscribed yet; what it may hear comes last.
    until("the listener hears what it may", || {
        for topic in ["zigbee2mqtt/secret", "jetbackup-remote/elsewhere", "homeassistant/status"] {
            guarded.broker.publish(topic, "-", &[]);
        }
        heard.is_finished()
    });
    let heard = heard.join().unwrap();
    assert_eq!(String::from_utf8_lossy(&heard.stdout), "homeassistant/status\n");

    daemon.signal("TERM");
    daemon.wait().ended_with(0);
    assert_eq!(guarded.broker.holds(&own("availability")).as_deref(), Some("offline"));
    assert!(!farm.log().contains("check what it allows this user"), "{}", farm.log());
}

#[test]
fn what_the_access_list_keeps_back_is_told_where_the_guide_says() {
    let guarded = Guarded::start();
    let mut farm = Farm::new([vec![brief()]]);
    let mut settings = guarded.settings();
    settings["base_topic"] = json!("elsewhere");
    farm.mqtt(&settings);
    let _daemon = farm.start(&["daemon"]);
    let error = |farm: &Farm| farm.status()["broker"]["error"].as_str().unwrap_or_default().to_owned();
    farm.until("status tells it", |farm| error(farm).starts_with("it takes no messages on elsewhere/"));
    let explained = messages(section(&guide("troubleshooting.md"), "## MQTT and Home Assistant"));
    let told = "the broker does not take messages on elsewhere/";
    for (said, message) in [
        (error(&farm), "it takes no messages on …; check what it allows this user"),
        (farm.logs(told), "the broker does not take messages on …: …; check what it allows this user"),
    ] {
        assert!(explained.iter().any(|known| known == message), "{message} is not explained");
        assert!(says(&said, message), "{said}");
    }
}
