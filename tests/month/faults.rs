//! What is done to the disk and to the servers.

use std::time::Duration;

use jetbackup_remote::model::{Command, JobKey};
use jetbackup_sim::{Fault as Spoiled, Spoil};
use jiff::SignedDuration;
use tokio::time::sleep;

use crate::disk::Fault;
use crate::life::{Life, Next, Stage};
use crate::mess::Mess;
use crate::wire::Mishap;

/// How many groups JetBackup lists at a time.
const PAGE: u32 = 100;
/// Tables whose damage loses nothing that cannot be had from elsewhere.
const TABLES: [&str; 4] = ["baselines", "baselines", "published", "jobs"];

impl Mess {
    fn disk_fault(&mut self, stage: &Stage) -> Fault {
        let (fault, count) = match self.dice.below(6) {
            0 => (Fault::Full, "full disks"),
            1 | 2 => (Fault::Read, "readers"),
            3 => (Fault::Locked, "locked disks"),
            4 => (Fault::Slow(4 + self.dice.below(6)), "slow disks"),
            _ => (Fault::Slow(11 + self.dice.below(20)), "hung disks"),
        };
        stage.ledger.count(count);
        fault
    }

    /// Something is wrong with the disk for a while, seconds or up to an hour.
    pub(crate) async fn spoil_disk(&mut self, stage: &Stage) {
        let fault = self.disk_fault(stage);
        stage.ledger.set_disk(Some(fault));
        let most = self.dice.pick(&[10, 60, 600, 3600]);
        self.pause(most).await;
        stage.ledger.set_disk(None);
    }

    /// Another program reads from before a trigger until its job runs, and some time later the program is killed.
    pub(crate) async fn read_over_a_trigger(&mut self, life: &Life<'_>) {
        let stage = life.stage;
        stage.ledger.set_disk(Some(Fault::Read));
        let mut was_starting = false;
        for _ in 0..600 {
            sleep(Duration::from_secs(6)).await;
            let starting = life.starting();
            if was_starting && starting.is_empty() {
                stage.ledger.count("readers over a trigger");
                break;
            }
            was_starting |= !starting.is_empty();
        }
        if self.dice.chance(70) {
            stage.ledger.set_disk(None);
            self.pause(1200).await;
        }
        if was_starting {
            stage.tide.kill();
            std::future::pending().await
        }
        stage.ledger.set_disk(None);
    }

    /// The program finds its history locked, and perhaps a server with a run out of reach; or its file is damaged.
    pub(crate) fn spoil_start(&mut self, stage: &Stage) {
        match self.dice.below(6) {
            0 => {
                stage.ledger.count("locked starts");
                stage.ledger.set_disk(Some(Fault::Locked));
                let now = stage.sky.now();
                let busy = |wire: &&std::sync::Arc<crate::wire::Wire>| {
                    wire.world().runs_by(now).iter().any(|run| run.ended.is_none())
                };
                if let Some(wire) = stage.wires.iter().find(busy)
                    && self.dice.chance(60)
                {
                    wire.cut(true);
                }
            }
            1 if stage.disk.fault().is_none() => {
                stage.ledger.count("damaged files");
                let table = self.dice.pick(&TABLES);
                stage.disk.damage(table);
            }
            _ => {}
        }
    }

    /// Ends what [`spoil_start`](Self::spoil_start) began: first the lock, later the cut.
    pub(crate) async fn free_lock(&mut self, stage: &Stage) {
        if stage.disk.fault() == Some(Fault::Locked) {
            self.pause(90).await;
            stage.ledger.set_disk(None);
        }
        if stage.wires.iter().any(|wire| wire.is_cut()) {
            self.pause(1800).await;
            stage.wires.iter().for_each(|wire| wire.cut(false));
        }
    }

    /// While the program is away an admin clears a queue, and JetBackup's scheduler goes on.
    pub(crate) fn meanwhile(&mut self, stage: &Stage, away: i64) {
        if !self.dice.chance(40) {
            return;
        }
        stage.ledger.count("queues cleared");
        let wire = self.dice.pick(&stage.wires);
        let jobs: Vec<JobKey> = stage.config.jobs.iter().map(|job| job.key.clone()).collect();
        let now = stage.sky.now();
        let mut world = wire.world();
        for job in jobs.iter().filter(|job| job.server.as_str() == wire.name) {
            let at = now + SignedDuration::from_secs(self.dice.seconds(away.max(1)));
            world.start_by_schedule(&job.job.to_string(), at);
        }
        world.clear_queue_at(now + SignedDuration::from_secs(self.dice.seconds(away.max(1))));
    }

