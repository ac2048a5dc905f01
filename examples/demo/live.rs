//! MQTT as it happens, a line for each change.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::broker::{Notice, Publication};
use crate::plans::Plan;
use crate::say;
use crate::words::{DISCOVERY, Topic, label, subject, tail};

/// Prints what changes until nothing can change any more.
pub async fn follow(mut notices: UnboundedReceiver<(Timestamp, Notice)>, plans: Vec<Plan>) {
    let mut last: HashMap<String, String> = HashMap::new();
    let mut announced = 0;
    while let Some((at, notice)) = notices.recv().await {
        let line = match notice {
            Notice::Came(client) => Some(format!("{client} has connected")),
            Notice::Went(client) => Some(format!("{client} has gone")),
            Notice::Published(publication) if publication.topic.starts_with(DISCOVERY) => {
                announced += 1;
                None
            }
            Notice::Published(publication) => {
                if announced > 0 {
                    print(at, &format!("{DISCOVERY}…  {announced} devices are announced"));
                    announced = 0;
                }
                changed(&publication, &plans, &mut last)
            }
        };
        if let Some(line) = line {
            print(at, &line);
        }
    }
}

/// A message in a line, if it says anything new.
fn changed(publication: &Publication, plans: &[Plan], last: &mut HashMap<String, String>) -> Option<String> {
    let topic = Topic::of(&publication.topic)?;
    let word = topic.word(&publication.payload);
    let about = match topic {
        Topic::Event => subject(publication).unwrap_or_default(),
        _ => {
            if publication.retain
                && last.insert(publication.topic.clone(), word.clone()).as_ref() == Some(&word)
            {
                return None;
            }
            topic.job().map_or("", |id| label(plans, id)).to_owned()
        }
    };
    let words: Vec<&str> =
        [tail(&publication.topic)?, &about, &word].into_iter().filter(|word| !word.is_empty()).collect();
    Some(words.join("  "))
}

fn print(at: Timestamp, line: &str) {
    let time = at.to_zoned(TimeZone::system()).strftime("%H:%M:%S");
    say(&crate::dim(&format!("{time}  {line}")));
}
