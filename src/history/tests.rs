use std::fs;
use std::sync::mpsc;

use jiff::ToSpan;
use proptest::prelude::*;

use super::*;
use crate::model::{CycleId, GroupId, JobResult, Origin, Progress, Reason, RunId, What};

fn key(server: &str) -> JobKey {
    JobKey { server: server.parse().unwrap(), job: "64abcdef0123456789abcdef".parse().unwrap() }
}

fn at(hours: i64) -> Timestamp {
    "2025-03-01T02:00:00.123Z".parse::<Timestamp>().unwrap() + hours.hours()
}

fn group(n: u8) -> GroupId {
    format!("{n:024x}").parse().unwrap()
}

fn intent(id: i64) -> RunRecord {
    RunRecord {
        cycle: Some(CycleId(7)),
        baseline: vec![group(1), group(2)],
        ..RunRecord::new(RunId(id), key("web-1"), "Accounts, «web-1»", at(id), 14_400)
    }
}

fn finished(id: i64, result: JobResult, duration: u64) -> RunRecord {
    RunRecord {
        baseline: Vec::new(),
        group: Some(group(9)),
        started: Some(at(id)),
        ended: Some(at(id + 1)),
        duration: Some(duration),
        open: false,
        result: Some(result),
        ..intent(id)
    }
}

fn event(what: What) -> Event {
    Event { at: at(0), what }
}

async fn past(history: &History, job: &JobKey) -> Past {
    history.pasts(std::slice::from_ref(job)).await.unwrap().remove(job).unwrap()
}

async fn commit(history: &History, run: RunRecord) {
    history.commit(&event(What::RunNoted(run))).await.unwrap();
}

async fn opened(dir: &Path) -> History {
    let opened = History::open(dir).await;
    assert_eq!(opened.notices, Vec::<String>::new());
    opened.history
}

/// Also under the paused clock of other tests: work on the disk keeps it from running ahead into the bounds.
#[tokio::test(start_paused = true)]
async fn records_come_back_as_they_were_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let history = opened(dir.path()).await;
    commit(&history, intent(2)).await;
    let mut first = RunRecord { cycle: None, baseline: Vec::new(), ..intent(1) };
    first.origin = Origin::Adopted;
    first.limit = u64::MAX;
    first.tell("ñ".repeat(300));
    commit(&history, first.clone()).await;
    first.limit = i64::MAX as u64;
    assert_eq!(history.open_runs().await.unwrap(), [first.clone(), intent(2)]);
    drop(history);

    let history = opened(dir.path()).await;
    assert_eq!(history.open_runs().await.unwrap(), [first, intent(2)]);
    let mut ended = finished(2, JobResult::DidNotStart, 60);
    ended.reason = Some(Reason::NothingStarted);
    (ended.overrun, ended.released) = (true, true);
    commit(&history, ended.clone()).await;
    assert_eq!(history.runs(&Filter::default()).await.unwrap()[0], ended);
}

#[tokio::test]
async fn a_cycle_is_known_from_its_start_and_whole_at_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let history = opened(dir.path()).await;
    assert_eq!(history.last_cycle().await.unwrap(), None);
    let jobs = vec![key("web-1"), key("web-2")];
    let begun = CycleRecord::begun(CycleId(7), at(0), jobs.len());
    history.commit(&event(What::CycleStarted { cycle: begun, jobs, resumed: false })).await.unwrap();
    let mut cycle = history.last_cycle().await.unwrap().unwrap();
    assert_eq!((cycle.id, cycle.started, cycle.ended, cycle.total), (CycleId(7), at(0), None, 2));
    assert_eq!(history.last_finished_cycle().await.unwrap(), None);

    cycle = CycleRecord {
        ended: Some(at(3)),
        duration: Some(10_800),
        done: 2,
        completed: 1,
        problems: 1,
        ..cycle
    };
    history.commit(&event(What::CycleFinished(cycle))).await.unwrap();
    assert_eq!(history.last_cycle().await.unwrap(), Some(cycle));
    assert_eq!(history.last_finished_cycle().await.unwrap(), Some(cycle));
}

