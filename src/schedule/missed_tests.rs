//! Which starts are told as missed, and which are not.

use proptest::prelude::*;

use super::tests::{at, config, cycle, daily, looped, madrid, new, remembering, restarted};
use super::*;

const HOUR: Duration = Duration::from_secs(3_600);
const MINUTE: Duration = Duration::from_secs(60);

/// Ticks each minute, and tells what is missed. `busy` says of a moment whether a cycle is under way.
fn missed(schedule: &mut Schedule, from: &str, to: &str, busy: impl Fn(Timestamp) -> bool) -> Vec<Missed> {
    let minutes = std::iter::successors(Some(at(from)), |now| Some(*now + MINUTE));
    let minutes = minutes.take_while(|now| *now <= at(to));
    minutes
        .filter_map(|now| {
            schedule.tick(now, busy(now));
            schedule.missed()
        })
        .collect()
}

fn idle(_: Timestamp) -> bool {
    false
}

fn begun(due: &str, begins: &str) -> Missed {
    Missed { due: at(due), begins: Some(at(begins)) }
}

fn not_begun(due: &str) -> Missed {
    Missed { due: at(due), begins: None }
}

#[test]
fn what_was_missed_while_the_machine_was_off_is_told_once() {
    let schedule = new(&daily(300), "06-10T12:00");
    let mut schedule = restarted(&schedule, &daily(300), "06-15T09:00");
    let expected = [begun("06-11T02:00", "06-15T09:00")];
    assert_eq!(missed(&mut schedule, "06-15T09:00", "06-20T20:00", idle), expected, "the first of five");
    let mut schedule = restarted(&schedule, &daily(300), "06-20T21:00");
    assert_eq!(missed(&mut schedule, "06-20T21:00", "06-22T20:00", idle), []);
}

#[test]
fn a_clock_that_is_put_forward_past_a_start_is_told() {
    let mut schedule = new(&daily(0), "06-10T23:00");
    assert!(!schedule.tick(at("06-10T23:00"), false));
    assert!(schedule.tick(at("06-11T08:00"), false));
    assert_eq!(schedule.missed(), Some(begun("06-11T02:00", "06-11T08:00")));
    assert_eq!(schedule.missed(), None);
}

#[test]
fn an_hour_late_is_not_told() {
    let schedule = new(&daily(300), "06-10T12:00");
    let mut schedule = restarted(&schedule, &daily(300), "06-11T03:00");
    assert_eq!(missed(&mut schedule, "06-11T03:00", "06-12T01:00", idle), []);
    assert_eq!(schedule.memory().accounted, Some(at("06-11T03:00")));
}

#[test]
fn a_start_that_waits_for_a_long_cycle_is_told_after_an_hour_and_once() {
    let mut schedule = new(&daily(0), "06-10T12:00");
    let until_nine = |now| now < at("06-11T09:00");
    assert_eq!(missed(&mut schedule, "06-11T01:00", "06-11T04:00", until_nine), [not_begun("06-11T02:00")]);
    let mut schedule = restarted(&schedule, &daily(0), "06-11T05:00");
    assert_eq!(missed(&mut schedule, "06-11T05:00", "06-12T01:00", until_nine), []);
    let until_half_past = |now| now < at("06-12T02:30");
    assert_eq!(missed(&mut schedule, "06-12T01:01", "06-13T01:00", until_half_past), [], "half an hour");
    // A cycle of three days: the next two starts are one with the first.
    let for_days = |now| now < at("06-16T01:00");
    assert_eq!(missed(&mut schedule, "06-13T01:01", "06-16T12:00", for_days), [not_begun("06-13T02:00")]);
}

#[test]
fn a_start_that_is_called_off_is_told_and_none_if_there_was_none() {
    let mut schedule = new(&daily(0), "06-10T12:00");
    schedule.called_off();
    assert_eq!(schedule.missed(), None);
    assert_eq!(missed(&mut schedule, "06-11T01:00", "06-11T02:30", |_| true), []);
    schedule.called_off();
    assert_eq!(schedule.missed(), Some(not_begun("06-11T02:00")));
    assert_eq!(missed(&mut schedule, "06-11T02:31", "06-12T01:00", |_| true), []);
    // It was told that it waits: that it is dropped is no more than that.
    assert_eq!(missed(&mut schedule, "06-12T01:00", "06-12T04:00", |_| true), [not_begun("06-12T02:00")]);
    schedule.called_off();
    assert_eq!(schedule.missed(), None);
}

