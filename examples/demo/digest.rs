//! A night of MQTT on half a screen: what each topic said, and when.

use jiff::Timestamp;

use crate::broker::Notice;
use crate::plans::Plan;
use crate::words::{DISCOVERY, Topic, label, tail};

/// How wide a line may be, in characters.
const WIDTH: usize = 110;

/// What a topic said.
struct Row {
    topic: String,
    label: &'static str,
    /// What it said, the second in which it first did, and how often in a row.
    said: Vec<(String, i64, usize)>,
}

/// What was published, topic by topic.
pub fn digest(notices: &[(Timestamp, Notice)], plans: &[Plan]) -> Vec<String> {
    let began = notices.first().map_or(Timestamp::UNIX_EPOCH, |(at, _)| *at);
    let mut announced = 0;
    let mut rows: Vec<Row> = Vec::new();
    for (at, notice) in notices {
        let Notice::Published(publication) = notice else { continue };
        if publication.topic.starts_with(DISCOVERY) {
            announced += 1;
        }
        let Some((topic, tail)) = Topic::of(&publication.topic).zip(tail(&publication.topic)) else {
            continue;
        };
        let short = shortened(tail, topic.job());
        let place = rows.iter().position(|row| row.topic == short).unwrap_or_else(|| {
            let label = topic.job().map_or("", |id| label(plans, id));
            rows.push(Row { topic: short, label, said: Vec::new() });
            rows.len() - 1
        });
        let word = topic.word(&publication.payload);
        match rows[place].said.last_mut() {
            Some((said, _, times)) if *said == word => *times += 1,
            _ => rows[place].said.push((word, at.duration_since(began).as_secs(), 1)),
        }
    }
    let mut lines = vec![format!("{DISCOVERY}…  announces {announced} devices to Home Assistant")];
    lines.extend(table(&rows));
    lines
}

/// The beginning of an id tells nobody anything.
fn shortened(tail: &str, job: Option<&str>) -> String {
    match job.and_then(|id| Some((id, id.get(id.len().checked_sub(4)?..)?))) {
        Some((id, end)) => tail.replace(id, &format!("…{end}")),
        None => tail.to_owned(),
    }
}

fn table(rows: &[Row]) -> Vec<String> {
    let width =
        |column: fn(&Row) -> &str| rows.iter().map(|row| column(row).chars().count()).max().unwrap_or(0);
    let (topics, labels) = (width(|row| &row.topic), width(|row| row.label));
    let mut lines = Vec::new();
    for row in rows {
        let is_event = row.topic == "events";
        let mut line = format!("{:topics$}  {:labels$} ", row.topic, row.label);
        let indent = line.chars().count();
        for (place, (word, second, times)) in row.said.iter().enumerate() {
            // A state that is told again is the same state; an event that is told again happened again.
            let again = if is_event && *times > 1 { format!(" ×{times}") } else { String::new() };
            let more = if place + 1 < row.said.len() { "," } else { "" };
            let piece = format!(" {second:>2} {word}{again}{more}");
            if line.chars().count() + piece.chars().count() > WIDTH && line.chars().count() > indent {
                lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
            }
            line.push_str(&piece);
        }
        lines.push(line);
    }
    lines
}
