//! Foreign input of this room: see [`crate::fuzzing`].

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::envelope::Envelope;
use super::{Client, Trigger};
use crate::model::{DestinationId, GroupId, JobId};
use crate::ssh::{Exec, ExecFuture, Output};

/// A server that answers everything alike.
struct Stubborn(Output);

impl Exec for Stubborn {
    fn exec(&self, _command: String, _limit: Duration) -> ExecFuture<'_> {
        Box::pin(std::future::ready(Ok(self.0.clone())))
    }
}

/// How many lines of a log are asked for.
const LINES: usize = 8;

/// The first byte is an exit status, the rest what a server wrote. Whatever it was asked, it is understood or refused in
/// the end; only a clear no is a no to a trigger; no list has anything twice; no log has many or long lines.
pub fn answer(bytes: &[u8]) {
    let Some((exit, stdout)) = bytes.split_first() else { return };
    let output = Output { stdout: stdout.to_vec(), stderr: String::new(), exit: u32::from(*exit) };
    let Ok(server) = "web1".parse() else { return };
    let client = Client::new(server, Arc::new(Stubborn(output)), Duration::from_secs(30));
    let (Some(job), Some(group), Some(destination)) = ids() else { return };
    let asking = async {
        let _ = (client.hello().await, client.info().await, client.job(job).await);
        let _ =
            (client.group(group).await, client.logs(job, None).await, client.destination(destination).await);
        let _ = client.watch(&[(job, Some(group)), (job, None)]).await;
        if let Ok(view) = client.look().await {
            let jobs: HashSet<_> = view.jobs.iter().map(|job| job.id).collect();
            let groups: HashSet<_> = view.groups.iter().map(|group| group.id).collect();
            assert_eq!((jobs.len(), groups.len()), (view.jobs.len(), view.groups.len()), "listed twice");
        }
        if let Ok(Some(lines)) = client.log_tail(group, LINES).await {
            assert!(lines.len() <= LINES && lines.iter().all(|line| !line.chars().any(char::is_control)));
        }
        match client.trigger(job).await {
            Trigger::Accepted => assert!(Envelope::find(stdout).is_ok_and(|answer| answer.success)),
            // A gate's refusal is a no as well; nothing else but a well-formed one is.
            Trigger::Refused(_) => assert!(Envelope::find(stdout).is_ok_and(|answer| !answer.success)),
            Trigger::Maybe(error) => assert!(!error.to_string().is_empty()),
            Trigger::NotSent(error) => panic!("everything was sent: {error}"),
        }
    };
    // Nothing here ever waits, so there is nothing that a runtime would be needed for.
    let ended = futures(asking);
    assert!(ended, "it waits for something");
}

/// Whether a future that waits for nothing is done at once.
fn futures(future: impl Future) -> bool {
    let future = std::pin::pin!(future);
    future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_ready()
}

fn ids() -> (Option<JobId>, Option<GroupId>, Option<DestinationId>) {
    let text = "000000000000000000000001";
    (text.parse().ok(), text.parse().ok(), text.parse().ok())
}
