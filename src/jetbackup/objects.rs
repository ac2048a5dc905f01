//! JetBackup's objects, as far as anything here needs them. Every field but the id may be missing.

use std::fmt::Display;
use std::hash::Hash;

use jiff::Timestamp;
use serde_json::Value;

use super::scalar;
use super::status::{GroupStatus, LogStatus};
use crate::model::{DestinationId, GroupId, JobId, LogId};

/// An object that JetBackup hands out singly or in lists.
pub(crate) trait Object: Sized {
    /// Its `_id`.
    type Id: Copy + Eq + Hash + Display;
    /// What it is called in messages.
    const NAME: &'static str;
    /// The key under which a list of them stands.
    const LIST: &'static str;

    /// Reads it; `None` where there is no valid `_id`.
    fn read(value: &Value) -> Option<Self>;
    /// Its `_id`.
    fn id(&self) -> Self::Id;
}

/// What `getInfo` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// Whether JetBackup's daemon is up.
    pub process: Option<bool>,
    /// JetBackup's version.
    pub version: Option<String>,
}

/// A backup job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Its name, at most 250 characters in one line.
    pub name: Option<String>,
    /// The destinations it writes to. Their other fields, credentials among them, are never read.
    pub destinations: Vec<DestinationId>,
    /// `type`: 1 accounts, 2 directories, 3 JetBackup's own configuration, 4 the server.
    pub kind: Option<i64>,
    /// `contains`: which parts of an account; 4 or 132 is databases only.
    pub contains: Option<i64>,
    /// `state`: 0 idle, 2 just triggered.
    pub state: Option<i64>,
    /// Whether it runs. `None` where the server says nothing clear, which is not a no.
    pub running: Option<bool>,
    /// Whether it is disabled. `None` where the server says nothing clear.
    pub disabled: Option<bool>,
    /// When JetBackup's own scheduler starts it next.
    pub next_run: Option<Timestamp>,
    /// When it last started.
    pub last_run: Option<Timestamp>,
    /// When it last ended, however it ended.
    pub last_completed: Option<Timestamp>,
}

impl Object for Job {
    type Id = JobId;
    const NAME: &'static str = "job";
    const LIST: &'static str = "jobs";

    fn read(value: &Value) -> Option<Self> {
        Some(Self {
            id: scalar::id(&value["_id"])?,
            name: scalar::text(&value["name"]),
            destinations: scalar::ids(&value["destination"]),
            kind: scalar::integer(&value["type"]),
            contains: scalar::integer(&value["contains"]),
            state: scalar::integer(&value["state"]),
            running: scalar::boolean(&value["running"]),
            disabled: scalar::boolean(&value["disabled"]),
            next_run: scalar::time(&value["next_run"]),
            last_run: scalar::time(&value["last_run"]),
            last_completed: scalar::time(&value["last_completed"]),
        })
    }

    fn id(&self) -> JobId {
        self.id
    }
}

/// A queue group: one run of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// `data._id`: the job it runs. `None` where it cannot be read: then it may be any job's.
    pub job: Option<JobId>,
    /// `data.name`: that job's name, at most 250 characters in one line.
    pub name: Option<String>,
    /// `type`: 1 is a backup.
    pub kind: Option<i64>,
    /// How far it has come.
    pub status: GroupStatus,
    /// When it was put into the queue.
    pub created: Option<Timestamp>,
    /// When it began to work.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How many items (accounts, directories) it has to do.
    pub items: Option<u64>,
    /// How many of them are done.
    pub items_completed: Option<u64>,
    /// `progress.percentage`: how much of the item in hand is done, 0 to 100.
    pub percentage: Option<f64>,
    /// The log it writes.
    pub log_id: Option<LogId>,
    /// Seconds it spent at work.
    pub execution_time: Option<u64>,
}

impl Object for Group {
    type Id = GroupId;
    const NAME: &'static str = "queue group";
    const LIST: &'static str = "groups";

