//! MQTT as it happens, a line for each change.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::broker::{Notice, Publication};
use crate::plans::Plan;
use crate::words::{DISCOVERY, NOT_ASKED, Topic, label, subject, tail};
use crate::{dim, say};

/// How wide a line may be, in characters.
const WIDTH: usize = 110;

/// Prints what changes until nothing can change any more.
pub async fn follow(mut notices: UnboundedReceiver<(Timestamp, Notice)>, plans: Vec<Plan>) {
    let mut last: HashMap<String, String> = HashMap::new();
    let mut announced = 0;
    while let Some((at, notice)) = notices.recv().await {
        let line = match notice {
            Notice::Came(client) => Some(format!("connected: {client}")),
            Notice::Went(client) => Some(format!("gone: {client}")),
            Notice::Published(publication) if publication.topic.starts_with(DISCOVERY) => {
                announced += usize::from(!publication.payload.is_empty());
                None
            }
            Notice::Published(publication) => {
                if announced > 0 {
                    print(at, &format!("{DISCOVERY}…  {announced} devices are announced to Home Assistant"));
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
    // A state is taken back by an empty message.
    if publication.payload.is_empty() && publication.retain {
        return None;
    }
    let word = topic.word(&publication.payload);
    if publication.retain {
        let before = last.insert(publication.topic.clone(), word.clone());
        // In the beginning there are many states, and nothing to say of them.
        let is_nothing = before.is_none() && matches!(word.as_str(), "idle" | NOT_ASKED);
        if before.as_ref() == Some(&word) || is_nothing {
            return None;
        }
    }
    let about = match topic {
        Topic::Event => subject(publication).unwrap_or_default(),
        _ => topic.job().map_or("", |id| label(plans, id)).to_owned(),
    };
    let words = [tail(&publication.topic)?, &word, &about];
    Some(words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join("  "))
}

fn print(at: Timestamp, line: &str) {
    let line = format!("{}  {line}", at.to_zoned(TimeZone::system()).strftime("%H:%M:%S"));
    let line = match line.char_indices().nth(WIDTH) {
        // With an ellipsis in the last place.
        Some(_) => format!("{}…", line.chars().take(WIDTH - 1).collect::<String>()),
        None => line,
    };
    say(&dim(&line));
}
