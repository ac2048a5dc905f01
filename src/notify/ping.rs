//! The outside watcher: told when a cycle begins and how it ended, so that it notices when nothing is told any more.
//!
//! By the conventions of healthchecks.io (<https://healthchecks.io/docs/http_api/>): `/start` and `/fail` behind the
//! URL, `rid` for runs that belong together, and a text for people. Push URLs of Uptime Kuma
//! (<https://github.com/louislam/uptime-kuma/wiki>) are known by their `/api/push/`: they take the state and a text as
//! parameters, and know no start.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::http::{Body, Message};
use crate::model::{CycleId, CycleRecord, Event, What};
use crate::words;

const PARAMETER: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// The most of a text that is posted, in characters: healthchecks.io keeps 10 kB or more, by its version.
const MOST: usize = 8000;
/// The most of a text that is told as a parameter, in characters.
const MOST_OF_A_PARAMETER: usize = 250;

/// What is told to the watcher at a URL.
pub(super) struct Ping {
    url: String,
    /// What became of the jobs of the cycle under way; nothing is collected while there is none.
    turns: Option<Vec<String>>,
    /// Those of them that went wrong.
    problems: Vec<String>,
}

impl Ping {
    pub fn new(url: &str) -> Self {
        // A fragment is never sent, and nothing may be put behind it.
        let url = url.split('#').next().unwrap_or_default().to_owned();
        Self { url, turns: None, problems: Vec::new() }
    }

    /// What to send because of an event.
    pub fn about(&mut self, event: &Event) -> Option<Message> {
        match &event.what {
            What::CycleStarted { cycle, resumed, .. } => {
                self.turns = Some(Vec::new());
                self.problems.clear();
                // One that was taken up again was told to begin already.
                let url = (!resumed && !self.is_push()).then(|| self.with_path("/start", cycle.id))?;
                Some(post(url, &words::sentence(event).unwrap_or_default()))
            }
            What::JobFinished { run, .. } | What::JobSkipped(run) => {
                self.note(event, run.is_problem());
                None
            }
            What::JobTimeout { .. } => {
                self.note(event, true);
                None
            }
            What::CycleFinished(cycle) => Some(self.end(cycle)),
            _ => None,
        }
    }

    fn note(&mut self, event: &Event, is_problem: bool) {
        if let (Some(turns), Some(sentence)) = (&mut self.turns, words::sentence(event)) {
            if is_problem {
                self.problems.push(sentence.clone());
            }
            turns.push(sentence);
        }
    }

    fn end(&mut self, cycle: &CycleRecord) -> Message {
        let over = words::over(cycle);
        let turns = self.turns.take().unwrap_or_default();
        let problems = std::mem::take(&mut self.problems);
        let is_well = cycle.problems == 0;
        if self.is_push() {
            let said = std::iter::once(over).chain(problems).collect::<Vec<_>>().join("; ");
            let url = self.with_parameters(if is_well { "up" } else { "down" }, &said);
            // Its older versions take nothing but GET.
            return Message { url, body: None };
        }
        let url = self.with_path(if is_well { "" } else { "/fail" }, cycle.id);
        post(url, &std::iter::once(over).chain(turns).collect::<Vec<_>>().join("\n"))
    }

    fn is_push(&self) -> bool {
        self.parts().0.contains("/api/push/")
    }

    /// What stands before the parameters, and those.
    fn parts(&self) -> (&str, &str) {
        self.url.split_once('?').unwrap_or((&self.url, ""))
    }

    fn with_path(&self, path: &str, cycle: CycleId) -> String {
        let (base, parameters) = self.parts();
        let more = if parameters.is_empty() { String::new() } else { format!("{parameters}&") };
        format!("{}{path}?{more}rid={}", base.trim_end_matches('/'), uuid(cycle))
    }

    fn with_parameters(&self, status: &str, message: &str) -> String {
        let message: String = message.chars().take(MOST_OF_A_PARAMETER).collect();
        let (base, parameters) = self.parts();
        // What people copy from Uptime Kuma has examples of these.
        let ours = ["status", "msg", "ping"];
        let theirs = parameters
            .split('&')
            .filter(|pair| !pair.is_empty() && !ours.contains(&pair.split('=').next().unwrap_or_default()));
        let mut pairs: Vec<String> = theirs.map(str::to_owned).collect();
        pairs.push(format!("status={status}"));
        pairs.push(format!("msg={}", utf8_percent_encode(&message, PARAMETER)));
        format!("{base}?{}", pairs.join("&"))
    }
}

