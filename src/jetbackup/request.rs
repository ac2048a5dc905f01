//! The closed set of requests, and the exact texts that the SSH gate lets through.

use crate::model::{DestinationId, GroupId, JobId, LogId};

/// One slice of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Page {
    /// How many rows at most.
    pub(crate) limit: u64,
    /// How many rows to leave out at the beginning.
    pub(crate) skip: u64,
}

/// Everything that is ever sent to a server. What is not here cannot be asked, so nothing foreign gets into a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// The connection test, answered by the gate itself.
    Hello,
    /// Is JetBackup's daemon up.
    Info,
    /// One job.
    Job(JobId),
    /// All jobs.
    Jobs(Page),
    /// One queue group.
    Group(GroupId),
    /// All queue groups of backups.
    Groups(Page),
    /// Start a job. The only request that is not safe to repeat.
    Run(JobId),
    /// Stop a run. JetBackup answers at once and acts later.
    Stop(GroupId),
    /// The logs of a job.
    Logs(JobId, Page),
    /// One log with its text. The gate wants `--allow log`.
    Log(LogId),
    /// One destination. The gate wants `--allow destination` for this and the next.
    Destination(DestinationId),
    /// All destinations.
    Destinations(Page),
    /// Enable (true) or disable a destination. The gate wants `--allow switch` for this and the next.
    SwitchDestination(DestinationId, bool),
    /// The same by an undocumented function, for a JetBackup that has only this one.
    SwitchDestinationState(DestinationId, bool),
}

impl Request {
    /// The API function, or `echo`.
    pub(crate) fn function(self) -> &'static str {
        match self {
            Self::Hello => "echo",
            Self::Info => "getInfo",
            Self::Job(_) => "getBackupJob",
            Self::Jobs(_) => "listBackupJobs",
            Self::Group(_) => "getQueueGroup",
            Self::Groups(_) => "listQueueGroups",
            Self::Run(_) => "runBackupJobManually",
            Self::Stop(_) => "stopQueueGroup",
            Self::Logs(..) => "listLogs",
            Self::Log(_) => "getLog",
            Self::Destination(_) => "getDestination",
            Self::Destinations(_) => "listDestinations",
            Self::SwitchDestination(..) => "manageDestination",
            Self::SwitchDestinationState(..) => "manageDestinationState",
        }
    }

    /// Whether an answer to it may hold credentials, so that no part of one may be shown.
    pub(crate) fn is_confidential(self) -> bool {
        matches!(
            self,
            Self::Destination(_)
                | Self::Destinations(_)
                | Self::SwitchDestination(..)
                | Self::SwitchDestinationState(..)
                | Self::Log(_)
        )
    }

    /// The command as it is put into the exec request.
    pub(crate) fn command(self) -> String {
        let data = match self {
            Self::Hello => return r#"echo "jetbackup-remote-ok""#.to_owned(),
            Self::Info => Data::default(),
            Self::Job(id) | Self::Run(id) => Data::default().with("_id", id),
            Self::Group(id) | Self::Stop(id) => Data::default().with("_id", id),
            Self::Destination(id) => Data::default().with("_id", id),
            Self::Log(id) => Data::default().with("_id", id).with("content", 1),
            Self::Jobs(page) | Self::Destinations(page) => Data::default().page(page),
            Self::SwitchDestination(id, enabled) => {
                Data::default().with("action", "modify").with("_id", id).with("disabled", u8::from(!enabled))
            }
            Self::SwitchDestinationState(id, enabled) => {
                Data::default().with("_id", id).with("disabled", u8::from(!enabled))
            }
            // Type 1 is "backup"; the order of a list is not documented unless it is asked for.
            Self::Groups(page) => Data::default().with("type", 1).page(page).with("sort[created]", -1),
            Self::Logs(id, page) => Data::default()
                .with("find[type]", 1)
                .with("find[info.ID]", id)
                .page(page)
                .with("sort[start_time]", -1),
        };
        let function = self.function();
        if data.0.is_empty() {
            format!("jetbackup5api -F {function} -O json")
        } else {
            // With more than one `-D`, JetBackup loses parameters.
            format!("jetbackup5api -F {function} -D '{}' -O json", data.0)
        }
    }
}

/// The parameters of one `-D`: `key=value` joined by `&`, values percent-encoded. Keys are our own literals.
#[derive(Default)]
struct Data(String);

impl Data {
    fn with(mut self, key: &'static str, value: impl ToString) -> Self {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.push_str(key);
        self.0.push('=');
        self.0.push_str(&encode(&value.to_string()));
        self
    }

    /// The first page asks for no `skip`: nothing for a server to misunderstand.
    fn page(self, page: Page) -> Self {
        let data = self.with("limit", page.limit);
        if page.skip == 0 { data } else { data.with("skip", page.skip) }
    }
}

