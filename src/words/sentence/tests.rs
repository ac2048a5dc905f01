use super::*;
use crate::model::{CycleId, Progress, Reason, Remark, RemarkKind, RunId};

fn key() -> JobKey {
    JobKey { server: "web1".parse().unwrap(), job: "64ab00000000000000000001".parse().unwrap() }
}

fn run() -> RunRecord {
    RunRecord {
        cycle: Some(CycleId(1)),
        duration: Some(4980),
        open: false,
        result: Some(JobResult::Completed),
        ..RunRecord::new(RunId(1), key(), "Accounts", "2026-03-01T02:00:00Z".parse().unwrap(), 14_400)
    }
}

fn ended(result: JobResult, reason: Option<Reason>, error: Option<&str>) -> RunRecord {
    RunRecord { result: Some(result), reason, error: error.map(str::to_owned), ..run() }
}

fn cycle() -> CycleRecord {
    CycleRecord {
        id: CycleId(1),
        started: "2026-03-01T02:00:00Z".parse().unwrap(),
        ended: None,
        duration: Some(10_920),
        total: 5,
        done: 5,
        completed: 5,
        problems: 0,
    }
}

fn event(what: What) -> Event {
    Event { at: "2026-03-01T02:00:00Z".parse().unwrap(), what }
}

#[test]
fn every_event_has_its_sentence() {
    let open = || RunRecord { open: true, result: None, duration: None, ..run() };
    let timeout = |next| What::JobTimeout { run: open(), elapsed: 14_700, next };
    let finished = |run| What::JobFinished { run, recovered: false };
    let server = || "web1".parse().unwrap();
    let destination = || "64ab00000000000000000077".parse().unwrap();
    let begun = |total| CycleRecord::begun(CycleId(1), "2026-03-01T02:00:00Z".parse().unwrap(), total);
    let golden = [
        (What::CycleStarted { cycle: begun(1), jobs: vec![key()], resumed: false }, "Cycle started: 1 job"),
        (
            What::CycleStarted { cycle: begun(3), jobs: vec![key(), key()], resumed: true },
            "Cycle taken up again, left: 2 jobs",
        ),
        (
            What::DestinationEnabled { server: server(), destination: destination() },
            "Destination enabled: 64ab00000000000000000077 on web1, for its jobs",
        ),
        (
            What::DestinationDisabled { server: server(), destination: destination(), recovered: false },
            "Destination disabled: 64ab00000000000000000077 on web1",
        ),
        (
            What::DestinationDisabled { server: server(), destination: destination(), recovered: true },
            "Destination disabled: 64ab00000000000000000077 on web1, at last",
        ),
        (
            What::DestinationStuck {
                server: server(),
                destination: destination(),
                error: "JetBackup refused".into(),
            },
            "CRITICAL: destination 64ab00000000000000000077 on web1 is still enabled; it is tried again: \
             JetBackup refused",
        ),
        (What::JobQueued { job: key() }, "Queued: web1/64ab00000000000000000001"),
        (What::JobStarting(open()), "Starting: Accounts on web1"),
        (What::JobStarted(open()), "Running: Accounts on web1"),
        (
            What::JobStarted(RunRecord { origin: Origin::Adopted, ..open() }),
            "Running: Accounts on web1, not started from here; it is waited for",
        ),
        (
            What::RunNoted(RunRecord { error: Some("no answer for 5 min".into()), ..open() }),
            "About Accounts on web1: no answer for 5 min",
        ),
        (
            What::RunNoted(ended(JobResult::LostContact, Some(Reason::Unreachable), None)),
            "About Accounts on web1: contact lost: the server cannot be reached",
        ),
        (
            timeout(AfterTimeout::GoesOn),
            "Beyond its limit: Accounts on web1, running for 4 h 5 min (limit 4 h); the queue goes on beside it",
        ),
        (
            timeout(AfterTimeout::WaitsForOverruns),
            "Beyond its limit: Accounts on web1, running for 4 h 5 min (limit 4 h); \
             the queue waits, no more runs may be beyond their limit",
        ),
        (
            timeout(AfterTimeout::WaitsForRelease),
            "Beyond its limit: Accounts on web1, running for 4 h 5 min (limit 4 h); \
             the queue waits for its end or for `release`",
        ),
        (finished(run()), "Completed: Accounts on web1 after 1 h 23 min"),
        (
            What::JobFinished { run: run(), recovered: true },
            "Completed: Accounts on web1 after 1 h 23 min, it had not completed the last time",
        ),
        (
            finished(RunRecord { overrun: true, ..run() }),
            "Completed: Accounts on web1 after 1 h 23 min, beyond its limit",
        ),
        (
            finished(ended(JobResult::Partial, None, Some("1 account is over quota"))),
            "Partly completed: Accounts on web1 after 1 h 23 min: 1 account is over quota",
        ),
        (
            finished(ended(JobResult::Failed, None, Some("disk\nfull\x1b[2J"))),
            "Failed: Accounts on web1 after 1 h 23 min: disk full [2J",
        ),
        (finished(ended(JobResult::Aborted, None, None)), "Aborted: Accounts on web1 after 1 h 23 min"),
        (
            finished(ended(JobResult::NeverFinished, None, None)),
            "Never finished: Accounts on web1 after 1 h 23 min",
        ),
        (
            finished(RunRecord {
                duration: None,
                ..ended(JobResult::DidNotStart, Some(Reason::Refused), Some("licence expired"))
            }),
            "Did not start: Accounts on web1: JetBackup refused it: licence expired",
        ),
        (
            finished(ended(JobResult::LostContact, None, None)),
            "Contact lost: Accounts on web1 after 1 h 23 min",
        ),
        (
            finished(ended(JobResult::Unknown, Some(Reason::GroupVanished), None)),
            "Ended, nothing tells how: Accounts on web1 after 1 h 23 min: JetBackup's queue was cleared",
        ),
        (
            What::JobSkipped(ended(JobResult::Skipped, Some(Reason::Disabled), None)),
            "Skipped: Accounts on web1: the job is disabled on its server",
        ),
        (What::Released(open()), "Released: Accounts on web1; it stays watched"),
        (What::Waiting { reason: Some("web2 is still writing".into()) }, "Waiting: web2 is still writing"),
        (What::Waiting { reason: None }, "No longer waiting"),
        (
            What::ServerUnreachable { server: server(), error: "connection refused".into(), by_ssh: false },
            "Not reachable: web1: connection refused",
        ),
        (
            What::ServerUnreachable { server: server(), error: "a licence issue".into(), by_ssh: true },
            "JetBackup does not answer: web1: a licence issue",
        ),
        (
            What::JobStale { job: key(), last_success: None },
            "Stale: web1/64ab00000000000000000001 has not completed for too long (last: never)",
        ),
        (
            What::Scheduled { next: None, waiting_for_clock: true },
            "The clock cannot be right; nothing is scheduled until it is set",
        ),
        (What::ServerReachable { server: server(), version: None }, "Reachable: web1"),
        (
            What::ServerReachable { server: server(), version: Some("5.3.14".into()) },
            "Reachable: web1, JetBackup 5.3.14",
        ),
        (What::Stopping, "Stopping: nothing more is started, the running backup goes on"),
        (What::Alert { job: None, text: "the disk is full".into() }, "Attention: the disk is full"),
        (
            What::Alert { job: Some(key()), text: "not recorded".into() },
            "Attention: web1/64ab00000000000000000001: not recorded",
        ),
        (What::CycleFinished(cycle()), "Cycle finished after 3 h 2 min: 5 of 5 jobs completed"),
        (
            What::CycleFinished(CycleRecord {
                done: 4,
                completed: 3,
                problems: 1,
                duration: None,
                ..cycle()
            }),
            "Cycle finished: 3 of 5 jobs completed, 1 problem, 1 not reached",
        ),
    ];
    for (what, said) in golden {
        assert_eq!(sentence(&event(what)).as_deref(), Some(said));
    }
}

