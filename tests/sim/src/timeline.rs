//! What happens in a world without a call: JetBackup's own scheduler, people, crashes; and how a run comes to be.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::clock::after;
use crate::group::{Group, Start};
use crate::job::{DisabledAnswer, WhenRunning};
use crate::run::{Origin, Outcome, Run};
use crate::world::World;

/// Something that happens at a given time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Event {
    Start { job: String, origin: Origin },
    Rerun { job: String },
    SetDisabled { id: String, disabled: bool },
    ClearQueue,
    Crash,
    Restart,
}

/// Why a trigger starts nothing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// `success: 0` with this message.
    Failure(String),
    /// This text is all that comes back.
    Body(String),
    /// `success: 1` as if it had worked.
    Swallowed,
}

impl World {
    /// Lets everything happen that is due until `now`. Time never goes back.
    pub(crate) fn advance(&mut self, now: Timestamp) -> Timestamp {
        loop {
            let due = self.timeline.iter().enumerate().filter(|(_, (at, _))| *at <= now);
            let Some(next) = due.min_by_key(|(_, (at, _))| *at).map(|(index, _)| index) else { break };
            let (at, event) = self.timeline.remove(next);
            self.settle_queued(at);
            self.happen(at, event);
        }
        self.now = self.now.max(now);
        self.settle_queued(self.now);
        self.now
    }

    fn happen(&mut self, at: Timestamp, event: Event) {
        match event {
            Event::Start { job, origin } => {
                // A scheduler that is refused just tries again another day.
                let _refused = self.trigger(at, &job, origin);
            }
            Event::Rerun { job } => self.reopen(at, &job),
            Event::SetDisabled { id, disabled } => {
                self.set_disabled(&id, disabled);
            }
            Event::ClearQueue => {
                for group in self.groups.iter_mut().filter(|group| group.created <= at) {
                    group.hidden_at = Some(group.hidden_at.map_or(at, |hidden| hidden.min(at)));
                }
            }
            Event::Crash => self.crash_now(at),
            Event::Restart => {
                self.crash_now(at);
                self.process = true;
                self.groups.iter_mut().for_each(|group| group.restart(at));
            }
        }
    }

    /// Reopens the latest finished group of `id`: the same id and time of creation, pending again.
    fn reopen(&mut self, at: Timestamp, id: &str) {
        let own = |group: &Group| group.kind == 1 && group.subject.0 == id && group.finished(at);
        let Some(old) = self.groups.iter().rposition(own) else { return };
        let Some(job) = self.jobs.iter_mut().find(|job| job.id == id) else { return };
        let (name, managed, script) = (job.name.clone(), job.managed, job.next_script());
        let mut group = self.new_group(1, (id.to_owned(), name), script, Origin::Person, at);
        group.managed = managed;
        let old = &mut self.groups[old];
        old.hidden_at = Some(at);
        (group.id, group.created) = (old.id.clone(), old.created);
        self.groups.push(group);
    }

    fn crash_now(&mut self, at: Timestamp) {
        self.process = false;
        self.groups.iter_mut().for_each(|group| group.crash(at));
    }

    /// Starts the groups that waited for another one which has ended meanwhile.
    fn settle_queued(&mut self, now: Timestamp) {
        for index in 0..self.groups.len() {
            let Start::Behind(before) = self.groups[index].start else { continue };
            if let Some(free) = self.groups[before].really_ended(now) {
                let group = &mut self.groups[index];
                group.start_at(free.max(after(group.created, group.script.pending)));
            }
        }
    }

    /// Starts a run of `job`, or says why not.
    pub(crate) fn trigger(&mut self, now: Timestamp, id: &str, origin: Origin) -> Result<(), Refusal> {
        let refuse = |message: &str| Err(Refusal::Failure(message.to_owned()));
        let behind = self.groups.iter().rposition(|group| {
            group.kind == 1 && group.subject.0 == id && (!group.finished(now) || group.running(now))
        });
        let Some(job) = self.jobs.iter_mut().find(|job| job.id == id) else {
            return refuse("Backup job not found");
        };
        if self.licence_issue {
            return refuse("There is an issue with your license");
        }
        if !self.process {
            return refuse("JetBackup is not running");
        }
        if job.disabled {
            return Err(match &job.disabled_answer {
                DisabledAnswer::Refuse => Refusal::Failure("This backup job is disabled".to_owned()),
                DisabledAnswer::ShortBody(text) => Refusal::Body(text.clone()),
            });
        }
        if behind.is_some() {
            match job.when_running {
                WhenRunning::Refuse => return refuse("This backup job is already running"),
                WhenRunning::Swallow => return Err(Refusal::Swallowed),
                WhenRunning::Queue => {}
            }
        }
        let mut script = job.next_script();
        if let Some(message) = script.refused {
            return Err(Refusal::Failure(message));
        }
        let (name, managed) = (job.name.clone(), job.managed);
        let unusable = |id: &String| self.destinations.iter().any(|dest| dest.id == *id && dest.disabled);
        if job.destinations.iter().any(unusable) {
            (script.outcome, script.lasting, script.writes) = (Outcome::Failed, Some(1), false);
        }
        let mut group = self.new_group(1, (id.to_owned(), name), script, origin, now);
        group.managed = managed;
        if let Some(before) = behind.filter(|before| !self.groups[*before].finished(now)) {
            (group.start, group.end) = (Start::Behind(before), None);
        }
        self.groups.push(group);
        Ok(())
    }

    /// A planned group, not yet in the list.
    pub(crate) fn new_group(
        &mut self,
        kind: i64,
        subject: (String, String),
        script: Run,
        origin: Origin,
        now: Timestamp,
    ) -> Group {
        let created = after(now, script.group_after);
        let mut group = Group {
            id: self.new_id(created),
            log_id: self.new_id(created),
            kind,
            subject,
            managed: false,
            origin,
            triggered: now,
            created,
            hidden_at: script.vanishes_after.map(|seconds| after(created, seconds)),
            start: Start::Never,
            end: None,
            crashed_at: None,
            script,
        };
        group.start_at(after(created, group.script.pending));
        group
    }

    /// Enables or disables a job or a destination; false if there is none, or if it will not change.
    pub(crate) fn set_disabled(&mut self, id: &str, disabled: bool) -> bool {
        if let Some(job) = self.jobs.iter_mut().find(|job| job.id == id) {
            job.disabled = disabled;
            return true;
        }
        match self.destinations.iter_mut().find(|dest| dest.id == id && !dest.sticky) {
            Some(destination) => {
                destination.disabled = disabled;
                true
            }
            None => false,
        }
    }
}
