#![allow(clippy::unwrap_used, clippy::expect_used)]
//! Proves the state model: how runs look from outside at every moment, and what really happened.

mod common;

use common::{call, groups, job, running, status, t0, trigger, world};
use jetbackup_sim::clock::after;
use jetbackup_sim::truth::{overlaps, triggered_while_busy};
use jetbackup_sim::{Fault, Job, Origin, Outcome, Run, Spoil, WhenRunning, World, id};
use serde_json::json;

#[test]
fn a_run_goes_through_all_its_states() {
    let mut world = world(Run::completed().group_after(20).pending(5).lasting(100).items(4).stage(50, 7));
    let accepted = trigger(&mut world, 0);
    assert_eq!(accepted["success"], 1);
    assert_eq!(accepted["data"]["_id"], id(1));
    assert!(running(&mut world, 0));
    assert_eq!(status(&mut world, 19), None);
    let pending = groups(&mut world, 20)[0].clone();
    assert_eq!(
        (&pending["status"], &pending["started"], &pending["ended"]),
        (&json!(1), &json!(""), &json!(""))
    );
    assert_eq!(pending["created"], "2024-01-01T00:00:20+00:00");
    assert_eq!(pending["data"]["_id"], id(1));
    assert_eq!(status(&mut world, 25), Some(2));
    let half = groups(&mut world, 75)[0].clone();
    assert_eq!((&half["status"], &half["items_completed"]), (&json!(7), &json!(2)));
    assert!(running(&mut world, 124));
    let done = groups(&mut world, 125)[0].clone();
    assert_eq!((&done["status"], &done["items_completed"]), (&json!(100), &json!(4)));
    assert_eq!((&done["ended"], &done["execution_time"]), (&json!("2024-01-01T00:02:05+00:00"), &json!(100)));
    assert!(!running(&mut world, 125));
    let run = &world.runs()[0];
    assert_eq!((run.started, run.ended), (Some(after(t0(), 25)), Some(after(t0(), 125))));
    assert_eq!((run.origin, run.outcome), (Origin::Api, Some(Outcome::Completed)));
}

#[test]
fn every_outcome_has_its_two_codes() {
    for (run, group, log) in [
        (Run::completed(), 100, 1),
        (Run::partial(), 101, 4),
        (Run::failed(), 102, 2),
        (Run::aborted(), 103, 3),
        (Run::never_finished(), 104, 5),
        (Run::ending_with_code(200), 200, 2),
    ] {
        let mut world = world(run);
        trigger(&mut world, 0);
        let find = format!("find[type]=1&find[info.ID]={}&sort[start_time]=-1", id(1));
        assert_eq!(call(&mut world, 30, "listLogs", &find)["data"]["logs"][0]["status"], 6);
        assert_eq!(status(&mut world, 1000), Some(group));
        let logs = call(&mut world, 1000, "listLogs", &find)["data"].clone();
        assert_eq!((&logs["total"], &logs["logs"][0]["status"]), (&json!(1), &json!(log)));
        let found =
            call(&mut world, 1000, "getLog", &format!("_id={}", logs["logs"][0]["_id"].as_str().unwrap()));
        assert_eq!(found["data"]["end_time"], "2024-01-01T00:01:05+00:00");
    }
}

#[test]
fn running_may_come_late_and_end_at_another_time_than_the_group() {
    let mut late = world(Run::completed().running_after(50).running_ends_late(30));
    trigger(&mut late, 0);
    assert!(!running(&mut late, 49));
    assert_eq!(status(&mut late, 49), Some(2));
    assert!(running(&mut late, 50));
    assert_eq!(status(&mut late, 65), Some(100));
    assert!(running(&mut late, 94));
    assert!(!running(&mut late, 95));
    let mut early = world(Run::completed().running_ends_early(30));
    trigger(&mut early, 0);
    assert!(!running(&mut early, 35));
    assert_eq!(status(&mut early, 35), Some(2));
    assert_eq!(early.runs()[0].ended, None);
}

#[test]
fn groups_vanish_or_never_show_while_the_run_goes_on() {
    let mut vanishing = world(Run::completed().vanishes_after(10));
    trigger(&mut vanishing, 0);
    assert_eq!(status(&mut vanishing, 11), Some(2));
    assert_eq!(status(&mut vanishing, 12), None);
    assert!(running(&mut vanishing, 12));
    assert_eq!(call(&mut vanishing, 100, "listLogs", "find[type]=1")["data"]["logs"][0]["status"], 1);
    let mut hidden = world(Run::completed().no_group().without_log());
    trigger(&mut hidden, 0);
    assert!(running(&mut hidden, 30));
    assert_eq!(status(&mut hidden, 30), None);
    assert_eq!(call(&mut hidden, 100, "listLogs", "find[type]=1")["data"]["total"], 0);
    let mut cleared = world(Run::completed()).old_groups(&id(1), 3, t0());
    trigger(&mut cleared, 0);
    cleared.clear_queue_at(after(t0(), 20));
    assert_eq!(groups(&mut cleared, 19).len(), 4);
    assert_eq!(groups(&mut cleared, 20).len(), 0);
    assert!(running(&mut cleared, 20));
}

