//! The outside watcher: told when a cycle begins and how it ended, so that it notices when nothing is told any more.
//!
//! By the conventions of healthchecks.io (<https://healthchecks.io/docs/http_api/>): `/start` and `/fail` behind the
//! URL, `rid` for runs that belong together, and a text for people. Push URLs of Uptime Kuma
//! (<https://github.com/louislam/uptime-kuma/wiki>) are known by their `/api/push/`: they take the state and a text as
//! parameters, and know no start.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::http::Post;
use crate::model::{CycleId, CycleRecord, Event, What};
use crate::words;

const PARAMETER: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// What healthchecks.io keeps of a text is more than this.
const MOST: usize = 8000;

/// What is told to the watcher at this URL.
#[derive(Debug)]
pub(super) struct Ping {
    url: String,
    /// What went wrong in the cycle under way.
    problems: Vec<String>,
}

impl Ping {
    pub fn new(url: String) -> Self {
        Self { url, problems: Vec::new() }
    }

    /// What to post about an event.
    pub fn about(&mut self, event: &Event) -> Option<Post> {
        match &event.what {
            What::CycleStarted { cycle, resumed: false, .. } => {
                self.problems.clear();
                let url = (!self.is_push()).then(|| self.with_path("/start", cycle.id))?;
                Some(Post { url, kind: "text/plain; charset=utf-8", body: String::new() })
            }
            What::JobFinished { run, .. } | What::JobSkipped(run) if run.is_problem() => {
                self.problems.extend(words::sentence(event));
                None
            }
            What::JobTimeout { .. } => {
                self.problems.extend(words::sentence(event));
                None
            }
            What::CycleFinished(cycle) => Some(self.end(cycle)),
            _ => None,
        }
    }

    fn end(&mut self, cycle: &CycleRecord) -> Post {
        let over = words::over(cycle);
        let problems = std::mem::take(&mut self.problems);
        let is_well = cycle.problems == 0;
        let url = match (self.is_push(), is_well) {
            (true, true) => self.with_parameters("up", &over),
            (true, false) => self.with_parameters("down", &over),
            (false, true) => self.with_path("", cycle.id),
            (false, false) => self.with_path("/fail", cycle.id),
        };
        let lines = std::iter::once(over).chain(problems).collect::<Vec<_>>().join("\n");
        let body = lines.chars().take(MOST).collect();
        Post { url, kind: "text/plain; charset=utf-8", body }
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
        let (base, parameters) = self.parts();
        // What people copy from Uptime Kuma has examples of these.
        let ours = ["status", "msg", "ping"];
        let theirs = parameters
            .split('&')
            .filter(|pair| !pair.is_empty() && !ours.contains(&pair.split('=').next().unwrap_or_default()));
        let mut pairs: Vec<String> = theirs.map(str::to_owned).collect();
        pairs.push(format!("status={status}"));
        pairs.push(format!("msg={}", utf8_percent_encode(message, PARAMETER)));
        format!("{base}?{}", pairs.join("&"))
    }
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

    /// What is posted over a cycle.
    fn night(url: &str, problems: u32) -> Vec<(String, String)> {
        let mut ping = Ping::new(url.to_owned());
        let started = event(What::CycleStarted { cycle: cycle(0), jobs: Vec::new(), resumed: false });
        let mut events = vec![started];
        if problems > 0 {
            events.push(failed());
        }
        events.push(event(What::CycleFinished(cycle(problems))));
        events.iter().filter_map(|event| ping.about(event)).map(|post| (post.url, post.body)).collect()
    }

    const RID: &str = "rid=0000001f-0000-4000-8000-ffffffffffff";

    #[test]
    fn by_the_conventions_of_healthchecks_io() {
        let good = night("https://hc-ping.com/id", 0);
        assert_eq!(good[0], (format!("https://hc-ping.com/id/start?{RID}"), String::new()));
        let over = "Cycle finished after 1 min 30 s: 2 of 2 jobs completed";
        assert_eq!(good[1], (format!("https://hc-ping.com/id?{RID}"), over.to_owned()));
        let bad = night("https://hc.example.com/ping/id/?create=1", 1);
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
        assert_eq!(good[0].0, format!("https://kuma.example.com/api/push/token?status=up&msg={message}"));
        assert!(night(url, 1)[0].0.contains("?status=down&msg="));
    }

    #[test]
    fn a_cycle_taken_up_again_was_told_to_begin_already() {
        let mut ping = Ping::new("https://hc-ping.com/id".into());
        let resumed = event(What::CycleStarted { cycle: cycle(0), jobs: Vec::new(), resumed: true });
        assert!(ping.about(&resumed).is_none());
    }
}
