//! The promises of the queue, hour by hour on the paused clock: one writer, one trigger a run, the truth about each.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/night.rs"]
mod night;

use jetbackup_remote::history::History;
use jetbackup_remote::model::{AfterTimeout, Command, JobResult, Selection, What};
use jetbackup_sim::{Bools, Dialect, FailureData, Fault, Job, Run, Spoil, World};
use night::{DUSK, Lost, Night, id, seconds};
use serde_json::json;

/// What the predecessor's gate lets through.
const PREDECESSORS_GATE: [&str; 6] =
    ["echo", "getBackupJob", "runBackupJobManually", "listBackupJobs", "listQueueGroups", "stopQueueGroup"];

/// A server with these jobs, numbered from 1, each behaving as its run says.
fn server(runs: Vec<Run>) -> World {
    let numbered = runs.into_iter().zip(1..);
    numbered.fold(World::new("sim"), |world, (run, number)| {
        world.job(Job::new(jetbackup_sim::id(number), format!("Job {number}")).runs(run))
    })
}

fn one(run: Run) -> World {
    server(vec![run])
}

fn completed(lasting: i64) -> Run {
    Run::completed().lasting(lasting)
}

fn only(server: &str) -> Selection {
    Selection { server: Some(server.parse().unwrap()), job: None }
}

#[tokio::test(start_paused = true)]
async fn jobs_run_in_order_one_at_a_time_each_triggered_once() {
    let night = Night::new(
        vec![
            ("a", server(vec![completed(300), completed(7)])),
            ("b", one(completed(1200))),
            ("c", one(completed(40))),
        ],
        &["c/1", "b/1", "a/1", "a/2"],
        json!({}),
    );
    let cycle = night.run().await;
    assert_eq!((cycle.total, cycle.completed, cycle.problems), (4, 4, 0));
    assert_eq!(night.results().await, ["a/1 completed", "a/2 completed", "b/1 completed", "c/1 completed"]);
    for job in ["a/1", "a/2", "b/1", "c/1"] {
        assert_eq!(night.triggers(job), 1, "{job}");
    }
    night.assert_one_writer();
    let durations: Vec<_> = night.records().await.iter().map(|run| run.duration).collect();
    assert_eq!(durations, [Some(300), Some(7), Some(1200), Some(40)], "by the servers' own clocks");
}

#[tokio::test(start_paused = true)]
async fn every_end_is_told_as_it_is() {
    let ends = [
        (Run::completed(), "completed"),
        (Run::partial(), "partial"),
        (Run::failed(), "failed"),
        (Run::aborted(), "aborted"),
        (Run::never_finished(), "never_finished"),
        (Run::ending_with_code(200), "failed"),
        (Run::ending_with_code(201), "aborted"),
        (Run::ending_with_code(150), "failed"),
    ];
    let jobs: Vec<String> = (1..=ends.len()).map(|number| format!("a/{number}")).collect();
    let jobs: Vec<&str> = jobs.iter().map(String::as_str).collect();
    let expected: Vec<String> =
        ends.iter().zip(&jobs).map(|((_, end), job)| format!("{job} {end}")).collect();
    let runs = ends.into_iter().map(|(run, _)| run.lasting(60)).collect();
    let night = Night::new(vec![("a", server(runs))], &jobs, json!({}));
    let cycle = night.run().await;
    assert_eq!((cycle.completed, cycle.problems), (1, 7));
    assert_eq!(night.results().await, expected);
    night.assert_one_writer();
}

#[tokio::test(start_paused = true)]
async fn what_jetbackup_does_late_early_or_in_odd_stages_fools_nobody() {
    let odd = [
        completed(600).pending(45),
        completed(600).group_after(59),
        completed(600).group_after(100).running_after(110),
        completed(600).running_ends_late(30),
        completed(600).running_ends_early(30),
        completed(600).stage(10, 3).stage(200, 42).stage(400, 99),
        completed(1),
        completed(0),
    ];
    let count = odd.len();
    let jobs: Vec<String> = (1..=count).map(|number| format!("a/{number}")).collect();
    let jobs: Vec<&str> = jobs.iter().map(String::as_str).collect();
    let night = Night::new(vec![("a", server(odd.to_vec()))], &jobs, json!({}));
    let cycle = night.run().await;
    assert_eq!(cycle.completed as usize, count, "{:?}", night.results().await);
    for job in jobs {
        assert_eq!(night.triggers(job), 1, "{job}");
    }
    night.assert_one_writer();
}

