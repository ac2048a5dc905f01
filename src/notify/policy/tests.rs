use jiff::Timestamp;

use super::*;
use crate::model::{
    AfterTimeout, CycleRecord, JobFacts, JobKey, Remark, RemarkKind, RunId, RunRecord as Run, ServerName,
};
use crate::notify::note::Note;

const CYCLE: CycleId = CycleId(7);

fn server() -> ServerName {
    "web1".parse().unwrap()
}

fn key(number: u64) -> JobKey {
    JobKey { server: server(), job: format!("{number:024x}").parse().unwrap() }
}

fn ended(number: u64, result: JobResult) -> Run {
    let mut run = Run::new(
        RunId(i64::try_from(number).unwrap()),
        key(number),
        format!("Job {number}"),
        Timestamp::UNIX_EPOCH,
        60,
    );
    (run.cycle, run.open, run.result) = (Some(CYCLE), false, Some(result));
    run
}

fn event(what: What) -> Event {
    Event { at: Timestamp::UNIX_EPOCH, what }
}

fn finished(run: Run) -> Event {
    event(What::JobFinished { run, recovered: false })
}

/// A cycle under way with jobs in the queue that usually take this long.
fn during(left: &[Option<u64>]) -> Snapshot {
    let facts = left.iter().zip(100..).map(|(usual, number)| JobFacts {
        key: key(number),
        label: format!("Job {number}"),
        limit: 60,
        last: None,
        last_success: None,
        usual: *usual,
        stale: false,
    });
    let facts: Vec<JobFacts> = facts.collect();
    let jobs: Vec<JobKey> = facts.iter().map(|job| job.key.clone()).collect();
    let cycle = CycleRecord::begun(CYCLE, Timestamp::UNIX_EPOCH, jobs.len());
    let mut snapshot = Snapshot::new(&[server()], facts);
    snapshot.apply(&event(What::CycleStarted { cycle, jobs, resumed: false }));
    snapshot
}

fn idle() -> Snapshot {
    Snapshot::new(&[server()], Vec::new())
}

fn wanted(change: impl FnOnce(&mut Notification)) -> Notification {
    let text = r#"{"ssh_key": "/key", "servers": {"web1": {"host": "web1.example.com"}}, "jobs": []}"#;
    let mut wanted = crate::config::parse(text, "config.json".as_ref()).unwrap().config.notification;
    change(&mut wanted);
    wanted
}

fn is_noted(event: &Event, snapshot: &Snapshot) -> bool {
    is_worth_a_note(&wanted(|_| ()), event, snapshot)
}

#[test]
fn a_failure_is_told_at_once_unless_its_summary_is_near() {
    for result in [
        JobResult::Failed,
        JobResult::Aborted,
        JobResult::NeverFinished,
        JobResult::DidNotStart,
        JobResult::LostContact,
        JobResult::Unknown,
    ] {
        let event = finished(ended(1, result));
        assert!(is_noted(&event, &during(&[Some(300), Some(300)])), "{result:?}");
        assert!(is_noted(&event, &during(&[None])), "a job that never ran may take any time");
        assert!(!is_noted(&event, &during(&[Some(300), Some(299)])), "{result:?}");
        assert!(!is_noted(&event, &during(&[])), "{result:?}");
        assert!(is_noted(&event, &idle()), "no summary comes after its cycle");
    }
    let mut strange = ended(1, JobResult::Failed);
    strange.cycle = None;
    assert!(is_noted(&finished(strange), &during(&[])), "it is no turn of the cycle under way");
}

#[test]
fn what_a_summary_tells_is_not_told_before_it() {
    for result in [JobResult::Partial, JobResult::Completed] {
        assert!(!is_noted(&finished(ended(1, result)), &during(&[None, None])), "{result:?}");
    }
    assert!(is_noted(&finished(ended(1, JobResult::Partial)), &idle()));
    assert!(!is_noted(&finished(ended(1, JobResult::Completed)), &idle()));
    assert!(!is_noted(&event(What::JobSkipped(ended(1, JobResult::Skipped))), &during(&[None])));
}

#[test]
fn who_was_told_of_a_time_limit_is_told_of_the_end() {
    let mut run = ended(1, JobResult::Completed);
    run.overrun = true;
    assert!(is_noted(&finished(run.clone()), &idle()));
    assert!(!is_noted(&finished(run), &during(&[None])), "the summary tells it");
}