    /// An admin clears the queue of a server, if there is one with a run.
    pub(crate) fn clear_queue(&mut self, life: &Life<'_>) {
        let stage = life.stage;
        let running = life.running();
        let wire = match running.is_empty() {
            true => self.wire(life),
            false => {
                let key = self.dice.pick(&running);
                stage.wires.iter().find(|wire| wire.name == key.server.as_str()).unwrap()
            }
        };
        stage.ledger.count("queues cleared");
        let at = stage.sky.now() + SignedDuration::from_secs(self.dice.seconds(60));
        wire.world().clear_queue_at(at);
    }

    /// JetBackup's API does not answer on one server, for minutes or hours. What it is asked has no effect.
    pub(crate) fn hang(&mut self, life: &Life<'_>) {
        let stage = life.stage;
        let seconds = 600 + self.dice.seconds(8 * 3600);
        let wire = self.wire(life);
        let now = stage.sky.now();
        let end = now + SignedDuration::from_secs(seconds);
        let fault = Spoiled::new(Spoil::Hang(86_400)).between(now, end).without_effect();
        wire.world().add_fault(fault);
        wire.trouble(now, end);
        stage.ledger.hang(&wire.name, seconds);
    }

    /// JetBackup's scheduler starts a job whose run is under way.
    pub(crate) fn twin(&mut self, life: &Life<'_>) {
        let mut running = life.running();
        running.extend(life.starting());
        if running.is_empty() {
            return;
        }
        let JobKey { server, job } = self.dice.pick(&running);
        let wire = life.stage.wires.iter().find(|wire| wire.name == server.as_str()).unwrap();
        let at = life.stage.sky.now() + SignedDuration::from_secs(self.dice.seconds(60));
        wire.world().start_by_schedule(&job.to_string(), at);
        life.stage.ledger.count("twins");
    }

    /// A server lists thousands of groups for an hour or two.
    pub(crate) async fn list_long(&mut self, life: &Life<'_>) {
        let stage = life.stage;
        let wire = std::sync::Arc::clone(self.wire(life));
        let key = stage.config.jobs.iter().find(|job| job.key.server.as_str() == wire.name);
        let job = key.unwrap().key.job.to_string();
        let count = self.dice.pick(&[2500, 6200]);
        stage.ledger.count("long lists");
        let begun = stage.sky.now();
        wire.world().add_old_groups(&job, count, begun);
        let (lists, triggers) = (wire.lists(), stage.ledger.counted("triggers"));
        life.ask(Command::Run(jetbackup_remote::model::Selection::default())).await;
        self.pause(7200).await;
        let now = stage.sky.now();
        wire.world().remove_old_groups();
        if !wire.was_in_trouble(begun, now) {
            let triggers = u32::try_from(stage.ledger.counted("triggers") - triggers).unwrap();
            let seconds = now.duration_since(begun).as_secs();
            let asked = wire.lists() - lists;
            stage.ledger.check_lists(&wire.name, count.div_ceil(PAGE), asked, seconds, triggers);
        }
    }

    /// A server does not say for a while which jobs its groups belong to.
    pub(crate) async fn blur(&mut self, life: &Life<'_>) {
        let wire = std::sync::Arc::clone(self.wire(life));
        life.stage.ledger.count("blurred lists");
        wire.world().blur(true);
        self.pause(1800).await;
        wire.world().blur(false);
    }

    /// A person stops a job before its group is listed, and then the configuration is read again, or the program ends.
    pub(crate) async fn stop_early(&mut self, life: &Life<'_>) -> Option<Next> {
        for _ in 0..600 {
            sleep(Duration::from_secs(6)).await;
            let Some(key) = life.starting().first().cloned() else { continue };
            life.stage.ledger.count("early stops");
            self.ask_stop(life, key).await;
            return match self.dice.below(4) {
                0 => None,
                1 => Some(Next::End),
                _ => Some(Next::Reload),
            };
        }
        None
    }

    pub(crate) async fn ask_stop(&mut self, life: &Life<'_>, key: JobKey) {
        life.stage.ledger.ask_stop(&key);
        let answer = life.ask(Command::StopJob(key.clone())).await;
        if answer.is_some_and(|answer| answer.accepted) {
            life.stage.ledger.stop_accepted(&key);
        }
    }

    /// A trigger finds no connection to be sent by, and the configuration is read again before it is tried again. Answers
    /// whether that happened.
    pub(crate) async fn refuse_connection(&mut self, life: &Life<'_>) -> bool {
        let wire = std::sync::Arc::clone(self.wire(life));
        wire.expect(Some(("runBackupJobManually", Mishap::Refuse)));
        for _ in 0..3600 {
            sleep(Duration::from_secs(1)).await;
            if !wire.expects() {
                life.stage.ledger.count("triggers not sent");
                return self.dice.chance(80);
            }
        }
        wire.expect(None);
        false
    }
}