/// Everything but `[A-Za-z0-9_]` as `%XX`, as the API documentation asks for.
fn encode(text: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push(char::from(HEX[usize::from(byte >> 4)]));
            encoded.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "64abcdef0123456789abcdef";

    #[test]
    fn these_are_the_texts_the_gate_knows() {
        let (job, group) = (ID.parse().unwrap(), ID.parse().unwrap());
        let (first, second) = (Page { limit: 100, skip: 0 }, Page { limit: 100, skip: 100 });
        let golden = [
            (Request::Hello, r#"echo "jetbackup-remote-ok""#),
            (Request::Info, "jetbackup5api -F getInfo -O json"),
            (Request::Job(job), "jetbackup5api -F getBackupJob -D '_id=64abcdef0123456789abcdef' -O json"),
            (
                Request::Log(ID.parse().unwrap()),
                "jetbackup5api -F getLog -D '_id=64abcdef0123456789abcdef&content=1' -O json",
            ),
            (Request::Jobs(first), "jetbackup5api -F listBackupJobs -D 'limit=100' -O json"),
            (Request::Jobs(second), "jetbackup5api -F listBackupJobs -D 'limit=100&skip=100' -O json"),
            (
                Request::Group(group),
                "jetbackup5api -F getQueueGroup -D '_id=64abcdef0123456789abcdef' -O json",
            ),
            (
                Request::Groups(first),
                "jetbackup5api -F listQueueGroups -D 'type=1&limit=100&sort[created]=%2D1' -O json",
            ),
            (
                Request::Groups(second),
                "jetbackup5api -F listQueueGroups -D 'type=1&limit=100&skip=100&sort[created]=%2D1' -O json",
            ),
            (
                Request::Run(job),
                "jetbackup5api -F runBackupJobManually -D '_id=64abcdef0123456789abcdef' -O json",
            ),
            (
                Request::Stop(group),
                "jetbackup5api -F stopQueueGroup -D '_id=64abcdef0123456789abcdef' -O json",
            ),
            (
                Request::Logs(job, first),
                "jetbackup5api -F listLogs -D 'find[type]=1&find[info.ID]=64abcdef0123456789abcdef\
                 &limit=100&sort[start_time]=%2D1' -O json",
            ),
            (
                Request::Logs(job, second),
                "jetbackup5api -F listLogs -D 'find[type]=1&find[info.ID]=64abcdef0123456789abcdef\
                 &limit=100&skip=100&sort[start_time]=%2D1' -O json",
            ),
            (
                Request::Destination(ID.parse().unwrap()),
                "jetbackup5api -F getDestination -D '_id=64abcdef0123456789abcdef' -O json",
            ),
            (Request::Destinations(first), "jetbackup5api -F listDestinations -D 'limit=100' -O json"),
            (
                Request::Destinations(second),
                "jetbackup5api -F listDestinations -D 'limit=100&skip=100' -O json",
            ),
            (
                Request::SwitchDestination(ID.parse().unwrap(), true),
                "jetbackup5api -F manageDestination -D 'action=modify&_id=64abcdef0123456789abcdef&disabled=0' -O json",
            ),
            (
                Request::SwitchDestination(ID.parse().unwrap(), false),
                "jetbackup5api -F manageDestination -D 'action=modify&_id=64abcdef0123456789abcdef&disabled=1' -O json",
            ),
            (
                Request::SwitchDestinationState(ID.parse().unwrap(), true),
                "jetbackup5api -F manageDestinationState -D '_id=64abcdef0123456789abcdef&disabled=0' -O json",
            ),
            (
                Request::SwitchDestinationState(ID.parse().unwrap(), false),
                "jetbackup5api -F manageDestinationState -D '_id=64abcdef0123456789abcdef&disabled=1' -O json",
            ),
        ];
        for (request, text) in golden {
            assert_eq!(request.command(), text);
        }
    }

    proptest! {
        #[test]
        fn encoded_values_hold_nothing_a_shell_or_the_gate_could_misread(text in any::<String>()) {
            let encoded = encode(&text);
            prop_assert!(encoded.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'%'));
            let mut bytes = Vec::new();
            let mut rest = encoded.as_bytes();
            while let Some((&byte, tail)) = rest.split_first() {
                if byte == b'%' {
                    let hex = std::str::from_utf8(&tail[..2]).unwrap();
                    bytes.push(u8::from_str_radix(hex, 16).unwrap());
                    rest = &tail[2..];
                } else {
                    bytes.push(byte);
                    rest = tail;
                }
            }
            prop_assert_eq!(bytes, text.into_bytes());
        }
    }
}
