//! A run's life, hour by hour, without a server or a clock.

use std::time::Duration;

use jiff::{Timestamp, ToSpan};
use tokio::time::Instant;

use super::super::Now;
use super::super::sight::Sight;
use super::{News, Next, Pace, Run};
use crate::jetbackup::{Group, GroupStatus, Log, LogStatus};
use crate::model::{GroupId, JobResult, Origin, Reason, RunId, RunRecord};

const PACE: Pace =
    Pace { poll_interval: Duration::from_secs(30), startup_timeout: Duration::from_secs(120), remind: false };
const BASE: i64 = 1_700_000_000;

/// A moment of the test: seconds since the trigger, by both clocks.
struct Time(Instant);

impl Time {
    fn new() -> Self {
        Self(Instant::now())
    }

    fn at(&self, seconds: u64) -> Now {
        Now { mono: self.0 + Duration::from_secs(seconds), wall: wall(seconds), boot: None }
    }
}

fn wall(seconds: u64) -> Timestamp {
    Timestamp::from_second(BASE + i64::try_from(seconds).unwrap()).unwrap()
}

fn group(number: u8, status: GroupStatus) -> Group {
    Group {
        id: group_id(number),
        job: Some("000000000000000000000001".parse().unwrap()),
        name: None,
        kind: Some(1),
        status,
        created: Some(wall(1)),
        started: Some(wall(5)),
        ended: status.is_finished().then(|| wall(65)),
        items: Some(10),
        items_completed: Some(5),
        percentage: None,
        log_id: None,
        execution_time: None,
    }
}

fn group_id(number: u8) -> GroupId {
    format!("{number:024x}").parse().unwrap()
}

fn record() -> RunRecord {
    RunRecord::new(
        RunId(1),
        crate::model::JobKey {
            server: "a".parse().unwrap(),
            job: "000000000000000000000001".parse().unwrap(),
        },
        "Accounts",
        wall(0),
        3600,
    )
}

fn sight(running: Option<bool>, group: Option<Group>) -> Sight {
    Sight { running, group, doubtful: false, another: false }
}

fn log(start: u64, status: LogStatus) -> Log {
    Log {
        id: format!("{:024x}", 77).parse().unwrap(),
        job: None,
        status,
        started: Some(wall(start)),
        ended: Some(wall(start + 60)),
        execution_time: None,
    }
}

#[test]
fn a_run_that_ended_between_two_polls_is_seen_by_its_group() {
    let time = Time::new();
    let mut run = Run::triggered(record(), time.at(0));
    let (news, next) =
        run.observe(&sight(Some(false), Some(group(9, GroupStatus::Completed))), time.at(70), PACE);
    assert_eq!((news, next), (vec![News::Started], Next::Ended));
    assert_eq!(run.record.result, Some(JobResult::Completed));
    assert_eq!(run.record.duration, Some(60), "from the server's own times");
    assert!(!run.record.open);
}

#[test]
fn every_status_of_a_finished_group_has_its_result() {
    for (status, result) in [
        (GroupStatus::Completed, JobResult::Completed),
        (GroupStatus::Partial, JobResult::Partial),
        (GroupStatus::Failed, JobResult::Failed),
        (GroupStatus::Aborted, JobResult::Aborted),
        (GroupStatus::NeverFinished, JobResult::NeverFinished),
        (GroupStatus::Unknown(250), JobResult::Failed),
    ] {
        let time = Time::new();
        let mut run = Run::triggered(record(), time.at(0));
        run.observe(&sight(Some(false), Some(group(9, status))), time.at(70), PACE);
        assert_eq!(run.record.result, Some(result), "{status:?}");
        assert_eq!(run.record.error.is_some(), status == GroupStatus::Unknown(250), "the code is kept");
    }
}

