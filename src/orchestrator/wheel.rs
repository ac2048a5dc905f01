//! The wheel: takes requests, lets time pass, and gives each job its turn. It turns until a cycle is over, or, with
//! duties, until it is told to leave.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::contact::Contact;
use super::cycle::Cycle;
use super::destinations::Destinations;
use super::duties::Duties;
use super::flag::Flag;
use super::known::Known;
use super::lane::{Lane, lane, overruns};
use super::probe::Probed;
use super::queue::{Queue, plan};
use super::recovery::{ONE_SHOT_PATIENCE, Resumed, Unresumed};
use super::run::{News, Pace, Run};
use super::surroundings::Surroundings;
use super::telling::{Correspondent, Teller};
use super::unidentified::Unidentified;
use super::watching::Polled;
use super::{Now, WallClock};
use crate::config::{Config, OnTimeout};
use crate::history::{History, HistoryError};
use crate::jetbackup::Client;
use crate::model::{
    AfterTimeout, Answer, Command, CycleRecord, Event, GroupId, JobKey, Selection, ServerName, Snapshot, What,
};

/// How long nothing at all may happen before the wheel turns once for its own sake.
const LONGEST_SLEEP: Duration = Duration::from_secs(3600);

/// How long the end of a single cycle waits for a disk that takes nothing.
const LAST_RECORDS: Duration = Duration::from_secs(15);

/// A command, and where its answer goes.
pub type Request = (Command, oneshot::Sender<Answer>);

/// What others hold of a running orchestrator.
#[derive(Clone)]
pub struct Handle {
    /// Where commands go.
    pub requests: mpsc::Sender<Request>,
    /// The queue as it stands.
    pub snapshot: watch::Receiver<Snapshot>,
    /// What happens, as it happens.
    pub events: broadcast::Sender<Event>,
    /// Where others put what they have to tell in the same stream.
    pub aside: mpsc::Sender<What>,
}

/// A server, as the orchestrator sees it.
pub(super) struct Station {
    pub name: ServerName,
    pub client: Arc<Client>,
    pub contact: Contact,
}

/// The queue, the lane and all that moves them.
pub struct Orchestrator {
    pub(super) config: Arc<Config>,
    pub(super) stations: Vec<Station>,
    pub(super) history: History,
    pub(super) teller: Teller,
    pub(super) clock: Arc<dyn WallClock>,
    pub(super) queue: Queue,
    pub(super) runs: Vec<Run>,
    /// The cycle under way.
    pub(super) cycle: Option<Cycle>,
    pub(super) polls: JoinSet<Polled>,
    pub(super) known: HashMap<JobKey, Known>,
    /// Jobs that say "running" with no group to show for it.
    pub(super) flagged: HashMap<JobKey, Flag>,
    /// The groups that are unfinished for longer than any run may take, and that nobody waits for any more.
    pub(super) ignored_groups: HashSet<GroupId>,
    /// Backups under way whose job cannot be read.
    pub(super) unidentified: Unidentified,
    /// Looks at servers out of reach, beside the turns of the others.
    pub(super) probes: JoinSet<Probed>,
    /// A cycle that an earlier process left and that waits for the clock.
    pub(super) unresumed: Option<Unresumed>,
    /// The cycle under way goes on after a restart of the machine.
    pub(super) resumed: Option<Resumed>,
    pub(super) at_work_noted: Option<Instant>,
    /// What is on record of the jobs' past could not be read.
    pub(super) past_unread: bool,
    /// No dispatch before this moment.
    pub(super) not_before: Option<Instant>,
    /// Cancelled when nothing more may be triggered and this process is to end.
    pub(super) leave: CancellationToken,
    pub(super) stopping: bool,
    waiting: Option<String>,
    pub(super) destinations: Destinations,
    pub(super) surroundings: Surroundings,
    /// What is done beside the turns; nothing for a single cycle.
    pub(super) duties: Option<Duties>,
    pub(super) inbox: mpsc::Receiver<Request>,
    asides: mpsc::Receiver<What>,
}