#[tokio::test]
async fn the_past_of_a_job_is_its_own_and_knows_only_ends() {
    let dir = tempfile::tempdir().unwrap();
    let history = opened(dir.path()).await;
    assert_eq!(past(&history, &key("web-1")).await, Past::default());

    // Two too old for "usual", then ten that count.
    for (id, duration) in (1..).zip([9000, 9000, 10, 20, 30, 40, 50, 60, 70, 80, 90]) {
        commit(&history, finished(id, JobResult::Completed, duration)).await;
    }
    commit(&history, finished(12, JobResult::Partial, 100)).await;
    commit(&history, finished(13, JobResult::Failed, 1)).await;
    let mut skipped = finished(14, JobResult::Skipped, 0);
    (skipped.started, skipped.ended, skipped.duration) = (None, None, None);
    commit(&history, skipped.clone()).await;
    commit(&history, RunRecord { result: Some(JobResult::LostContact), ..intent(15) }).await;
    commit(&history, RunRecord { key: key("web-2"), ..finished(16, JobResult::Completed, 5) }).await;

    let past = past(&history, &key("web-1")).await;
    assert_eq!((past.usual(), past.known_since, past.stale), (Some(55), None, false));
    assert_eq!((past.last, past.last_success), (Some(skipped), Some(at(12))));
}

#[tokio::test]
async fn a_filter_takes_the_newest_of_what_it_names() {
    let dir = tempfile::tempdir().unwrap();
    let history = opened(dir.path()).await;
    for id in 1..=4 {
        let server = if id % 2 == 0 { "web-2" } else { "web-1" };
        commit(&history, RunRecord { key: key(server), ..finished(id, JobResult::Completed, 1) }).await;
    }
    let ids = async |filter: Filter| -> Vec<i64> {
        history.runs(&filter).await.unwrap().iter().map(|run| run.id.0).collect()
    };
    assert_eq!(ids(Filter::default()).await, [4, 3, 2, 1]);
    assert_eq!(ids(Filter { limit: Some(2), ..Filter::default() }).await, [4, 3]);
    assert_eq!(ids(Filter { since: Some(at(3)), ..Filter::default() }).await, [4, 3]);
    assert_eq!(ids(Filter { server: Some("web-2".parse().unwrap()), ..Filter::default() }).await, [4, 2]);
    let job = Some("64abcdef0123456789abcdee".parse().unwrap());
    assert_eq!(ids(Filter { job, ..Filter::default() }).await, [0; 0]);
}

#[tokio::test]
async fn an_event_that_changes_nothing_never_touches_the_disk() {
    let opened = History::open(Path::new("/nonexistent")).await;
    let progress = What::Progress { run: RunId(1), progress: Progress::default() };
    opened.history.commit(&event(progress)).await.unwrap();
    opened.history.commit(&event(What::Waiting { reason: None })).await.unwrap();
    opened.history.commit(&event(What::RunNoted(intent(1)))).await.unwrap_err();
}

#[tokio::test]
async fn a_disk_that_cannot_be_used_is_reported_and_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("mounted later");
    let Opened { history, notices } = History::open(&state).await;
    assert!(notices[0].starts_with("nothing will be recorded for now: could not create"), "{notices:?}");
    let error = history.commit(&event(What::RunNoted(intent(1)))).await.unwrap_err();
    assert!(error.to_string().contains("history.db"), "{error}");
    fs::create_dir(&state).unwrap();
    commit(&history, intent(1)).await;
    // Also when the file goes away underneath.
    fs::remove_file(state.join(FILE_NAME)).unwrap();
    commit(&history, intent(2)).await;
    assert_eq!(history.open_runs().await.unwrap(), [intent(2)]);
}

