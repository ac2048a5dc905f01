//! The same at a terminal, with a person who is asked.

use std::fs;

use jetbackup_sim::{Job, id};

use crate::farm::{Farm, brief};
use crate::site::Site;
use crate::terminal::Terminal;

#[test]
fn whatever_is_missing_is_asked_for_and_mistakes_can_be_mended() {
    let site = Site::new(Farm::new([vec![brief(), brief()], vec![brief()]]));
    site.farm.world(1, |world, _| *world = world.clone().job(Job::new(id(100), "Old").disabled()));
    let state = site.path("state").display().to_string();
    let arguments = ["init", "--state-dir", &state, "--key", &site.known_key()];
    let mut person = Terminal::start(site.command(&arguments));
    person.answer("Server: ", "");
    person.see("at least one server is needed");
    person.answer("Server: ", "al pha");
    person.see("is not NAME=HOST");
    person.answer("Server: ", &site.server(0));
    person.answer("Next server", &site.server(0));
    person.see("the name alpha is given twice");
    person.answer("Next server", &site.server(1));
    person.answer("Next server", "");
    person.see("alpha (root@127.0.0.1");
    person.see("SHA256:");
    person.answer("Is that the server's key", "yes");
    person.see("beta (root@127.0.0.1");
    person.answer("Is that the server's key", "");
    person.see("disabled there");
    person.answer("Which jobs shall run (as in 1,3-5; or all, none)? [1-3]", "9");
    person.see("not a number from 1 to 4");
    person.answer("Which jobs shall run", "1,3");
    person.answer("Priorities", "3=10");
    person.answer("When shall the daemon start", "sometimes");
    person.answer("When shall the daemon start", "15 4 * * *");
    person.answer("MQTT broker", "my_broker:x");
    person.answer("MQTT broker", "broker.example.com");
    person.answer("User of the broker", "pi");
    person.answer("Password", "hunter2");
    person.answer("Mail about problems to", "nobody");
    person.answer("Mail server", "");
    person.answer("Sender", "");
    person.answer("User of the mail server", "");
    person.see("notification.to_addresses");
    person.answer("Mail about problems to", "");
    let (code, screen) = person.end();
    assert_eq!(code, Some(0), "{screen}");
    assert!(!screen.contains("hunter2"), "the password is on the screen:\n{screen}");

    let written = site.written();
    let jobs: Vec<_> =
        (0..2).map(|at| (&written["jobs"][at]["server"], &written["jobs"][at]["priority"])).collect();
    assert_eq!(jobs, [(&"alpha".into(), &0.into()), (&"beta".into(), &10.into())]);
    assert_eq!(written["daemon"]["schedule"], "15 4 * * *");
    assert_eq!(written["mqtt"]["host"], "broker.example.com");
    assert_eq!(fs::read_to_string(site.path("etc/mqtt-password")).unwrap(), "hunter2\n");
    assert_eq!(written.get("notification"), None);
    site.assert_usable();
}

#[test]
fn a_person_who_says_no_to_a_host_key_or_goes_away_is_obeyed() {
    let site = Site::new(Farm::new([vec![brief()]]));
    let state = site.path("state").display().to_string();
    let (server, key) = (site.server(0), site.known_key());
    let arguments = ["init", "--state-dir", &state, "--key", &key, "--server", &server];
    let mut person = Terminal::start(site.command(&arguments));
    person.answer("Is that the server's key", "no");
    person.answer("Try again", "no");
    // Ctrl-D.
    person.answer("When shall the daemon start", "\u{4}");
    person.see("no configuration has been written");
    assert_eq!(person.end().0, Some(1));
    assert!(!site.config().exists() && !site.path("state/known_hosts").exists());
    assert_eq!(site.farm.stations[0].sshd.accepted(), 0);
}

#[test]
fn ctrl_c_at_a_password_leaves_a_terminal_that_shows_what_is_typed() {
    let site = Site::new(Farm::new([vec![brief()]]));
    let state = site.path("state").display().to_string();
    let (server, key) = (site.server(0), site.known_key());
    let arguments = ["init", "--state-dir", &state, "--key", &key, "--server", &server];
    let mut person = Terminal::start(site.command(&arguments));
    person.answer("Is that the server's key", "yes");
    person.answer("Which jobs shall run", "");
    person.answer("When shall the daemon start", "");
    person.answer("MQTT broker", "broker.example.com");
    person.answer("User of the broker", "pi");
    person.see("Password");
    assert!(!person.shows_what_is_typed());
    person.press("hunt\u{3}");
    person.see("no configuration has been written");
    assert!(person.shows_what_is_typed());
    assert_eq!(person.end().0, Some(1));
    assert!(!site.config().exists());
}

#[test]
fn an_existing_configuration_can_be_added_to_or_left_alone() {
    let site = Site::new(Farm::new([vec![brief()], vec![brief()]]));
    let (key, first) = (site.known_key(), site.server(0));
    site.init(&["--server", &first, "--key", &key]).ended_with(0);
    let before = fs::read_to_string(site.config()).unwrap();
    let mut person = Terminal::start(site.command(&["init"]));
    person.answer("Add to it, replace it (a copy is kept), or quit? [add]", "quit");
    assert_eq!(person.end().0, Some(1));
    assert_eq!(fs::read_to_string(site.config()).unwrap(), before);

    let mut person = Terminal::start(site.command(&["init"]));
    person.answer("Add to it", "");
    person.answer("Server", &site.server(1));
    person.answer("Next server", "");
    person.answer("Is that the server's key", "");
    person.answer("Which jobs shall run", "");
    let (code, screen) = person.end();
    assert_eq!(code, Some(0), "{screen}");
    assert_eq!(site.labels(), ["job 0", "job 0 (beta)"]);
    site.assert_usable();
}
