//! What no fault may make untrue: locked, slow and damaged disks, reloads, hung servers, queues that are cleared. Each
//! lock is a real one, by another connection; SQLite's patience with it is short, for it passes on a real clock.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/night.rs"]
mod night;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jetbackup_remote::history::Reach;
use jetbackup_remote::model::{BootMoment, Command, CycleRecord, JobKey, JobResult, Selection, What};
use jetbackup_remote::orchestrator::{Duties, Timetable, WallClock};
use jetbackup_sim::{Fault, Job, Origin, Run, Spoil, WhenRunning, World, truth::RealRun};
use jiff::{SignedDuration, Timestamp};
use night::{Clock, DUSK, Lost, Night, Runner, id, seconds};
use serde_json::json;

/// A server with these jobs, numbered from 1, each behaving as its run says.
fn server(runs: Vec<Run>) -> World {
    let numbered = runs.into_iter().zip(1..);
    numbered.fold(World::new("sim"), |world, (run, number)| {
        world.job(Job::new(jetbackup_sim::id(number), format!("Job {number}")).runs(run))
    })
}

fn completed(lasting: i64) -> Run {
    Run::completed().lasting(lasting)
}

fn night(worlds: Vec<(&str, World)>, jobs: &[&str], orchestrator: serde_json::Value) -> Night {
    let mut night = Night::new(worlds, jobs, orchestrator);
    night.reach = Reach { lock_wait: Duration::from_millis(20), ..Reach::default() };
    night
}

fn all() -> Command {
    Command::Run(Selection::default())
}

fn key(job: &str) -> JobKey {
    let (server, number) = job.split_once('/').unwrap();
    JobKey { server: server.parse().unwrap(), job: id(number).parse().unwrap() }
}

async fn cycle(runner: &mut Runner) -> CycleRecord {
    match runner.event("cycle_finished").await.what {
        What::CycleFinished(cycle) => cycle,
        other => panic!("{other:?}"),
    }
}

/// Waits for what `wanted` takes.
async fn until(runner: &mut Runner, wanted: impl Fn(&What) -> bool) -> What {
    loop {
        let what = runner.events.recv().await.unwrap().what;
        if wanted(&what) {
            return what;
        }
    }
}

fn is_unreadable(what: &What) -> bool {
    matches!(what, What::Waiting { reason: Some(reason) } if reason.starts_with("history_unreadable"))
}

