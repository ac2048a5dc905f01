//! What goes wrong in a month, and what people ask meanwhile.

use std::sync::Arc;
use std::time::Duration;

use jetbackup_remote::model::view::QueuePhase;
use jetbackup_remote::model::{Command, JobKey, Selection};
use jiff::{SignedDuration, Timestamp};
use tokio::time::sleep;

use crate::dice::Dice;
use crate::disk::Fault;
use crate::door::{Door, Way};
use crate::life::{Life, Next, Stage};
use crate::wire::{Mishap, Wire};

/// What is likely to be called.
const FUNCTIONS: [&str; 6] = [
    "runBackupJobManually",
    "runBackupJobManually",
    "listQueueGroups",
    "getQueueGroup",
    "getBackupJob",
    "stopQueueGroup",
];

/// What may go wrong in a month, beside what always does.
#[derive(Debug, Clone, Copy)]
struct Kinds {
    disk: bool,
    wall: bool,
    hung: bool,
    clearing: bool,
    twins: bool,
    long_lists: bool,
    blur: bool,
}

/// Makes a mess of a month.
pub struct Mess {
    pub(crate) dice: Dice,
    end: Timestamp,
    kinds: Kinds,
}

impl Mess {
    pub fn new(mut dice: Dice, end: Timestamp) -> Self {
        let kinds = Kinds {
            disk: dice.chance(65),
            wall: dice.chance(35),
            hung: dice.chance(60),
            clearing: dice.chance(50),
            twins: dice.chance(50),
            long_lists: dice.chance(35),
            blur: dice.chance(30),
        };
        Self { dice, end, kinds }
    }

    /// Does one thing after another, until the program is to end or to read its configuration again, or the month is
    /// over.
    pub async fn make(&mut self, life: &Life<'_>) -> Next {
        self.free_lock(life.stage).await;
        loop {
            let busy = life.handle.snapshot.borrow().queue().phase != QueuePhase::Idle;
            self.pause(if busy { 1500 } else { 3 * 3600 }).await;
            life.stage.ledger.patrol();
            if life.stage.sky.now() >= self.end {
                return Next::End;
            }
            let Kinds { disk, wall, hung, clearing, twins, long_lists, blur } = self.kinds;
            match self.dice.below(40) {
                0..=2 => self.cut(life).await,
                3 => self.mishap(life, &[Mishap::LoseCommand, Mishap::LoseAnswer]),
                4 | 5 => self.wire(life).world().add_fault(self.dice.fault()),
                6 => self.strangers(life),
                7 | 8 => self.run(life).await,
                9 => self.stop(life).await,
                10 => self.release(life).await,
                11 => drop(life.ask(Command::StopAfterCurrent).await),
                12 | 13 => self.publish(life),
                14 | 15 => self.trouble(&life.stage.to_broker).await,
                16 | 17 => self.trouble(&life.stage.to_mail).await,
                18 => life.stage.post.put_off(u32::try_from(1 + self.dice.below(4)).unwrap()),
                // Somewhere in the middle of what it does next.
                19 => life.stage.tide.set_fuse(1 + self.dice.below(400)),
                20 | 21 => self.mishap(life, &[Mishap::KillBefore, Mishap::KillAfter]),
                22 => life.stage.tide.kill(),
                23 => return Next::End,
                24 | 25 => return Next::Reload,
                26 => self.crash(life),
                27 if wall => self.jump(life.stage),
                28 | 29 if disk => self.spoil_disk(life.stage).await,
                30 if disk => self.read_over_a_trigger(life).await,
                31 | 32 if hung => self.hang(life),
                33 if clearing => self.clear_queue(life),
                34 | 35 if twins => self.twin(life),
                36 if long_lists => self.list_long(life).await,
                37 if blur => self.blur(life).await,
                38 => {
                    if let Some(next) = self.stop_early(life).await {
                        return next;
                    }
                }
                39 if self.refuse_connection(life).await => return Next::Reload,
                _ => {}
            }
        }
    }

    pub(crate) async fn pause(&mut self, seconds: u64) {
        sleep(Duration::from_millis(self.dice.below(seconds * 1000))).await;
    }

