//! When a schedule starts cycles, told minute by minute.

use super::*;
use crate::model::CycleId;

const DAY: Duration = Duration::from_secs(86_400);
const HOUR: Duration = Duration::from_secs(3_600);
const MINUTE: Duration = Duration::from_secs(60);

/// A configuration with `more` in it.
pub(super) fn config(more: &str) -> Config {
    let text = format!(r#"{{"ssh_key": "/k", "servers": {{"a": {{"host": "h"}}}}, {more}}}"#);
    crate::config::parse(&text, "config.json".as_ref()).unwrap().config
}

pub(super) fn daily(random_delay: u64) -> Config {
    config(&format!(r#""daemon": {{"schedule": "0 2 * * *", "random_delay": {random_delay}}}"#))
}

pub(super) fn looped() -> Config {
    config(r#""loop": {"target_interval": 86400, "min_pause": 3600}"#)
}

pub(super) fn madrid() -> TimeZone {
    TimeZone::get("Europe/Madrid").unwrap()
}

/// A time in Madrid in 2025.
pub(super) fn at(text: &str) -> Timestamp {
    format!("2025-{text}").parse::<jiff::civil::DateTime>().unwrap().to_zoned(madrid()).unwrap().timestamp()
}

pub(super) fn cycle(started: Timestamp, ended: Option<Timestamp>) -> CycleRecord {
    CycleRecord { ended, ..CycleRecord::begun(CycleId(1), started, 3) }
}

/// A schedule in Madrid that has met `config` with this memory.
pub(super) fn remembering(config: &Config, memory: Option<Memory>, now: &str) -> Schedule {
    let rule = Rule::of(config, madrid()).unwrap();
    Schedule::of(rule, Dice::new(1), memory, None, at(now))
}

pub(super) fn new(config: &Config, now: &str) -> Schedule {
    remembering(config, None, now)
}

/// The same schedule after a restart: by what is kept as JSON.
pub(super) fn restarted(schedule: &Schedule, config: &Config, now: &str) -> Schedule {
    let kept = serde_json::to_string(schedule.memory()).unwrap();
    remembering(config, Some(serde_json::from_str(&kept).unwrap()), now)
}

/// Ticks each minute of a time in which nothing else happens, and tells the starts.
fn starts(schedule: &mut Schedule, from: &str, to: &str, busy: bool) -> Vec<Timestamp> {
    let minutes = std::iter::successors(Some(at(from)), |now| Some(*now + MINUTE));
    minutes.take_while(|now| *now <= at(to)).filter(|now| schedule.tick(*now, busy)).collect()
}

#[test]
fn nothing_is_configured_or_the_expression_comes_first() {
    let of = |config: &Config| Schedule::new(config, madrid(), None, None, at("06-10T12:00"));
    assert!(of(&config(r#""daemon": {}"#)).is_none());
    let both = config(r#""daemon": {"schedule": "0 2 * * *", "random_delay": 0}, "loop": {}"#);
    assert_eq!(of(&both).unwrap().next_run(), Some(at("06-11T02:00")));
    assert_eq!(of(&looped()).unwrap().next_run(), Some(at("06-10T12:00")));
}

#[test]
fn each_night_has_one_start_daylight_saving_or_not() {
    let mut schedule = new(&daily(0), "03-28T12:00");
    let expected = [at("03-29T02:00"), at("03-30T03:00"), at("03-31T02:00")];
    assert_eq!(starts(&mut schedule, "03-28T12:00", "03-31T12:00", false), expected);
    let mut schedule = new(&daily(0), "10-25T12:00");
    let expected = [at("10-26T02:00"), at("10-27T02:00")];
    assert_eq!(starts(&mut schedule, "10-25T12:00", "10-27T12:00", false), expected);
}

#[test]
fn what_was_missed_is_started_once() {
    let schedule = new(&daily(300), "06-10T12:00");
    let mut schedule = restarted(&schedule, &daily(300), "06-15T09:00");
    assert_eq!(starts(&mut schedule, "06-15T09:00", "06-15T20:00", false), [at("06-15T09:00")]);
    // The clock was put forward while the program ran.
    assert!(schedule.tick(at("07-01T02:01"), false));
    assert_eq!(starts(&mut schedule, "07-01T02:02", "07-01T23:00", false), []);
    // Off for a while, but not at the time of a start.
    let mut schedule = restarted(&schedule, &daily(300), "07-02T01:59");
    assert!(!schedule.tick(at("07-02T01:59"), false));
}

#[test]
fn a_start_within_a_cycle_comes_once_after_it() {
    let mut schedule = new(&daily(0), "06-10T12:00");
    assert_eq!(starts(&mut schedule, "06-11T01:00", "06-13T05:00", true), [], "two starts pass");
    let mut schedule = restarted(&schedule, &daily(0), "06-13T05:00");
    assert_eq!(schedule.next_run(), Some(at("06-14T02:00")));
    assert_eq!(starts(&mut schedule, "06-13T05:00", "06-13T23:00", false), [at("06-13T05:00")]);
}

#[test]
fn a_start_that_waits_can_be_called_off() {
    let mut schedule = new(&daily(0), "06-10T12:00");
    schedule.called_off();
    assert_eq!(starts(&mut schedule, "06-11T01:00", "06-11T05:00", true), []);
    schedule.called_off();
    assert_eq!(starts(&mut schedule, "06-11T05:01", "06-12T03:00", false), [at("06-12T02:00")]);
}

#[test]
fn a_clock_that_goes_back_repeats_nothing() {
    let mut schedule = new(&daily(0), "06-10T12:00");
    assert!(schedule.tick(at("06-11T02:00"), false));
    assert_eq!(starts(&mut schedule, "06-11T01:30", "06-11T03:00", false), []);
    let mut schedule = restarted(&schedule, &daily(0), "06-10T20:00");
    assert_eq!(starts(&mut schedule, "06-10T20:00", "06-12T03:00", false), [at("06-12T02:00")]);
}

#[test]
fn a_clock_that_was_years_ahead_does_not_end_the_schedule_for_years() {
    let mut schedule = new(&daily(0), "06-10T12:00");
    let ahead = at("06-11T02:00") + DAY * 3_650;
    assert!(schedule.tick(ahead, false));
    let mut schedule = restarted(&schedule, &daily(0), "06-11T03:00");
    assert_eq!(starts(&mut schedule, "06-11T03:00", "06-12T03:00", false), [at("06-12T02:00")]);
    assert!(!schedule.tick(ahead + HOUR, false), "this night has had its start");
    assert!(schedule.tick(ahead + DAY, false));

    let mut schedule = new(&looped(), "06-10T12:00");
    assert!(schedule.tick(ahead, false));
    schedule.cycle_finished(&cycle(ahead, Some(ahead + HOUR)));
    assert_eq!(starts(&mut schedule, "06-11T03:00", "06-12T04:00", false), [at("06-12T03:00")]);
}

#[test]
fn a_clock_that_was_a_year_behind_repeats_nothing() {
    let mut schedule = new(&daily(0), "06-10T12:00");
    assert!(schedule.tick(at("06-11T02:00"), false));
    let behind = at("06-11T03:00") - DAY * 365;
    assert!(!schedule.tick(behind, false));
    let mut schedule = restarted(&schedule, &daily(0), "06-11T04:00");
    assert_eq!(starts(&mut schedule, "06-11T04:00", "06-12T03:00", false), [at("06-12T02:00")]);
}

#[test]
fn a_changed_schedule_counts_from_the_change() {
    let mut schedule = new(&daily(0), "06-10T12:00");
    starts(&mut schedule, "06-11T01:00", "06-11T03:00", true);
    let other = config(r#""daemon": {"schedule": "0 4 * * *", "random_delay": 0}"#);
    let mut schedule = restarted(&schedule, &other, "06-15T05:00");
    assert_eq!(starts(&mut schedule, "06-15T05:00", "06-16T05:00", false), [at("06-16T04:00")]);
    // White space is no change.
    let spaced = config(r#""daemon": {"schedule": " 0  4 * * * ", "random_delay": 0}"#);
    assert!(restarted(&schedule, &spaced, "06-17T05:00").tick(at("06-17T05:00"), false));
    // A loop that would be overdue is not a surprise either.
    let mut schedule = restarted(&schedule, &looped(), "06-20T05:00");
    assert_eq!(starts(&mut schedule, "06-20T05:00", "06-21T06:00", false), [at("06-21T05:00")]);
}

#[test]
fn the_random_delay_is_chosen_once_and_kept() {
    let mut schedule = new(&daily(300), "06-10T12:00");
    let due = schedule.next_run().unwrap();
    assert!(due > at("06-11T02:00") && due <= at("06-11T02:05"), "{due}");
    assert!(!schedule.tick(due - Duration::from_secs(1), false));
    let mut schedule = restarted(&schedule, &daily(300), "06-11T02:00");
    assert_eq!(schedule.next_run(), Some(due), "it is not missed yet");
    assert!(!schedule.tick(due - Duration::from_secs(1), false));
    assert!(schedule.tick(due, false));
    let mut schedule = new(&daily(300), "06-10T12:00");
    assert!(schedule.tick(due, false));
    assert_ne!(schedule.next_run(), Some(due + DAY), "each start has a delay of its own");
    // A delay that may not be as long any more is chosen anew.
    let schedule = restarted(&schedule, &daily(0), "06-11T12:00");
    assert_eq!(schedule.next_run(), Some(at("06-12T02:00")));
    let schedule = restarted(&schedule, &daily(300), "06-12T02:01");
    assert_eq!(schedule.next_run(), Some(at("06-12T02:00")), "a missed one has none");
}

#[test]
fn random_delays_are_spread_and_never_meet_the_following_start() {
    let delays = |text: &str, random_delay: u64| -> Vec<i64> {
        let expression: Expression = text.parse().unwrap();
        let seeds = 0..2_000;
        let delay = |seed| {
            let rule = Rule::Cron { expression: expression.clone(), zone: TimeZone::UTC, random_delay };
            let now = "2025-06-10T12:00:30Z".parse().unwrap();
            let schedule = Schedule::of(rule, Dice::new(seed), None, None, now);
            let start = expression.next(now, &TimeZone::UTC).unwrap();
            schedule.next_run().unwrap().duration_since(start).as_secs()
        };
        seeds.map(delay).collect()
    };
    let (daily, often) = (delays("0 2 * * *", 300), delays("*/5 * * * *", 300));
    assert_eq!((daily.iter().min(), daily.iter().max()), (Some(&0), Some(&300)));
    assert!((140..160).contains(&(daily.iter().sum::<i64>() / 2_000)), "{daily:?}");
    assert!(often.iter().all(|delay| (0..=240).contains(delay)));
    assert_eq!(delays("* * * * *", 300), [0; 2_000]);
}

#[test]
fn a_loop_without_a_cycle_starts_at_once_and_then_by_its_interval() {
    let mut schedule = new(&looped(), "06-10T12:00");
    assert!(schedule.tick(at("06-10T12:00"), false));
    assert_eq!(schedule.next_run(), Some(at("06-11T12:00")));
    assert_eq!(starts(&mut schedule, "06-10T12:01", "06-10T15:00", true), []);
    assert_eq!(schedule.next_run(), Some(at("06-11T12:01")), "the cycle was first seen a minute later");
    schedule.cycle_finished(&cycle(at("06-10T12:00"), Some(at("06-10T15:00"))));
    let mut schedule = restarted(&schedule, &looped(), "06-10T16:00");
    assert_eq!(starts(&mut schedule, "06-10T16:00", "06-11T13:00", false), [at("06-11T12:00")]);
}

#[test]
fn a_loop_whose_cycle_takes_longer_than_its_interval_pauses_after_it() {
    let mut schedule = new(&looped(), "06-10T12:00");
    assert!(schedule.tick(at("06-10T12:00"), false));
    assert_eq!(starts(&mut schedule, "06-10T12:01", "06-11T14:00", true), []);
    // Its end is seen before it is reported.
    assert!(!schedule.tick(at("06-11T14:01"), false));
    schedule.cycle_finished(&cycle(at("06-10T12:00"), Some(at("06-11T14:00"))));
    assert_eq!(schedule.next_run(), Some(at("06-11T15:00")));
    assert_eq!(starts(&mut schedule, "06-11T14:02", "06-11T16:00", false), [at("06-11T15:00")]);
}

#[test]
fn a_loop_goes_by_cycles_that_others_start() {
    let rule = || Rule::of(&looped(), madrid()).unwrap();
    let last = cycle(at("06-10T12:00"), Some(at("06-10T13:00")));
    let schedule = |last: &CycleRecord, now| Schedule::of(rule(), Dice::new(1), None, Some(last), at(now));
    assert_eq!(schedule(&last, "06-10T14:00").next_run(), Some(at("06-11T12:00")));
    let mut late = schedule(&last, "06-15T14:00");
    assert!(late.tick(at("06-15T14:00"), false), "it is overdue");
    assert!(!late.tick(at("06-15T14:01"), false));
    // A person starts one at 20:00.
    assert_eq!(starts(&mut late, "06-15T20:00", "06-15T21:00", true), []);
    late.cycle_finished(&cycle(at("06-15T20:00"), Some(at("06-15T21:00"))));
    assert_eq!(late.next_run(), Some(at("06-16T20:00")));
    // One that is resumed after a restart began when it began.
    let mut resumed = schedule(&cycle(at("06-10T12:00"), None), "06-11T11:50");
    assert_eq!(starts(&mut resumed, "06-11T11:50", "06-11T12:10", true), []);
    assert_eq!(resumed.next_run(), Some(at("06-11T13:10")));
}

#[test]
fn what_is_kept_is_small_and_stands_still_while_nothing_happens() {
    let mut schedule = new(&daily(0), "06-10T12:00");
    let kept = schedule.memory().clone();
    assert_eq!(starts(&mut schedule, "06-10T12:00", "06-10T23:59", false), []);
    assert_eq!(*schedule.memory(), kept);
    let json = serde_json::to_string(&kept).unwrap();
    assert_eq!(
        json,
        r#"{"schedule":"0 2 * * *","accounted":"2025-06-10T10:00:00Z","next":{"start":"2025-06-11T00:00:00Z","delay":0},"waiting":false}"#
    );
}

#[test]
fn a_memory_of_the_ends_of_time_harms_nobody() {
    for accounted in [Timestamp::MIN, Timestamp::MAX] {
        for config in [daily(300), looped()] {
            let text = Rule::of(&config, madrid()).unwrap().text();
            let mut memory = Memory::new(text, Some(accounted));
            memory.next = Some(Planned { start: accounted, delay: u64::MAX });
            let mut schedule = remembering(&config, Some(memory), "06-10T12:00");
            assert!(starts(&mut schedule, "06-10T12:00", "06-12T13:00", false).len() >= 2, "{schedule:?}");
        }
    }
}