#[tokio::test(start_paused = true)]
async fn nothing_is_triggered_before_the_open_runs_could_be_read() {
    let night = night(
        vec![("a", server(vec![completed(3000)])), ("b", server(vec![completed(60)]))],
        &["a/1", "b/1"],
        json!({}),
    );
    let mut daemon = night.serve().await;
    daemon.ask(all()).await;
    until(&mut daemon, |what| matches!(what, What::JobStarted(_))).await;
    daemon.kill().await;

    let lock = night.database();
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    // The run goes on, on a server that nobody can ask.
    night.cut("a", true);
    let mut daemon = night.serve().await;
    until(&mut daemon, is_unreadable).await;
    let answer = daemon.ask(all()).await;
    assert!(!answer.accepted && answer.reason.starts_with("history_unreadable"), "{answer:?}");
    tokio::time::sleep(seconds(600)).await;
    assert_eq!(night.triggers("b/1"), 0, "a/1 is open on record, as far as anybody knows");
    lock.execute_batch("ROLLBACK").unwrap();
    drop(lock);
    tokio::time::sleep(seconds(600)).await;
    assert_eq!(night.triggers("b/1"), 0, "a/1 is open on record");
    night.cut("a", false);
    cycle(&mut daemon).await;
    daemon.leave().await;
    night.assert_one_writer();
    assert_eq!(night.results().await, ["a/1 completed", "b/1 completed"]);
    assert_eq!(night.triggers("a/1"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_single_run_that_cannot_read_what_is_open_triggers_nothing_and_says_so() {
    let night = night(vec![("a", server(vec![completed(60)]))], &["a/1"], json!({}));
    night.run().await;
    let lock = night.database();
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let error = night.start(Selection::default()).await.failure().await;
    assert!(error.to_string().contains("locked"), "{error}");
    assert_eq!(night.triggers("a/1"), 1, "of the first run");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_shows_nothing_yet_is_not_triggered_again_after_a_restart_on_a_locked_disk() {
    let run = completed(600).group_after(50).running_after(60);
    let night = night(vec![("a", server(vec![run]))], &["a/1"], json!({}));
    let mut daemon = night.serve().await;
    daemon.ask(all()).await;
    until(&mut daemon, |what| matches!(what, What::JobStarting(_))).await;
    while night.triggers("a/1") == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    daemon.kill().await;
    let lock = night.database();
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let mut daemon = night.serve().await;
    until(&mut daemon, is_unreadable).await;
    lock.execute_batch("ROLLBACK").unwrap();
    drop(lock);
    until(&mut daemon, |what| matches!(what, What::Waiting { reason: None })).await;
    daemon.ask(all()).await;
    cycle(&mut daemon).await;
    daemon.leave().await;
    assert_eq!(night.triggers("a/1"), 1);
    assert_eq!(night.results().await, ["a/1 completed"]);
}

#[tokio::test(start_paused = true)]
async fn an_end_that_the_disk_did_not_take_is_written_as_soon_as_it_can_be() {
    let jobs = vec![Run::failed().lasting(60), completed(60)];
    let night = night(vec![("a", server(jobs))], &["a/1", "a/2"], json!({}));
    let mut daemon = night.serve().await;
    daemon.ask(Command::Run(Selection { server: None, job: Some(key("a/1").job) })).await;
    until(&mut daemon, |what| matches!(what, What::JobStarted(_))).await;
    // A reader: commits fail, while everybody may read.
    let reader = night.database();
    reader.execute_batch("BEGIN; SELECT count(*) FROM runs;").unwrap();
    let What::Alert { text, .. } = until(&mut daemon, |what| matches!(what, What::Alert { .. })).await else {
        panic!()
    };
    assert!(text.contains("not recorded until the disk takes it"), "{text}");
    cycle(&mut daemon).await;
    assert_eq!(night.results().await, ["a/1 open"], "the disk has not taken it");
    let shown = daemon.handle.snapshot.borrow().jobs()[0].last.as_ref().map(|last| last.result);
    assert_eq!(shown, Some(JobResult::Failed), "who looks is told the truth");
    reader.execute_batch("COMMIT").unwrap();
    let again = until(&mut daemon, |what| matches!(what, What::Alert { .. })).await;
    assert!(matches!(&again, What::Alert { text, .. } if text.contains("is on record now")), "{again:?}");
    assert_eq!(night.results().await, ["a/1 failed"], "by a timer, with nothing else to write");
    daemon.kill().await;
    assert_eq!(night.results().await, ["a/1 failed"]);
}

#[tokio::test(start_paused = true)]
async fn a_job_is_triggered_once_a_cycle_whatever_the_disk_took_when() {
    let night = night(vec![("a", server(vec![completed(300), completed(3000)]))], &["a/1", "a/2"], json!({}));
    let mut daemon = night.serve().await;
    // From before the trigger until the job runs nothing can be written.
    let reader = night.database();
    until_idle(&mut daemon).await;
    reader.execute_batch("BEGIN; SELECT count(*) FROM runs;").unwrap();
    daemon.ask(all()).await;
    until(&mut daemon, |what| matches!(what, What::JobStarted(_))).await;
    reader.execute_batch("COMMIT").unwrap();
    until(&mut daemon, |what| matches!(what, What::JobFinished { .. })).await;
    until(&mut daemon, |what| matches!(what, What::JobStarted(_))).await;
    daemon.kill().await;
    let mut daemon = night.serve().await;
    cycle(&mut daemon).await;
    daemon.leave().await;
    assert_eq!((night.triggers("a/1"), night.triggers("a/2")), (1, 1), "{:?}", night.results().await);
}

async fn until_idle(daemon: &mut Runner) {
    daemon.until(|snapshot| snapshot.servers()[0].answers() == Some(true)).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_group_is_gone_is_told_by_its_own_log() {
    let job = Job::new(id("1"), "Job").runs(Run::aborted().lasting(60)).runs(completed(60));
    let night = night(vec![("a", World::new("sim").job(job))], &["a/1"], json!({}));
    let mut daemon = night.serve().await;
    daemon.ask(all()).await;
    until(&mut daemon, |what| matches!(what, What::JobStarted(_))).await;
    daemon.group().await;
    daemon.kill().await;
    // It is aborted, the queue is cleared, and the job runs again and completes.
    tokio::time::sleep(seconds(300)).await;
    let now = night.clock.now();
    night.world("a").clear_queue_at(now);
    night.world("a").start_by_schedule(&id("1"), now + SignedDuration::from_secs(60));
    tokio::time::sleep(seconds(600)).await;
    let now = night.clock.now();
    night.world("a").clear_queue_at(now);
    let mut daemon = night.serve().await;
    let What::JobFinished { run, .. } =
        until(&mut daemon, |what| matches!(what, What::JobFinished { .. })).await
    else {
        panic!()
    };
    assert_eq!(run.result, Some(JobResult::Aborted), "{run:?}");
    daemon.leave().await;
}

#[tokio::test(start_paused = true)]
async fn a_release_of_either_run_beyond_its_limit_lets_the_lane_go_on() {
    for which in ["a/1", "a/2"] {
        let night = night(
            vec![
                ("a", server(vec![completed(20_000), completed(20_000)])),
                ("b", server(vec![completed(60)])),
            ],
            &["a/1", "a/2", "b/1"],
            json!({"job_timeout": 600, "max_overruns": 1}),
        );
        let mut daemon = night.serve().await;
        daemon.ask(all()).await;
        for _ in 0..2 {
            until(&mut daemon, |what| matches!(what, What::JobTimeout { .. })).await;
        }
        assert_eq!(night.triggers("b/1"), 0);
        let answer = daemon.ask(Command::Release(key(which))).await;
        assert!(answer.accepted, "{which}: {answer:?}");
        cycle(&mut daemon).await;
        assert_eq!(night.triggers("b/1"), 1, "{which}");
        daemon.leave().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_baseline_never_makes_an_old_group_tonights() {
    let run = completed(900).group_after(50).running_after(60);
    let job = Job::new(id("1"), "Job").runs(completed(60)).runs(run);
    let world = World::new("sim").job(job).old_groups(&id("1"), 3, DUSK.parse().unwrap());
    let night = night(vec![("a", world), ("b", server(vec![completed(60)]))], &["a/1", "b/1"], json!({}));
    night.run().await;
    let daemon = night.serve().await;
    daemon.ask(all()).await;
    while night.triggers("a/1") == 1 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    daemon.kill().await;
    night.database().execute_batch("DELETE FROM baselines").unwrap();
    let mut daemon = night.serve().await;
    cycle(&mut daemon).await;
    daemon.leave().await;
    night.assert_one_writer();
    let tonight = night.real_runs("a").into_iter().rfind(|run| run.origin == Origin::Api).unwrap();
    let told = night.records().await.into_iter().rfind(|run| run.label == "a/1").unwrap();
    assert_eq!(told.group.map(|group| group.to_string()), Some(tonight.group));
}

#[tokio::test(start_paused = true)]
async fn a_reload_in_a_long_cycle_drops_nothing() {
    let long = 13 * 3600;
    let night = night(
        vec![("a", server(vec![completed(long), completed(60), completed(60)]))],
        &["a/1", "a/2", "a/3"],
        json!({"job_timeout": 60 * 60 * 24}),
    );
    let daemon = night.serve().await;
    daemon.ask(all()).await;
    tokio::time::sleep(seconds(12 * 3600 + 1800)).await;
    daemon.leave().await;
    let mut daemon = night.serve().await;
    assert_eq!(cycle(&mut daemon).await.completed, 3, "{:?}", night.results().await);
    daemon.leave().await;
}

#[tokio::test(start_paused = true)]
async fn a_kill_in_a_long_cycle_drops_nothing_and_a_day_without_anybody_does() {
    for (away, completed_jobs) in [(60, 2), (13 * 3600, 1)] {
        let long = 14 * 3600;
        let night = night(
            vec![("a", server(vec![completed(long), completed(60)]))],
            &["a/1", "a/2"],
            json!({"job_timeout": 60 * 60 * 48}),
        );
        let daemon = night.serve().await;
        daemon.ask(all()).await;
        tokio::time::sleep(seconds(13 * 3600)).await;
        daemon.kill().await;
        tokio::time::sleep(seconds(away)).await;
        let mut daemon = night.serve().await;
        if away < 3600 {
            assert_eq!(cycle(&mut daemon).await.completed, completed_jobs);
        } else {
            until_idle(&mut daemon).await;
            tokio::time::sleep(seconds(3 * 3600)).await;
            assert_eq!(night.triggers("a/2"), 0, "the queue was too old");
        }
        daemon.leave().await;
    }
}

/// The wall is wrong by so many seconds.
struct Wrong(Clock, Arc<AtomicI64>);

impl WallClock for Wrong {
    fn now(&self) -> Timestamp {
        self.0.now() + SignedDuration::from_secs(self.1.load(Ordering::SeqCst))
    }
}

/// As [`Wrong`], on a machine whose uptime is known.
struct Up(Wrong);

impl WallClock for Up {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn boot(&self) -> Option<BootMoment> {
        let since = self.0.0.now().duration_since(DUSK.parse().unwrap());
        Some(BootMoment { boot: 1, millisecond: i64::try_from(since.as_millis()).unwrap() })
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_between_two_starts_ends_no_run_early() {
    let run = completed(1500).group_after(55).running_after(60);
    let night = night(
        vec![("a", server(vec![run])), ("b", server(vec![completed(60)]))],
        &["a/1", "b/1"],
        json!({"job_timeout": 3600}),
    );
    let ahead = Arc::new(AtomicI64::new(0));
    let serve = async || {
        let clock = Arc::new(Up(Wrong(night.clock, Arc::clone(&ahead))));
        night.serve_with(Duties::new(Timetable::Never, || (), None), clock).await
    };
    let daemon = serve().await;
    daemon.ask(all()).await;
    while night.triggers("a/1") == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Nothing is seen of it yet, and then it runs within its limit.
    daemon.kill().await;
    ahead.store(2 * 3600, Ordering::SeqCst);
    let mut daemon = serve().await;
    until(&mut daemon, |what| matches!(what, What::JobStarted(_))).await;
    tokio::time::sleep(seconds(300)).await;
    daemon.kill().await;
    ahead.store(9 * 3600, Ordering::SeqCst);
    let mut daemon = serve().await;
    cycle(&mut daemon).await;
    daemon.leave().await;
    night.assert_one_writer();
    assert_eq!(night.results().await, ["a/1 completed", "b/1 completed"]);
}

#[tokio::test(start_paused = true)]
async fn where_the_uptime_is_not_known_a_start_is_waited_for_anew() {
    let run = completed(600).group_after(55).running_after(60);
    let night = night(vec![("a", server(vec![run]))], &["a/1"], json!({}));
    let daemon = night.serve().await;
    daemon.ask(all()).await;
    while night.triggers("a/1") == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    daemon.kill().await;
    let clock = Arc::new(Wrong(night.clock, Arc::new(AtomicI64::new(2 * 3600))));
    let mut daemon = night.serve_with(Duties::new(Timetable::Never, || (), None), clock).await;
    cycle(&mut daemon).await;
    daemon.leave().await;
    assert_eq!((night.results().await, night.triggers("a/1")), (vec!["a/1 completed".to_owned()], 1));
}

#[tokio::test(start_paused = true)]
async fn a_clock_behind_what_is_on_record_takes_up_nothing_before_it_is_set() {
    let day: i64 = 24 * 3600;
    for away in [60, 3 * day] {
        let night =
            night(vec![("a", server(vec![completed(600), completed(60)]))], &["a/1", "a/2"], json!({}));
        let mut daemon = night.serve().await;
        daemon.ask(all()).await;
        until(&mut daemon, |what| matches!(what, What::JobStarted(_))).await;
        daemon.kill().await;
        tokio::time::sleep(seconds(away.unsigned_abs())).await;
        let wrong = Arc::new(AtomicI64::new(-10 * day));
        let clock = Arc::new(Wrong(night.clock, Arc::clone(&wrong)));
        let mut daemon = night.serve_with(Duties::new(Timetable::Never, || (), None), clock).await;
        until_idle(&mut daemon).await;
        tokio::time::sleep(seconds(1200)).await;
        assert_eq!(night.triggers("a/2"), 0, "nobody knows how old the queue is");
        wrong.store(0, Ordering::SeqCst);
        let ended = cycle(&mut daemon).await;
        assert_eq!(night.triggers("a/2"), usize::from(away < day), "{away}: {ended:?}");
        daemon.leave().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_was_accepted_has_its_effect_over_a_reload() {
    let night =
        night(vec![("a", server(vec![completed(3000).group_after(55).stop_after(5)]))], &["a/1"], json!({}));
    let mut daemon = night.serve().await;
    daemon.ask(all()).await;
    until(&mut daemon, |what| matches!(what, What::JobStarted(_))).await;
    let answer = daemon.ask(Command::StopJob(key("a/1"))).await;
    assert!(answer.accepted && answer.reason.contains("as soon as"), "{answer:?}");
    daemon.leave().await;
    let mut daemon = night.serve().await;
    cycle(&mut daemon).await;
    daemon.leave().await;
    assert_eq!(night.results().await, ["a/1 aborted"]);
}

#[tokio::test(start_paused = true)]
async fn the_newest_of_two_runs_is_stopped() {
    let stop = |run: Run| run.stop_after(5);
    let job = Job::new(id("1"), "Job").runs(stop(completed(50_000))).runs(stop(completed(50_000)));
    let job = job.when_running(WhenRunning::Queue);
    let world = World::new("sim").job(job).job(Job::new(id("2"), "Job 2").runs(completed(5000)));
    let world = world.job(Job::new(id("3"), "Job 3").runs(completed(60)));
    let limits = json!({"job_timeout": 600, "max_overruns": 5});
    let night = night(vec![("a", world)], &["a/2", "a/1", "a/3"], limits);
    let mut daemon = night.serve().await;
    daemon.ask(all()).await;
    until(&mut daemon, |what| matches!(what, What::JobTimeout { .. })).await;
    until(&mut daemon, |what| matches!(what, What::JobStarted(_))).await;
    // A second run of a/1, not started from here, which a/3's turn finds; the end of a/2 comes between the two.
    let now = night.clock.now();
    night.world("a").start_by_schedule(&id("1"), now);
    let is_adopted = |what: &What| matches!(what, What::JobStarted(run) if run.label == "a/1");
    until(&mut daemon, is_adopted).await;
    until(&mut daemon, |what| matches!(what, What::JobFinished { .. })).await;
    let running = |night: &Night| -> Vec<RealRun> {
        let runs = night.real_runs("a").into_iter();
        runs.filter(|run| run.job == id("1") && run.ended.is_none_or(|at| at > night.clock.now())).collect()
    };
    assert_eq!(running(&night).len(), 2);
    let newest = running(&night).into_iter().max_by_key(|run| run.triggered).unwrap();
    assert!(daemon.ask(Command::StopJob(key("a/1"))).await.accepted);
    tokio::time::sleep(seconds(60)).await;
    assert!(running(&night).iter().all(|run| run.group != newest.group), "{:?}", running(&night));
    assert_eq!(running(&night).len(), 1);
    daemon.leave().await;
}

#[tokio::test(start_paused = true)]
async fn a_hung_server_costs_its_own_jobs_one_bounded_delay_and_its_neighbours_next_to_nothing() {
    let idle = async |hung: usize| {
        let mut jobs = vec!["a/1".to_owned()];
        jobs.extend((1..=hung).map(|number| format!("h/{number}")));
        jobs.push("b/1".to_owned());
        let names: Vec<&str> = jobs.iter().map(String::as_str).collect();
        let hang = server(vec![completed(60); hung]).fault(Fault::new(Spoil::Hang(100_000)));
        let worlds =
            vec![("a", server(vec![completed(60)])), ("h", hang), ("b", server(vec![completed(60)]))];
        let night = night(worlds, &names, json!({}));
        let cycle = night.run().await;
        let skipped =
            night.results().await.iter().filter(|line| line.ends_with("skipped unreachable")).count();
        assert_eq!((skipped, cycle.completed), (hung, 2));
        let ended = night.real_runs("a")[0].ended.unwrap();
        (night.real_runs("b")[0].triggered.duration_since(ended).as_secs(), cycle.duration.unwrap())
    };
    let (few, many) = (idle(1).await, idle(40).await);
    assert!(
        many.0 <= few.0 + 5,
        "40 jobs of a hung server cost their neighbour {} s, one {} s",
        many.0,
        few.0
    );
    assert!(many.1 <= few.1 + 5, "40 jobs of a hung server cost the cycle {} s, one {} s", many.1, few.1);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_answers_again_runs_its_jobs_at_the_end_of_the_cycle() {
    let night = night(
        vec![("a", server(vec![completed(60), completed(60)])), ("b", server(vec![completed(900)]))],
        &["a/1", "a/2", "b/1"],
        json!({}),
    );
    night.cut("a", true);
    let mut daemon = night.serve().await;
    daemon.ask(all()).await;
    until(&mut daemon, |what| matches!(what, What::JobStarted(_))).await;
    night.cut("a", false);
    cycle(&mut daemon).await;
    daemon.leave().await;
    assert_eq!(night.results().await, ["b/1 completed", "a/1 completed", "a/2 completed"]);
}

#[tokio::test(start_paused = true)]
async fn a_turn_costs_the_same_few_calls_however_many_groups_are_listed() {
    let calls = async |listed: u32| {
        let jobs = vec![completed(60); 4];
        let world = server(jobs).old_groups(&id("1"), listed, DUSK.parse().unwrap());
        let night = night(vec![("a", world)], &["a/1", "a/2", "a/3", "a/4"], json!({}));
        assert_eq!(night.run().await.completed, 4, "{listed} listed groups: {:?}", night.results().await);
        // After the first trigger the list was read wholly once.
        let world = night.world("a");
        let first = world.calls().iter().position(|call| call.function == "runBackupJobManually").unwrap();
        world.calls()[first..].iter().filter(|call| call.function == "listQueueGroups").count()
    };
    let (few, many) = (calls(120).await, calls(6_100).await);
    assert!(many <= few + 2, "{many} calls with 6,100 groups listed, {few} with 120");
}

#[tokio::test(start_paused = true)]
async fn a_trigger_is_decided_by_fresh_answers_even_where_the_disk_is_slow() {
    let night = night(
        vec![("a", server(vec![completed(60)])), ("b", server(vec![completed(600)]))],
        &["a/1"],
        json!({}),
    );
    let latency = Arc::clone(&night.reach.latency);
    let mut daemon = night.serve().await;
    until_idle(&mut daemon).await;
    latency.store(6000, Ordering::SeqCst);
    daemon.ask(all()).await;
    until(&mut daemon, |what| matches!(what, What::JobStarting(_))).await;
    while night.triggers("a/1") == 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let at =
        |function: &str| night.world("a").calls().iter().rfind(|call| call.function == function).unwrap().at;
    let age = at("runBackupJobManually").duration_since(at("listBackupJobs"));
    assert!(age <= SignedDuration::from_secs(3), "the answers were {age} old");
    latency.store(0, Ordering::SeqCst);
    cycle(&mut daemon).await;
    daemon.leave().await;
}

#[tokio::test(start_paused = true)]
async fn a_trigger_that_never_left_costs_a_reload_neither_time_nor_the_turn() {
    let night = night(vec![("a", server(vec![completed(60), completed(60)]))], &["a/1", "a/2"], json!({}));
    night.lose("a", "runBackupJobManually", Lost::Request);
    let mut daemon = night.serve().await;
    daemon.ask(all()).await;
    until(&mut daemon, |what| matches!(what, What::TriggerWithdrawn { .. })).await;
    let begun = night.clock.now();
    daemon.leave().await;
    let mut daemon = night.serve().await;
    let ended = cycle(&mut daemon).await;
    daemon.leave().await;
    assert_eq!((ended.total, ended.completed), (2, 2), "{:?}", night.results().await);
    let first = night.real_runs("a").iter().map(|run| run.triggered).min().unwrap();
    assert!(first.duration_since(begun) < SignedDuration::from_secs(60), "{first}");
}

#[tokio::test(start_paused = true)]
async fn a_group_that_is_pending_for_weeks_is_told_and_not_waited_for() {
    let pending = completed(60).pending(100 * 24 * 3600).running_never();
    let job = Job::new(id("1"), "Job 1").runs(pending);
    let other = Job::new(id("2"), "Job 2").runs(completed(60));
    let mut world = World::new("sim").job(job).job(other);
    let weeks_ago = DUSK.parse::<Timestamp>().unwrap() - SignedDuration::from_hours(21 * 24);
    world.start_by_schedule(&id("1"), weeks_ago);
    let night = night(vec![("a", world)], &["a/1", "a/2"], json!({}));
    let selection = Selection { server: None, job: Some(id("2").parse().unwrap()) };
    let mut runner = night.start(selection).await;
    let alert = until(&mut runner, |what| matches!(what, What::Alert { .. })).await;
    assert!(matches!(&alert, What::Alert { text, .. } if text.contains("has been pending")), "{alert:?}");
    let cycle = runner.end().await;
    assert!(cycle.completed == 1 && cycle.duration.unwrap() < 300, "{cycle:?}");
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_groups_job_holds_the_lane() {
    let strange = Fault::new(Spoil::Replace(format!(
        r#"{{"success":1,"message":"","data":{{"groups":[{{"_id":"{}","type":1,"status":2,"created":"2026-01-10T01:59:00+00:00","data":[]}}],"total":1}},"system":{{}}}}"#,
        "f".repeat(24)
    )))
    .on("listQueueGroups")
    .between(DUSK.parse().unwrap(), DUSK.parse::<Timestamp>().unwrap() + SignedDuration::from_secs(600));
    let night = night(
        vec![("a", server(vec![completed(60)])), ("b", server(vec![]).fault(strange))],
        &["a/1"],
        json!({}),
    );
    let runner = night.start(Selection::default()).await;
    tokio::time::sleep(seconds(590)).await;
    assert_eq!(night.triggers("a/1"), 0, "it may be anybody's");
    assert_eq!(runner.end().await.completed, 1);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_only_says_running_is_over_when_no_log_of_it_is_written() {
    let stuck = completed(60).no_group().without_log().running_ends_late(1_000_000);
    let mut world = server(vec![stuck, completed(60)]);
    world.start_by_person(&id("1"), DUSK.parse().unwrap());
    let night = night(vec![("a", world)], &["a/1", "a/2"], json!({"job_timeout": 14_400}));
    let cycle = night.run().await;
    assert!(cycle.duration.unwrap() < 3600, "it held the lane for {} s", cycle.duration.unwrap());
    assert_eq!(night.triggers("a/2"), 1);
}