#[tokio::test]
async fn an_access_that_hangs_delays_one_commit_and_fails_the_next_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let history = History::new(dir.path(), Access::Write, Duration::from_millis(100));
    let (release, hang) = mpsc::channel::<()>();
    let hang = std::sync::Mutex::new(hang);
    let hung = history.inner.run("hang", move |_| {
        let _ = hang.lock().unwrap().recv();
        Ok(())
    });
    assert!(matches!(hung.await, Err(HistoryError::TimedOut { .. })));
    let noted = event(What::RunNoted(intent(1)));
    assert!(matches!(history.commit(&noted).await, Err(HistoryError::Busy { .. })));
    release.send(()).unwrap();
    while let Err(error) = history.commit(&noted).await {
        assert!(matches!(error, HistoryError::Busy { .. }), "{error}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn words_of_a_newer_program_lose_no_row() {
    let dir = tempfile::tempdir().unwrap();
    let history = opened(dir.path()).await;
    commit(&history, intent(1)).await;
    commit(&history, finished(2, JobResult::Completed, 1)).await;
    let database = Connection::open(dir.path().join(FILE_NAME)).unwrap();
    database
        .execute_batch(
            "UPDATE runs SET result = 'hibernated', reason = 'winter', origin = 'cosmic', open = 2 WHERE id = 1;
             UPDATE runs SET job = 'not an id' WHERE id = 2;
             ALTER TABLE runs ADD COLUMN weather TEXT;
             PRAGMA user_version = 99;",
        )
        .unwrap();
    drop(database);
    let Opened { history, .. } = History::open(dir.path()).await;
    let runs = history.runs(&Filter::default()).await.unwrap();
    let expected = RunRecord { result: Some(JobResult::Unknown), origin: Origin::Adopted, ..intent(1) };
    assert_eq!(runs, [RunRecord { baseline: Vec::new(), ..expected.clone() }]);
    assert_eq!(history.open_runs().await.unwrap(), [expected]);
    assert!(history.notices()[0].contains("some rows make no sense"));
    commit(&history, intent(3)).await;
}

#[tokio::test]
async fn the_instance_id_is_made_once() {
    let dir = tempfile::tempdir().unwrap();
    let id = opened(dir.path()).await.instance_id().await.unwrap();
    assert!(id.len() == 8 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    assert_eq!(opened(dir.path()).await.instance_id().await.unwrap(), id);
    assert_eq!(History::read_only(dir.path()).unwrap().instance_id().await.unwrap(), id);
    let other = tempfile::tempdir().unwrap();
    assert_ne!(opened(other.path()).await.instance_id().await.unwrap(), id);
}

#[tokio::test]
async fn old_rows_go_and_open_runs_stay() {
    let dir = tempfile::tempdir().unwrap();
    let old = Timestamp::now() - (500 * 24).hours();
    let history = opened(dir.path()).await;
    commit(&history, RunRecord { asked: old, ..finished(1, JobResult::Completed, 1) }).await;
    commit(&history, RunRecord { asked: old, ..intent(2) }).await;
    commit(&history, RunRecord { asked: Timestamp::now(), ..intent(3) }).await;
    commit(&history, RunRecord { asked: Timestamp::now(), ..finished(3, JobResult::Completed, 1) }).await;
    drop(history);

    let history = opened(dir.path()).await;
    let ids = |runs: Vec<RunRecord>| runs.iter().map(|run| run.id.0).collect::<Vec<_>>();
    assert_eq!(ids(history.runs(&Filter::default()).await.unwrap()), [3, 2]);
    assert_eq!(history.open_runs().await.unwrap()[0].baseline, intent(2).baseline);
    let database = Connection::open(dir.path().join(FILE_NAME)).unwrap();
    let baselines: i64 = database.query_row("SELECT count(*) FROM baselines", [], |row| row.get(0)).unwrap();
    assert_eq!(baselines, 1, "the baseline of the closed run is gone");
}

#[tokio::test]
async fn a_wrong_clock_does_not_cost_the_history() {
    let dir = tempfile::tempdir().unwrap();
    commit(&opened(dir.path()).await, finished(1, JobResult::Completed, 1)).await;
    let mut database = Connection::open(dir.path().join(FILE_NAME)).unwrap();
    schema::prune(&mut database, "2099-01-01T00:00:00Z".parse().unwrap()).unwrap();
    schema::prune(&mut database, Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(opened(dir.path()).await.runs(&Filter::default()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_reader_works_beside_a_writer_and_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(History::read_only(dir.path()), Err(HistoryError::Absent { .. })));
    let writer = opened(dir.path()).await;
    commit(&writer, intent(1)).await;
    let reader = History::read_only(dir.path()).unwrap();
    assert_eq!(reader.open_runs().await.unwrap(), [intent(1)]);
    commit(&writer, intent(2)).await;
    assert_eq!(reader.open_runs().await.unwrap().len(), 2);
    let refused = reader.commit(&event(What::RunNoted(intent(3)))).await;
    assert!(matches!(refused, Err(HistoryError::ReadOnly { .. })));
}

/// Leaves what a power cut in the middle of a commit leaves: some pages written, and the journal to undo them.
fn cut_off_in_a_commit(from: &Path, to: &Path) {
    let database = Connection::open(from.join(FILE_NAME)).unwrap();
    database.execute_batch("PRAGMA journal_mode = TRUNCATE; BEGIN; UPDATE runs SET label = 'half'").unwrap();
    database.cache_flush().unwrap();
    for name in [FILE_NAME, "history.db-journal"] {
        fs::copy(from.join(name), to.join(name)).unwrap();
    }
}

#[tokio::test]
async fn a_commit_that_was_cut_off_is_undone_for_readers_too() {
    let (dir, after) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    commit(&opened(dir.path()).await, intent(1)).await;
    cut_off_in_a_commit(dir.path(), after.path());
    let reader = History::read_only(after.path()).unwrap();
    assert_eq!(reader.open_runs().await.unwrap(), [intent(1)]);
}

/// What is in the state directory, apart from the journal.
fn set_aside(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("history.db.damaged-") && !name.ends_with("-journal")).collect()
}

#[tokio::test]
async fn a_file_that_is_no_database_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(FILE_NAME), "certainly no database".repeat(100)).unwrap();
    let Opened { history, notices } = History::open(dir.path()).await;
    assert!(notices[0].contains("was damaged") && notices[0].contains("set aside as"), "{notices:?}");
    assert_eq!(set_aside(dir.path()).len(), 1);
    commit(&history, intent(1)).await;
}

#[tokio::test]
async fn damage_while_running_costs_neither_the_commit_nor_what_is_open_nor_the_instance_id() {
    let dir = tempfile::tempdir().unwrap();
    let history = opened(dir.path()).await;
    let id = history.instance_id().await.unwrap();
    commit(&history, intent(1)).await;
    for id in 2..200 {
        commit(&history, finished(id, JobResult::Completed, 1)).await;
    }
    // Hit the tail, where the newest rows are.
    let path = dir.path().join(FILE_NAME);
    let mut bytes = fs::read(&path).unwrap();
    let half = bytes.len() / 2;
    bytes[half..].fill(0xAA);
    // The change counter: SQLite must not trust what it remembers of the file.
    bytes[27] ^= 1;
    fs::write(&path, bytes).unwrap();

    commit(&history, intent(200)).await;
    let notices = history.notices();
    assert!(notices.len() == 1 && notices[0].contains("1 open runs were carried over"), "{notices:?}");
    assert_eq!(history.open_runs().await.unwrap(), [intent(1), intent(200)]);
    assert_eq!(history.instance_id().await.unwrap(), id);
}

#[tokio::test]
async fn damage_costs_neither_what_is_enabled_from_here_nor_a_letter_nor_whose_letter_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let history = opened(dir.path()).await;
    history.keep("destinations", "what is enabled".into()).await.unwrap();
    for number in 1..=60 {
        history.post(at(0), format!("{number} {}", "long ".repeat(30))).await.unwrap();
    }
    history.tried(vec![1, 2], Attempt::Done).await.unwrap();
    history.address(vec![3], "letter".into()).await.unwrap();
    let before = history.waiting().await.unwrap();
    // Hit a page in the middle of the outbox.
    let path = dir.path().join(FILE_NAME);
    let mut bytes = fs::read(&path).unwrap();
    let wanted = format!("30 {}", "long ".repeat(30));
    let place = bytes.windows(wanted.len()).position(|part| part == wanted.as_bytes()).unwrap();
    let page = place / 512 * 512;
    bytes[page..page + 512].fill(0xAA);
    bytes[27] ^= 1;
    fs::write(&path, bytes).unwrap();

    // The first one was sent. Whatever is in the new file: it is that one which is no longer there.
    history.tried(vec![3], Attempt::Done).await.unwrap();
    let after = history.waiting().await.unwrap();
    assert!(history.notices()[0].contains("was damaged"));
    assert!(after.iter().all(|noted| before[1..].contains(noted)), "{after:?}");
    for kept in [&before[1], &before[2], &before[57]] {
        assert!(after.contains(kept), "lost: {kept:?}");
    }
    assert_eq!(history.kept("destinations").await.unwrap().as_deref(), Some("what is enabled"));
}

