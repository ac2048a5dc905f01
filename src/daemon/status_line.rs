//! The line that `systemctl status` shows.

use tokio::sync::watch;

use crate::model::Snapshot;
use crate::model::view::{QueuePhase, QueueState};
use crate::service::Service;

/// Keeps the line true for as long as there is a queue.
pub(super) async fn keep(service: Service, mut snapshot: watch::Receiver<Snapshot>) {
    loop {
        let queue = snapshot.borrow_and_update().queue();
        service.status(&line(&queue));
        if snapshot.changed().await.is_err() {
            return;
        }
    }
}

/// The queue in a line. It changes with the percentage at most, not with every second.
fn line(queue: &QueueState) -> String {
    let left = match queue.queue.len() {
        0 => String::new(),
        left => format!(", {left} queued"),
    };
    if let Some(current) = &queue.current {
        let progress = current.progress.map(|percent| format!(" {percent} %")).unwrap_or_default();
        return format!("{} on {}{progress}{left}", current.label, current.key.server);
    }
    match (&queue.reason, queue.phase) {
        (Some(reason), _) => format!("waiting: {reason}{left}"),
        (None, QueuePhase::WaitingForClock) => "waiting for the clock to be set".to_owned(),
        (None, _) if !queue.queue.is_empty() => format!("looking{left}"),
        (None, _) => match queue.next_run {
            Some(next) => format!("idle, next cycle at {next:.0}"),
            None => "idle".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Event, JobFacts, JobKey, RunId, RunRecord, What};

    #[test]
    fn the_line_says_what_runs_what_waits_and_when_it_goes_on() {
        let key = JobKey { server: "web1".parse().unwrap(), job: format!("{:024x}", 1).parse().unwrap() };
        let facts = JobFacts {
            key: key.clone(),
            label: "Accounts".into(),
            limit: 60,
            last: None,
            last_success: None,
            usual: None,
            stale: false,
        };
        let at: jiff::Timestamp = "2026-03-01T02:00:00Z".parse().unwrap();
        let mut snapshot = Snapshot::new(&["web1".parse().unwrap()], vec![facts]);
        let mut says = |what| {
            snapshot.apply(&Event { at, what });
            line(&snapshot.queue())
        };
        assert_eq!(
            says(What::Scheduled { next: None, waiting_for_clock: true }),
            "waiting for the clock to be set"
        );
        let scheduled = What::Scheduled { next: Some(at), waiting_for_clock: false };
        assert_eq!(says(scheduled), "idle, next cycle at 2026-03-01T02:00:00Z");
        assert_eq!(says(What::JobQueued { job: key.clone() }), "looking, 1 queued");
        let waiting = What::Waiting { reason: Some("web2 cannot be asked".into()) };
        assert_eq!(says(waiting), "waiting: web2 cannot be asked, 1 queued");
        let run = RunRecord::new(RunId(1), key, "Accounts", at, 60);
        assert_eq!(says(What::JobStarting(run)), "Accounts on web1, 1 queued");
    }
}
