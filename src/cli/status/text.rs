//! `status` for a person: who keeps the queue and how it goes, what waits and for what, and then every server and job.

use jiff::tz::TimeZone;

use super::Who;
use super::problems;
use crate::cli::paint::Paint;
use crate::cli::progress::how_far;
use crate::cli::remarks;
use crate::cli::table::{Cell, Column, Table, stdout_width};
use crate::control::{Runner, Status};
use crate::model::view::{JobState, LastCycle, QueueState, QueuedJob, ServerState};
use crate::words::{self, Tone, count, duration, moment_in};

/// How things look where they are shown.
pub(super) struct Look {
    width: usize,
    paint: Paint,
    zone: TimeZone,
}

impl Look {
    pub fn of_stdout() -> Self {
        Self { width: stdout_width(), paint: Paint::stdout(), zone: crate::zone::system() }
    }
}

/// All of it; `who` keeps the queue.
pub(super) fn text(who: Who, status: &Status, look: &Look) -> String {
    let mut text = String::new();
    for (what, said) in overview(who, status, look) {
        text.push_str(&format!("{}  {said}\n", look.paint.tone(Tone::Strong, &format!("{what:10}"))));
    }
    let mut table = |table: Table| {
        text.push('\n');
        text.push_str(&table.render(look.width, look.paint));
    };
    if !status.queue.queue.is_empty() {
        table(queue(&status.queue.queue));
    }
    table(servers(&status.servers, look));
    let remarks: Vec<_> =
        status.servers.iter().map(|state| (state.server.clone(), state.remarks.clone())).collect();
    if let Some(remarks) = remarks::table(&remarks, &look.zone) {
        table(remarks);
    }
    table(jobs(&status.jobs, look));
    text
}

/// What matters most, a line each.
fn overview(who: Who, status: &Status, look: &Look) -> Vec<(&'static str, String)> {
    let Status { queue, jobs, .. } = status;
    let mut lines = Vec::new();
    match who {
        Who::Runner(runner, pid) => {
            lines.push(("Runner", format!("{} (process {pid})", runner.name())));
            lines.push(("Queue", how_it_goes(queue, look)));
        }
        Who::Nobody => lines.push(("Runner", "none; nothing is started from here".to_owned())),
        Who::Unknown => lines.push((
            "Runner",
            look.paint.tone(
                Tone::Warn,
                "not known: it can't be asked from here; what follows is what the servers say",
            ),
        )),
    }
    lines.extend(under_way(queue, jobs));
    match (queue.next_run, who) {
        (Some(next), _) => lines.push(("Next run", moment_in(next, &look.zone))),
        (None, Who::Runner(Runner::Daemon, _)) => lines.push(("Next run", "none is scheduled".to_owned())),
        (None, _) => {}
    }
    if let Some(cycle) = &queue.last_cycle {
        lines.push(("Last cycle", last_cycle(cycle, look)));
    }
    if let Some(broker) = &status.broker {
        let said = match (&broker.error, broker.connected) {
            (None, true) => format!("connected to {}", broker.broker),
            (Some(error), true) => {
                let said = format!("connected to {}, but {}", broker.broker, words::clean(error));
                look.paint.tone(Tone::Warn, &said)
            }
            (Some(error), false) => {
                let since = moment_in(broker.since, &look.zone);
                let said =
                    format!("no connection to {} since {since}: {}", broker.broker, words::clean(error));
                look.paint.tone(Tone::Warn, &said)
            }
            (None, false) => format!("connecting to {}", broker.broker),
        };
        lines.push(("MQTT", said));
    }
    if let Some(outbox) = queue.outbox.as_ref().filter(|outbox| outbox.waiting > 0 || outbox.given_up > 0) {
        let mut waiting = format!("{} to be sent", count(outbox.waiting as usize, "message", "messages"));
        if outbox.given_up > 0 {
            waiting += &format!(", {} given up", outbox.given_up);
        }
        let error = outbox.last_error.as_deref().map(|error| format!(": {}", words::clean(error)));
        lines.push(("Mail", look.paint.tone(Tone::Warn, &(waiting + &error.unwrap_or_default()))));
    }
    lines
}

fn how_it_goes(queue: &QueueState, look: &Look) -> String {
    let mut text = words::queue_phase(queue.phase).to_owned();
    if let Some(cycle) = queue.cycle {
        let since = moment_in(cycle.started, &look.zone);
        text.push_str(&format!(
            ", {} of {} done since {since}",
            cycle.done,
            count(cycle.total as usize, "job", "jobs")
        ));
    }
    match &queue.reason {
        Some(reason) => look.paint.tone(Tone::Warn, &format!("{text}: {}", words::clean(reason))),
        None => text,
    }
}

