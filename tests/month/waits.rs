//! Waits: a server that never answers costs the jobs of others one bounded delay, not one each.

use jetbackup_remote::model::JobKey;
use jiff::{SignedDuration, Timestamp};

use crate::ledger::Ledger;

/// How long a turn takes without anything in its way, in seconds.
const TURN: i64 = 10;
/// How long others may wait on account of one hung server in all, in seconds.
const BOUND: i64 = 150;
/// How many lists may be asked for on account of one job's turn, polls aside; and to read a long list once.
const LISTS_A_TURN: u32 = 12;

/// Why others may have to wait.
#[derive(Default)]
pub struct Waits {
    /// Since when nobody has been in the way of the next turn, as was told.
    free_since: Option<Timestamp>,
    hung: Option<Hung>,
}

/// A server that never answers, for a while.
#[derive(Debug, Clone)]
struct Hung {
    server: String,
    from: Timestamp,
    to: Timestamp,
    /// How long each of the others waited on account of it.
    waits: Vec<i64>,
}

impl Waits {
    pub fn free(&mut self, now: Timestamp) {
        self.free_since = Some(now);
    }
}

impl Ledger {
    /// A server hangs for so many seconds.
    pub fn hang(&self, server: &str, seconds: i64) {
        self.count("hung servers");
        let from = self.sky.now();
        let to = from + SignedDuration::from_secs(seconds);
        self.inner().waits.hung = Some(Hung { server: server.to_owned(), from, to, waits: Vec::new() });
    }

    /// How long this turn waited, if nothing but a hung server was in its way.
    pub(crate) fn check_wait(&self, key: &JobKey, now: Timestamp) {
        let (hung, since, odd_disk) = {
            let inner = self.inner();
            let (Some(hung), Some(since)) = (inner.waits.hung.clone(), inner.waits.free_since) else {
                return;
            };
            let odd_disk = inner.odd_disk.touch(since, now);
            (hung, since, odd_disk)
        };
        if hung.server == key.server.as_str() || since < hung.from || now > hung.to || odd_disk {
            return;
        }
        let others = || self.wires().iter().filter(|wire| wire.name != hung.server);
        let runs = |wire: &crate::wire::Wire| wire.world().runs_by(now);
        // A run of its own holds the lane as long as it is out of sight, and so do others' and the words of their jobs.
        let before = hung.from - SignedDuration::from_secs(600);
        let own = self
            .wire(&hung.server)
            .is_some_and(|wire| runs(wire).iter().any(|run| run.ended.is_none_or(|at| at > before)));
        let is_busy = |run: &jetbackup_sim::truth::RealRun| {
            run.ended.is_none_or(|at| at + SignedDuration::from_secs(130) > since)
                && run.origin != jetbackup_sim::Origin::Api
        };
        let excused = own
            || others().any(|wire| wire.was_in_trouble(since, now))
            || others().any(|wire| runs(wire).iter().any(is_busy));
        if excused {
            return;
        }
        self.count("turns beside a hung server");
        let waits = {
            let mut inner = self.inner();
            let Some(hung) = &mut inner.waits.hung else { return };
            hung.waits.push((now.duration_since(since).as_secs() - TURN).max(0));
            hung.waits.clone()
        };
        if waits.iter().sum::<i64>() > BOUND {
            self.breach(format!("others have waited {waits:?} s for {}, which hangs: {hung:?}", hung.server));
        }
    }

    /// A server with a long list was asked for so many pages over a time with so many looks at it.
    pub fn check_lists(&self, server: &str, pages: u32, asked: u32, seconds: i64, triggers: u32) {
        let polls = u32::try_from(seconds / 30).unwrap_or(u32::MAX);
        let allowed = 4 * pages + LISTS_A_TURN * (triggers + 2) + polls;
        if asked > allowed {
            self.breach(format!(
                "{server} was asked for {asked} lists within {seconds} s, {allowed} are enough"
            ));
        }
    }
}
