//! A `run` beside a daemon: the daemon gets the jobs, and the command line follows it until their turns are over. The
//! daemon is a stand-in that says what each test needs it to say.

use std::path::PathBuf;
use std::time::Duration;

use jetbackup_remote::control::{self, Asked, Door, Served};
use jetbackup_remote::model::{
    AfterTimeout, Answer, Command, CycleId, CycleRecord, Event, JobFacts, JobKey, JobResult, Progress, RunId,
    RunRecord, Selection, Snapshot, What,
};
use tokio::runtime::Runtime;
use tokio::sync::{broadcast, mpsc, watch};

use crate::farm::{Farm, Runner, brief, job};

const PATIENCE: Duration = Duration::from_secs(120);

/// A job of the first server.
fn key(number: usize) -> JobKey {
    JobKey { server: "alpha".parse().unwrap(), job: job(0, number).parse().unwrap() }
}

fn label(number: usize) -> String {
    format!("alpha {number}")
}

/// A daemon that does nothing but what it is told to say.
struct Daemon {
    runtime: Runtime,
    socket: PathBuf,
    asked: mpsc::Receiver<Asked>,
    shown: watch::Sender<Snapshot>,
    events: broadcast::Sender<Event>,
    served: Option<Served>,
}

impl Daemon {
    /// A daemon with these jobs; of each, the last run is known or not.
    fn of(farm: &Farm, jobs: Vec<Option<RunRecord>>) -> Self {
        let facts = jobs.into_iter().enumerate().map(|(number, last)| JobFacts {
            key: key(number),
            label: label(number),
            limit: 14_400,
            last,
            last_success: None,
            usual: Some(600),
            stale: false,
        });
        let snapshot = Snapshot::new(&["alpha".parse().unwrap()], facts.collect());
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (requests, asked) = mpsc::channel(4);
        let (shown, seen) = watch::channel(snapshot);
        let (events, _) = broadcast::channel(64);
        let door = Door { requests, snapshot: seen, events: events.downgrade(), broker: None };
        let socket = farm.path("control/control.sock");
        let served = runtime.block_on(control::serve(&socket, control::Runner::Daemon, door)).unwrap();
        Self { runtime, socket, asked, shown, events, served: Some(served) }
    }

    /// A daemon that has never run its jobs.
    fn new(farm: &Farm, jobs: usize) -> Self {
        Self::of(farm, vec![None; jobs])
    }

    fn tell(&self, what: What) {
        let event = Event { at: "2026-03-01T02:00:00Z".parse().unwrap(), what };
        self.shown.send_modify(|snapshot| {
            snapshot.apply(&event);
            let _ = self.events.send(event);
        });
    }

    /// Waits for the jobs to be handed over, and answers after having told `news`.
    fn takes(&mut self, selection: &Selection, news: impl IntoIterator<Item = What>, answer: Answer) {
        let asked = async { tokio::time::timeout(PATIENCE, self.asked.recv()).await };
        let (command, reply) = self.runtime.block_on(asked).unwrap().unwrap();
        assert_eq!(command, Command::Run(selection.clone()));
        news.into_iter().for_each(|what| self.tell(what));
        reply.send(answer).unwrap();
    }

    /// Takes all jobs of the queue.
    fn takes_all(&mut self, jobs: usize) {
        let words: Vec<_> = (0..jobs).map(|n| format!("{} is queued at place {}", key(n), n + 1)).collect();
        let news = (0..jobs).map(|number| What::JobQueued { job: key(number) });
        self.takes(&Selection::default(), news, Answer::accepted(words.join("; ")));
    }

    /// Ends as a service is ended.
    fn end(mut self) {
        self.runtime.block_on(self.served.take().unwrap().close());
    }
}

fn run(number: usize) -> RunRecord {
    let asked = "2026-03-01T02:00:00Z".parse().unwrap();
    let id = RunId(i64::try_from(number).unwrap() + 1);
    RunRecord { cycle: Some(CycleId(1)), ..RunRecord::new(id, key(number), label(number), asked, 14_400) }
}

fn cycle(jobs: &[usize]) -> What {
    let jobs: Vec<_> = jobs.iter().map(|number| key(*number)).collect();
    let cycle = CycleRecord::begun(CycleId(1), jiff::Timestamp::UNIX_EPOCH, jobs.len());
    What::CycleStarted { cycle, jobs, resumed: false }
}

fn ended(number: usize, result: JobResult) -> RunRecord {
    RunRecord { open: false, result: Some(result), duration: Some(400), ..run(number) }
}

fn finished(number: usize, result: JobResult) -> What {
    What::JobFinished { run: ended(number, result), recovered: false }
}

fn only(number: usize) -> Selection {
    Selection { server: None, job: Some(key(number).job) }
}