/// The run that has the lane, and those beside it.
fn under_way(queue: &QueueState, jobs: &[JobState]) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    let has_lane = |job: &JobState| queue.current.as_ref().is_some_and(|current| current.key == job.key);
    let line = |job: &JobState| format!("{}, {}", words::name(&job.label, &job.key.server), how_far(job));
    match (&queue.current, jobs.iter().find(|job| has_lane(job))) {
        (_, Some(job)) => lines.push(("Running", line(job))),
        // A server that was not asked for is left out of the list, but what runs there keeps the others waiting.
        (Some(current), None) => {
            let name = words::name(&current.label, &current.key.server);
            let percent = current.progress.map(|percent| format!(", {percent} %")).unwrap_or_default();
            lines.push(("Running", format!("{name}, {}{percent}", words::phase(current.phase))));
        }
        (None, None) => {}
    }
    let beside = jobs.iter().filter(|job| job.running && !has_lane(job));
    lines.extend(beside.map(|job| ("Beside it", line(job))));
    lines
}

fn last_cycle(cycle: &LastCycle, look: &Look) -> String {
    let took = cycle.duration.map(|took| format!(" after {}", duration(took))).unwrap_or_default();
    let problems = match cycle.problems {
        0 => String::new(),
        problems => format!(", {}", count(problems as usize, "problem", "problems")),
    };
    let completed = count(cycle.completed as usize, "job", "jobs");
    let went = look.paint.tone(words::result_tone(cycle.result), words::result(cycle.result));
    format!("{}, {went}{took}: {completed} completed{problems}", moment_in(cycle.started, &look.zone))
}

fn queue(queue: &[QueuedJob]) -> Table {
    let mut table = Table::new([
        Column::right("Turn"),
        Column::left("Job").shrinks(2),
        Column::left("Waits for").shrinks(1),
    ]);
    for job in queue {
        let reason = match (&job.reason, job.position) {
            (Some(reason), _) => words::clean(reason),
            (None, 1) => "its turn".to_owned(),
            (None, position) => format!("{} before it", count(position as usize - 1, "job", "jobs")),
        };
        table.row([
            Cell::from(job.position.to_string()),
            Cell::from(words::name(&job.label, &job.key.server)),
            Cell::from(reason),
        ]);
    }
    table
}

fn servers(servers: &[ServerState], look: &Look) -> Table {
    let mut table = Table::new([
        Column::left("Server"),
        Column::left("Answers"),
        Column::left("Since").optional(),
        Column::left("JetBackup").shrinks(1),
    ]);
    for server in servers {
        let answers = match server.answers() {
            Some(true) => Cell::toned("yes", Tone::Good),
            _ => Cell::toned("NO", Tone::Bad),
        };
        let since = Cell::from(problems::silent_since(server, &look.zone));
        table.row([Cell::from(server.server.as_str()), answers, since, Cell::from(server.version.clone())]);
        if let Some(error) = &server.error {
            table.note(error);
        }
        if let Some(error) = &server.destination_stuck {
            table.note(error);
        }
    }
    table
}

fn jobs(jobs: &[JobState], look: &Look) -> Table {
    let mut table = Table::new([
        Column::left("Job").shrinks(3),
        Column::left("Now").shrinks(1),
        Column::left("Last"),
        Column::right("Took"),
        Column::left("Last success"),
    ]);
    for job in jobs {
        let last = job.last.as_ref();
        table.row([
            Cell::from(words::name(&job.label, &job.key.server)),
            Cell::toned(now(job), words::phase_tone(job.phase)),
            last.map_or_else(Cell::default, |last| {
                let (outcome, tone) = words::outcome(Some(last.result), last.overrun);
                Cell::toned(outcome, tone)
            }),
            Cell::from(last.and_then(|last| last.duration).map(duration)),
            Cell::from(job.last_success.map(|at| moment_in(at, &look.zone))),
        ]);
        for problem in problems::of_job(job, &look.zone) {
            table.note(&problem);
        }
        if let Some(group) = job.current.as_ref().and_then(|current| current.group) {
            table.note(&format!("to stop it: jetbackup-remote stop --server {} {group}", job.key.server));
        }
    }
    table
}

