//! What expressions mean in zones with and without daylight saving, and what is no expression.

use jiff::Zoned;
use proptest::prelude::*;

use super::*;

fn expression(text: &str) -> Expression {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The next `count` moments after the local time `after`, as they are told there.
fn moments(text: &str, zone: &TimeZone, after: &str, count: usize) -> Vec<String> {
    let after = after.parse::<DateTime>().unwrap().to_zoned(zone.clone()).unwrap();
    let first = Some(after.timestamp());
    let expression = expression(text);
    let moments = std::iter::successors(first, |after| expression.next(*after, zone)).skip(1);
    let told = |moment: Timestamp| moment.to_zoned(zone.clone()).strftime("%m-%d %H:%M%:z").to_string();
    moments.take(count).map(told).collect()
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn madrid() -> [TimeZone; 2] {
    [zone("Europe/Madrid"), TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()]
}

#[test]
fn a_time_that_spring_leaves_out_comes_at_the_first_valid_moment() {
    for zone in madrid() {
        for night in ["30 2 * * *", "0 2 * * *", "59 2 * * *"] {
            let spring = moments(night, &zone, "2025-03-29T12:00", 2);
            assert_eq!(spring[0], "03-30 03:00+02:00", "{night}");
            assert!(spring[1].starts_with("03-31 02:"), "{night}");
        }
        let quarters = moments("*/15 * * * *", &zone, "2025-03-30T01:30", 3);
        assert_eq!(quarters, ["03-30 01:45+01:00", "03-30 03:00+02:00", "03-30 03:15+02:00"]);
        let both = moments("30 2,3 * * *", &zone, "2025-03-29T12:00", 2);
        assert_eq!(both, ["03-30 03:00+02:00", "03-30 03:30+02:00"]);
        let same = moments("0 2,3 * * *", &zone, "2025-03-29T12:00", 2);
        assert_eq!(same, ["03-30 03:00+02:00", "03-31 02:00+02:00"], "one moment is one start");
    }
    let new_york = moments("30 2 * * *", &zone("America/New_York"), "2025-03-08T12:00", 2);
    assert_eq!(new_york, ["03-09 03:00-04:00", "03-10 02:30-04:00"]);
}

#[test]
fn a_time_that_autumn_repeats_comes_once() {
    for zone in madrid() {
        let nights = moments("30 2 * * *", &zone, "2025-10-25T12:00", 2);
        assert_eq!(nights, ["10-26 02:30+02:00", "10-27 02:30+01:00"]);
        let halves = moments("*/30 * * * *", &zone, "2025-10-26T01:30", 3);
        assert_eq!(halves, ["10-26 02:00+02:00", "10-26 02:30+02:00", "10-26 03:00+01:00"]);
    }
    let new_york = moments("30 1 * * *", &zone("America/New_York"), "2025-11-01T12:00", 2);
    assert_eq!(new_york, ["11-02 01:30-04:00", "11-03 01:30-05:00"]);
}

#[test]
fn within_the_repeated_hour_nothing_of_it_comes_again() {
    let second: Zoned = "2025-10-26T02:10+01:00[Europe/Madrid]".parse().unwrap();
    let next = expression("*/20 * * * *").next(second.timestamp(), second.time_zone());
    assert_eq!(next.unwrap().to_string(), "2025-10-26T02:00:00Z");
}

#[test]
fn zones_without_daylight_saving_and_odd_ones() {
    assert_eq!(moments("0 2 * * *", &TimeZone::UTC, "2025-03-30T02:00", 1), ["03-31 02:00+00:00"]);
    let half_an_hour = zone("Australia/Lord_Howe");
    assert_eq!(moments("15 2 * * *", &half_an_hour, "2025-10-04T12:00", 1), ["10-05 02:30+11:00"]);
    // A gap that begins at midnight, and a day that was left out as a whole.
    assert_eq!(moments("30 0 * * *", &zone("Africa/Cairo"), "2025-04-24T12:00", 1), ["04-25 01:00+03:00"]);
    let samoa = moments("0 2 30,31 12 *", &zone("Pacific/Apia"), "2011-12-29T12:00", 2);
    assert_eq!(samoa, ["12-31 00:00+14:00", "12-31 02:00+14:00"]);
}

#[test]
fn days_of_the_week_and_of_the_month() {
    let utc = TimeZone::UTC;
    for sunday in ["0 2 * * 0", "0 2 * * 7", "0 2 * * sun", "0  2\t* * Sun "] {
        assert_eq!(moments(sunday, &utc, "2025-06-02T00:00", 1), ["06-08 02:00+00:00"], "{sunday}");
    }
    let either = moments("0 2 13 * FRI", &utc, "2025-06-07T00:00", 3);
    assert_eq!(either, ["06-13 02:00+00:00", "06-20 02:00+00:00", "06-27 02:00+00:00"]);
    assert_eq!(moments("0 2 L 2 *", &utc, "2028-01-01T00:00", 1), ["02-29 02:00+00:00"]);
    let leap = expression("0 0 29 2 *").next("2097-01-01T00:00Z".parse().unwrap(), &utc);
    assert_eq!(leap.unwrap().to_string(), "2104-02-29T00:00:00Z", "2100 is no leap year");
}

#[test]
fn what_is_wrong_is_told_with_what_would_be_right() {
    let wrong = |text: &str| text.parse::<Expression>().unwrap_err().to_string();
    for text in ["", "nightly", "@daily", "0 2 * *", "0 0 2 * * *", "0 0 2 * * * *"] {
        assert_eq!(wrong(text), "five cron fields, as in \"0 2 * * *\"");
    }
    for (text, told) in [
        ("60 2 * * *", "\"60\" is no minute: 0 to 59"),
        ("MON 2 * * *", "\"MON\" is no minute: 0 to 59"),
        ("*/0 2 * * *", "\"*/0\" is no minute"),
        ("99999999999999 2 * * *", "is no minute"),
        ("0 24 * * *", "\"24\" is no hour: 0 to 23"),
        ("0 5-2 * * *", "\"5-2\" is no hour"),
        ("0 2 0 * *", "\"0\" is no day of the month: 1 to 31"),
        ("0 2 32 * *", "\"32\" is no day of the month"),
        ("0 2 MAR * *", "\"MAR\" is no day of the month"),
        ("0 2 * 13 *", "\"13\" is no month: 1 to 12, or JAN to DEC"),
        ("0 2 * * 8", "\"8\" is no day of the week: 0 to 7, or SUN to SAT"),
        ("0 2 * * JAN", "\"JAN\" is no day of the week"),
        ("0 2 * * ñ", "\"ñ\" is no day of the week"),
    ] {
        assert!(
            wrong(text).starts_with("five cron fields, and ") && wrong(text).contains(told),
            "{}",
            wrong(text)
        );
    }
    for never in ["0 2 31 2 *", "0 2 30 2 *", "0 2 31 4,6,9,11 *", ", 2 * * *"] {
        assert_eq!(never.parse::<Expression>().unwrap_err(), ExpressionError::Never, "{never}");
    }
}

#[test]
fn words_for_people() {
    let words = |text: &str| expression(text).words();
    assert_eq!(words("0 2 * * *"), "at 02:00");
    assert_eq!(words("30 14 * * SUN"), "at 14:30, on Sunday");
    assert_eq!(words("0 2 1 * *"), "at 02:00, on day 1");
}

proptest! {
    #[test]
    fn any_text_is_an_expression_or_an_error(
        text in prop_oneof!["[-0-9*/,LW#?+ ]{0,20}", "([-0-9*/,LW#?+A-Z@]{1,8} ){4}[-0-9*/,LW#?+A-Z@]{1,8}", ".{0,40}"],
    ) {
        crate::fuzzing::schedule(text.as_bytes());
        if let Ok(expression) = text.parse::<Expression>() {
            let after = "2025-03-29T12:00Z".parse().unwrap();
            prop_assert!(expression.next(after, &zone("Europe/Madrid")).is_some());
        }
    }
}
