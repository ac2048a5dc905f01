//! Who may write: the one rule that keeps parallel backups off the NAS.

use super::run::Run;
use crate::config::OnTimeout;
use crate::model::RunId;

/// Whether a job may be triggered now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lane {
    /// Yes.
    Free,
    /// No.
    Held {
        /// Why, in words for a person.
        reason: String,
    },
}

/// Whether `run` alone keeps the lane from everyone else.
///
/// Under `continue` a run beyond its limit stands beside the lane; a run that a person released does so too.
pub(super) fn holds(run: &Run, policy: OnTimeout) -> bool {
    let beside = run.record.overrun && policy == OnTimeout::Continue;
    !run.is_late() && !run.record.released && !beside
}

/// Judges the lane with these runs under way; `except` is left out of account.
pub(super) fn lane(runs: &[Run], policy: OnTimeout, max_overruns: u32, except: Option<RunId>) -> Lane {
    let others = || runs.iter().filter(|run| Some(run.record.id) != except && !run.is_late());
    if let Some(holder) = others().find(|run| holds(run, policy)) {
        let what = match () {
            () if holder.is_out_of_contact() => "is out of reach and may be running",
            () if holder.record.overrun => "runs beyond its time limit",
            () if holder.is_starting() => "is starting",
            () => "is running",
        };
        return Lane::Held { reason: format!("{} {} {what}", holder.record.key.server, holder.record.label) };
    }
    let overruns = others().filter(|run| run.record.overrun && !run.record.released).count();
    if overruns > usize::try_from(max_overruns).unwrap_or(usize::MAX) {
        return Lane::Held {
            reason: format!("{overruns} runs are beyond their time limit (max_overruns is {max_overruns})"),
        };
    }
    Lane::Free
}