#[test]
fn what_is_odd_has_its_sentence() {
    let remark = |n: u8| Remark {
        kind: RemarkKind::JobDisabled,
        id: n.to_string(),
        text: format!("job {n} is disabled"),
        since: None,
    };
    let remarks = |all: &[u8], new: &[u8]| {
        let of = |numbers: &[u8]| numbers.iter().copied().map(remark).collect();
        sentence(&event(What::Remarks { server: key().server, remarks: of(all), new: of(new) }))
    };
    let said = "Worth a look on web1: job 2 is disabled; job 3 is disabled";
    assert_eq!(remarks(&[1, 2, 3], &[2, 3]).as_deref(), Some(said));
    assert_eq!(remarks(&[1], &[]), None);
    assert_eq!(remarks(&[], &[]).as_deref(), Some("Nothing more to look at on web1"));
    let due = "2026-03-01T02:00:00Z".parse().unwrap();
    let missed = |begins| sentence(&event(What::CycleMissed { due, begins })).unwrap();
    let shown = moment(due);
    assert_eq!(missed(Some(due)), format!("Late: the cycle due at {shown} begins only now"));
    assert_eq!(missed(None), format!("Missed: the cycle due at {shown} has not begun"));
}

#[test]
fn what_is_nobodys_news_is_not_said() {
    let progress = What::Progress { run: RunId(1), progress: Progress::default() };
    assert_eq!(sentence(&event(progress)), None);
    let nothing_new = RunRecord { result: None, ..run() };
    assert_eq!(sentence(&event(What::RunNoted(nothing_new))), None);
}

#[test]
fn labels_are_used_where_they_can_be_found() {
    let queued = event(What::JobQueued { job: key() });
    let said = sentence_with(&queued, &|found| (*found == key()).then(|| "Accounts".to_owned()));
    assert_eq!(said.as_deref(), Some("Queued: Accounts on web1"));
}