/// Waits until the command line has printed `text`.
#[track_caller]
fn until_printed(farm: &Farm, runner: &Runner, text: &str) {
    farm.until(text, |_| runner.stdout().contains(text) || runner.stderr().contains(text));
}

#[test]
fn the_jobs_are_handed_over_and_followed_to_their_ends() {
    let farm = Farm::new([vec![brief(), brief()]]);
    let mut daemon = Daemon::new(&farm, 2);
    daemon.tell(cycle(&[]));
    let runner = farm.start(&["run"]);
    daemon.takes_all(2);
    for number in [0, 1] {
        daemon.tell(What::JobStarting(run(number)));
        daemon.tell(What::JobStarted(run(number)));
        daemon.tell(What::Progress { run: run(number).id, progress: Progress::default() });
        daemon.tell(finished(number, JobResult::Completed));
    }
    // The daemon goes on, and the command line does not wait for it.
    let ran = runner.wait().ended_with(0);
    let golden = format!(
        "{} is queued at place 1\n{} is queued at place 2\n\
         2026-03-01 02:00:00  Queued: alpha 0 on alpha\n\
         2026-03-01 02:00:00  Queued: alpha 1 on alpha\n\
         2026-03-01 02:00:00  Starting: alpha 0 on alpha\n\
         2026-03-01 02:00:00  Running: alpha 0 on alpha\n\
         2026-03-01 02:00:00  Completed: alpha 0 on alpha after 6 min 40 s\n\
         2026-03-01 02:00:00  Starting: alpha 1 on alpha\n\
         2026-03-01 02:00:00  Running: alpha 1 on alpha\n\
         2026-03-01 02:00:00  Completed: alpha 1 on alpha after 6 min 40 s\n\
         2 of 2 jobs completed in time\n\n\
         Job      Server  Result           Took  Usually\n\
         alpha 0  alpha   completed  6 min 40 s   10 min\n\
         alpha 1  alpha   completed  6 min 40 s   10 min\n\n",
        key(0),
        key(1)
    );
    assert_eq!(ran.stdout, golden);
    assert_eq!(ran.stderr, "");
    assert!(!farm.path("state").exists() && !farm.path("log").exists(), "these are the daemon's");
}

#[test]
fn a_job_that_runs_already_counts_with_that_run_and_the_others_are_not_waited_for() {
    let farm = Farm::new([vec![brief(), brief()]]);
    let mut daemon = Daemon::new(&farm, 2);
    daemon.tell(cycle(&[0, 1]));
    daemon.tell(What::JobStarting(run(0)));
    daemon.tell(What::JobStarted(run(0)));
    let runner = farm.start(&["run", "--job", &job(0, 0)]);
    daemon.takes(&only(0), [], Answer::accepted(format!("{} is already running", key(0))));
    until_printed(&farm, &runner, "is already running");
    daemon.tell(finished(0, JobResult::Partial));
    runner.wait().ended_with(2).says("0 of 1 job completed in time, 1 problem").says("partly completed");
}

#[test]
fn a_run_that_ended_before_the_daemon_was_asked_is_not_taken_for_the_one_asked_for() {
    let farm = Farm::new([vec![brief()]]);
    let mut daemon = Daemon::new(&farm, 1);
    daemon.tell(cycle(&[0]));
    daemon.tell(What::JobStarted(run(0)));
    let runner = farm.start(&["run"]);
    let news = [finished(0, JobResult::Failed), What::JobQueued { job: key(0) }];
    daemon.takes(&Selection::default(), news, Answer::accepted("queued at place 1"));
    let second = RunRecord { id: RunId(77), ..run(0) };
    daemon.tell(What::JobStarted(second.clone()));
    let second = RunRecord { id: RunId(77), ..ended(0, JobResult::Completed) };
    daemon.tell(What::JobFinished { run: second, recovered: true });
    runner.wait().ended_with(0).says("1 of 1 job completed in time");
}

#[test]
fn a_run_beyond_its_limit_is_not_waited_for() {
    let farm = Farm::new([vec![brief()]]);
    let mut daemon = Daemon::new(&farm, 1);
    daemon.tell(cycle(&[]));
    let runner = farm.start(&["run"]);
    daemon.takes_all(1);
    daemon.tell(What::JobStarted(run(0)));
    let late = RunRecord { overrun: true, ..run(0) };
    daemon.tell(What::JobTimeout { run: late, elapsed: 14_400, next: AfterTimeout::GoesOn });
    runner
        .wait()
        .ended_with(2)
        .says("Beyond its limit: alpha 0 on alpha")
        .says("0 of 1 job completed in time, 1 problem")
        .says("Still running; the daemon watches it:");
}

