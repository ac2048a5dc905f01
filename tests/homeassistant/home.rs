//! Home Assistant, driven through the Python harness beside this file, which it shares no memory with and which ends
//! with it.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long anything that must happen may take before the test is failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// An instance that has an MQTT integration and nothing else.
pub struct Home {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// A page as it was shown.
pub struct Page {
    pub text: String,
    /// What stands where cards should be.
    pub errors: Vec<String>,
}

/// States by their entity ids.
pub type States = BTreeMap<String, Value>;

impl Home {
    /// Starts it with a broker on that port, these files in its folder, and this at the end of its configuration.yaml.
    pub fn start(broker: u16, files: &[(String, String)], configuration: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/homeassistant");
        assert!(
            folder.join(".cache/installed").exists(),
            "Home Assistant is not installed; this installs it: tests/homeassistant/install.sh"
        );
        let mut command = Command::new("python3");
        command.arg("-B").arg(folder.join("harness")).arg(folder.join(".cache"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("start python3");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut home = Self { child, input, output };
        for (path, text) in files {
            home.ask("write", json!([path, text]));
        }
        home.ask("start", json!([broker, configuration]));
        home
    }

    /// Asks the harness for something. An error is an answer too.
    pub fn try_ask(&mut self, request: &str, arguments: Value) -> Result<Value, String> {
        let input = self.input.as_mut().unwrap();
        writeln!(input, "{}", json!([request, arguments])).expect("the harness has ended");
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let mut answer: Value = serde_json::from_str(&line).expect("the harness has ended");
        match answer["error"].take() {
            Value::Null => Ok(answer["ok"].take()),
            error => Err(error.as_str().unwrap().to_owned()),
        }
    }

    /// Asks the harness for something.
    #[track_caller]
    pub fn ask(&mut self, request: &str, arguments: Value) -> Value {
        self.try_ask(request, arguments).unwrap_or_else(|error| panic!("{error}"))
    }

    /// A command of its WebSocket API.
    #[track_caller]
    pub fn ws(&mut self, command: &str, arguments: Value) -> Value {
        self.ask("ws", json!([command, arguments]))
    }

    /// Writes a file of its configuration.
    pub fn write(&mut self, path: &str, text: &str) {
        self.ask("write", json!([path, text]));
    }

    /// Ends it as its owner would.
    pub fn stop(&mut self) {
        self.ask("stop", json!([]));
    }

    /// Starts it again.
    pub fn resume(&mut self) {
        self.ask("resume", json!([]));
    }

    /// All its states.
    pub fn states(&mut self) -> States {
        let states = self.ask("http", json!(["GET", "/api/states"]));
        let Value::Array(states) = states else { panic!("{states}") };
        states.into_iter().map(|state| (state["entity_id"].as_str().unwrap().to_owned(), state)).collect()
    }

    /// An entity's state; nothing where there is no such entity.
    pub fn state(&mut self, entity: &str) -> Option<String> {
        self.states().get(entity).map(|state| state["state"].as_str().unwrap().to_owned())
    }

    /// Calls a service.
    #[track_caller]
    pub fn call(&mut self, service: &str, data: Value) {
        self.ask("http", json!(["POST", format!("/api/services/{}", service.replace('.', "/")), data]));
    }

    /// Presses a button.
    #[track_caller]
    pub fn press(&mut self, button: &str) {
        self.call("button.press", json!({"entity_id": button}));
    }

    /// Waits until something is true of its states.
    #[track_caller]
    pub fn until(&mut self, what: &str, mut condition: impl FnMut(&States) -> bool) -> States {
        let begun = Instant::now();
        loop {
            let states = self.states();
            if condition(&states) {
                return states;
            }
            if begun.elapsed() > PATIENCE {
                let lines: Vec<String> =
                    states.iter().map(|(entity, state)| format!("{entity}: {}", state["state"])).collect();
                panic!("never happened: {what}\n{}", lines.join("\n"));
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits for an entity's state.
    #[track_caller]
    pub fn until_is(&mut self, entity: &str, wanted: &str) {
        let begun = Instant::now();
        loop {
            let state = self.state(entity);
            if state.as_deref() == Some(wanted) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{entity} is {state:?}, not {wanted}");
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// The entities of its MQTT integration, as it remembers them, by their unique ids.
    pub fn entities(&mut self) -> BTreeMap<String, Value> {
        let Value::Array(entities) = self.ws("config/entity_registry/list", json!({})) else { panic!() };
        let ours = entities.into_iter().filter(|entity| entity["platform"] == "mqtt");
        ours.map(|entity| (entity["unique_id"].as_str().unwrap().to_owned(), entity)).collect()
    }

    /// The devices of its MQTT integration, by their identifiers.
    pub fn devices(&mut self) -> BTreeMap<String, Value> {
        let Value::Array(devices) = self.ws("config/device_registry/list", json!({})) else { panic!() };
        let identifier = |device: &Value| {
            let [domain, identifier] = [0, 1].map(|at| device["identifiers"][0][at].as_str());
            (domain == Some("mqtt")).then_some(identifier?.to_owned())
        };
        devices.into_iter().filter_map(|device| Some((identifier(&device)?, device))).collect()
    }

    /// The id of an entity's device, as automations name it.
    #[track_caller]
    pub fn device_of(&mut self, entity: &str) -> Value {
        self.ws("config/entity_registry/get", json!({"entity_id": entity}))["device_id"].clone()
    }

    /// Waits until there is no such device.
    #[track_caller]
    pub fn until_forgotten(&mut self, id: &Value) {
        let begun = Instant::now();
        while self.devices().values().any(|device| device["id"] == *id) {
            assert!(begun.elapsed() < PATIENCE, "the device {id} is still there");
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Makes an automation, enabled at once, or replaces it.
    #[track_caller]
    pub fn automate(&mut self, id: &str, mut automation: Value) {
        automation["alias"] = id.into();
        self.ask("http", json!(["POST", format!("/api/config/automation/config/{id}"), automation]));
        self.until_is(&format!("automation.{id}"), "on");
    }

    /// Makes an automation of one of the blueprints.
    #[track_caller]
    pub fn automate_by(&mut self, id: &str, blueprint: &str, input: &Value) {
        let path = format!("jetbackup-remote/{blueprint}.yaml");
        self.automate(id, json!({"use_blueprint": {"path": path, "input": input}}));
    }

    /// Its notifications: title and message.
    pub fn notifications(&mut self) -> Vec<(String, String)> {
        let notifications = self.ws("persistent_notification/get", json!({}));
        let text =
            |notification: &Value, key: &str| notification[key].as_str().unwrap_or_default().to_owned();
        let notifications = notifications.as_array().unwrap().iter();
        notifications.map(|one| (text(one, "title"), text(one, "message"))).collect()
    }

    /// Waits for a notification with this in its title, and answers its message.
    #[track_caller]
    pub fn until_notified(&mut self, title: &str) -> String {
        let begun = Instant::now();
        loop {
            let notifications = self.notifications();
            if let Some((_, message)) = notifications.iter().find(|(text, _)| text.contains(title)) {
                return message.clone();
            }
            assert!(begun.elapsed() < PATIENCE, "never notified of {title:?}, only of {notifications:#?}");
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Where its log ends.
    pub fn mark(&mut self) -> u64 {
        self.ask("mark", json!([])).as_u64().unwrap()
    }

    /// What it has complained about since then.
    pub fn problems(&mut self, mark: u64) -> Vec<String> {
        serde_json::from_value(self.ask("problems", json!([mark]))).unwrap()
    }

    /// It has not complained since then.
    #[track_caller]
    pub fn assert_content(&mut self, mark: u64) {
        let problems = self.problems(mark);
        assert!(problems.is_empty(), "{}", problems.join("\n"));
    }

    /// Waits until it complains of something.
    #[track_caller]
    pub fn until_complained(&mut self, mark: u64, text: &str) {
        let begun = Instant::now();
        while !self.problems(mark).iter().any(|problem| problem.contains(text)) {
            assert!(begun.elapsed() < PATIENCE, "it never complained: {text}");
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Opens a page that says `text` and takes a picture of it into `target/homeassistant/`.
    ///
    /// Each click is what to click on and what the page says then; the picture is taken before the last.
    #[track_caller]
    pub fn page(&mut self, path: &str, text: &str, view: &View, clicks: &[[&str; 2]]) -> Page {
        let picture = view.picture();
        let answer = self.ask("page", json!([path, text, picture, view.width, view.dark, clicks]));
        Page {
            text: answer["text"].as_str().unwrap().to_owned(),
            errors: serde_json::from_value(answer["errors"].clone()).unwrap(),
        }
    }
}

/// How a page is looked at.
pub struct View {
    /// The name of its picture.
    pub name: &'static str,
    /// In pixels.
    pub width: u32,
    pub dark: bool,
}

impl View {
    /// Where its picture is.
    pub fn picture(&self) -> PathBuf {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/homeassistant");
        folder.join(format!("{}.png", self.name))
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // The harness ends with its input, and Home Assistant with the harness.
        self.input.take();
        let _ = self.child.wait();
    }
}