#[test]
fn a_hook_aborts_with_a_group_that_never_started_or_with_nothing() {
    let mut seen = world(Run::hook_abort());
    assert_eq!(trigger(&mut seen, 0)["success"], 1);
    let group = groups(&mut seen, 10)[0].clone();
    assert_eq!((&group["status"], &group["started"]), (&json!(103), &json!("")));
    assert_eq!(seen.runs()[0].started, None);
    let mut unseen = world(Run::hook_abort().no_group());
    assert_eq!(trigger(&mut unseen, 0)["success"], 1);
    for seconds in [0, 2, 5, 60] {
        assert!(!running(&mut unseen, seconds) && status(&mut unseen, seconds).is_none());
    }
}

#[test]
fn a_stop_takes_its_time_or_is_ignored() {
    let mut world =
        world(Run::stuck().stop_after(90)).job(Job::new(id(2), "deaf").runs(Run::stuck().ignores_stop()));
    trigger(&mut world, 0);
    call(&mut world, 0, "runBackupJobManually", &format!("_id={}", id(2)));
    assert_eq!(status(&mut world, 16 * 86_400), Some(2));
    let (late, now) = (16 * 86_400, groups(&mut world, 16 * 86_400));
    for group in &now {
        let answer =
            call(&mut world, late, "stopQueueGroup", &format!("_id={}", group["_id"].as_str().unwrap()));
        assert_eq!(answer["success"], 1);
    }
    let statuses = |world: &mut World, seconds| {
        let find = |job: String| format!("type=1&find[data._id]={job}");
        [1, 2].map(|n| {
            call(world, seconds, "listQueueGroups", &find(id(n)))["data"]["groups"][0]["status"]
                .as_i64()
                .unwrap()
        })
    };
    assert_eq!(statuses(&mut world, late + 89), [2, 2]);
    assert_eq!(statuses(&mut world, late + 90), [103, 2]);
    assert_eq!(call(&mut world, late, "stopQueueGroup", &format!("_id={}", id(77)))["success"], 0);
}

#[test]
fn a_stop_before_the_start_leaves_a_run_that_never_wrote() {
    let mut world = world(Run::completed().pending(600).stop_after(1));
    trigger(&mut world, 0);
    let group = groups(&mut world, 10)[0]["_id"].as_str().unwrap().to_owned();
    call(&mut world, 10, "stopQueueGroup", &format!("_id={group}"));
    assert_eq!(status(&mut world, 11), Some(103));
    assert_eq!(world.runs_at(after(t0(), 10_000))[0].started, None);
}

#[test]
fn a_crash_freezes_and_a_restart_marks_what_it_left() {
    let mut world = world(Run::completed().lasting(1000).items(10));
    trigger(&mut world, 0);
    world.crash_at(after(t0(), 505));
    world.restart_at(after(t0(), 5000));
    assert_eq!(call(&mut world, 500, "getInfo", "")["data"]["process"], true);
    let frozen = groups(&mut world, 4999)[0].clone();
    assert_eq!((&frozen["status"], &frozen["items_completed"]), (&json!(2), &json!(5)));
    assert!(running(&mut world, 4999));
    assert_eq!(call(&mut world, 4999, "getInfo", "")["data"]["process"], false);
    assert_eq!(world.runs()[0].ended, Some(after(t0(), 505)));
    assert_eq!(status(&mut world, 5000), Some(104));
    assert!(!running(&mut world, 5000));
    assert_eq!(trigger(&mut world, 5001)["success"], 1);
}

#[test]
fn a_second_trigger_is_refused_swallowed_or_queued() {
    let with = |behaviour| {
        let job = Job::new(id(1), "accounts").runs(Run::completed().lasting(100)).when_running(behaviour);
        let mut world = World::new("alpha").job(job);
        trigger(&mut world, 0);
        let answer = trigger(&mut world, 50)["success"].as_i64().unwrap();
        (world, answer)
    };
    let (world, answer) = with(WhenRunning::Refuse);
    assert_eq!((answer, world.runs().len(), world.triggers(&id(1))), (0, 1, 2));
    let (world, answer) = with(WhenRunning::Swallow);
    assert_eq!((answer, world.runs().len()), (1, 1));
    let (mut world, answer) = with(WhenRunning::Queue);
    assert_eq!((answer, world.runs().len()), (1, 2));
    assert_eq!(status(&mut world, 104), Some(1));
    assert_eq!(status(&mut world, 105), Some(2));
    let runs = world.runs_at(after(t0(), 1000));
    assert_eq!(runs[1].started, runs[0].ended);
    assert!(overlaps(&[&world], after(t0(), 1000)).is_empty());
    assert_eq!(triggered_while_busy(&[&world], after(t0(), 1000)).len(), 1);
}

