//! Random expressions in random zones, against a walk through every minute of a year.
//!
//! The oracle needs no library and no rule for daylight saving: it watches the wall clock, minute by minute, and keeps
//! the latest it has ever shown. A minute of the calendar comes when the clock first shows it or a later one.

use jiff::civil::DateTime;
use proptest::prelude::*;

use super::*;

/// A field: its text, and what it takes.
#[derive(Debug, Clone)]
struct Field {
    text: String,
    values: u64,
}

/// A field of `least` to `most`; sparse ones more often for those that make expressions rare.
fn field(least: u32, most: u32) -> impl Strategy<Value = Field> {
    let bits = |values: Box<dyn Iterator<Item = u32>>| values.fold(0, |bits, value| bits | 1_u64 << value);
    let one = least..=most;
    prop_oneof![
        3 => Just(Field { text: "*".into(), values: bits(Box::new(least..=most)) }),
        3 => one.clone().prop_map(move |value| Field { text: value.to_string(), values: 1 << value }),
        1 => (1..=most).prop_map(move |step| Field {
            text: format!("*/{step}"),
            values: bits(Box::new((least..=most).step_by(step as usize))),
        }),
        1 => (one.clone(), one.clone(), 1..=7_u32).prop_map(move |(a, b, step)| {
            let (first, last) = (a.min(b), a.max(b));
            let values = bits(Box::new((first..=last).step_by(step as usize)));
            let text = if step == 1 { format!("{first}-{last}") } else { format!("{first}-{last}/{step}") };
            Field { text, values }
        }),
        1 => prop::collection::vec(one, 2..5).prop_map(move |list| Field {
            text: list.iter().map(u32::to_string).collect::<Vec<_>>().join(","),
            values: bits(Box::new(list.into_iter())),
        }),
    ]
}

#[derive(Debug, Clone)]
struct Fields([Field; 5]);

fn fields() -> impl Strategy<Value = Fields> {
    let all = (field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 7));
    let hour_of_change = 1..=3_u32;
    (all, prop::option::of(hour_of_change)).prop_map(
        |((minute, mut hour, day, month, weekday), at_change)| {
            // Half of them in the hours at which clocks change.
            if let Some(value) = at_change {
                hour = Field { text: value.to_string(), values: 1 << value };
            }
            Fields([minute, hour, day, month, weekday])
        },
    )
}

impl Fields {
    fn text(&self) -> String {
        self.0.each_ref().map(|field| field.text.as_str()).join(" ")
    }

    fn take(&self, civil: DateTime) -> bool {
        let has = |at: usize, value: i8| self.0[at].values & (1 << value) != 0;
        let weekday = civil.weekday().to_sunday_zero_offset();
        let day = has(2, civil.day());
        let weekday = has(4, weekday) || (weekday == 0 && has(4, 7));
        // Where both are restricted, one is enough.
        let day = match (self.0[2].text == "*", self.0[4].text == "*") {
            (false, false) => day || weekday,
            _ => day && weekday,
        };
        has(0, civil.minute()) && has(1, civil.hour()) && has(3, civil.month()) && day
    }

    /// Every moment within so many minutes after `from` that these fields mean in `zone`.
    fn moments(&self, zone: &TimeZone, from: Timestamp, minutes: i64) -> Vec<Timestamp> {
        let mut latest = zone.to_datetime(from);
        let mut moments = Vec::new();
        for minute in 1..=minutes {
            let moment = later(from, minute * 60);
            let shown = zone.to_datetime(moment);
            let mut is_meant = false;
            while latest < shown {
                latest = latest.checked_add(jiff::Span::new().minutes(1)).unwrap();
                is_meant |= self.take(latest);
            }
            if is_meant {
                moments.push(moment);
            }
        }
        moments
    }

    fn schedule(&self, zone: &TimeZone, from: Timestamp) -> Option<Schedule> {
        let expression = self.text().parse().ok()?;
        let rule = Rule::Cron { expression, zone: zone.clone(), random_delay: 0 };
        Some(Schedule::of(rule, Dice::new(1), None, None, from))
    }
}

fn zones() -> impl Strategy<Value = TimeZone> {
    let named = prop::sample::select(vec![
        "Europe/Madrid",
        "America/New_York",
        "Australia/Lord_Howe",
        "Africa/Cairo",
        "America/St_Johns",
        "Africa/Casablanca",
        "Pacific/Chatham",
        "Asia/Kathmandu",
        "UTC",
    ]);
    let posix =
        prop::sample::select(vec!["CET-1CEST,M3.5.0,M10.5.0/3", "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "EST5"]);
    prop_oneof![
        named.prop_map(|name| TimeZone::get(name).unwrap()),
        posix.prop_map(|rules| TimeZone::posix(rules).unwrap()),
    ]
}

/// Any minute of the years 2020 to 2035.
fn begin() -> impl Strategy<Value = Timestamp> {
    (26_297_280_i64..34_713_720).prop_map(|minute| Timestamp::from_second(minute * 60).unwrap())
}

const A_YEAR: i64 = 366 * 24 * 60;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn ticked_each_minute_it_starts_exactly_at_each_moment(fields in fields(), zone in zones(), from in begin()) {
        let Some(mut schedule) = fields.schedule(&zone, from) else { return Ok(()) };
        let ticks = (1..=A_YEAR).map(|minute| later(from, minute * 60));
        let starts: Vec<_> = ticks.filter(|now| schedule.tick(*now, false)).collect();
        prop_assert_eq!(starts, fields.moments(&zone, from, A_YEAR), "{}", fields.text());
    }

    #[test]
    fn ticked_at_any_time_it_starts_once_for_all_that_came_since(
        fields in fields(), zone in zones(), from in begin(),
        steps in prop::collection::vec((1_u32..=40 * 60, 0_u32..60, prop::bool::weighted(0.2), any::<bool>()), 1..600),
    ) {
        let Some(mut schedule) = fields.schedule(&zone, from) else { return Ok(()) };
        let minutes = steps.iter().map(|(minutes, ..)| i64::from(*minutes)).sum::<i64>() + 1;
        let mut moments = fields.moments(&zone, from, minutes).into_iter().peekable();
        let mut time = from;
        let mut owed = false;
        for (minutes, second, busy, restart) in steps {
            time = later(time, i64::from(minutes) * 60);
            let now = later(time, i64::from(second));
            while moments.next_if(|moment| *moment <= now).is_some() {
                owed = true;
            }
            let started = schedule.tick(now, busy);
            prop_assert_eq!(started, owed && !busy, "{} at {}", fields.text(), now);
            owed &= busy;
            prop_assert!(schedule.next_run().is_none_or(|next| next > now));
            if restart {
                let memory = serde_json::from_value(serde_json::to_value(schedule.memory()).unwrap()).unwrap();
                schedule = Schedule::of(schedule.rule, schedule.dice, Some(memory), None, now);
            }
        }
    }
}
