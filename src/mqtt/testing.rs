//! What the tests of this room share: a configuration, nights in it, and golden files.

use std::path::Path;

use jiff::Timestamp;
use serde_json::Value;

use crate::config::{self, Config};
use crate::model::{
    AfterTimeout, CycleId, CycleRecord, Event, JobFacts, JobKey, JobResult, Progress, Reason, Remark,
    RemarkKind, RunId, RunRecord, Snapshot, What,
};

/// Compares with the file in `golden/`; with `UPDATE_GOLDEN=1` writes it instead.
pub(crate) fn golden(name: &str, value: &Value) {
    let version = format!("\"sw\": {:?}", env!("CARGO_PKG_VERSION"));
    let text = serde_json::to_string_pretty(value).unwrap().replace(&version, "\"sw\": \"<version>\"") + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/mqtt/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == text, "{name} differs; UPDATE_GOLDEN=1 accepts what is now:\n{text}");
}

pub(crate) fn parse(text: &str) -> Config {
    config::parse(text, "config.json".as_ref()).unwrap_or_else(|error| panic!("{error}")).config
}

/// Two servers with three jobs.
pub(crate) fn config() -> Config {
    parse(
        r#"{
            "ssh_key": "/k",
            "servers": {
                "web1": {"host": "web1.example.com", "destination_id": "dddddddddddddddddddddddd"},
                "web2": {"host": "192.0.2.2"}
            },
            "jobs": [
                {"server": "web1", "job_id": "000000000000000000000001", "label": "Accounts", "type": "accounts"},
                {"server": "web1", "job_id": "000000000000000000000002", "label": "Configuración", "type": "directories"},
                {"server": "web2", "job_id": "000000000000000000000003", "label": "Databases", "type": "database"}
            ],
            "mqtt": {"enabled": true, "host": "broker.example.com"}
        }"#,
    )
}