    fn read(value: &Value) -> Option<Self> {
        Some(Self {
            id: scalar::id(&value["_id"])?,
            job: scalar::id(&value["data"]["_id"]),
            name: scalar::text(&value["data"]["name"]),
            kind: scalar::integer(&value["type"]),
            status: GroupStatus::new(scalar::integer(&value["status"])),
            created: scalar::time(&value["created"]),
            started: scalar::time(&value["started"]),
            ended: scalar::time(&value["ended"]),
            items: scalar::count(&value["items"]),
            items_completed: scalar::count(&value["items_completed"]),
            percentage: scalar::percentage(&value["progress"]["percentage"]),
            log_id: scalar::id(&value["log_id"]),
            execution_time: scalar::count(&value["execution_time"]),
        })
    }

    fn id(&self) -> GroupId {
        self.id
    }
}

/// A destination: where jobs write to. Its `options`, which hold credentials, are never read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Its id.
    pub id: DestinationId,
    /// Its name, at most 250 characters in one line.
    pub name: Option<String>,
    /// Whether it is disabled. `None` where the server says nothing clear.
    pub disabled: Option<bool>,
    /// Whether it can be read only. `None` where the server says nothing clear.
    pub readonly: Option<bool>,
    /// `disk_usage.usage`: bytes used, by JetBackup's last look; it may not know.
    pub usage: Option<u64>,
    /// `disk_usage.free`: bytes left, by JetBackup's last look; it may not know.
    pub free: Option<u64>,
    /// `disk_usage.total`: bytes in all.
    pub total: Option<u64>,
    /// `disk_limit`: JetBackup writes nothing more once so much of it is used, in percent.
    pub disk_limit: Option<u64>,
}

impl Object for Destination {
    type Id = DestinationId;
    const NAME: &'static str = "destination";
    const LIST: &'static str = "destinations";

    fn read(value: &Value) -> Option<Self> {
        Some(Self {
            id: scalar::id(&value["_id"])?,
            name: scalar::text(&value["name"]),
            disabled: scalar::boolean(&value["disabled"]),
            readonly: scalar::boolean(&value["readonly"]),
            usage: scalar::count(&value["disk_usage"]["usage"]),
            free: scalar::count(&value["disk_usage"]["free"]),
            total: scalar::count(&value["disk_usage"]["total"]),
            disk_limit: scalar::count(&value["disk_limit"]),
        })
    }

    fn id(&self) -> DestinationId {
        self.id
    }
}

/// The log of a run, which outlives its queue group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Its id.
    pub id: LogId,
    /// `info.ID`: the job it belongs to, where it says so.
    pub job: Option<JobId>,
    /// How the run went.
    pub status: LogStatus,
    /// When the run began.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Seconds it spent at work.
    pub execution_time: Option<u64>,
}

impl Object for Log {
    type Id = LogId;
    const NAME: &'static str = "log";
    const LIST: &'static str = "logs";

    fn read(value: &Value) -> Option<Self> {
        Some(Self {
            id: scalar::id(&value["_id"])?,
            job: scalar::id(&value["info"]["ID"]),
            status: LogStatus::new(scalar::integer(&value["status"])),
            started: scalar::time(&value["start_time"]),
            ended: scalar::time(&value["end_time"]),
            execution_time: scalar::count(&value["execution_time"]),
        })
    }