#[test]
fn stages_and_unknown_codes_below_100_are_under_way() {
    for status in
        [GroupStatus::Pending, GroupStatus::Processing, GroupStatus::Stage(42), GroupStatus::Unknown(0)]
    {
        let time = Time::new();
        let mut run = Run::triggered(record(), time.at(0));
        for second in [10, 1000, 3000] {
            let seen = sight(Some(false), Some(group(9, status)));
            let (_, next) = run.observe(&seen, time.at(second), PACE);
            assert_eq!(next, Next::Watch, "the group alone says that the run goes on: {status:?}");
        }
    }
}

#[test]
fn a_finished_group_waits_for_the_job_to_agree_for_a_minute_at_most() {
    let time = Time::new();
    let finished = || Some(group(9, GroupStatus::Partial));
    let mut run = Run::triggered(record(), time.at(0));
    assert_eq!(run.observe(&sight(Some(true), finished()), time.at(70), PACE).1, Next::Watch);
    assert_eq!(run.observe(&sight(Some(true), finished()), time.at(129), PACE).1, Next::Watch);
    assert_eq!(run.observe(&sight(Some(true), finished()), time.at(130), PACE).1, Next::Ended);

    let mut run = Run::triggered(record(), time.at(0));
    run.observe(&sight(Some(true), finished()), time.at(70), PACE);
    assert_eq!(run.observe(&sight(Some(false), finished()), time.at(100), PACE).1, Next::Ended);

    let mut run = Run::triggered(record(), time.at(0));
    let another = Sight { another: true, ..sight(Some(true), finished()) };
    assert_eq!(run.observe(&another, time.at(70), PACE).1, Next::Ended, "the word is about another run");
}

#[test]
fn nothing_seen_within_the_startup_time_is_did_not_start_and_may_start_later() {
    let time = Time::new();
    let mut run = Run::triggered(RunRecord { cycle: Some(crate::model::CycleId(4)), ..record() }, time.at(0));
    let nothing = sight(Some(false), None);
    assert_eq!(run.observe(&nothing, time.at(119), PACE).1, Next::Watch);
    let next = run.observe(&nothing, time.at(120), PACE).1;
    assert_eq!(next, Next::AskLog { otherwise: JobResult::DidNotStart });
    assert!(run.end_by_log(None, JobResult::DidNotStart));
    assert_eq!(run.record.reason, Some(Reason::NothingStarted));
    assert!(run.is_late());

    assert_eq!(run.observe(&nothing, time.at(500), PACE).1, Next::Watch, "it stays watched");
    assert!(run.tick(time.at(90_000), PACE).is_empty(), "and has no time limit");
    let (news, _) = run.observe(&sight(Some(true), None), time.at(90_001), PACE);
    assert_eq!(news, vec![News::Started]);
    assert!(run.record.open && run.record.result.is_none() && run.record.reason.is_none());
    assert_eq!(run.record.cycle, None, "its turn is over");
}

#[test]
fn a_group_may_appear_a_minute_after_the_job_says_running() {
    let time = Time::new();
    let mut run = Run::triggered(record(), time.at(0));
    assert_eq!(run.observe(&sight(Some(true), None), time.at(1), PACE), (vec![News::Started], Next::Watch));
    assert_eq!(run.observe(&sight(Some(true), None), time.at(200), PACE), (vec![], Next::Watch));
    let processing = sight(Some(true), Some(group(9, GroupStatus::Processing)));
    assert_eq!(run.observe(&processing, time.at(210), PACE), (vec![News::Noted], Next::Watch));
    assert_eq!(run.record.group, Some(group_id(9)));
}

