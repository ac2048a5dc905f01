//! The fold, event by event, and the exact JSON that comes of it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

fn key(server: &str, number: u8) -> JobKey {
    JobKey { server: server.parse().unwrap(), job: format!("{number:024x}").parse().unwrap() }
}

fn run(id: i64, key: JobKey) -> RunRecord {
    RunRecord { cycle: Some(CycleId(7)), ..RunRecord::new(RunId(id), key, "Accounts", at(0), 3600) }
}

fn starts(id: CycleId, jobs: Vec<JobKey>) -> What {
    What::CycleStarted { cycle: CycleRecord::begun(id, at(0), jobs.len()), jobs, resumed: false }
}

/// Two servers, a job each, a cycle begun.
fn begun() -> Snapshot {
    let facts = |key: JobKey, usual| JobFacts {
        key,
        label: "Accounts".into(),
        limit: 3600,
        last: None,
        last_success: None,
        usual,
        stale: false,
    };
    let jobs = vec![facts(key("a", 1), Some(600)), facts(key("b", 2), None)];
    let mut snapshot = Snapshot::new(&["a".parse().unwrap(), "b".parse().unwrap()], jobs);
    tell(&mut snapshot, 0, starts(CycleId(7), vec![key("a", 1), key("b", 2)]));
    snapshot
}

fn tell(snapshot: &mut Snapshot, seconds: i64, what: What) {
    snapshot.apply(&Event { at: at(seconds), what });
}

fn phases(snapshot: &Snapshot) -> Vec<view::JobPhase> {
    snapshot.jobs().iter().map(|job| job.phase).collect()
}

#[test]
fn a_job_goes_through_its_phases() {
    use view::JobPhase::*;
    let mut snapshot = begun();
    assert_eq!(phases(&snapshot), [Queued, Queued]);
    let mut record = run(1, key("a", 1));
    tell(&mut snapshot, 1, What::JobStarting(record.clone()));
    assert_eq!(phases(&snapshot), [Starting, Queued]);
    record.group = Some(format!("{:024x}", 9).parse().unwrap());
    tell(&mut snapshot, 2, What::JobStarted(record.clone()));
    assert_eq!(phases(&snapshot), [Running, Queued]);
    let progress = |progress: Progress| What::Progress { run: RunId(1), progress };
    tell(&mut snapshot, 3, progress(Progress { out_of_contact: true, ..Progress::default() }));
    assert_eq!(phases(&snapshot), [Unknown, Queued]);
    tell(&mut snapshot, 4, progress(Progress { stopping: true, ..Progress::default() }));
    assert_eq!(phases(&snapshot), [Stopping, Queued]);
    tell(&mut snapshot, 5, progress(Progress::default()));
    record.overrun = true;
    let next = AfterTimeout::GoesOn;
    tell(&mut snapshot, 3601, What::JobTimeout { run: record.clone(), elapsed: 3600, next });
    assert_eq!(phases(&snapshot), [Overrun, Queued]);
    record.open = false;
    record.result = Some(JobResult::Completed);
    tell(&mut snapshot, 4000, What::JobFinished { run: record, recovered: false });
    assert_eq!(phases(&snapshot), [Idle, Queued]);
    let job = &snapshot.jobs()[0];
    assert!(job.problem, "it completed, and too late");
    assert_eq!(job.last_success, Some(at(4000)));
}

#[test]
fn every_key_is_in_every_message() {
    let mut snapshot = begun();
    let job = serde_json::to_value(&snapshot.jobs()[1]).unwrap();
    assert_eq!(
        job,
        json!({
            "server": "b", "job_id": "000000000000000000000002", "label": "Accounts", "phase": "queued",
            "running": false, "queue_position": 2, "problem": false, "stale": false, "overrun": false, "limit": 3600,
            "current": null, "last": null, "last_success": null, "usual_duration": null
        })
    );
    let record = RunRecord { started: Some(at(5)), ..run(1, key("a", 1)) };
    tell(&mut snapshot, 6, What::JobStarted(record));
    let progress = Progress {
        items: Some(8),
        items_completed: Some(2),
        elapsed: 150,
        usual: Some(600),
        ..Progress::default()
    };
    tell(&mut snapshot, 155, What::Progress { run: RunId(1), progress });
    assert_eq!(
        serde_json::to_value(snapshot.queue()).unwrap(),
        json!({
            "phase": "running", "reason": null,
            "current": {
                "server": "a", "job_id": "000000000000000000000001", "label": "Accounts",
                "phase": "running", "progress": 25, "eta": 450
            },
            "queue": [{
                "server": "b", "job_id": "000000000000000000000002", "label": "Accounts",
                "position": 1, "reason": null
            }],
            "writers": 1,
            "cycle": {"started": "2023-11-14T22:13:20Z", "done": 0, "total": 2},
            "last_cycle": null, "next_run": null, "problem": false, "outbox": null, "checked_at": "2023-11-14T22:15:55Z"
        })
    );
    let current: Value = serde_json::to_value(&snapshot.jobs()[0].current).unwrap();
    assert_eq!(
        current,
        json!({
            "group": null, "started": "2023-11-14T22:13:25Z", "progress": 25, "items": 8,
            "items_completed": 2, "eta": 450, "elapsed": 150
        })
    );
}