    fn id(&self) -> LogId {
        self.id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jetbackup::tests::any_json;
    use proptest::prelude::*;
    use serde_json::json;

    const ID: &str = "64abcdef0123456789abcdef";
    const JOB: &str = "5b28fa5fd5ac5e5ff62760b2";

    #[test]
    fn a_finished_group_as_documented() {
        let group = Group::read(&json!({
            "_id": ID, "created": "2023-09-19T03:53:57+00:00", "started": "2023-09-19T03:53:58+00:00",
            "ended": "2023-09-19T03:54:06+00:00", "type": 1, "items": 2, "items_completed": "2", "status": 100,
            "log_id": ID, "progress": {"percentage": 100}, "execution_time": 8, "data": {"_id": JOB, "name": "Daily"},
        }))
        .unwrap();
        assert_eq!(group.job, JOB.parse().ok());
        assert_eq!(group.status, GroupStatus::Completed);
        assert_eq!(group.ended, "2023-09-19T03:54:06Z".parse().ok());
        assert_eq!((group.items, group.items_completed), (Some(2), Some(2)));
        assert_eq!((group.percentage, group.execution_time), (Some(100.0), Some(8)));
    }

    #[test]
    fn all_but_the_id_may_be_missing_or_odd() {
        let group = Group::read(&json!({"_id": ID})).unwrap();
        assert_eq!((group.job, group.status), (None, GroupStatus::Unknown(0)));
        let odd = json!({"_id": ID, "status": "?", "data": [], "progress": null, "started": "", "items": -3});
        assert_eq!(Group::read(&odd).unwrap(), group);
        let job = Job::read(&json!({"_id": ID, "running": [], "disabled": null, "destination": ""})).unwrap();
        assert_eq!((job.running, job.disabled, job.destinations.len()), (None, None, 0));
        let log = Log::read(&json!({"_id": ID, "info": {"ID": JOB}, "status": "4"})).unwrap();
        assert_eq!((log.job, log.status), (JOB.parse().ok(), LogStatus::Partial));
    }

    #[test]
    fn a_destination_and_how_much_room_it_has() {
        let destination = Destination::read(&json!({
            "_id": ID, "name": "nas", "type": "SSH", "disabled": "1", "readonly": "", "disk_limit": 95,
            "disk_usage": {"usage": "3000000000000", "free": 1_000_000_000_000.0, "total": 4_000_000_000_000_i64},
        }))
        .unwrap();
        assert_eq!((destination.name.as_deref(), destination.disabled), (Some("nas"), Some(true)));
        assert_eq!(destination.readonly, Some(false));
        assert_eq!((destination.free, destination.total), (Some(1_000_000_000_000), Some(4_000_000_000_000)));
        assert_eq!((destination.usage, destination.disk_limit), (Some(3_000_000_000_000), Some(95)));
        for unknown in
            [json!([]), json!({}), json!(""), json!(null), json!({"free": ""}), json!({"free": -1})]
        {
            let destination = Destination::read(&json!({"_id": ID, "disk_usage": unknown})).unwrap();
            assert_eq!((destination.free, destination.total), (None, None), "{unknown}");
        }
    }

    #[test]
    fn credentials_of_a_destination_are_not_kept() {
        let value = json!({"_id": ID, "destination": [{"_id": JOB, "options": {"password": "hunter2"}}]});
        let job = Job::read(&value).unwrap();
        assert_eq!(job.destinations, [JOB.parse().unwrap()]);
        assert!(!format!("{job:?}").contains("hunter2"));
        let value = json!({"_id": ID, "name": "nas", "options": {"password": "hunter2"}});
        assert!(!format!("{:?}", Destination::read(&value).unwrap()).contains("hunter2"));
    }

    proptest! {
        #[test]
        fn any_json_with_an_id_is_an_object_and_any_other_is_none(
            mut value in any_json(),
            fields in prop::collection::vec((prop::sample::select(vec![
                "status", "data", "progress", "created", "running", "destination", "info", "start_time", "items",
                "disk_usage", "readonly",
            ]), any_json()), 0..9),
        ) {
            let _ = (Group::read(&value), Job::read(&value), Log::read(&value));
            let _ = Destination::read(&value);
            value = json!({"_id": ID});
            for (key, field) in fields {
                value[key] = field;
            }
            prop_assert!(Group::read(&value).is_some() && Job::read(&value).is_some() && Log::read(&value).is_some());
            prop_assert!(Destination::read(&value).is_some());
        }
    }
}
