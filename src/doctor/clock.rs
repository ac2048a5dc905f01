//! The clock, the time zone, and when the next cycle starts.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::finding::{Finding, Section};
use super::lock::AtWork;
use crate::config::Config;
use crate::control::Runner;
use crate::model::ServerName;
use crate::schedule::clock::is_plausible;
use crate::words::{duration, moment_in};

/// Clocks may differ by so much.
const APART: SignedDuration = SignedDuration::from_secs(120);

/// What is known when the servers have been asked.
pub(super) struct Facts<'a> {
    pub config: &'a Config,
    pub at_work: Option<&'a AtWork>,
    /// The newest moment of the past that each server told.
    pub told: &'a [(ServerName, Timestamp)],
    pub now: Timestamp,
    /// The system's time zone, or why there is none.
    pub zone: Result<TimeZone, String>,
}

/// Judges them.
pub(super) fn examine(facts: &Facts<'_>) -> Section {
    let mut section = Section::new("Clock and schedule");
    let zone = facts.zone.clone().unwrap_or(TimeZone::UTC);
    section.push(of_clock(facts, &zone));
    section.push(of_zone(facts, &zone));
    section.push(of_schedule(facts, &zone));
    section
}

fn of_clock(facts: &Facts<'_>, zone: &TimeZone) -> Finding {
    const CHECK: &str = "clock";
    let shown = moment_in(facts.now, zone);
    if !is_plausible(facts.now) {
        let text = format!("it is set to {shown}, before this program was built: nothing is scheduled");
        return Finding::failure(CHECK, text, "set it, and have it kept right over the network (NTP)");
    }
    let ahead = facts.told.iter().max_by_key(|(_, at)| *at);
    match ahead.map(|(server, at)| (server, at.duration_since(facts.now))) {
        Some((server, by)) if by > APART => {
            let by = duration(by.as_secs().unsigned_abs());
            let text = format!("it is {shown} here, and {server} tells of something {by} later");
            Finding::warning(
                CHECK,
                text,
                "set the clock that is wrong, and have both kept right over the network (NTP)",
            )
        }
        Some(_) => Finding::ok(CHECK, format!("{shown}; nothing the servers tell is later than that")),
        None => Finding::ok(CHECK, shown),
    }
}

fn of_zone(facts: &Facts<'_>, zone: &TimeZone) -> Finding {
    const CHECK: &str = "time zone";
    match &facts.zone {
        Ok(_) => {
            let offset = facts.now.to_zoned(zone.clone()).offset();
            let name =
                zone.iana_name().map_or_else(|| offset.to_string(), |name| format!("{name} ({offset})"));
            Finding::ok(CHECK, name)
        }
        Err(error) => Finding::warning(
            CHECK,
            format!("the system's cannot be told, so UTC is taken: {error}"),
            "set /etc/localtime, or TZ in the environment (on OpenWrt: the zone in the system's settings)",
        ),
    }
}

fn of_schedule(facts: &Facts<'_>, zone: &TimeZone) -> Finding {
    const CHECK: &str = "schedule";
    let config = facts.config;
    let daemon = facts.at_work.filter(|runner| runner.kind == Runner::Daemon);
    let next = daemon.and_then(|daemon| daemon.status.as_ref()?.queue.next_run);
    if let Some(next) = next {
        return Finding::ok(CHECK, format!("the daemon starts the next cycle at {}", moment_in(next, zone)));
    }
    match (&config.daemon.schedule, config.cycle_loop) {
        (None, None) => Finding::ok(CHECK, "none: cycles start by command or by a timer of the system"),
        (Some(expression), _) => {
            let at =
                expression.next(facts.now, zone).map_or_else(|| "never".into(), |at| moment_in(at, zone));
            let delay = config.daemon.random_delay.as_secs();
            let delay = if delay == 0 {
                String::new()
            } else {
                format!(", up to {} later at random", duration(delay))
            };
            let text = format!("{expression}: next at {at}{delay}");
            match daemon {
                Some(_) => Finding::ok(CHECK, text),
                None => Finding::warning(
                    CHECK,
                    format!("{text}; but no daemon is at work"),
                    "start the service; without it cycles start by command or by a timer of the system only",
                ),
            }
        }
        (None, Some(cycle)) => {
            let every = duration(cycle.target_interval.as_secs());
            let text = format!("the predecessor's loop: every {every}, while a daemon is at work");
            Finding::ok(CHECK, text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Level;

    fn config(daemon: &str) -> Config {
        let text = format!(
            r#"{{"ssh_key": "/k", "servers": {{"web1": {{"host": "h"}}}}, "daemon": {daemon},
                "jobs": [{{"server": "web1", "job_id": "000000000000000000000001"}}]}}"#
        );
        crate::config::parse(&text, "config.json".as_ref()).unwrap().config
    }

    fn found(
        config: &Config,
        now: Timestamp,
        told: Option<Timestamp>,
        zone: Result<TimeZone, String>,
    ) -> Section {
        let told: Vec<_> = told.into_iter().map(|at| ("web1".parse().unwrap(), at)).collect();
        examine(&Facts { config, at_work: None, told: &told, now, zone })
    }

    #[test]
    fn the_next_start_is_shown_and_that_nobody_will_give_it() {
        let now: Timestamp = "2099-05-01T12:00:00Z".parse().unwrap();
        let section = found(&config(r#"{"schedule": "0 2 * * *"}"#), now, None, Ok(TimeZone::UTC));
        let schedule = section.findings.last().unwrap();
        assert_eq!(schedule.level, Level::Warning);
        assert_eq!(
            schedule.text,
            "0 2 * * *: next at 2099-05-02 02:00, up to 5 min later at random; but no daemon is at work"
        );
        assert_eq!(found(&config("{}"), now, None, Ok(TimeZone::UTC)).findings[2].level, Level::Ok);
    }

    #[test]
    fn a_clock_that_cannot_be_right_is_told() {
        let config = config("{}");
        let levels = |now: &str, told: Option<&str>| {
            let told = told.map(|told| told.parse().unwrap());
            found(&config, now.parse().unwrap(), told, Ok(TimeZone::UTC)).findings[0].level
        };
        assert_eq!(levels("1970-01-01T00:00:10Z", None), Level::Failure);
        assert_eq!(levels("2099-01-01T00:00:00Z", None), Level::Ok);
        assert_eq!(levels("2099-01-01T00:00:00Z", Some("2099-01-01T00:01:59Z")), Level::Ok);
        assert_eq!(levels("2099-01-01T00:00:00Z", Some("2099-01-01T00:02:01Z")), Level::Warning);
    }

    #[test]
    fn a_zone_that_is_not_to_be_had_is_told() {
        let now = "2099-01-01T00:00:00Z".parse().unwrap();
        let section = found(&config("{}"), now, None, Err("no such file".into()));
        assert_eq!(section.findings[1].level, Level::Warning);
    }
}