fn post(url: String, text: &str) -> Message {
    let text = text.chars().take(MOST).collect();
    Message { url, body: Some(Body { kind: "text/plain; charset=utf-8", text }) }
}

/// A cycle's id as a UUID, which is what a `rid` must be.
fn uuid(cycle: CycleId) -> String {
    let id = cycle.0.unsigned_abs();
    format!("{:08x}-0000-4000-8000-{:012x}", id >> 48, id & 0xffff_ffff_ffff)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::{JobResult, RunId, RunRecord};

    fn event(what: What) -> Event {
        Event { at: Timestamp::UNIX_EPOCH, what }
    }

    fn cycle(problems: u32) -> CycleRecord {
        let begun = CycleRecord::begun(CycleId(0x1f_ffff_ffff_ffff), Timestamp::UNIX_EPOCH, 2);
        CycleRecord { done: 2, completed: 2 - problems, problems, duration: Some(90), ..begun }
    }

    fn failed() -> Event {
        let key = crate::model::JobKey {
            server: "web1".parse().unwrap(),
            job: format!("{:024x}", 1).parse().unwrap(),
        };
        let mut run = RunRecord::new(RunId(1), key, "Accounts", Timestamp::UNIX_EPOCH, 60);
        run.result = Some(JobResult::Failed);
        event(What::JobFinished { run, recovered: false })
    }

    /// What is sent over a cycle; an empty text where nothing is posted.
    fn night(url: &str, problems: u32) -> Vec<(String, String)> {
        let mut ping = Ping::new(url);
        let started = event(What::CycleStarted { cycle: cycle(0), jobs: Vec::new(), resumed: false });
        // Before it, and no part of it.
        let mut events = vec![failed(), started];
        if problems > 0 {
            events.push(failed());
        }
        events.push(event(What::CycleFinished(cycle(problems))));
        let sent = events.iter().filter_map(|event| ping.about(event));
        sent.map(|message| (message.url, message.body.map(|body| body.text).unwrap_or_default())).collect()
    }

    const RID: &str = "rid=0000001f-0000-4000-8000-ffffffffffff";

    #[test]
    fn by_the_conventions_of_healthchecks_io() {
        let good = night("https://hc-ping.com/id", 0);
        let begun = "Cycle started: 0 jobs";
        assert_eq!(good[0], (format!("https://hc-ping.com/id/start?{RID}"), begun.to_owned()));
        let over = "Cycle finished after 1 min 30 s: 2 of 2 jobs completed";
        assert_eq!(good[1], (format!("https://hc-ping.com/id?{RID}"), over.to_owned()));
        let bad = night("https://hc.example.com/ping/id/?create=1#here", 1);
        assert_eq!(bad[0].0, format!("https://hc.example.com/ping/id/start?create=1&{RID}"));
        assert_eq!(bad[1].0, format!("https://hc.example.com/ping/id/fail?create=1&{RID}"));
        assert!(bad[1].1.ends_with("1 problem\nFailed: Accounts on web1"), "{}", bad[1].1);
    }

    #[test]
    fn by_those_of_uptime_kuma() {
        let url = "https://kuma.example.com/api/push/token?status=up&msg=OK&ping=";
        let good = night(url, 0);
        assert_eq!(good.len(), 1, "it knows no start");
        let message = "Cycle%20finished%20after%201%20min%2030%20s%3A%202%20of%202%20jobs%20completed";
        let expected = format!("https://kuma.example.com/api/push/token?status=up&msg={message}");
        assert_eq!(good[0], (expected, String::new()));
        let bad = &night(url, 1)[0].0;
        assert!(bad.contains("?status=down&msg=Cycle%20finished"), "{bad}");
        assert!(bad.ends_with("%3B%20Failed%3A%20Accounts%20on%20web1"), "{bad}");
    }

    #[test]
    fn a_cycle_taken_up_again_was_told_to_begin_already() {
        let mut ping = Ping::new("https://hc-ping.com/id");
        let resumed = event(What::CycleStarted { cycle: cycle(0), jobs: Vec::new(), resumed: true });
        assert!(ping.about(&resumed).is_none());
        assert!(ping.about(&failed()).is_none());
        let over = ping.about(&event(What::CycleFinished(cycle(1)))).unwrap();
        assert!(over.body.unwrap().text.ends_with("Failed: Accounts on web1"));
    }
}
