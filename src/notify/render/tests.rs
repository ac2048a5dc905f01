use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::model::{
    AfterTimeout, CycleRecord, Event, JobResult, Origin, Reason, Remark, RemarkKind, RunId, RunRecord, What,
};

fn envelope() -> Envelope {
    Envelope {
        id: "18c.0001".into(),
        date: at("2026-03-01T05:00:00Z"),
        zone: TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap(),
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn key(server: &str, number: u64) -> JobKey {
    JobKey { server: server.parse().unwrap(), job: format!("{number:024x}").parse().unwrap() }
}

fn run(server: &str, label: &str, result: Option<JobResult>) -> RunRecord {
    let mut run = RunRecord::new(RunId(1), key(server, 1), label, at("2026-03-01T01:00:00Z"), 14_400);
    run.cycle = Some(CycleId(255));
    run.started = Some(at("2026-03-01T01:00:05Z"));
    (run.open, run.result) = (result.is_none(), result);
    if result.is_some() {
        run.ended = Some(at("2026-03-01T02:10:05Z"));
        run.duration = Some(4200);
    }
    run
}

fn event(what: What) -> Event {
    Event { at: at("2026-03-01T02:10:09Z"), what }
}

fn finished(run: RunRecord) -> Event {
    event(What::JobFinished { run, recovered: false })
}

fn failed() -> RunRecord {
    let mut failed = run("web1", "Copias de España", Some(JobResult::Failed));
    failed.error = Some("Destination \"nas\" is <not> reachable & locked".into());
    failed
}

fn late() -> RunRecord {
    let mut late = run("web2", "Accounts", None);
    (late.overrun, late.group) = (true, Some("64a1b2c3d4e5f60718293a4d".parse().unwrap()));
    late
}

fn log() -> Vec<String> {
    vec![
        "[2026-03-01 02:09:58] Account example1: done".into(),
        "[2026-03-01 02:10:02] rsync error: <timeout>".into(),
    ]
}

fn label(job: &JobKey) -> Option<String> {
    (job.server.as_str() == "web1").then(|| "Accounts".to_owned())
}

/// Compares both parts with the files in `golden/`; with `UPDATE_GOLDEN=1` writes them instead.
fn golden(name: &str, letter: &Letter) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/notify/golden");
    let text = format!("Subject: {}\n\n{}", letter.full_subject(), letter.text);
    for (file, is) in [(format!("{name}.txt"), &text), (format!("{name}.html"), &letter.html)] {
        let path = folder.join(&file);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, is).unwrap();
        }
        let was = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(*is == was, "{file} differs; UPDATE_GOLDEN=1 accepts what is now:\n{is}");
    }
}

#[test]
fn a_time_limit() {
    let next = AfterTimeout::GoesOn;
    let event = event(What::JobTimeout { run: late(), elapsed: 14_401, next });
    golden("time-limit", &news(&envelope(), &event, &label, &[]));
}

#[test]
fn a_failure() {
    golden("failure", &news(&envelope(), &finished(failed()), &label, &log()));
}

#[test]
fn a_recovery_and_a_late_end() {
    let mut run = run("web1", "Accounts", Some(JobResult::Completed));
    let event = event(What::JobFinished { run: run.clone(), recovered: true });
    golden("recovery", &news(&envelope(), &event, &label, &[]));
    run.overrun = true;
    golden("late-end", &news(&envelope(), &finished(run), &label, &[]));
}

#[test]
fn a_stale_job_and_an_alert() {
    let last_success = Some(at("2026-02-20T01:00:00Z"));
    let stale = event(What::JobStale { job: key("web1", 1), last_success });
    golden("stale", &news(&envelope(), &stale, &label, &[]));
    let text =
        "what happens now is not recorded: cannot write to /var/lib/jetbackup-remote/history.db: disk full";
    let alert = event(What::Alert { job: None, text: text.into() });
    golden("alert", &news(&envelope(), &alert, &label, &[]));
}

#[test]
fn remarks_and_missed_cycles() {
    let remark = |kind, name, id: &str| Remark {
        kind,
        text: words::remark(kind, Some(name), id),
        id: id.to_owned(),
        since: None,
    };
    let new = vec![
        remark(RemarkKind::JobDisabled, "Accounts", "64ab00000000000000000001"),
        remark(RemarkKind::DestinationReadOnly, "<nas>", "64ab00000000000000000077"),
    ];
    let server = || "web1".parse().unwrap();
    let one = What::Remarks { server: server(), remarks: new.clone(), new: new[1..].to_vec() };
    let two = What::Remarks { server: server(), remarks: new.clone(), new };
    golden("remarks", &news(&envelope(), &event(two.clone()), &label, &[]));
    let subject = news(&envelope(), &event(one), &label, &[]).full_subject();
    assert!(subject.contains("web1: destination <nas> (64ab00000000000000000077) is read-only"), "{subject}");
    let due = at("2026-03-01T01:00:00Z");
    let late = event(What::CycleMissed { due, begins: Some(at("2026-03-01T08:00:00Z")) });
    golden("missed", &news(&envelope(), &late, &label, &[]));
    let waits = event(What::CycleMissed { due, begins: None });
    golden("missed-waits", &news(&envelope(), &waits, &label, &[]));
    golden("odd", &several(&envelope(), &[event(two), late, waits], &label));
}

#[test]
fn many_things_at_once() {
    let again =
        What::JobFinished { run: run("web3", "Accounts", Some(JobResult::Completed)), recovered: true };
    let limit = What::JobTimeout { run: late(), elapsed: 14_401, next: AfterTimeout::WaitsForRelease };
    let stale = What::JobStale { job: key("web1", 1), last_success: None };
    let alert = What::Alert { job: None, text: "the clock cannot be right".into() };
    let events = [finished(failed()), event(limit), event(stale), event(again), event(alert)];
    golden("several", &several(&envelope(), &events, &label));
}