#[test]
fn a_vanished_group_holds_until_the_job_is_quiet_and_is_judged_by_the_log() {
    let time = Time::new();
    let under_way = || {
        let mut run = Run::triggered(record(), time.at(0));
        run.observe(&sight(Some(true), Some(group(9, GroupStatus::Processing))), time.at(10), PACE);
        assert_eq!(run.observe(&sight(Some(true), None), time.at(20), PACE).1, Next::Watch);
        assert_eq!(run.observe(&sight(Some(true), None), time.at(3000), PACE).1, Next::Watch);
        let next = run.observe(&sight(Some(false), None), time.at(3010), PACE).1;
        assert_eq!(next, Next::AskLog { otherwise: JobResult::Unknown });
        run
    };
    let mut by_log = under_way();
    assert!(by_log.end_by_log(Some(&[log(5, LogStatus::Partial)]), JobResult::Unknown));
    assert_eq!(by_log.record.result, Some(JobResult::Partial));
    assert_eq!(by_log.record.duration, Some(60));

    let mut older_log = under_way();
    older_log.record.started = Some(wall(1000));
    assert!(older_log.end_by_log(Some(&[log(5, LogStatus::Completed)]), JobResult::Unknown));
    assert_eq!(older_log.record.result, Some(JobResult::Unknown), "an older run's success is not this one's");

    let mut no_log = under_way();
    assert!(no_log.end_by_log(None, JobResult::Unknown));
    assert_eq!(no_log.record.result, Some(JobResult::Unknown));

    let mut still_writing = under_way();
    assert!(!still_writing.end_by_log(Some(&[log(5, LogStatus::Processing)]), JobResult::Unknown));
    assert!(still_writing.record.open);
}

#[test]
fn the_limit_counts_from_the_servers_start() {
    let time = Time::new();
    let mut run = Run::triggered(record(), time.at(0));
    let waited = Group { started: Some(wall(600)), ..group(9, GroupStatus::Processing) };
    run.observe(&sight(Some(true), Some(waited.clone())), time.at(610), PACE);
    assert!(run.tick(time.at(600 + 3599), PACE).is_empty());
    run.observe(&sight(Some(true), Some(waited)), time.at(600 + 3600), PACE);
    assert_eq!(run.next_tick(time.at(700).mono, PACE), Some(time.at(600 + 3600).mono));
    assert_eq!(run.tick(time.at(600 + 3600), PACE), vec![News::LimitReached]);
    assert!(run.record.overrun);
    assert!(run.tick(time.at(100_000), PACE).is_empty(), "told once");
}

#[test]
fn a_server_with_a_wrong_clock_cannot_make_a_fresh_run_old() {
    let time = Time::new();
    let mut run = Run::triggered(record(), time.at(0));
    let started = wall(0).checked_sub(48.hours()).unwrap();
    let odd = Group { started: Some(started), ..group(9, GroupStatus::Processing) };
    run.observe(&sight(Some(true), Some(odd)), time.at(10), PACE);
    assert!(run.tick(time.at(3599), PACE).is_empty());
    assert_eq!(run.tick(time.at(3690), PACE), vec![News::LimitReached]);
}

#[test]
fn a_run_at_its_limit_is_told_when_its_server_has_shown_it_running() {
    let time = Time::new();
    let running = sight(Some(true), Some(group(9, GroupStatus::Processing)));
    let begun = || {
        let mut run = Run::triggered(record(), time.at(0));
        run.observe(&running, time.at(3590), PACE);
        assert!(run.tick(time.at(3606), PACE).is_empty(), "it may have ended since");
        assert_eq!(run.poll_pause(time.at(3606).mono, PACE).as_secs(), 1, "asked about at once");
        run
    };
    let mut run = begun();
    run.observe(&running, time.at(3607), PACE);
    assert_eq!(run.tick(time.at(3607), PACE), vec![News::LimitReached]);

    let mut run = begun();
    run.lose_contact(time.at(3607).mono);
    assert_eq!(run.tick(time.at(3607), PACE), vec![News::LimitReached], "nothing will be heard soon");

    let mut run = begun();
    assert_eq!(run.next_tick(time.at(3604).mono, PACE), Some(time.at(3605).mono), "to ask");
    assert_eq!(run.next_tick(time.at(3605).mono, PACE), Some(time.at(3605 + 90).mono));
    assert_eq!(run.tick(time.at(3605 + 90), PACE), vec![News::LimitReached], "no answer is awaited for ever");

    let mut run = begun();
    let ended = Group { ended: Some(wall(3604)), ..group(9, GroupStatus::Completed) };
    let (_, next) = run.observe(&sight(Some(true), Some(ended.clone())), time.at(3607), PACE);
    assert_eq!((next, run.tick(time.at(3607), PACE)), (Next::Watch, Vec::new()), "about to be believed");
    let (_, next) = run.observe(&sight(Some(false), Some(ended)), time.at(3620), PACE);
    assert_eq!((next, run.record.overrun), (Next::Ended, false));
}