/// What a job is doing, and how far it is.
fn now(job: &JobState) -> String {
    let mut text = words::phase(job.phase).to_owned();
    if let Some(position) = job.queue_position {
        text.push_str(&format!(" ({position})"));
    }
    if let Some(current) = &job.current {
        if let Some(progress) = current.progress {
            text.push_str(&format!(" {progress} %"));
        }
        text.push_str(&format!(", {}", duration(current.elapsed)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        CycleId, CycleRecord, Event, JobFacts, JobKey, JobResult, Progress, Remark, RemarkKind, RunId,
        RunRecord, ServerName, Snapshot, What,
    };

    fn key(n: u8) -> JobKey {
        JobKey { server: "web1".parse().unwrap(), job: format!("64ab{n:020}").parse().unwrap() }
    }

    fn run(n: u8, label: &str) -> RunRecord {
        let asked = "2026-03-01T02:00:00Z".parse().unwrap();
        RunRecord { cycle: Some(CycleId(1)), ..RunRecord::new(RunId(n.into()), key(n), label, asked, 14_400) }
    }

    fn snapshot() -> Snapshot {
        let facts = |n, label: &str| JobFacts {
            key: key(n),
            label: label.into(),
            limit: 14_400,
            last: Some(RunRecord {
                open: false,
                result: Some(JobResult::Completed),
                duration: Some(4980),
                ..run(n, label)
            }),
            last_success: Some("2026-02-28T03:00:00Z".parse().unwrap()),
            usual: Some(6830),
            stale: false,
        };
        let cycle = CycleRecord {
            ended: Some("2026-02-28T05:02:00Z".parse().unwrap()),
            duration: Some(10_920),
            completed: 11,
            problems: 1,
            ..CycleRecord::begun(CycleId(0), "2026-02-28T02:00:00Z".parse().unwrap(), 12)
        };
        let jobs = vec![facts(1, "Accounts"), facts(2, "Home"), facts(3, "Mail"), facts(4, "Logs")];
        Snapshot::new(&["web1".parse::<ServerName>().unwrap()], jobs).after(Some(cycle))
    }

    fn apply(snapshot: &mut Snapshot, what: What) {
        snapshot.apply(&Event { at: "2026-03-01T02:00:00Z".parse().unwrap(), what });
    }

    fn shown(who: Who, snapshot: &Snapshot) -> String {
        let look = Look { width: 90, paint: Paint::PLAIN, zone: TimeZone::UTC };
        text(who, &Status::of(snapshot), &look)
    }

    #[test]
    fn a_night_under_way_is_seen_at_a_glance() {
        let mut snapshot = snapshot();
        let jobs = [1, 2, 3, 4].map(key).to_vec();
        let cycle = CycleRecord::begun(CycleId(1), "2026-03-01T02:00:00Z".parse().unwrap(), 4);
        apply(&mut snapshot, What::CycleStarted { cycle, jobs, resumed: false });
        let version = Some("5.3.8".to_owned());
        apply(&mut snapshot, What::ServerReachable { server: key(1).server, version });
        let next = Some("2026-03-02T02:00:00Z".parse().unwrap());
        apply(&mut snapshot, What::Scheduled { next, waiting_for_clock: false });
        apply(&mut snapshot, What::JobStarted(RunRecord { overrun: true, ..run(2, "Home") }));
        let group = Some("64ab0000000000000000ffff".parse().unwrap());
        apply(&mut snapshot, What::JobStarted(RunRecord { group, ..run(1, "Accounts") }));
        let progress = Progress {
            items: Some(100),
            items_completed: Some(42),
            elapsed: 4980,
            usual: Some(6830),
            ..Progress::default()
        };
        apply(&mut snapshot, What::Progress { run: RunId(1), progress });
        let golden = "\
Runner      the daemon (process 812)
Queue       running, 0 of 4 jobs done since 2026-03-01 02:00
Running     Accounts on web1, 42 %, 1 h 23 min, about 30 min left, 42 of 100 items
Beside it   Home on web1, beyond its limit, about 1 h 53 min left
Next run    2026-03-02 02:00
Last cycle  2026-02-28 02:00, partly completed after 3 h 2 min: 11 jobs completed, 1 problem

Turn  Job           Waits for
   1  Mail on web1  its turn
   2  Logs on web1  1 job before it

Server  Answers  JetBackup
web1    yes      5.3.8

Job               Now                       Last             Took  Last success
Accounts on web1  running 42 %, 1 h 23 min  completed  1 h 23 min  2026-02-28 03:00
    to stop it: jetbackup-remote stop --server web1 64ab0000000000000000ffff
Home on web1      beyond its limit, 0 s     completed  1 h 23 min  2026-02-28 03:00
Mail on web1      queued (1)                completed  1 h 23 min  2026-02-28 03:00
Logs on web1      queued (2)                completed  1 h 23 min  2026-02-28 03:00
";
        let text = shown(Who::Runner(Runner::Daemon, 812), &snapshot);
        assert_eq!(text, golden, "{text}");

        let reason = Some("Home on web1 is beyond its limit".to_owned());
        apply(&mut snapshot, What::Waiting { reason });
        let text = shown(Who::Runner(Runner::Daemon, 812), &snapshot);
        for line in [
            "Queue       waiting, 0 of 4 jobs done since 2026-03-01 02:00: Home on web1 is beyond its limit\n",
            "   2  Logs on web1  Home on web1 is beyond its limit\n",
        ] {
            assert!(text.contains(line), "{line:?} is missing:\n{text}");
        }
    }

    #[test]
    fn every_problem_says_since_when_it_stands() {
        let mut snapshot = snapshot();
        let told = |snapshot: &mut Snapshot, at: &str, what| {
            snapshot.apply(&Event { at: at.parse().unwrap(), what });
        };
        let (server, since) = (key(1).server, "2026-02-20T02:00:00Z".parse().ok());
        let remark = |kind, id: &str, since| Remark {
            kind,
            text: words::remark(kind, Some("Old accounts"), id),
            id: id.to_owned(),
            since,
        };
        let remarks = vec![
            remark(RemarkKind::JobInNoQueue, "64ab00000000000000000009", since),
            remark(RemarkKind::DestinationDisabled, "64ab00000000000000000077", None),
        ];
        apply(&mut snapshot, What::Remarks { server: server.clone(), remarks, new: Vec::new() });
        let late = RunRecord {
            overrun: true,
            group: Some("64ab0000000000000000ffff".parse().unwrap()),
            started: "2026-03-01T02:00:10Z".parse().ok(),
            ..run(1, "Accounts")
        };
        apply(&mut snapshot, What::JobStarted(late));
        let failed = RunRecord { open: false, result: Some(JobResult::Failed), ..run(2, "Home") };
        apply(&mut snapshot, What::JobFinished { run: failed, recovered: false });
        apply(&mut snapshot, What::JobStale { job: key(3), last_success: None });
        let lost = What::ServerUnreachable { server, error: "no route to host".into(), by_ssh: false };
        told(&mut snapshot, "2026-03-01T07:30:00Z", lost);
        let text = shown(Who::Nobody, &snapshot);
        let golden = "\
Server  Answers  Since             JetBackup
web1    NO       2026-03-01 07:30
    no route to host

Worth a look
web1
    job Old accounts (64ab00000000000000000009) is enabled there and in no queue; add it
    to `jobs` if it is to be run from here (since 2026-02-20 02:00)
    destination Old accounts (64ab00000000000000000077) is disabled: nothing can be backed
    up to it

Job               Now                    Last             Took  Last success
Accounts on web1  beyond its limit, 0 s  completed  1 h 23 min  2026-02-28 03:00
    beyond its limit since 2026-03-01 06:00
    to stop it: jetbackup-remote stop --server web1 64ab0000000000000000ffff
Home on web1      out of contact         failed                 2026-02-28 03:00
    no success since 2026-02-28 03:00
Mail on web1      out of contact         completed  1 h 23 min  2026-02-28 03:00
    stale: no success since 2026-02-28 03:00
Logs on web1      out of contact         completed  1 h 23 min  2026-02-28 03:00
";
        let (_, tables) = text.split_once("\n\n").unwrap();
        assert_eq!(tables, golden, "{text}");
    }

    #[test]
    fn what_is_not_there_is_not_made_up() {
        let first = |who| shown(who, &snapshot()).split("\n\n").next().unwrap().to_owned();
        let last =
            "Last cycle  2026-02-28 02:00, partly completed after 3 h 2 min: 11 jobs completed, 1 problem";
        assert_eq!(first(Who::Nobody), format!("Runner      none; nothing is started from here\n{last}"));
        assert!(first(Who::Unknown).starts_with("Runner      not known: "), "a daemon may well be at work");
        let daemon = "Runner      the daemon (process 7)\nQueue       idle\nNext run    none is scheduled";
        assert_eq!(first(Who::Runner(Runner::Daemon, 7)), format!("{daemon}\n{last}"));
        let once = "Runner      a one-shot `run` (process 7)\nQueue       idle";
        assert_eq!(first(Who::Runner(Runner::Run, 7)), format!("{once}\n{last}"));
    }
}