fn cycle() -> CycleRecord {
    let begun = CycleRecord::begun(CycleId(255), at("2026-03-01T01:00:00Z"), 6);
    let (ended, duration) = (Some(at("2026-03-01T05:00:00Z")), Some(14_400));
    CycleRecord { ended, duration, done: 6, completed: 2, problems: 4, ..begun }
}

#[test]
fn a_night_with_everything() {
    let turn = |run: RunRecord| Turn { run, usual: Some(3900), log: Vec::new() };
    let mut partial = run("web1", "Databases", Some(JobResult::Partial));
    partial.error = Some("2 of 40 accounts were not saved".into());
    let mut skipped = run("web3", "Home directories", Some(JobResult::Skipped));
    (skipped.started, skipped.ended, skipped.duration) = (None, None, None);
    skipped.reason = Some(Reason::Unreachable);
    skipped.error = Some("web3.example.com:51514: connection refused".into());
    let mut adopted = run(
        "web3",
        "A job with a very long name that nobody would give it twice",
        Some(JobResult::Completed),
    );
    adopted.origin = Origin::Adopted;
    let turns = vec![
        turn(run("web1", "Accounts", Some(JobResult::Completed))),
        Turn { log: log(), ..turn(failed()) },
        turn(partial),
        turn(late()),
        turn(skipped),
        Turn { usual: None, ..turn(adopted) },
    ];
    let remarks = vec!["web2: the destination nas is 96 % full".to_owned()];
    let next_run = Some(at("2026-03-02T01:00:00Z"));
    let summary_of = Summary { cycle: cycle(), turns, beside: Vec::new(), remarks, next_run };
    golden("summary", &summary(&envelope(), &summary_of));
}

#[test]
fn a_good_night_and_a_good_week() {
    let turns: Vec<Turn> = ["web1", "web2"]
        .map(|server| Turn {
            run: run(server, "Accounts", Some(JobResult::Completed)),
            usual: Some(4100),
            log: Vec::new(),
        })
        .into();
    let cycle = CycleRecord { total: 2, done: 2, problems: 0, ..cycle() };
    let summary_of = Summary { cycle, turns, beside: Vec::new(), remarks: Vec::new(), next_run: None };
    golden("summary-good", &summary(&envelope(), &summary_of));
    let standing = |name: &str, result| Standing {
        name: name.into(),
        last: Some(run("web1", "Accounts", Some(result))),
        last_success: Some(at("2026-03-01T02:10:05Z")),
        usual: Some(4100),
        stale: result != JobResult::Completed,
    };
    let jobs = vec![
        standing("Accounts on web1", JobResult::Completed),
        standing("Accounts on web2", JobResult::Partial),
    ];
    let since = at("2026-02-22T07:00:00Z");
    let life_of =
        Life { since, jobs, runs: (14, 13), remarks: Vec::new(), next_run: Some(at("2026-03-02T01:00:00Z")) };
    golden("life", &life(&envelope(), &life_of));
}

#[test]
fn the_daemon_and_a_test() {
    let at = at("2026-03-01T01:00:00Z");
    // The version changes with every release.
    let letters = [started(&envelope(), at), stopping(&envelope(), at), test(&envelope())];
    for (letter, subject) in letters.iter().zip([
        "[jetbackup-remote] OK: the daemon is at work",
        "[jetbackup-remote] OK: the daemon was told to end",
        "[jetbackup-remote] OK: a test",
    ]) {
        assert_eq!(letter.full_subject(), subject);
        assert!(letter.text.contains("2026-03-01 0") && letter.html.contains("2026-03-01 0"));
    }
}

#[test]
fn a_turn_called_off_is_no_failure() {
    let mut called_off = run("web1", "Accounts", Some(JobResult::Skipped));
    called_off.reason = Some(Reason::StoppedByUser);
    let turns = vec![Turn { run: called_off, usual: None, log: Vec::new() }];
    let cycle = CycleRecord { total: 1, ..cycle() };
    let mut summary_of = Summary { cycle, turns, beside: Vec::new(), remarks: Vec::new(), next_run: None };
    assert_eq!(summary(&envelope(), &summary_of).tag, Tag::Ok);
    // But one that never came is.
    summary_of.cycle.total = 2;
    let letter = summary(&envelope(), &summary_of);
    assert_eq!(letter.tag, Tag::Failed);
    assert!(letter.text.contains("Of 1 job no turn is on record"), "{}", letter.text);
}

proptest! {
    #[test]
    fn nothing_foreign_breaks_out(label in any::<String>(), error in any::<String>(), line in any::<String>()) {
        let mut failed = run("web1", &label, Some(JobResult::Failed));
        failed.tell(error);
        let letter = news(&envelope(), &finished(failed), &|_| None, &[line]);
        // Without what is escaped, all that is left of brackets is the page's own.
        let own = news(&envelope(), &finished(run("web1", "x", Some(JobResult::Failed))), &|_| None, &["x".into()]);
        for c in ['<', '>', '"'] {
            let more = letter.html.matches(c).count() as i64 - own.html.matches(c).count() as i64;
            // An error is one paragraph more: a row, a cell and a division.
            prop_assert!(more == 0 || (c == '"' && more == 2) || (c != '"' && more == 6), "{} of {}", more, c);
        }
        prop_assert!(!letter.full_subject().contains(char::is_control));
        prop_assert!(!letter.text.chars().any(|c| c.is_control() && c != '\n'));
    }
}