#[test]
fn one_that_was_out_of_sight_at_its_limit_may_have_ended_before() {
    let time = Time::new();
    let told = || {
        let mut run = Run::triggered(record(), time.at(0));
        run.lose_contact(time.at(10).mono);
        run.tick(time.at(3600), PACE);
        assert!(run.record.overrun);
        run
    };
    let mut run = told();
    run.observe(&sight(Some(false), Some(group(9, GroupStatus::Completed))), time.at(4000), PACE);
    assert!(!run.record.overrun, "its server says that it took a minute");

    let mut run = told();
    let stopped = Group { ended: Some(wall(3604)), ..group(9, GroupStatus::Aborted) };
    run.stop_sent(time.at(3601).mono);
    run.observe(&sight(Some(false), Some(stopped)), time.at(4000), PACE);
    assert!(run.record.overrun, "it was stopped for it");
}

#[test]
fn a_jump_of_the_wall_clock_changes_no_limit() {
    let time = Time::new();
    let mut run = Run::triggered(record(), time.at(0));
    run.observe(&sight(Some(true), Some(group(9, GroupStatus::Processing))), time.at(10), PACE);
    let jumped = Now { wall: wall(1_000_000), ..time.at(100) };
    run.observe(&sight(Some(true), Some(group(9, GroupStatus::Processing))), jumped, PACE);
    assert!(run.tick(jumped, PACE).is_empty());
}

#[test]
fn an_adopted_run_beyond_its_limit_is_an_overrun_at_once() {
    let time = Time::new();
    let mut run = Run::adopted(record(), time.at(20_000));
    run.find(&group(9, GroupStatus::Processing), time.at(20_000));
    assert_eq!(run.tick(time.at(20_000), PACE), vec![News::LimitReached]);
}

#[test]
fn under_wait_the_limit_is_reminded_of_again_and_again() {
    let time = Time::new();
    let pace = Pace { remind: true, ..PACE };
    let mut run = Run::triggered(record(), time.at(0));
    let mut told = |second: u64| {
        run.observe(&sight(Some(true), None), time.at(second), pace);
        run.tick(time.at(second), pace)
    };
    assert_eq!(told(3600), vec![News::LimitReached]);
    assert!(told(7199).is_empty());
    assert_eq!(told(7200), vec![News::LimitReached]);
    assert_eq!(told(360_000), vec![News::LimitReached], "days at once are told once");
    assert!(told(360_001).is_empty());
}

#[test]
fn a_limit_reached_out_of_contact_is_lost_contact_until_it_is_back() {
    let time = Time::new();
    let mut run = Run::triggered(record(), time.at(0));
    run.lose_contact(time.at(10).mono);
    assert!(run.may_be_released());
    assert_eq!(run.tick(time.at(3600), PACE), vec![News::LimitReached]);
    assert_eq!(run.record.result, Some(JobResult::LostContact));
    assert!(run.record.open, "its real end is still awaited");
    let seen = sight(Some(true), Some(group(9, GroupStatus::Processing)));
    let (news, _) = run.observe(&seen, time.at(4000), PACE);
    assert!(news.contains(&News::Noted) || news.contains(&News::Started));
    assert_eq!(run.record.result, None);
}