#[test]
fn each_flag_means_what_it_says() {
    let timeout =
        event(What::JobTimeout { run: ended(1, JobResult::Failed), elapsed: 61, next: AfterTimeout::GoesOn });
    let recovered = event(What::JobFinished { run: ended(1, JobResult::Completed), recovered: true });
    let stale = event(What::JobStale { job: key(1), last_success: None });
    let alert = event(What::Alert { job: None, text: "the disk is full".into() });
    let missed = event(What::CycleMissed { due: "2026-03-01T01:00:00Z".parse().unwrap(), begins: None });
    let remark = Remark {
        kind: RemarkKind::JobDisabled,
        id: key(1).job.to_string(),
        text: "it is disabled".into(),
        since: None,
    };
    let server = key(1).server;
    let remarks = |new| event(What::Remarks { server: server.clone(), remarks: Vec::new(), new });
    assert!(!is_noted(&remarks(Vec::new()), &idle()), "that something went away is no news");
    let remarks = remarks(vec![remark]);
    let failed = finished(ended(1, JobResult::Failed));
    let partial = finished(ended(1, JobResult::Partial));
    let none = wanted(|wanted| {
        (wanted.on_failure, wanted.on_timeout, wanted.on_partial) = (false, false, false);
    });
    for (event, name, set) in [
        (&timeout, "on_timeout", (|w: &mut Notification| w.on_timeout = true) as fn(&mut Notification)),
        (&recovered, "on_failure", |w| w.on_failure = true),
        (&stale, "on_failure", |w| w.on_failure = true),
        (&alert, "on_failure", |w| w.on_failure = true),
        (&missed, "on_failure", |w| w.on_failure = true),
        (&remarks, "on_failure", |w| w.on_failure = true),
        (&failed, "on_failure", |w| w.on_failure = true),
        (&partial, "on_partial", |w| w.on_partial = true),
    ] {
        assert!(!is_worth_a_note(&none, event, &idle()), "{event:?}");
        let mut some = none.clone();
        set(&mut some);
        assert!(is_worth_a_note(&some, event, &idle()), "{name}: {event:?}");
    }
}

#[test]
fn a_summary_needs_a_reason() {
    let quiet = [ended(1, JobResult::Completed)];
    assert!(!is_worth(&wanted(|_| ()), &quiet));
    assert!(is_worth(&wanted(|wanted| wanted.on_complete = true), &quiet));
    let with = |result| [ended(1, JobResult::Completed), ended(2, result)];
    assert!(is_worth(&wanted(|_| ()), &with(JobResult::Partial)));
    assert!(!is_worth(&wanted(|wanted| wanted.on_partial = false), &with(JobResult::Partial)));
    assert!(is_worth(&wanted(|_| ()), &with(JobResult::Skipped)));
    assert!(!is_worth(&wanted(|wanted| wanted.on_failure = false), &with(JobResult::Failed)));
    let mut late = with(JobResult::Completed);
    late[1].overrun = true;
    assert!(is_worth(&wanted(|_| ()), &late));
    let mut called_off = with(JobResult::Skipped);
    called_off[1].reason = Some(crate::model::Reason::StoppedByUser);
    assert!(!is_worth(&wanted(|_| ()), &called_off), "a person knows what he called off");
}

/// Whether these turns are worth a summary, all of them being on record.
fn is_worth(wanted: &Notification, turns: &[Run]) -> bool {
    is_worth_a_summary(wanted, &over(turns.iter().filter(|turn| turn.is_problem()).count()), turns)
}

fn over(problems: usize) -> CycleRecord {
    let problems = u32::try_from(problems).unwrap();
    CycleRecord { problems, ..CycleRecord::begun(CYCLE, Timestamp::UNIX_EPOCH, 2) }
}

#[test]
fn what_is_not_on_record_of_a_cycle_is_worth_a_summary() {
    let completed = [ended(1, JobResult::Completed)];
    assert!(is_worth_a_summary(&wanted(|_| ()), &over(1), &completed), "its turn could not be recorded");
    let nothing = wanted(|wanted| {
        (wanted.on_failure, wanted.on_timeout, wanted.on_partial) = (false, false, false);
    });
    assert!(!is_worth_a_summary(&nothing, &over(1), &completed));
    let failed = [ended(1, JobResult::Failed)];
    assert!(!is_worth_a_summary(&wanted(|wanted| wanted.on_failure = false), &over(1), &failed));
}