    pub(crate) fn wire<'a>(&mut self, life: &Life<'a>) -> &'a Arc<Wire> {
        let stage: &'a Stage = life.stage;
        &stage.wires[usize::try_from(self.dice.below(stage.wires.len() as u64)).unwrap()]
    }

    pub(crate) fn job(&mut self, life: &Life<'_>) -> JobKey {
        let jobs: Vec<_> = life.stage.config.jobs.iter().map(|job| job.key.clone()).collect();
        self.dice.pick(&jobs)
    }

    async fn cut(&mut self, life: &Life<'_>) {
        let wire = self.wire(life);
        wire.cut(true);
        self.pause(2400).await;
        wire.cut(false);
    }

    fn mishap(&mut self, life: &Life<'_>, all: &[Mishap]) {
        let mishap = (self.dice.pick(&FUNCTIONS), self.dice.pick(all));
        self.wire(life).expect(Some(mishap));
    }

    /// JetBackup's scheduler, or a person in its interface, starts a job.
    fn strangers(&mut self, life: &Life<'_>) {
        let JobKey { server, job } = self.job(life);
        let at = life.stage.sky.now() + SignedDuration::from_secs(self.dice.seconds(600));
        let wire = life.stage.wires.iter().find(|wire| wire.name == server.as_str()).unwrap();
        if self.dice.chance(50) {
            wire.world().start_by_schedule(&job.to_string(), at);
        } else {
            wire.world().start_by_person(&job.to_string(), at);
        }
    }

    /// JetBackup dies, and is restarted some time later.
    fn crash(&mut self, life: &Life<'_>) {
        let at = life.stage.sky.now() + SignedDuration::from_secs(self.dice.seconds(600));
        let again = at + SignedDuration::from_secs(1 + self.dice.seconds(3600));
        let wire = self.wire(life);
        let mut world = wire.world();
        world.crash_at(at);
        world.restart_at(again);
        drop(world);
        wire.trouble(at, again);
        life.stage.ledger.count("crashes");
    }

    async fn run(&mut self, life: &Life<'_>) {
        let JobKey { server, job } = self.job(life);
        let selection = self.dice.pick(&[
            Selection::default(),
            Selection { server: Some(server.clone()), job: None },
            Selection { server: Some(server), job: Some(job) },
        ]);
        life.ask(Command::Run(selection)).await;
    }

    async fn stop(&mut self, life: &Life<'_>) {
        let running = life.running();
        if running.is_empty() {
            return;
        }
        let key = self.dice.pick(&running);
        self.ask_stop(life, key).await;
    }

    async fn release(&mut self, life: &Life<'_>) {
        for key in life.running() {
            life.stage.ledger.ask_release(&key);
            life.ask(Command::Release(key)).await;
        }
    }

    /// Somebody publishes a command, or what must not be one.
    fn publish(&mut self, life: &Life<'_>) {
        let running = life.running();
        let key = if running.is_empty() { self.job(life) } else { self.dice.pick(&running) };
        let names_it = format!(r#"{{"server":"{}","job":"{}"}}"#, key.server, key.job);
        match self.dice.below(6) {
            0 => life.publish(&format!("jobs/{key}/command/run"), "PRESS", false),
            1 => {
                life.stage.ledger.ask_stop(&key);
                life.publish("command/stop", &names_it, false);
            }
            // Nobody means these.
            2 => life.publish("command/stop", &names_it, true),
            3 => life.publish(&format!("jobs/{key}/command/stop"), "", false),
            4 => life.publish(&format!("jobs/{key}/command/stop"), "press", false),
            _ => life.publish("command/release", &format!("{names_it}x"), false),
        }
    }

    async fn trouble(&mut self, door: &Door) {
        match self.dice.below(4) {
            0 => door.cut(),
            1 => door.break_after(1 + self.dice.below(6000)),
            way => {
                door.set(if way == 2 { Way::Shut } else { Way::Silent });
                let most = self.dice.pick(&[300, 3600, 12 * 3600]);
                self.pause(most).await;
                door.set(Way::Open);
            }
        }
    }

    fn jump(&mut self, stage: &Stage) {
        let most = self.dice.pick(&[0, 60, 3600, 86_400, 90 * 86_400]);
        let seconds = if most == 0 { 0 } else { self.dice.seconds(most) };
        let seconds = if self.dice.chance(50) { seconds } else { -seconds };
        stage.ledger.count("jumps");
        stage.ledger.wall(seconds.abs() > 1);
        stage.wall.jump(seconds);
    }

    /// After a life: what was broken is mended, mostly. Answers how long the program is away, in seconds.
    pub fn clean(&mut self, stage: &Stage) -> i64 {
        for wire in &stage.wires {
            wire.cut(false);
            wire.expect(None);
            let mut world = wire.world();
            world.remove_old_groups();
            world.blur(false);
        }
        if self.dice.chance(70) && stage.disk.fault() != Some(Fault::Locked) {
            stage.ledger.set_disk(None);
        }
        for door in [&stage.to_broker, &stage.to_mail] {
            if self.dice.chance(70) {
                door.set(Way::Open);
            }
        }
        let most = self.dice.pick(&[5, 60, 600, 600, 7200, 30 * 3600]);
        let away = self.dice.seconds(most);
        if self.dice.chance(30) {
            stage.ledger.count("reboots");
            stage.wall.reboot();
        }
        if self.kinds.disk {
            self.spoil_start(stage);
        }
        if self.kinds.clearing {
            self.meanwhile(stage, away);
        }
        away
    }

    /// After the month: everything is mended.
    pub fn end(&mut self, stage: &Stage) {
        self.clean(stage);
        stage.ledger.set_disk(None);
        stage.to_broker.set(Way::Open);
        stage.to_mail.set(Way::Open);
        stage.post.put_off(0);
        stage.ledger.wall(false);
        stage.wall.jump(0);
        for wire in &stage.wires {
            wire.cut(false);
            let mut world = wire.world();
            world.clear_faults();
            world.blur(false);
        }
    }
}