#[test]
fn a_stop_without_effect_is_told_after_90_seconds() {
    let time = Time::new();
    let mut run = Run::triggered(record(), time.at(0));
    run.stop_sent(time.at(10).mono);
    assert!(run.tick(time.at(99), PACE).is_empty());
    assert_eq!(run.tick(time.at(100), PACE), vec![News::StopIgnored]);
    assert!(run.tick(time.at(200), PACE).is_empty());
}

#[test]
fn polls_are_fine_where_a_change_is_near_and_never_finer_than_a_second() {
    let time = Time::new();
    let pause = |run: &Run, second: u64| run.poll_pause(time.at(second).mono, PACE).as_secs();
    let mut run = Run::triggered(record(), time.at(0));
    assert_eq!((pause(&run, 0), pause(&run, 100)), (1, 10));
    run.observe(&sight(Some(true), Some(group(9, GroupStatus::Processing))), time.at(6), PACE);
    run.usual = Some(1800);
    assert_eq!(pause(&run, 10), 1, "right after the start");
    assert_eq!(pause(&run, 1000), 30, "far from both ends the ceiling holds");
    assert_eq!(pause(&run, 1805), 1, "at the expected end");
    run.tick(time.at(3700), PACE);
    assert_eq!(pause(&run, 3700), 30, "beside the lane there is no hurry");
}

#[test]
fn a_restored_run_is_as_old_as_the_server_says() {
    let time = Time::new();
    let left = RunRecord { group: Some(group_id(9)), started: Some(wall(5)), ..record() };
    let mut run = Run::restored(left, time.at(3000));
    assert!(run.tick(time.at(3700), PACE).is_empty(), "it may have ended long ago");
    run.observe(&sight(Some(true), Some(group(9, GroupStatus::Processing))), time.at(3600), PACE);
    assert!(run.tick(time.at(3604), PACE).is_empty());
    run.observe(&sight(Some(true), Some(group(9, GroupStatus::Processing))), time.at(3605), PACE);
    assert_eq!(run.tick(time.at(3605), PACE), vec![News::LimitReached]);
    let (_, next) =
        run.observe(&sight(Some(false), Some(group(9, GroupStatus::Failed))), time.at(3700), PACE);
    assert_eq!((next, run.record.result), (Next::Ended, Some(JobResult::Failed)));
    assert_eq!(run.record.duration, Some(60));
}

#[test]
fn with_a_clock_that_is_behind_an_older_log_is_not_taken_for_this_runs() {
    let time = Time::new();
    let mut run = Run::triggered(record(), time.at(0));
    let older = log(7200, LogStatus::Completed);
    assert!(run.end_by_log(Some(&[older]), JobResult::DidNotStart));
    assert_eq!(run.record.result, Some(JobResult::DidNotStart));
}

#[test]
fn a_restored_run_out_of_contact_is_itself_again_once_it_is_seen() {
    let time = Time::new();
    let left = RunRecord {
        group: Some(group_id(9)),
        overrun: true,
        result: Some(JobResult::LostContact),
        error: Some("connection refused".into()),
        ..record()
    };
    let mut run = Run::restored(left, time.at(4000));
    let seen = sight(Some(true), Some(group(9, GroupStatus::Processing)));
    assert!(run.observe(&seen, time.at(4010), PACE).0.contains(&News::Noted));
    assert_eq!((run.record.result, run.record.error), (None, None));
}

#[test]
fn a_restored_run_that_was_found_running_did_start() {
    let time = Time::new();
    let left = RunRecord { origin: Origin::Adopted, ..record() };
    let mut run = Run::restored(left, time.at(500));
    run.observe(&sight(Some(false), None), time.at(500), PACE);
    let (_, next) = run.observe(&sight(Some(false), None), time.at(561), PACE);
    assert_eq!(next, Next::AskLog { otherwise: JobResult::Unknown });
}
