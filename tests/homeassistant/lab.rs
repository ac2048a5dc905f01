//! What all tests share: a broker and a Home Assistant, started by the first test and ended by the last.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::broker::Broker;
use crate::home::Home;

static SHARED: Mutex<Weak<Mutex<Lab>>> = Mutex::new(Weak::new());

/// A Home Assistant with its broker.
pub struct Lab {
    // Ended before the broker, of whose end it would complain.
    pub home: Home,
    pub broker: Broker,
}

impl Lab {
    fn start() -> Self {
        let broker = Broker::start();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = "blueprints/automation/jetbackup-remote";
        let mut files = Vec::new();
        for entry in fs::read_dir(root.join("homeassistant").join(folder)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            files.push((format!("{folder}/{name}"), fs::read_to_string(entry.path()).unwrap()));
        }
        let readme = fs::read_to_string(root.join("homeassistant/README.md")).unwrap();
        let (_, rest) = readme.split_once("```yaml\n").expect("the README shows how to add the dashboard");
        let (configuration, _) = rest.split_once("```").unwrap();
        let home = Home::start(broker.port(), &files, configuration);
        Self { home, broker }
    }
}

/// Has Home Assistant for itself while it runs.
pub fn with<T>(test: impl FnOnce(&mut Lab) -> T) -> T {
    let lab = {
        // A test that failed leaves nothing that could mislead the next: each has its own names.
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let lab = Arc::new(Mutex::new(Lab::start()));
            *shared = Arc::downgrade(&lab);
            lab
        })
    };
    let mut lab = lab.lock().unwrap_or_else(PoisonError::into_inner);
    lab.broker.resume();
    test(&mut lab)
}