#[test]
fn the_end_of_the_cycle_is_the_end_for_those_that_were_not_reached() {
    let farm = Farm::new([vec![brief(), brief()]]);
    let mut daemon = Daemon::new(&farm, 2);
    daemon.tell(cycle(&[]));
    let runner = farm.start(&["run"]);
    daemon.takes_all(2);
    until_printed(&farm, &runner, "Queued: alpha 1");
    daemon.tell(What::JobStarted(run(0)));
    daemon.tell(finished(0, JobResult::Completed));
    let over = CycleRecord::begun(CycleId(1), jiff::Timestamp::UNIX_EPOCH, 2);
    daemon.tell(What::CycleFinished(over));
    let ran = runner.wait().ended_with(2).says("1 of 2 jobs completed in time, 1 not reached");
    ran.says("Not reached:\nalpha 1 on alpha");
}

#[test]
fn what_the_daemon_refuses_could_not_start() {
    let farm = Farm::new([vec![brief()]]);
    let mut daemon = Daemon::new(&farm, 1);
    let runner = farm.start(&["run"]);
    daemon.takes(&Selection::default(), [], Answer::refused("the queue is stopping"));
    let ran = runner.wait().ended_with(1).says("error: the queue is stopping");
    assert_eq!(ran.stdout, "");
}

#[test]
fn a_job_the_daemon_does_not_know_is_told_and_not_forgotten() {
    let farm = Farm::new([vec![brief(), brief()]]);
    let mut daemon = Daemon::new(&farm, 1);
    daemon.tell(cycle(&[]));
    let runner = farm.start(&["run"]);
    daemon.takes_all(1);
    daemon.tell(What::JobStarted(run(0)));
    daemon.tell(finished(0, JobResult::Completed));
    let ran = runner.wait().ended_with(2).says("the daemon does not know alpha 1 on alpha: restart it");
    ran.says("1 of 2 jobs completed in time, 1 not reached");
}

#[test]
fn who_stops_following_leaves_the_daemon_alone() {
    let farm = Farm::new([vec![brief()]]);
    let mut daemon = Daemon::new(&farm, 1);
    for signal in ["INT", "TERM"] {
        let runner = farm.start(&["run"]);
        daemon.takes_all(1);
        until_printed(&farm, &runner, "is queued at place 1");
        runner.signal(signal);
        let ran = runner.wait().ended_with(2);
        let last = ran.stdout.lines().last().unwrap();
        assert!(last.contains("the daemon goes on with it"), "{last}");
        assert!(
            last.contains("`jetbackup-remote status`") && last.contains("`jetbackup-remote stop`"),
            "{last}"
        );
        assert!(daemon.asked.try_recv().is_err(), "nothing more is asked of it");
    }
}

#[test]
fn a_daemon_that_is_restarted_is_followed_on_and_what_ended_meanwhile_is_settled() {
    let farm = Farm::new([vec![brief(), brief()]]);
    let mut daemon =
        Daemon::of(&farm, vec![Some(RunRecord { id: RunId(70), ..ended(0, JobResult::Failed) }), None]);
    daemon.tell(cycle(&[]));
    let runner = farm.start(&["run"]);
    daemon.takes_all(2);
    daemon.tell(What::JobStarted(run(0)));
    until_printed(&farm, &runner, "Running: alpha 0 on alpha");
    daemon.end();
    until_printed(&farm, &runner, "has ended");

    // The first job's end was found on record; the second one waits until the cycle is taken up again.
    let daemon = Daemon::of(&farm, vec![Some(ended(0, JobResult::Completed)), None]);
    until_printed(&farm, &runner, "the daemon is back");
    daemon.tell(cycle(&[1]));
    daemon.tell(What::JobStarted(run(1)));
    daemon.tell(finished(1, JobResult::Completed));
    runner.wait().ended_with(0).says("2 of 2 jobs completed in time");
}

#[test]
fn a_daemon_whose_place_is_taken_by_another_run_is_given_up_with_what_is_known() {
    let farm = Farm::new([vec![brief(), brief()]]);
    let mut daemon = Daemon::new(&farm, 2);
    daemon.tell(cycle(&[]));
    let runner = farm.start(&["run"]);
    daemon.takes_all(2);
    daemon.tell(What::JobStarted(run(0)));
    daemon.tell(finished(0, JobResult::Completed));
    until_printed(&farm, &runner, "Completed: alpha 0 on alpha");
    let (socket, shown) = (daemon.socket.clone(), daemon.shown.subscribe());
    daemon.end();

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let door = Door {
        requests: mpsc::channel(1).0,
        snapshot: shown,
        events: broadcast::channel(1).0.downgrade(),
        broker: None,
    };
    let _served = runtime.block_on(control::serve(&socket, control::Runner::Run, door)).unwrap();
    let ran = runner.wait().ended_with(2).says("a one-shot `run` (process").says("no longer followed");
    ran.says("1 of 2 jobs completed in time, 1 not known")
        .says("Not known what became of:\nalpha 1 on alpha");
}