#[test]
fn a_foreign_run_does_not_take_the_turn_of_its_job() {
    let mut snapshot = begun();
    let stranger = RunRecord { cycle: None, origin: Origin::Adopted, ..run(1, key("b", 2)) };
    tell(&mut snapshot, 1, What::JobStarted(stranger));
    assert_eq!(snapshot.queue().queue.len(), 2);
    assert_eq!(snapshot.queue().writers, 1);
}

#[test]
fn a_waiting_queue_says_why_and_a_finished_cycle_leaves_nothing_behind() {
    let mut snapshot = begun();
    tell(&mut snapshot, 1, What::Waiting { reason: Some("b Accounts is running".into()) });
    let queue = snapshot.queue();
    assert_eq!(queue.phase, view::QueuePhase::Waiting);
    assert_eq!(queue.queue[0].reason.as_deref(), Some("b Accounts is running"));
    let skipped = RunRecord {
        open: false,
        result: Some(JobResult::Skipped),
        reason: Some(Reason::StoppedByUser),
        ..run(2, key("a", 1))
    };
    tell(&mut snapshot, 2, What::Stopping);
    assert_eq!(snapshot.queue().phase, view::QueuePhase::Stopping);
    tell(&mut snapshot, 2, What::JobSkipped(skipped));
    assert!(!snapshot.jobs()[0].problem, "a turn that a person called off is no failure of the job's");
    let cycle = CycleRecord {
        id: CycleId(7),
        started: at(0),
        ended: Some(at(3)),
        duration: Some(3),
        total: 2,
        done: 1,
        completed: 0,
        problems: 2,
    };
    tell(&mut snapshot, 3, What::CycleFinished(cycle));
    let queue = snapshot.queue();
    assert_eq!((queue.phase, queue.queue.len(), queue.cycle), (view::QueuePhase::Idle, 0, None));
    assert_eq!(queue.last_cycle.unwrap().result, JobResult::Failed);
}

#[test]
fn a_server_keeps_since_when_it_is_as_it_is() {
    let mut snapshot = begun();
    let server = || "a".parse::<ServerName>().unwrap();
    tell(&mut snapshot, 1, What::ServerReachable { server: server(), version: Some("5.3.1".into()) });
    tell(&mut snapshot, 2, What::ServerReachable { server: server(), version: None });
    assert_eq!(snapshot.servers()[0].since, Some(at(1)));
    assert_eq!(snapshot.servers()[0].version.as_deref(), Some("5.3.1"), "what was told stays known");
    tell(
        &mut snapshot,
        3,
        What::ServerUnreachable { server: server(), error: "x".repeat(1200), by_ssh: false },
    );
    let state = &snapshot.servers()[0];
    assert_eq!((state.reachable, state.since), (Some(false), Some(at(3))));
    assert_eq!(state.error.as_ref().map(String::len), Some(text::KEPT - 1 + '…'.len_utf8()));
    assert_eq!(state.checked_at, Some(at(2)), "when it was last heard");
    assert!(snapshot.queue().problem);
}

#[test]
fn a_run_of_an_earlier_cycle_is_running_and_takes_nobodys_turn() {
    use view::JobPhase::*;
    let mut snapshot = begun();
    let mut left = run(3, key("b", 2));
    left.cycle = Some(CycleId(6));
    left.group = Some(format!("{:024x}", 9).parse().unwrap());
    tell(&mut snapshot, 1, What::RunNoted(left.clone()));
    assert_eq!(phases(&snapshot), [Queued, Running], "it was seen before");
    left.open = false;
    left.result = Some(JobResult::Completed);
    tell(&mut snapshot, 2, What::JobFinished { run: left, recovered: false });
    assert_eq!(phases(&snapshot), [Queued, Queued], "the job's turn is still to come");
}

#[test]
fn jetbackup_may_be_silent_where_the_server_answers() {
    let mut snapshot = begun();
    let server = || "a".parse::<ServerName>().unwrap();
    tell(&mut snapshot, 1, What::ServerReachable { server: server(), version: None });
    let silent = What::ServerUnreachable { server: server(), error: "a licence issue".into(), by_ssh: true };
    tell(&mut snapshot, 2, silent);
    let state = &snapshot.servers()[0];
    assert_eq!((state.reachable, state.jetbackup, state.answers()), (Some(true), Some(false), Some(false)));
    assert_eq!((state.since, state.checked_at), (Some(at(2)), Some(at(2))));
    assert!(snapshot.queue().problem);
}