impl Orchestrator {
    /// An orchestrator over these servers. Reads what the history knows of the jobs.
    pub async fn new(
        config: Arc<Config>,
        clients: Vec<(ServerName, Arc<Client>)>,
        history: History,
        clock: Arc<dyn WallClock>,
    ) -> (Self, Handle) {
        let mut known = HashMap::new();
        let mut facts = Vec::new();
        let keys: Vec<JobKey> = config.jobs.iter().map(|job| job.key.clone()).collect();
        let pasts = history.pasts(&keys).await;
        if let Err(error) = &pasts {
            tracing::warn!("the past of the jobs is not known yet: {error}");
        }
        let past_unread = pasts.is_err();
        let mut pasts = pasts.unwrap_or_default();
        for job in &config.jobs {
            let past = pasts.remove(&job.key).unwrap_or_default();
            let knowledge = Known::of(&past, job.stale_after, clock.as_ref());
            facts.push(knowledge.facts(job, past));
            known.insert(job.key.clone(), knowledge);
        }
        let last_cycle = if past_unread { None } else { history.last_finished_cycle().await.ok().flatten() };
        let names: Vec<ServerName> = config.servers.iter().map(|server| server.name.clone()).collect();
        let surroundings = Surroundings::recalled(&history, &names).await;
        let snapshot = Snapshot::new(&names, facts).after(last_cycle).remarking(surroundings.known());
        let (snapshot, snapshot_receiver) = watch::channel(snapshot);
        let (events, _) = broadcast::channel(1024);
        let (requests, inbox) = mpsc::channel(64);
        let (aside, asides) = mpsc::channel(16);
        let handle = Handle { requests, snapshot: snapshot_receiver, events: events.clone(), aside };
        let station = |(name, client)| Station { name, client, contact: Contact::default() };
        let orchestrator = Self {
            stations: clients.into_iter().map(station).collect(),
            teller: Teller::new(history.clone(), snapshot, events),
            config,
            history,
            clock,
            queue: Queue::default(),
            runs: Vec::new(),
            cycle: None,
            polls: JoinSet::new(),
            known,
            flagged: HashMap::new(),
            ignored_groups: HashSet::new(),
            unidentified: Unidentified::default(),
            probes: JoinSet::new(),
            unresumed: None,
            resumed: None,
            at_work_noted: None,
            past_unread,
            not_before: None,
            leave: CancellationToken::new(),
            stopping: false,
            waiting: None,
            destinations: Destinations::default(),
            surroundings,
            duties: None,
            inbox,
            asides,
        };
        (orchestrator, handle)
    }

    /// Somebody is to be written to about what happens from now on.
    pub fn write_to(&mut self, correspondent: Arc<dyn Correspondent>) {
        self.teller.write_to(correspondent);
    }

    /// Gives the selected jobs their turns, one at a time, and answers how the cycle went.
    ///
    /// Runs left open by an earlier process are settled first. Ends when every turn is over, or soon after `leave`:
    /// then nothing more is triggered, and what runs is left alone and on record.
    ///
    /// # Errors
    /// If what an earlier process left cannot be read for two minutes: nothing was triggered then.
    pub async fn run(
        mut self,
        selection: &Selection,
        leave: CancellationToken,
    ) -> Result<CycleRecord, HistoryError> {
        self.leave = leave;
        let record = match self.read_record(Some(ONE_SHOT_PATIENCE)).await {
            Ok(record) => record,
            Err(error) => {
                self.tell(What::Leaving).await;
                return Err(error);
            }
        };
        let (interrupted, open_runs) =
            record.map_or_else(Default::default, |record| (record.interrupted, record.open_runs));
        if let Some(left) = interrupted {
            self.tell_end_of(left.cycle).await;
        }
        self.begin(self.planned(selection)).await;
        self.restore(open_runs).await;
        self.recall_destinations().await;
        self.know_jobs().await;
        self.tell_stale().await;
        self.work().await;
        self.skip_the_rest().await;
        self.hear_the_last_of_surroundings().await;
        let cycle = self.end_cycle().await;
        self.lower_before_end().await;
        self.settle_before_end(LAST_RECORDS).await;
        self.tell(What::Leaving).await;
        Ok(cycle)
    }