#[test]
fn a_failure_that_the_disk_did_not_take_is_told_by_the_summary_too() {
    let unkept = Waiting { id: None, ..failure(1) };
    let plan = plan(vec![unkept.clone(), failure(2), summary(3)], false);
    assert_eq!(plan.told, [unkept, failure(2)]);
}

fn waits(id: i64, event: Event) -> Waiting {
    let note = Note::Happened(Box::new(event));
    Waiting { id: Some(id), note, letter: None, missing: None, at: Timestamp::UNIX_EPOCH, tries: 0 }
}

fn failure(id: i64) -> Waiting {
    waits(id, finished(ended(u64::try_from(id).unwrap(), JobResult::Failed)))
}

fn summary(id: i64) -> Waiting {
    waits(id, event(What::CycleFinished(CycleRecord::begun(CYCLE, Timestamp::UNIX_EPOCH, 1))))
}

fn limit(id: i64) -> Waiting {
    let run = ended(u64::try_from(id).unwrap(), JobResult::Failed);
    waits(id, event(What::JobTimeout { run, elapsed: 61, next: AfterTimeout::GoesOn }))
}

fn letters(plan: &Plan) -> Vec<Vec<i64>> {
    let ids = |bundle: &Bundle| bundle.notes.iter().filter_map(|note| note.id).collect();
    plan.bundles.iter().map(ids).collect()
}

#[test]
fn twenty_failures_in_a_row_are_one_letter() {
    let all = plan((1..=20).map(failure).collect(), false);
    assert_eq!(letters(&all), [(1..=20).collect::<Vec<_>>()]);
    let held = plan((1..=20).map(failure).collect(), true);
    assert_eq!((letters(&held), held.held), (Vec::new(), true), "one was sent just now");
}

#[test]
fn a_summary_tells_the_failures_of_its_cycle() {
    let mut other = failure(3);
    if let Note::Happened(event) = &mut other.note
        && let What::JobFinished { run, .. } = &mut event.what
    {
        run.cycle = Some(CycleId(8));
    }
    let plan = plan(vec![failure(1), limit(2), other, summary(4)], false);
    assert_eq!(letters(&plan), [vec![2], vec![3], vec![4]]);
    assert_eq!(plan.told, [failure(1)]);
}

#[test]
fn time_limits_come_by_themselves_and_never_wait_but_many_at_once_are_one_letter() {
    assert_eq!(letters(&plan((1..=3).map(limit).collect(), true)), [vec![1], vec![2], vec![3]]);
    assert_eq!(letters(&plan((1..=4).map(limit).collect(), true)), [vec![1, 2, 3, 4]]);
}

#[test]
fn a_letter_that_was_tried_stays_as_it_was() {
    let tried =
        |id| Waiting { letter: Some("a".into()), missing: Some(vec!["b@example.com".into()]), ..failure(id) };
    let plan = plan(vec![tried(1), tried(2), failure(3), summary(4)], false);
    assert_eq!(letters(&plan), [vec![1, 2], vec![4]]);
    assert_eq!(plan.bundles[0].missing, Some(vec!["b@example.com".to_owned()]));
    assert_eq!(plan.told, [failure(3)]);
}

#[test]
fn a_note_survives_the_outbox() {
    for one in [failure(1).note, summary(2).note, Note::Life { since: Timestamp::UNIX_EPOCH }] {
        assert_eq!(Note::read(&one.write()), Some(one));
    }
    assert_eq!(Note::read(r#"{"of_a_newer_version": {}}"#), None);
}

#[test]
fn a_destination_that_stays_enabled_is_told_whatever_the_settings_and_so_is_its_end() {
    let nothing = wanted(|wanted| {
        (wanted.on_failure, wanted.on_timeout, wanted.on_partial, wanted.on_complete) =
            (false, false, false, false);
    });
    let destination = "000000000000000000000077".parse().unwrap();
    let stuck = event(What::DestinationStuck { server: server(), destination, error: "refused".into() });
    let disabled = |recovered| event(What::DestinationDisabled { server: server(), destination, recovered });
    assert!(is_worth_a_note(&nothing, &stuck, &idle()));
    assert!(is_worth_a_note(&nothing, &disabled(true), &idle()));
    assert!(!is_worth_a_note(&nothing, &disabled(false), &idle()));
    assert_eq!(Note::Happened(Box::new(stuck)).urgency(), Urgency::Urgent);
}