#[test]
fn scripts_are_used_in_turn_and_the_last_is_repeated() {
    let mut world =
        World::new("alpha").job(Job::new(id(1), "accounts").runs(Run::failed()).runs(Run::partial()));
    let codes = [0, 1000, 2000].map(|seconds| {
        trigger(&mut world, seconds);
        status(&mut world, seconds + 500).unwrap()
    });
    assert_eq!(codes, [102, 101, 101]);
}

#[test]
fn the_scheduler_and_people_start_runs_too() {
    let mut world = world(Run::completed());
    world.start_by_schedule(&id(1), after(t0(), 100));
    world.start_by_person(&id(1), after(t0(), 1000));
    assert_eq!(job(&mut world, 0)["next_run"], "2024-01-01T00:01:40+00:00");
    assert_eq!(status(&mut world, 110), Some(2));
    assert_eq!(job(&mut world, 110)["next_run"], "");
    let runs = world.runs_at(after(t0(), 5000));
    assert_eq!(runs.iter().map(|run| run.origin).collect::<Vec<_>>(), [Origin::Schedule, Origin::Person]);
    assert_eq!(world.triggers(&id(1)), 0);
}

#[test]
fn a_rerun_reopens_the_old_group() {
    let mut world = world(Run::partial());
    trigger(&mut world, 0);
    let old = groups(&mut world, 100)[0].clone();
    world.rerun_by_person(&id(1), after(t0(), 500));
    assert_eq!(status(&mut world, 499), Some(101));
    let new = groups(&mut world, 500);
    assert_eq!((new.len(), &new[0]["status"], &new[0]["ended"]), (1, &json!(1), &json!("")));
    assert_eq!((&new[0]["_id"], &new[0]["created"]), (&old["_id"], &old["created"]));
    assert!(running(&mut world, 520));
    assert_eq!(status(&mut world, 1000), Some(101));
    assert_eq!(world.runs_at(after(t0(), 1000)).len(), 2);
}

#[test]
fn overlaps_are_found_across_servers_among_managed_jobs_only() {
    let mut alpha = world(Run::completed().lasting(100));
    let mut beta = World::new("beta")
        .job(Job::new(id(1), "accounts").runs(Run::completed().lasting(100)))
        .job(Job::new(id(2), "someone else's").unmanaged());
    trigger(&mut alpha, 0);
    beta.start_by_schedule(&id(2), after(t0(), 10));
    trigger(&mut beta, 101);
    // Alpha writes until 105, beta from 106 on: apart by a second, though triggered too early.
    assert!(overlaps(&[&alpha, &beta], after(t0(), 500)).is_empty());
    assert_eq!(triggered_while_busy(&[&alpha, &beta], after(t0(), 500)).len(), 1);
    let mut gamma = World::new("gamma").job(Job::new(id(1), "accounts"));
    trigger(&mut gamma, 120);
    let found = overlaps(&[&alpha, &beta, &gamma], after(t0(), 500));
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].first.server.as_str(), found[0].second.server.as_str()), ("beta", "gamma"));
}

#[test]
fn time_never_goes_back_and_everything_is_repeatable() {
    let play = || {
        let mut world = world(Run::completed()).old_groups(&id(1), 5, t0());
        trigger(&mut world, 0);
        groups(&mut world, 100);
        groups(&mut world, 3)
    };
    let groups = play();
    assert_eq!(groups[0]["status"], 100);
    assert_eq!(groups, play());
    assert!(groups.iter().all(|group| group["_id"].as_str().unwrap().len() == 24));
}

#[test]
fn a_world_survives_being_written_down() {
    let mut before = world(Run::stuck()).fault(Fault::new(Spoil::Exit(3)).skip(1));
    before.start_by_schedule(&id(1), after(t0(), 50));
    call(&mut before, 0, "getInfo", "");
    let mut restored: World = serde_json::from_str(&serde_json::to_string(&before).unwrap()).unwrap();
    assert_eq!(restored.call(t0(), &["-F", "getInfo"]).exit, 3);
    assert_eq!(restored.runs_at(after(t0(), 60)), before.runs_at(after(t0(), 60)));
}