#[test]
fn a_stale_job_is_a_problem_until_it_completes() {
    let mut snapshot = begun();
    tell(&mut snapshot, 1, What::JobStale { job: key("a", 1), last_success: None });
    assert!(snapshot.jobs()[0].stale && snapshot.jobs()[0].problem && snapshot.queue().problem);
    let mut done = run(3, key("a", 1));
    (done.open, done.result) = (false, Some(JobResult::Partial));
    tell(&mut snapshot, 2, What::JobFinished { run: done.clone(), recovered: false });
    assert!(snapshot.jobs()[0].stale, "partial is no success");
    done.result = Some(JobResult::Completed);
    tell(&mut snapshot, 3, What::JobFinished { run: done, recovered: false });
    assert!(!snapshot.jobs()[0].stale);
}

#[test]
fn an_idle_queue_tells_when_it_starts_again_or_that_it_waits_for_the_clock() {
    let mut snapshot = begun();
    tell(&mut snapshot, 1, What::CycleFinished(CycleRecord::begun(CycleId(7), at(0), 0)));
    tell(&mut snapshot, 2, What::Scheduled { next: None, waiting_for_clock: true });
    assert_eq!(snapshot.queue().phase, view::QueuePhase::WaitingForClock);
    tell(&mut snapshot, 3, What::Scheduled { next: Some(at(60)), waiting_for_clock: false });
    assert_eq!(snapshot.queue().phase, view::QueuePhase::Idle);
    assert_eq!(snapshot.queue().next_run, Some(at(60)));
}

#[test]
fn who_follows_from_afar_sees_the_same_queue() {
    let mut snapshot = begun();
    let mut open = run(3, key("a", 1));
    open.group = Some(format!("{:024x}", 9).parse().unwrap());
    tell(&mut snapshot, 1, What::JobStarting(open.clone()));
    let carried: Snapshot = serde_json::from_value(serde_json::to_value(&snapshot).unwrap()).unwrap();
    assert_eq!(carried, snapshot);
    let event = Event { at: at(2), what: What::JobStarted(open) };
    let carried: Event = serde_json::from_value(serde_json::to_value(&event).unwrap()).unwrap();
    assert_eq!(carried, event);
}

#[test]
fn who_leaves_leaves_no_running_behind_but_what_a_person_must_know() {
    let mut snapshot = begun();
    let mut late = run(3, key("a", 1));
    late.overrun = true;
    tell(&mut snapshot, 1, What::JobTimeout { run: late, elapsed: 3600, next: AfterTimeout::GoesOn });
    tell(&mut snapshot, 2, What::Leaving);
    let queue = snapshot.queue();
    assert_eq!((queue.phase, queue.current, queue.queue.len()), (view::QueuePhase::Idle, None, 0));
    assert_eq!((queue.writers, queue.cycle, queue.problem), (0, None, true));
    let [job, next] = &snapshot.jobs()[..] else { panic!("two jobs") };
    assert_eq!((job.phase, job.running, job.overrun), (view::JobPhase::Unknown, false, true));
    assert_eq!((job.current.clone(), next.queue_position), (None, None));
    assert_eq!(next.phase, view::JobPhase::Idle);
}

#[test]
fn a_destination_that_stays_enabled_is_a_problem_until_it_is_disabled() {
    let mut snapshot = begun();
    let (server, destination) = (|| "a".parse().unwrap(), "000000000000000000000077".parse().unwrap());
    tell(&mut snapshot, 1, What::DestinationEnabled { server: server(), destination });
    assert!(!snapshot.queue().problem);
    let error = "JetBackup refused".to_owned();
    tell(&mut snapshot, 2, What::DestinationStuck { server: server(), destination, error });
    assert_eq!(snapshot.servers()[0].destination_stuck.as_deref(), Some("JetBackup refused"));
    // That the server answers says nothing about it.
    tell(&mut snapshot, 3, What::ServerReachable { server: server(), version: None });
    assert!(snapshot.queue().problem);
    tell(&mut snapshot, 4, What::DestinationDisabled { server: server(), destination, recovered: true });
    assert_eq!(snapshot.servers()[0].destination_stuck, None);
    assert!(!snapshot.queue().problem);
}

#[test]
fn remarks_are_those_told_last_whether_the_server_answers_or_not() {
    let remark = |id: &str| Remark {
        kind: RemarkKind::JobInNoQueue,
        id: id.to_owned(),
        text: "it is in no queue".into(),
        since: None,
    };
    let server = || "a".parse::<ServerName>().unwrap();
    let mut snapshot = begun().remarking(&[(server(), vec![remark("64ab")])]);
    assert_eq!(snapshot.servers()[0].remarks, [remark("64ab")], "an earlier process told it");
    let told = |remarks| What::Remarks { server: server(), remarks, new: Vec::new() };
    tell(&mut snapshot, 1, told(vec![remark("64ac"), remark("64ad")]));
    let lost = What::ServerUnreachable { server: server(), error: "no route".into(), by_ssh: false };
    tell(&mut snapshot, 2, lost);
    assert_eq!(snapshot.servers()[0].remarks.len(), 2);
    tell(&mut snapshot, 3, What::ServerReachable { server: server(), version: None });
    assert!(!snapshot.queue().problem, "they are worth a look, and no failure");
    tell(&mut snapshot, 4, told(Vec::new()));
    assert!(snapshot.servers()[0].remarks.is_empty());
}