#[test]
fn nights_with_and_without_daylight_saving_are_told_of_by_nobody() {
    for (from, to) in [("03-28T12:00", "03-31T12:00"), ("10-25T12:00", "10-28T12:00")] {
        for text in ["30 2 * * *", "0 2 * * *", "0 3 * * *", "*/5 * * * *"] {
            let config = config(&format!(r#""daemon": {{"schedule": "{text}", "random_delay": 7200}}"#));
            let mut schedule = new(&config, from);
            assert_eq!(missed(&mut schedule, from, to, idle), [], "{text} from {from}");
        }
        let mut schedule = new(&looped(), from);
        assert_eq!(missed(&mut schedule, from, to, idle), []);
    }
}

#[test]
fn a_changed_schedule_has_missed_nothing() {
    let mut schedule = new(&daily(0), "06-10T12:00");
    missed(&mut schedule, "06-11T01:00", "06-11T02:30", |_| true);
    let other = config(r#""daemon": {"schedule": "0 4 * * *", "random_delay": 0}"#);
    let mut schedule = restarted(&schedule, &other, "06-15T05:00");
    assert_eq!(missed(&mut schedule, "06-15T05:00", "06-17T05:00", idle), []);
}

#[test]
fn a_clock_that_goes_back_and_forth_has_missed_nothing() {
    let mut schedule = new(&daily(0), "06-10T12:00");
    assert!(schedule.tick(at("06-11T02:00"), false));
    assert_eq!(missed(&mut schedule, "06-11T01:30", "06-11T04:00", idle), []);
    let behind = at("06-11T03:00") - Duration::from_secs(86_400 * 365);
    assert!(!schedule.tick(behind, false));
    let mut schedule = restarted(&schedule, &daily(0), "06-11T04:00");
    assert_eq!(missed(&mut schedule, "06-11T04:00", "06-12T03:00", idle), []);
}

#[test]
fn a_loop_is_late_when_the_machine_was_off_and_not_when_its_cycle_takes_long() {
    let mut schedule = new(&looped(), "06-10T12:00");
    assert!(schedule.tick(at("06-10T12:00"), false));
    assert_eq!(schedule.missed(), None, "the first one is due when it is first met");
    let long = |now| now < at("06-11T20:00");
    assert_eq!(missed(&mut schedule, "06-10T12:01", "06-11T20:30", long), []);
    schedule.cycle_finished(&cycle(at("06-10T12:00"), Some(at("06-11T20:00"))));
    assert_eq!(missed(&mut schedule, "06-11T20:31", "06-11T23:00", idle), []);
    let mut schedule = restarted(&schedule, &looped(), "06-14T09:00");
    assert!(schedule.tick(at("06-14T09:00"), false));
    let late = schedule.missed().unwrap();
    assert!(late.begins == Some(at("06-14T09:00")) && late.due < at("06-13T00:00"), "{late:?}");
    assert_eq!(missed(&mut schedule, "06-14T09:01", "06-15T08:00", idle), []);
}

#[test]
fn what_an_older_version_kept_is_read() {
    let kept = r#"{"schedule": "0 2 * * *", "accounted": "2025-06-10T00:00:00Z", "waiting": true}"#;
    let mut schedule = remembering(&daily(0), Some(serde_json::from_str(kept).unwrap()), "06-10T12:00");
    assert!(schedule.tick(at("06-10T12:00"), false));
    assert_eq!(schedule.missed(), None, "since when it waits is not known");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However ticks, restarts and cycles come: what is told was more than an hour late, and each start is told once.
    #[test]
    fn each_start_is_told_at_most_once_and_only_if_it_is_late(
        steps in prop::collection::vec((1_i64..=300, prop::bool::weighted(0.4), any::<bool>()), 1..400),
        delay in 0_u64..600,
    ) {
        let config = config(&format!(r#""daemon": {{"schedule": "0 */4 * * *", "random_delay": {delay}}}"#));
        let mut schedule = new(&config, "06-10T12:30");
        let mut now = at("06-10T12:30");
        let mut told: Vec<Timestamp> = Vec::new();
        // What is owed, by the plainest account: the first start since the last one given.
        let mut owed: Option<Timestamp> = None;
        let mut last = now;
        for (minutes, busy, restart) in steps {
            now = later(now, minutes * 60);
            let mut hour = later(last, 1).as_second().div_euclid(3600) * 3600;
            while hour <= now.as_second() {
                let moment = Timestamp::from_second(hour).unwrap();
                let local = madrid().to_datetime(moment);
                if moment > last && local.hour() % 4 == 0 && owed.is_none() {
                    owed = Some(moment);
                }
                hour += 3600;
            }
            last = now;
            let start = schedule.tick(now, busy);
            if let Some(missed) = schedule.missed() {
                prop_assert_eq!(Some(missed.due), owed);
                prop_assert!(now.duration_since(missed.due).unsigned_abs() > HOUR);
                prop_assert_eq!(missed.begins, start.then_some(now));
                prop_assert!(!told.contains(&missed.due));
                told.push(missed.due);
            } else if let Some(owed) = owed {
                let limit = HOUR + Duration::from_secs(delay);
                prop_assert!(told.contains(&owed) || now.duration_since(owed).unsigned_abs() <= limit);
            }
            if start {
                owed = None;
            }
            if restart {
                let memory = serde_json::from_value(serde_json::to_value(schedule.memory()).unwrap()).unwrap();
                schedule = Schedule::of(schedule.rule, schedule.dice, Some(memory), None, now);
            }
        }
    }
}