#[tokio::test]
async fn a_row_that_makes_no_sense_is_told_of_once_however_often_it_is_met() {
    let dir = tempfile::tempdir().unwrap();
    let history = opened(dir.path()).await;
    history.post(at(0), "a note".into()).await.unwrap();
    let database = Connection::open(dir.path().join(FILE_NAME)).unwrap();
    database.execute_batch("UPDATE outbox SET at = 9000000000000000000").unwrap();
    let mut told = Vec::new();
    for _ in 0..3 {
        assert_eq!(history.waiting().await.unwrap(), []);
        told.extend(history.notices());
    }
    assert_eq!(told.len(), 1, "{told:?}");
}

#[tokio::test]
async fn what_waits_to_be_told_is_not_deleted_for_having_been_written_before_the_clock_was_set() {
    let dir = tempfile::tempdir().unwrap();
    let history = opened(dir.path()).await;
    commit(&history, RunRecord { asked: Timestamp::now(), ..finished(1, JobResult::Completed, 1) }).await;
    for note in ["waits", "given up"] {
        history.post(Timestamp::UNIX_EPOCH, note.into()).await.unwrap();
    }
    let given_up = Attempt::Failed { error: "no".into(), missing: None, given_up: true };
    history.tried(vec![2], given_up).await.unwrap();
    drop(history);
    let history = opened(dir.path()).await;
    assert_eq!(history.waiting().await.unwrap()[0].note, "waits");
    // The pruning comes after the first access.
    assert_eq!(history.waiting().await.unwrap().len(), 1);
    assert_eq!(history.outbox().await.unwrap().given_up, 0);
}