    /// Keeps the queue until `leave`: gives turns as they are asked for and as the schedule says, and takes up what an
    /// earlier process left, be it runs or the rest of a cycle. What is left then stays on record for the next start.
    pub async fn serve(mut self, duties: Duties, leave: CancellationToken) {
        self.leave = leave;
        self.duties = Some(duties);
        // Without a limit to its patience it never fails.
        if let Ok(Some(mut record)) = self.read_record(None).await {
            if let Some(duties) = &mut self.duties {
                duties.begin_with(std::mem::take(&mut record.schedule));
            }
            self.take_up_record(record).await;
            self.recall_destinations().await;
            self.work().await;
            self.note_at_work(true).await;
        }
        self.settle_before_end(Duration::ZERO).await;
        self.tell(What::Leaving).await;
    }

    /// The jobs that `selection` takes, in the order of their turns.
    pub(super) fn planned(&self, selection: &Selection) -> Vec<JobKey> {
        let jobs = plan(&self.config.servers, &self.config.jobs, selection);
        jobs.into_iter().map(|job| job.key.clone()).collect()
    }

    async fn work(&mut self) {
        let leave = self.leave.clone();
        loop {
            self.pass_time().await;
            if leave.is_cancelled() {
                return;
            }
            if self.is_over() {
                if self.duties.is_none() {
                    return;
                }
                self.end_cycle().await;
            }
            self.attend().await;
            self.note_at_work(false).await;
            self.tell_waiting().await;
            self.start_lowering();
            if self.may_dispatch() {
                self.dispatch().await;
                continue;
            }
            self.start_polls();
            self.start_probes();
            let wake = self.next_wake();
            tokio::select! {
                biased;
                () = leave.cancelled() => {}
                Some(request) = self.inbox.recv() => self.answer(request).await,
                Some(what) = self.asides.recv() => self.tell(what).await,
                Some(told) = self.surroundings.told() => self.absorb_surroundings(told).await,
                Some(polled) = self.polls.join_next() => self.absorb_poll(polled).await,
                Some(probed) = self.probes.join_next() => self.absorb_probe(probed).await,
                Some(lowering) = self.destinations.lowered() => self.absorb_lowering(lowering).await,
                () = tokio::time::sleep_until(wake) => {}
            }
        }
    }

    fn may_dispatch(&self) -> bool {
        self.not_before.is_none_or(|at| Instant::now() >= at) && self.waits_for_time_alone()
    }

    /// Whether nothing but the time keeps the first job of the queue from its turn.
    fn waits_for_time_alone(&self) -> bool {
        let ready = |key: &JobKey| !self.destinations.is_lowering(&key.server);
        self.queue.first().is_some_and(ready) && self.lane() == Lane::Free
    }

    pub(super) fn lane(&self) -> Lane {
        let orchestrator = &self.config.orchestrator;
        lane(&self.runs, orchestrator.on_timeout, orchestrator.max_overruns)
    }

    fn next_wake(&self) -> Instant {
        let now = Instant::now();
        let dispatch = self.not_before.filter(|_| self.waits_for_time_alone());
        let ticks = self.runs.iter().filter_map(|run| run.next_tick(now, self.pace(run)));
        let polls = self.stations.iter().filter_map(|station| self.poll_due(station, now));
        let probes = self.stations.iter().filter_map(|station| self.probe_due(station, now));
        let duties = self.duties.as_ref().map(|duties| now + duties.nap);
        let lowering = self.next_lowering();
        dispatch
            .into_iter()
            .chain(ticks)
            .chain(polls)
            .chain(probes)
            .chain(self.teller.settle_due())
            .chain(duties)
            .chain(lowering)
            .min()
            .unwrap_or(now + LONGEST_SLEEP)
    }

    /// Limits, reminders and stops without effect.
    async fn pass_time(&mut self) {
        let now = self.now();
        self.teller.settle(now.wall, false).await;
        // One that has not started within its whole time limit is not waited for any longer.
        self.runs.retain(|run| !run.is_late() || run.elapsed(now.mono).as_secs() < run.record.limit);
        for at in 0..self.runs.len() {
            let pace = self.pace(&self.runs[at]);
            for news in self.runs[at].tick(now, pace) {
                self.tell_news(at, news).await;
            }
        }
    }

