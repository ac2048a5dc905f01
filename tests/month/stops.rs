//! Stops: only what a person asked for is stopped, and what was accepted takes effect.

use jetbackup_remote::model::JobKey;
use jetbackup_sim::{Call, truth::RealRun};
use jiff::{SignedDuration, Timestamp};

use crate::ledger::{Ledger, key};

/// How soon an accepted stop is sent once its server answers and shows the run, in seconds: within a few polls.
const SOON: i64 = 1200;
/// How soon a run is certain to be seen.
const SEEN: i64 = 62;

/// A stop that was accepted.
#[derive(Debug, Clone)]
pub struct Stop {
    at: Timestamp,
    server: String,
    /// The groups of the job's runs under way then.
    groups: Vec<String>,
}

impl Ledger {
    /// A person asks to stop a job's run.
    pub fn ask_stop(&self, key: &JobKey) {
        let now = self.sky.now();
        self.inner().stops_asked.push((key.clone(), now));
    }

    /// That was accepted.
    pub fn stop_accepted(&self, key: &JobKey) {
        let (at, server) = (self.sky.now(), key.server.to_string());
        let groups = self.under_way(key, at).into_iter().map(|run| run.group).collect();
        self.inner().stops.push(Stop { at, server, groups });
        self.count("stops accepted");
    }

    fn under_way(&self, wanted: &JobKey, at: Timestamp) -> Vec<RealRun> {
        let wire = self.wire(wanted.server.as_str()).unwrap();
        let mut runs = wire.world().runs_by(at);
        runs.retain(|run| key(run) == *wanted && run.ended.is_none());
        runs
    }

    /// A stop has arrived: somebody asked for it, and of several runs it is the newest that can be known.
    pub(crate) fn check_stop(&self, server: &str, call: &Call) {
        self.count("stops");
        let group = call.param("_id").unwrap_or_default();
        let wire = self.wire(server).unwrap();
        let runs = wire.world().runs_by(call.at);
        let Some(run) = runs.iter().find(|run| run.group == group) else {
            return self.breach(format!("a stop of {group} on {server}, which is no group"));
        };
        wire.stopped(group);
        let wanted = key(run);
        let asked = {
            let inner = self.inner();
            let asked = inner.stops_asked.iter().filter(|(job, at)| *job == wanted && *at >= run.triggered);
            asked.map(|(_, at)| *at).max()
        };
        let Some(asked) = asked else {
            return self.breach(format!("{wanted} is stopped, and nobody asked for that"));
        };
        // At once: then it was known already, and so were those that had been listed for long.
        let at_once = call.at.duration_since(asked).as_secs() < 2;
        let Some(listed) = wire.listed().filter(|_| at_once) else { return };
        let newer = self.under_way(&wanted, call.at).into_iter().find(|other| {
            let seen_from = other.triggered + SignedDuration::from_secs(SEEN);
            other.triggered > run.triggered
                && other.started.is_none_or(|at| run.started.is_none_or(|own| at > own))
                && seen_from < listed
                && wire.world().shows(&other.group, listed).listed
                && !wire.was_stopped(&other.group)
                && self.inner().known.contains(&crate::ledger::group(other))
        });
        if let Some(newer) = newer {
            self.breach(format!("{run:?} is stopped, and newer is {newer:?}"));
        }
    }

    /// The month is over: what was accepted took effect, if there was a time in which it could.
    pub fn settle_stops(&self) {
        let now = self.sky.now();
        let (stops, alive, bad_disk) = {
            let inner = self.inner();
            let alive = inner.alive.until(now);
            (inner.stops.clone(), alive, inner.bad_disk.until(now))
        };
        for stop in stops {
            let wire = self.wire(&stop.server).unwrap();
            let runs = wire.world().runs_by(now);
            let meant: Vec<_> = runs.iter().filter(|run| stop.groups.contains(&run.group)).collect();
            // Any of several will do: which one was known is another question.
            if meant.is_empty() || meant.iter().any(|run| wire.was_stopped(&run.group)) {
                continue;
            }
            // The disk refused it, and who knew of it was killed before it took anything again.
            let is_lost = alive.iter().any(|(from, to)| {
                *from <= stop.at
                    && stop.at <= *to
                    && bad_disk.iter().any(|(bad, good)| {
                        *bad <= stop.at && *good + SignedDuration::from_secs(crate::ledger::SETTLED) >= *to
                    })
            });
            let first = meant.iter().map(|run| run.triggered).min().unwrap_or(now);
            let from = stop.at.max(first + SignedDuration::from_secs(SEEN));
            let to = meant.iter().map(|run| run.ended.unwrap_or(now)).min().unwrap_or(now);
            let could = alive.iter().any(|(born, died)| {
                let (from, to) = (from.max(*born), to.min(*died));
                to.duration_since(from).as_secs() > SOON
                    && !wire.was_in_trouble(from, to)
                    && meant.iter().all(|run| wire.world().shows(&run.group, to).listed)
            });
            if could && !is_lost {
                self.breach(format!("a stop was accepted and never sent: {stop:?}, {meant:#?}"));
            }
        }
    }
}