/// The bytes this thread handed to the kernel for writing.
fn written() -> u64 {
    let io = fs::read_to_string("/proc/thread-self/io").unwrap();
    let line = io.lines().find_map(|line| line.strip_prefix("wchar: ")).unwrap();
    line.parse().unwrap()
}

#[test]
fn a_job_costs_few_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::new(dir.path().join(FILE_NAME), Access::Write, Notices::default());
    let write = |store: &mut Store, run: &RunRecord| {
        let change = Change::Run(Box::new(run.clone()));
        let result = store.run("write to", |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            change.write(&transaction)?;
            transaction.commit()
        });
        result.unwrap();
    };
    let steps = |id: i64| {
        let seen = RunRecord { group: Some(group(9)), ..intent(id) };
        let started = RunRecord { started: Some(at(id)), ..seen.clone() };
        let late = RunRecord { overrun: true, ..started.clone() };
        [
            intent(id),
            seen,
            started,
            late,
            RunRecord { overrun: true, ..finished(id, JobResult::Partial, 4000) },
        ]
    };
    // A year of nights first, so that the tree is as deep as it gets.
    for id in 1..4000 {
        write(&mut store, &finished(id, JobResult::Completed, 4000));
    }
    // Then ten nights of ten jobs, each with the daily pruning.
    let before = written();
    for id in 4000..4100 {
        steps(id).iter().for_each(|run| write(&mut store, run));
        if id % 10 == 9 {
            store.run("prune", |connection| schema::prune(connection, at(id))).unwrap();
        }
    }
    let mean = (written() - before) / 100;
    println!("bytes written for a job of five commits: {mean}");
    assert!(mean < 16 * 1024, "{mean}");

    let before = written();
    store.run("prune", |connection| schema::prune(connection, at(4100))).unwrap();
    assert_eq!(written(), before, "pruning nothing writes nothing");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever bytes a bad card flips, the history opens, takes the next commit and gives it back.
    #[test]
    fn flipped_bytes_never_stop_the_recording(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        in_head in any::<bool>(),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let history = opened(dir.path()).await;
            history.instance_id().await.unwrap();
            for id in 1..10 {
                commit(&history, if id < 3 { intent(id) } else { finished(id, JobResult::Completed, 1) }).await;
            }
            drop(history);
            let path = dir.path().join(FILE_NAME);
            let mut bytes = fs::read(&path).unwrap();
            let reach = if in_head { 512 } else { bytes.len() };
            for (index, value) in &flips {
                let index = index.index(reach);
                bytes[index] = *value;
            }
            if let Some(cut) = &cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            fs::write(&path, &bytes).unwrap();

            let Opened { history, notices } = History::open(dir.path()).await;
            let new = RunRecord { id: RunId(77), ..intent(11) };
            let failed = |error: HistoryError| TestCaseError::fail(format!("{error:?}; {notices:?}"));
            history.commit(&event(What::RunNoted(new.clone()))).await.map_err(failed)?;
            prop_assert!(history.open_runs().await.map_err(failed)?.contains(&new));
            history.pasts(&[key("web-1")]).await.map_err(failed)?;
            history.instance_id().await.map_err(failed)?;
            let reader = History::read_only(dir.path()).map_err(failed)?;
            prop_assert!(!reader.runs(&Filter::default()).await.map_err(failed)?.is_empty());
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn an_interrupted_cycle_is_known_with_the_jobs_left_and_what_was_done() {
    let dir = tempfile::tempdir().unwrap();
    let history = opened(dir.path()).await;
    assert_eq!(history.interrupted().await.unwrap(), None);
    let jobs = vec![key("web-1"), key("web-2"), key("web-3")];
    let cycle = CycleRecord::begun(CycleId(7), at(0), jobs.len());
    history.commit(&event(What::CycleStarted { cycle, jobs, resumed: false })).await.unwrap();
    // One ran, one runs, one was asked for meanwhile; a run of another cycle takes nobody's turn.
    let turn = |id, server: &str| RunRecord { cycle: Some(CycleId(7)), key: key(server), ..intent(id) };
    history.commit(&event(What::JobStarting(turn(1, "web-1")))).await.unwrap();
    let ended = RunRecord { open: false, result: Some(JobResult::Completed), ..turn(1, "web-1") };
    history.commit(&event(What::JobFinished { run: ended, recovered: false })).await.unwrap();
    history.commit(&event(What::JobStarting(turn(2, "web-2")))).await.unwrap();
    history.commit(&event(What::JobQueued { job: key("web-1") })).await.unwrap();
    let stranger = RunRecord { cycle: Some(CycleId(6)), ..turn(3, "web-3") };
    history.commit(&event(What::RunNoted(stranger))).await.unwrap();

    let found = History::read_only(dir.path()).unwrap().interrupted().await.unwrap().unwrap();
    assert_eq!(found.jobs, [key("web-3"), key("web-1")]);
    let CycleRecord { id, total, done, completed, problems, .. } = found.cycle;
    assert_eq!((id, total, done, completed, problems), (CycleId(7), 4, 1, 1, 0));

    let over = CycleRecord { ended: Some(at(3)), ..found.cycle };
    history.commit(&event(What::CycleFinished(over))).await.unwrap();
    assert_eq!(history.interrupted().await.unwrap(), None);
}

#[tokio::test]
async fn a_job_is_stale_until_it_completes_and_known_since_it_was_first_configured() {
    let dir = tempfile::tempdir().unwrap();
    let history = opened(dir.path()).await;
    let (first, second) = (key("web-1"), key("web-2"));
    history.know(std::slice::from_ref(&first), at(0)).await.unwrap();
    history.know(&[first.clone(), second.clone()], at(1)).await.unwrap();
    assert_eq!(past(&history, &first).await.known_since, Some(at(0)));
    assert_eq!(past(&history, &second).await.known_since, Some(at(1)));

    let stale = What::JobStale { job: first.clone(), last_success: None };
    history.commit(&event(stale)).await.unwrap();
    assert!(past(&history, &first).await.stale);
    commit(&history, finished(1, JobResult::Partial, 5)).await;
    assert!(past(&history, &first).await.stale);
    commit(&history, finished(2, JobResult::Completed, 5)).await;
    assert!(!past(&history, &first).await.stale);

    history.know(&[second], at(2)).await.unwrap();
    assert_eq!(past(&history, &first).await.known_since, None, "it is configured no longer");
}

#[tokio::test]
async fn a_small_text_is_kept_over_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let history = opened(dir.path()).await;
    assert_eq!(history.kept("schedule").await.unwrap(), None);
    history.keep("schedule", "one".into()).await.unwrap();
    history.keep("schedule", "two".into()).await.unwrap();
    drop(history);
    assert_eq!(opened(dir.path()).await.kept("schedule").await.unwrap().as_deref(), Some("two"));
}