#[tokio::test(start_paused = true)]
async fn older_finished_groups_however_many_are_not_taken_for_the_run() {
    let world = one(Run::failed().lasting(50).group_after(20));
    let world = world.old_groups(&id("1"), 150, DUSK.parse().unwrap());
    let night = Night::new(vec![("a", world)], &["a/1"], json!({}));
    night.run().await;
    assert_eq!(night.results().await, ["a/1 failed"]);
}

#[tokio::test(start_paused = true)]
async fn the_predecessors_gate_is_enough() {
    let world = server(vec![completed(60), Run::partial().lasting(60)]);
    let night = Night::new(vec![("a", world)], &["a/1", "a/2"], json!({}));
    night.gate("a", &PREDECESSORS_GATE);
    night.run().await;
    assert_eq!(night.results().await, ["a/1 completed", "a/2 partial"]);
    night.assert_one_writer();
}

#[tokio::test(start_paused = true)]
async fn a_cleared_queue_is_judged_by_the_log_or_not_at_all() {
    let night =
        Night::new(vec![("a", server(vec![completed(300).vanishes_after(100)]))], &["a/1"], json!({}));
    night.run().await;
    assert_eq!(night.results().await, ["a/1 completed group_vanished"]);

    let night = Night::new(vec![("a", one(completed(300).vanishes_after(100)))], &["a/1"], json!({}));
    night.gate("a", &PREDECESSORS_GATE);
    night.run().await;
    assert_eq!(night.results().await, ["a/1 unknown group_vanished"]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_does_not_start_is_told_and_one_that_starts_later_is_watched() {
    let night = Night::new(
        vec![("a", one(Run::hook_abort().no_group())), ("b", one(completed(60)))],
        &["a/1", "b/1"],
        json!({}),
    );
    let cycle = night.run().await;
    assert_eq!(night.results().await, ["a/1 did_not_start nothing_started", "b/1 completed"]);
    assert_eq!((cycle.completed, cycle.problems), (1, 1));
    assert_eq!(night.triggers("a/1"), 1, "it is not tried again");

    // It starts after all, ten minutes late, while the next job runs: the one after waits for both.
    let late = completed(2000).group_after(600).running_after(600);
    let night = Night::new(
        vec![("a", one(late)), ("b", server(vec![completed(900), completed(60)]))],
        &["a/1", "b/1", "b/2"],
        json!({}),
    );
    night.run().await;
    assert_eq!(night.results().await, ["a/1 completed", "b/1 completed", "b/2 completed"]);
    let records = night.records().await;
    assert!(records[2].started.unwrap() >= records[0].ended.unwrap(), "the lane waited for the late one");
}

#[tokio::test(start_paused = true)]
async fn disabled_and_unknown_jobs_are_skipped_without_a_trigger() {
    let world = World::new("sim").job(Job::new(id("1"), "Off").disabled());
    let night = Night::new(vec![("a", world)], &["a/1", "a/7"], json!({}));
    let cycle = night.run().await;
    assert_eq!(night.results().await, ["a/1 skipped disabled", "a/7 skipped not_found"]);
    assert_eq!(night.triggers("a/1") + night.triggers("a/7"), 0);
    assert_eq!(cycle.problems, 2);
}

#[tokio::test(start_paused = true)]
async fn a_refused_trigger_is_told_as_such_and_a_short_answer_is_looked_into() {
    let mut refusing = one(completed(60));
    refusing.set_licence_issue(true);
    let night = Night::new(vec![("a", refusing)], &["a/1"], json!({}));
    night.run().await;
    assert_eq!(night.results().await, ["a/1 did_not_start refused"]);
    assert_eq!(night.triggers("a/1"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_the_trigger_never_makes_a_second_one() {
    for spoil in [Spoil::Garbage, Spoil::Empty, Spoil::Truncated, Spoil::Exit(255), Spoil::Hang(300)] {
        let what = format!("{spoil:?}");
        let fault = Fault::new(spoil).on("runBackupJobManually");
        let night = Night::new(vec![("a", one(completed(200)).fault(fault))], &["a/1"], json!({}));
        night.run().await;
        assert_eq!(night.results().await, ["a/1 completed"], "{what}");
        assert_eq!(night.triggers("a/1"), 1, "{what}");
    }
    let night = Night::new(vec![("a", one(completed(200)))], &["a/1"], json!({}));
    night.lose("a", "runBackupJobManually", Lost::Answer);
    night.run().await;
    assert_eq!((night.results().await, night.triggers("a/1")), (vec!["a/1 completed".to_owned()], 1));

    let night = Night::new(vec![("a", one(completed(200)))], &["a/1"], json!({}));
    night.lose("a", "runBackupJobManually", Lost::Command);
    night.run().await;
    assert_eq!(night.results().await, ["a/1 did_not_start nothing_started"]);
    assert_eq!(night.triggers("a/1"), 0, "whether it arrived is not known, so it is not sent again");
}

#[tokio::test(start_paused = true)]
async fn odd_answers_all_night_change_nothing() {
    let dialect =
        |bools, failure_data| Dialect { bools, numbers_as_text: true, lists_as_objects: true, failure_data };
    let ways = [
        Spoil::Banner,
        Spoil::Dialect(dialect(Bools::Digits, FailureData::Object)),
        Spoil::Dialect(dialect(Bools::Text, FailureData::Null)),
        Spoil::Dialect(dialect(Bools::EmptyFalse, FailureData::Missing)),
        Spoil::Dialect(dialect(Bools::NullFalse, FailureData::List)),
    ];
    for spoil in ways {
        let what = format!("{spoil:?}");
        let world = server(vec![completed(100), Run::partial().lasting(30)]).fault(Fault::new(spoil));
        let night = Night::new(vec![("a", world)], &["a/1", "a/2"], json!({}));
        night.run().await;
        assert_eq!(night.results().await, ["a/1 completed", "a/2 partial"], "{what}");
        assert_eq!((night.triggers("a/1"), night.triggers("a/2")), (1, 1), "{what}");
        night.assert_one_writer();
    }
}

#[tokio::test(start_paused = true)]
async fn ten_minutes_without_contact_keep_the_lane_and_the_truth() {
    let night =
        Night::new(vec![("a", one(completed(1500))), ("b", one(completed(60)))], &["a/1", "b/1"], json!({}));
    let mut runner = night.start(Selection::default()).await;
    runner.event("job_started").await;
    tokio::time::sleep(seconds(60)).await;
    night.cut("a", true);
    runner.event("server_unreachable").await;
    tokio::time::sleep(seconds(600)).await;
    assert_eq!(night.triggers("b/1"), 0);
    night.cut("a", false);
    runner.event("server_reachable").await;
    runner.end().await;
    assert_eq!(night.results().await, ["a/1 completed", "b/1 completed"]);
    night.assert_one_writer();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_comes_back_is_lost_contact_at_the_limit() {
    let night = Night::new(
        vec![("a", one(completed(100_000))), ("b", one(completed(60)))],
        &["a/1", "b/1"],
        json!({"job_timeout": 3600}),
    );
    let mut runner = night.start(Selection::default()).await;
    runner.event("job_started").await;
    night.cut("a", true);
    let What::JobTimeout { run, next, .. } = runner.event("job_timeout").await.what else { panic!() };
    assert_eq!((run.result, next), (Some(JobResult::LostContact), AfterTimeout::GoesOn));
    let cycle = runner.end().await;
    assert_eq!(night.results().await, ["a/1 lost_contact overrun", "b/1 completed"]);
    assert_eq!((cycle.completed, cycle.problems), (1, 1));
    assert!(night.records().await[0].open, "its end is still awaited");
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_server_costs_only_its_own_jobs() {
    let night =
        Night::new(vec![("a", one(completed(60))), ("b", one(completed(60)))], &["a/1", "b/1"], json!({}));
    night.cut("a", true);
    night.run().await;
    assert_eq!(night.results().await, ["b/1 completed", "a/1 skipped unreachable"]);
    assert_eq!(night.triggers("a/1"), 0);
}

#[tokio::test(start_paused = true)]
async fn beyond_its_limit_a_run_is_told_of_left_alone_and_watched_to_its_end() {
    let night = Night::new(
        vec![
            ("a", server(vec![completed(5000), completed(6000)])),
            ("b", server(vec![completed(60), completed(60)])),
        ],
        &["a/1", "a/2", "b/1", "b/2"],
        json!({"job_timeout": 1000}),
    );
    let mut runner = night.start(Selection::default()).await;
    let What::JobTimeout { run, elapsed, next } = runner.event("job_timeout").await.what else { panic!() };
    assert_eq!((run.label.as_str(), elapsed, next), ("a/1", 1000, AfterTimeout::GoesOn));
    let What::JobTimeout { run, next, .. } = runner.event("job_timeout").await.what else { panic!() };
    assert_eq!((run.label.as_str(), next), ("a/2", AfterTimeout::WaitsForOverruns));
    assert_eq!(night.triggers("b/1"), 0, "one beside the lane is the most");
    let ended = runner.event("job_overrun_ended").await;
    assert_eq!(ended.run().unwrap().result, Some(JobResult::Completed));
    let cycle = runner.end().await;
    assert_eq!((cycle.completed, cycle.problems), (2, 2));
    assert_eq!(
        night.results().await,
        ["a/1 completed overrun", "a/2 open overrun", "b/1 completed", "b/2 completed"]
    );

    // The next start finds a/2 still running: it is watched, its end is told, and it does not cost a/2 its new turn.
    night.run().await;
    let results = night.results().await;
    assert_eq!(night.triggers("a/2"), 2, "{results:?}");
    assert!(results.contains(&"a/2 completed overrun".to_owned()), "{results:?}");
}

#[tokio::test(start_paused = true)]
async fn under_wait_the_lane_waits_reminds_and_obeys_a_release() {
    let night = Night::new(
        vec![("a", one(completed(50_000))), ("b", one(completed(60)))],
        &["a/1", "b/1"],
        json!({"job_timeout": 1000, "on_timeout": "wait"}),
    );
    let mut runner = night.start(Selection::default()).await;
    let key = jetbackup_remote::model::JobKey { server: "a".parse().unwrap(), job: id("1").parse().unwrap() };
    runner.event("job_started").await;
    let early = runner.ask(Command::Release(key.clone())).await;
    assert!(!early.accepted, "within its limit nothing is to be released: {}", early.reason);
    for reminder in 1..=3 {
        let What::JobTimeout { elapsed, next, .. } = runner.event("job_timeout").await.what else { panic!() };
        assert_eq!((elapsed, next), (1000 * reminder, AfterTimeout::WaitsForRelease));
    }
    assert_eq!(night.triggers("b/1"), 0);
    let answer = runner.ask(Command::Release(key)).await;
    assert!(answer.accepted, "{}", answer.reason);
    runner.end().await;
    assert_eq!(night.results().await, ["a/1 open overrun", "b/1 completed"]);

    // Without a release it waits for the end, and stops nothing.
    let night = Night::new(
        vec![("a", one(completed(5000))), ("b", one(completed(60)))],
        &["a/1", "b/1"],
        json!({"job_timeout": 1000, "on_timeout": "wait"}),
    );
    night.run().await;
    assert_eq!(night.results().await, ["a/1 completed overrun", "b/1 completed"]);
    night.assert_one_writer();
}

#[tokio::test(start_paused = true)]
async fn a_run_that_others_started_is_waited_for_and_counts_as_its_jobs_turn() {
    let mut world = one(completed(1800));
    world.start_by_schedule(&id("1"), DUSK.parse().unwrap());
    let night = Night::new(vec![("a", one(completed(60))), ("b", world)], &["a/1", "b/1"], json!({}));
    tokio::time::sleep(seconds(100)).await;
    let cycle = night.run().await;
    assert_eq!(cycle.completed, 2);
    assert_eq!(night.triggers("b/1"), 0, "already running is waited for");
    assert_eq!(night.triggers("a/1"), 1);
    night.assert_one_writer();
}

#[tokio::test(start_paused = true)]
async fn a_selection_still_waits_for_every_server() {
    let mut world = one(completed(1800));
    world.start_by_schedule(&id("1"), DUSK.parse().unwrap());
    let night = Night::new(vec![("a", one(completed(60))), ("b", world)], &["a/1", "b/1"], json!({}));
    tokio::time::sleep(seconds(100)).await;
    let cycle = night.start(only("a")).await.end().await;
    assert_eq!((cycle.total, cycle.completed), (1, 1));
    assert_eq!((night.triggers("a/1"), night.triggers("b/1")), (1, 0));
    night.assert_one_writer();
}

#[tokio::test(start_paused = true)]
async fn other_peoples_groups_and_unmanaged_jobs_are_none_of_its_business() {
    let dusk = DUSK.parse().unwrap();
    let mut world = one(completed(60))
        .job(Job::new(id("2"), "Somebody else's").runs(completed(9000)).unmanaged())
        .other_group(64, dusk, None);
    world.start_by_schedule(&id("2"), dusk);
    let night = Night::new(vec![("a", world)], &["a/1"], json!({}));
    tokio::time::sleep(seconds(30)).await;
    night.run().await;
    assert_eq!(night.results().await, ["a/1 completed"]);
}

/// The heart of it: killed at any moment and started again, nothing is triggered while it may be running, and every
/// run is told once.
#[tokio::test(start_paused = true)]
async fn killed_at_any_moment_it_takes_up_what_it_left() {
    let moments = (0..40).map(|step| step * 50).chain((0..30).map(|step| 2_000 + step * 11_000));
    for milliseconds in moments {
        let odd = completed(120).group_after(30).running_after(3);
        let night = Night::new(
            vec![("a", one(odd)), ("b", one(Run::partial().lasting(90)))],
            &["a/1", "b/1"],
            json!({}),
        );
        let runner = night.start(Selection::default()).await;
        tokio::time::sleep(std::time::Duration::from_millis(milliseconds)).await;
        runner.kill().await;
        let triggered = [night.triggers("a/1"), night.triggers("b/1")];
        let under_way = [night.is_writing("a"), night.is_writing("b")];
        night.run().await;
        night.assert_one_writer();
        for (at, job) in ["a/1", "b/1"].into_iter().enumerate() {
            let more = night.triggers(job) - triggered[at];
            let results = night.results().await;
            assert!(
                more <= 1,
                "killed after {milliseconds} ms: {job} triggered {more} times more: {results:?}"
            );
            if under_way[at] {
                assert_eq!(more, 0, "killed after {milliseconds} ms: {job} was running: {results:?}");
            }
        }
        let open = night.records().await.into_iter().filter(|run| run.open).count();
        assert_eq!(open, 0, "killed after {milliseconds} ms: {:?}", night.results().await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_single_run_tells_the_end_of_the_cycle_that_was_killed_before_it() {
    let worlds = vec![("a", one(completed(60))), ("b", one(completed(900)))];
    let night = Night::new(worlds, &["a/1", "b/1"], json!({}));
    let mut runner = night.start(Selection::default()).await;
    for _ in 0..2 {
        runner.event("job_started").await;
    }
    runner.kill().await;
    let mut runner = night.start(only("a")).await;
    let told = runner.event("cycle_finished").await;
    let What::CycleFinished(killed) = told.what else { panic!("{told:?}") };
    assert_eq!((killed.total, killed.completed, killed.problems), (2, 1, 1));
    runner.end().await;
    let mut runner = night.start(only("a")).await;
    let told = runner.event("cycle_finished").await;
    let What::CycleFinished(over) = told.what else { panic!("{told:?}") };
    assert_eq!((over.total, over.completed), (1, 1), "it is told once");
    runner.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_left_open_elsewhere_keeps_the_lane_under_a_selection_too() {
    let night =
        Night::new(vec![("a", one(completed(60))), ("b", one(completed(900)))], &["b/1", "a/1"], json!({}));
    let mut runner = night.start(only("b")).await;
    runner.event("job_started").await;
    runner.kill().await;
    let cycle = night.start(only("a")).await.end().await;
    assert_eq!(cycle.completed, 1);
    night.assert_one_writer();
    assert_eq!(night.results().await, ["b/1 completed", "a/1 completed"]);
}

#[tokio::test(start_paused = true)]
async fn a_run_left_open_on_a_silent_server_keeps_the_lane() {
    let night = Night::new(
        vec![("a", one(completed(60))), ("b", one(completed(900)))],
        &["b/1", "a/1"],
        json!({"job_timeout": 7200}),
    );
    let mut runner = night.start(only("b")).await;
    runner.event("job_started").await;
    runner.kill().await;
    night.cut("b", true);
    let runner = night.start(only("a")).await;
    tokio::time::sleep(seconds(3600)).await;
    assert_eq!(night.triggers("a/1"), 0, "b may still be writing");
    let waiting = runner.handle.snapshot.borrow().queue();
    assert_eq!(waiting.reason.as_deref(), Some("b/1 on b is out of reach and may be running"));
    night.cut("b", false);
    runner.end().await;
    assert_eq!(night.results().await, ["b/1 completed", "a/1 completed"]);
    night.assert_one_writer();
}

#[tokio::test(start_paused = true)]
async fn told_to_leave_it_triggers_nothing_more_and_leaves_the_backup_alone() {
    let night =
        Night::new(vec![("a", one(completed(600))), ("b", one(completed(60)))], &["a/1", "b/1"], json!({}));
    let mut runner = night.start(Selection::default()).await;
    runner.event("job_started").await;
    runner.leave.cancel();
    let cycle = runner.end().await;
    assert_eq!((cycle.completed, cycle.problems), (0, 2));
    assert_eq!(night.results().await, ["a/1 open", "b/1 skipped stopped_by_user"]);
    night.run().await;
    assert_eq!((night.triggers("a/1"), night.triggers("b/1")), (1, 1));
    night.assert_one_writer();
}

#[tokio::test(start_paused = true)]
async fn stop_after_current_lets_the_running_backup_end() {
    let night =
        Night::new(vec![("a", one(completed(600))), ("b", one(completed(60)))], &["a/1", "b/1"], json!({}));
    let mut runner = night.start(Selection::default()).await;
    runner.event("job_started").await;
    assert!(runner.ask(Command::StopAfterCurrent).await.accepted);
    assert!(!runner.ask(Command::Run(Selection::default())).await.accepted, "it is stopping");
    runner.end().await;
    let mut results = night.results().await;
    results.sort();
    assert_eq!(results, ["a/1 completed", "b/1 skipped stopped_by_user"]);
}

#[tokio::test(start_paused = true)]
async fn asking_again_queues_nothing_twice() {
    let night =
        Night::new(vec![("a", server(vec![completed(600), completed(60)]))], &["a/1", "a/2"], json!({}));
    let mut runner = night.start(Selection::default()).await;
    runner.event("job_started").await;
    let answer = runner.ask(Command::Run(Selection::default())).await;
    assert!(answer.accepted);
    assert!(answer.reason.contains("already running") && answer.reason.contains("already queued"));
    runner.end().await;
    assert_eq!((night.triggers("a/1"), night.triggers("a/2")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_in_aborted_and_one_without_effect_is_told() {
    let runs = vec![completed(5000).stop_after(20), completed(400).ignores_stop()];
    let night = Night::new(vec![("a", server(runs))], &["a/1", "a/2"], json!({}));
    let mut runner = night.start(Selection::default()).await;
    let stop = async |runner: &mut night::Runner| {
        let group = runner.group().await;
        runner.ask(Command::Stop { server: "a".parse().unwrap(), group }).await
    };
    assert!(stop(&mut runner).await.accepted);
    runner.event("job_aborted").await;
    assert!(stop(&mut runner).await.accepted);
    let What::Alert { text, .. } = runner.event("alert").await.what else { panic!() };
    assert!(text.contains("has not ended"), "{text}");
    runner.end().await;
    assert_eq!(night.results().await, ["a/1 aborted", "a/2 completed"]);
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_takes_nothing_is_told_and_costs_no_backup() {
    let night =
        Night::new(vec![("a", server(vec![completed(60), completed(60)]))], &["a/1", "a/2"], json!({}));
    // Every commit of a run or a cycle fails, as on a full disk.
    let path = night.state.path().join("history.db");
    drop(History::open(night.state.path()).await);
    let database = rusqlite::Connection::open(path).unwrap();
    for (table, change) in [("runs", "INSERT"), ("cycles", "INSERT"), ("queue", "INSERT")] {
        let refuse = "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END";
        let sql = format!("CREATE TRIGGER full_{table} BEFORE {change} ON {table} {refuse}");
        database.execute_batch(&sql).unwrap();
    }
    let mut runner = night.start(Selection::default()).await;
    let What::Alert { text, .. } = runner.event("alert").await.what else { panic!() };
    assert!(text.contains("not recorded"), "{text}");
    let cycle = runner.end().await;
    assert_eq!(cycle.completed, 2);
    assert_eq!((night.triggers("a/1"), night.triggers("a/2")), (1, 1));
    night.assert_one_writer();
}

#[tokio::test(start_paused = true)]
async fn a_success_after_a_failure_is_a_recovery() {
    let runs = Job::new(id("1"), "Job").runs(Run::failed().lasting(60)).runs(completed(60));
    let world = World::new("sim").job(runs);
    let night = Night::new(vec![("a", world)], &["a/1"], json!({}));
    night.run().await;
    let mut runner = night.start(Selection::default()).await;
    runner.event("job_recovered").await;
    runner.end().await;
}

#[tokio::test(start_paused = true)]
async fn once_a_jobs_length_is_known_the_lane_is_not_idle_for_half_a_poll() {
    let night = Night::new(
        vec![("a", server(vec![completed(1800), completed(1800)]))],
        &["a/1", "a/2"],
        json!({"poll_interval": 30}),
    );
    night.run().await;
    night.run().await;
    let records = night.records().await;
    let idle = |at: usize| {
        let gap = records[at + 1].asked.duration_since(records[at].ended.unwrap());
        gap.as_secs()
    };
    assert!(idle(2) <= 2, "{} s between two jobs of known length", idle(2));
}
