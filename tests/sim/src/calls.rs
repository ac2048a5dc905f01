//! The log of calls: what was asked, and what really came of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a call really did, whatever its answer said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Nothing was changed.
    None,
    /// The gate refused the command line, or JetBackup the request.
    Refused,
    /// A run of this job was started.
    Triggered(String),
    /// A stop was asked of this group.
    StopAsked(String),
    /// This job or destination was enabled or disabled.
    Modified(String),
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// When it arrived.
    pub at: Timestamp,
    /// The function; empty for a command line that the gate refused, `echo` for its greeting.
    pub function: String,
    /// The decoded parameters in the order given.
    pub params: Vec<(String, String)>,
    /// What it did.
    pub effect: Effect,
    /// Whether a [`Fault`](crate::Fault) spoiled its answer.
    pub spoiled: bool,
}

impl Call {
    /// The value of a parameter.
    pub fn param(&self, key: &str) -> Option<&str> {
        self.params.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}