pub(crate) fn key(server: &str, number: u8) -> JobKey {
    JobKey { server: server.parse().unwrap(), job: format!("{number:024x}").parse().unwrap() }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

/// The queue of [`config`] before anything happened.
pub(crate) fn fresh() -> Snapshot {
    let config = config();
    let servers: Vec<_> = config.servers.iter().map(|server| server.name.clone()).collect();
    let facts = |job: &config::Job| JobFacts {
        key: job.key.clone(),
        label: job.label.clone(),
        limit: job.timeout.as_secs(),
        last: None,
        last_success: None,
        usual: (job.label == "Accounts").then_some(600),
        stale: false,
    };
    Snapshot::new(&servers, config.jobs.iter().map(facts).collect())
}

fn run(id: i64, key: JobKey, label: &str) -> RunRecord {
    RunRecord { cycle: Some(CycleId(7)), ..RunRecord::new(RunId(id), key, label, at(0), 14_400) }
}

fn ended(id: i64, key: JobKey, label: &str, result: JobResult) -> RunRecord {
    RunRecord {
        started: Some(at(10)),
        ended: Some(at(610)),
        duration: Some(600),
        open: false,
        result: Some(result),
        ..run(id, key, label)
    }
}

fn remark() -> Remark {
    let (kind, id) = (RemarkKind::JobInNoQueue, format!("{:024x}", 9));
    Remark { kind, text: crate::words::remark(kind, Some("Old accounts"), &id), id, since: Some(at(-50_000)) }
}

/// In the middle of a night: one job runs, one failed, one waits, one server is lost.
pub(crate) fn busy() -> Snapshot {
    let mut snapshot = fresh();
    let jobs = vec![key("web1", 1), key("web1", 2), key("web2", 3)];
    let last = CycleRecord {
        ended: Some(at(-3600)),
        duration: Some(7200),
        done: 3,
        completed: 2,
        problems: 1,
        ..CycleRecord::begun(CycleId(6), at(-10_800), 3)
    };
    let mut now = RunRecord { started: Some(at(700)), ..run(9, key("web1", 1), "Accounts") };
    now.group = Some("aaaaaaaaaaaaaaaaaaaaaaaa".parse().unwrap());
    let progress = Progress {
        items: Some(8),
        items_completed: Some(2),
        elapsed: 150,
        usual: Some(600),
        ..Progress::default()
    };
    let mut failed = ended(8, key("web1", 2), "Configuración", JobResult::Failed);
    failed.tell("The destination is full.");
    let steps = [
        What::CycleFinished(last),
        What::JobFinished {
            run: ended(1, key("web1", 1), "Accounts", JobResult::Completed),
            recovered: false,
        },
        What::Scheduled { next: Some(at(86_400)), waiting_for_clock: false },
        What::CycleStarted { cycle: CycleRecord::begun(CycleId(7), at(0), 3), jobs, resumed: false },
        What::ServerReachable { server: "web1".parse().unwrap(), version: Some("5.3.14".into()) },
        What::ServerSeen { server: "web1".parse().unwrap(), destination_free: Some(1_234_567_890_123) },
        What::Remarks { server: "web1".parse().unwrap(), remarks: vec![remark()], new: vec![remark()] },
        What::JobStarting(run(8, key("web1", 2), "Configuración")),
        What::JobFinished { run: failed, recovered: false },
        What::JobStarted(now),
        What::ServerUnreachable {
            server: "web2".parse().unwrap(),
            error: "Connection refused; is sshd up?".into(),
            by_ssh: false,
        },
        What::JobStale { job: key("web2", 3), last_success: None },
        What::Progress { run: RunId(9), progress },
    ];
    for (step, what) in steps.into_iter().enumerate() {
        let at = at(800 + i64::try_from(step).unwrap());
        snapshot.apply(&Event { at, what });
    }
    snapshot
}

/// One event of every kind there is, those included that are nobody's news.
pub(crate) fn every_event() -> Vec<Event> {
    let job = || key("web1", 1);
    let finished = |result| ended(1, job(), "Accounts", result);
    let cycle = CycleRecord::begun(CycleId(7), at(0), 3);
    let over = CycleRecord {
        ended: Some(at(900)),
        duration: Some(900),
        done: 3,
        completed: 2,
        problems: 1,
        ..cycle
    };
    let mut late = finished(JobResult::Completed);
    late.overrun = true;
    let mut broken = finished(JobResult::Failed);
    broken.tell("The destination is full.");
    let skipped = RunRecord {
        open: false,
        result: Some(JobResult::Skipped),
        reason: Some(Reason::Unreachable),
        ..run(2, key("web2", 3), "Databases")
    };
    let end = |run: RunRecord, recovered| What::JobFinished { run, recovered };
    let server = || "web2".parse().unwrap();
    let all = [
        What::CycleStarted { cycle, jobs: vec![job()], resumed: false },
        What::CycleStarted { cycle, jobs: vec![job()], resumed: true },
        What::JobQueued { job: job() },
        What::JobStarting(run(1, job(), "Accounts")),
        What::JobStarted(RunRecord { started: Some(at(10)), ..run(1, job(), "Accounts") }),
        What::Progress { run: RunId(1), progress: Progress::default() },
        What::RunNoted(run(1, job(), "Accounts")),
        What::JobTimeout {
            run: run(1, job(), "Accounts"),
            elapsed: 14_400,
            next: AfterTimeout::WaitsForOverruns,
        },
        end(finished(JobResult::Completed), false),
        end(finished(JobResult::Partial), false),
        end(broken, false),
        end(finished(JobResult::Aborted), false),
        end(late, false),
        end(finished(JobResult::Completed), true),
        What::JobSkipped(skipped),
        What::Released(run(1, job(), "Accounts")),
        What::Waiting { reason: Some("The NAS sleeps.".into()) },
        What::ServerUnreachable {
            server: server(),
            error: "Connection refused; is sshd up?".into(),
            by_ssh: false,
        },
        What::ServerReachable { server: server(), version: Some("5.3.14".into()) },
        What::ServerSeen { server: server(), destination_free: None },
        What::JobStale { job: job(), last_success: Some(at(-300_000)) },
        What::Scheduled { next: None, waiting_for_clock: true },
        What::Stopping,
        What::Alert { job: Some(job()), text: "A stop had no effect for 90 s.".into() },
        What::Alert { job: None, text: "The history cannot be written.".into() },
        What::CycleFinished(over),
        What::DestinationEnabled {
            server: server(),
            destination: "dddddddddddddddddddddddd".parse().unwrap(),
        },
        What::DestinationStuck {
            server: server(),
            destination: "dddddddddddddddddddddddd".parse().unwrap(),
            error: "JetBackup refused to disable it: busy".into(),
        },
        What::DestinationDisabled {
            server: server(),
            destination: "dddddddddddddddddddddddd".parse().unwrap(),
            recovered: true,
        },
        What::DestinationDisabled {
            server: server(),
            destination: "dddddddddddddddddddddddd".parse().unwrap(),
            recovered: false,
        },
        What::Remarks { server: server(), remarks: vec![remark()], new: vec![remark()] },
        What::Remarks { server: server(), remarks: vec![remark()], new: Vec::new() },
        What::CycleMissed { due: at(-30_000), begins: Some(at(1000)) },
        What::CycleMissed { due: at(-30_000), begins: None },
    ];
    all.into_iter().map(|what| Event { at: at(1000), what }).collect()
}