    pub(super) async fn tell_news(&mut self, at: usize, news: News) {
        let run = &self.runs[at];
        let record = run.record.clone();
        let what = match news {
            News::Started => What::JobStarted(record),
            News::Noted => What::RunNoted(record),
            News::LimitReached => {
                let elapsed = run.elapsed(Instant::now()).as_secs();
                What::JobTimeout { run: record, elapsed, next: self.after_timeout(at) }
            }
            News::StopIgnored => What::Alert {
                job: Some(record.key.clone()),
                text: format!(
                    "{} on {} was asked to stop and has not ended; it keeps its place. \
                     Look at the queue on the server, or release it",
                    record.label, record.key.server
                ),
            },
        };
        self.tell(what).await;
    }

    fn after_timeout(&self, at: usize) -> AfterTimeout {
        let overruns = count(overruns(&self.runs));
        match self.config.orchestrator.on_timeout {
            OnTimeout::Wait if !self.runs[at].record.released => AfterTimeout::WaitsForRelease,
            _ if overruns > self.config.orchestrator.max_overruns => AfterTimeout::WaitsForOverruns,
            _ => AfterTimeout::GoesOn,
        }
    }

    /// The queue waits when something other than a turn of its own keeps the lane.
    async fn tell_waiting(&mut self) {
        let own = |run: &Run| self.is_turn(&run.record) && !run.record.overrun && !run.is_late();
        let reason = match self.lane() {
            Lane::Held { reason } if !self.queue.is_empty() && !self.runs.iter().any(own) => Some(reason),
            Lane::Free => self.waiting_for_contact(),
            Lane::Held { .. } => None,
        };
        if reason != self.waiting {
            self.waiting.clone_from(&reason);
            self.tell(What::Waiting { reason }).await;
        }
    }

    fn waiting_for_contact(&self) -> Option<String> {
        if let Some((job, _)) = self.flagged.iter().find(|(_, flag)| flag.is_on_trial()) {
            return Some(format!("{job} says that it is running, without a queue group so far"));
        }
        if let Some(unidentified) = self.unidentified.reason() {
            return Some(unidentified);
        }
        if self.unresumed.is_some() {
            return Some(
                "the clock is behind what is on record; an interrupted cycle waits for it".to_owned(),
            );
        }
        self.not_before?;
        let job = self.queue.first().filter(|_| self.queue.last_turns().is_some())?;
        Some(format!("{job} is tried once more"))
    }

    pub(super) fn client(&self, server: &ServerName) -> Option<Arc<Client>> {
        self.stations
            .iter()
            .find(|station| station.name == *server)
            .map(|station| Arc::clone(&station.client))
    }

    pub(super) fn pace(&self, run: &Run) -> Pace {
        let orchestrator = &self.config.orchestrator;
        Pace {
            poll_interval: orchestrator.poll_interval,
            startup_timeout: orchestrator.startup_timeout,
            remind: orchestrator.on_timeout == OnTimeout::Wait && !run.record.released,
        }
    }

    pub(super) fn now(&self) -> Now {
        Now { mono: Instant::now(), wall: self.clock.now(), boot: self.clock.boot() }
    }

    pub(super) async fn tell(&mut self, what: What) {
        self.teller.tell(self.clock.now(), what).await;
    }

    /// Writes what is owed to the disk, for so long at most; at least once.
    async fn settle_before_end(&mut self, patience: Duration) {
        let begun = Instant::now();
        while self.history.owed() > 0 {
            let last = begun.elapsed() >= patience || self.leave.is_cancelled();
            self.teller.settle(self.clock.now(), last).await;
            let Some(due) = self.teller.settle_due().filter(|_| !last) else { return };
            let leave = self.leave.clone();
            tokio::select! {
                () = leave.cancelled() => {}
                () = tokio::time::sleep_until(due) => {}
            }
        }
    }
}

pub(super) fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
