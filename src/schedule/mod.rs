//! Stand-in.
use crate::model::CycleRecord;
use jiff::Timestamp;

/// Stand-in.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Memory {}
/// Stand-in.
#[derive(Debug)]
pub struct Schedule {
    memory: Memory,
}
impl Schedule {
    /// Stand-in.
    #[must_use]
    pub fn new(
        _config: &crate::config::Config,
        _zone: jiff::tz::TimeZone,
        _memory: Option<Memory>,
        _last: Option<&CycleRecord>,
        _now: Timestamp,
    ) -> Option<Self> {
        None
    }
    /// Stand-in.
    #[must_use]
    pub fn next_run(&self) -> Option<Timestamp> {
        None
    }
    /// Stand-in.
    pub fn tick(&mut self, _now: Timestamp, _busy: bool) -> bool {
        false
    }
    /// Stand-in.
    pub fn cycle_finished(&mut self, _cycle: &CycleRecord) {}
    /// Stand-in.
    pub fn called_off(&mut self) {}
    /// Stand-in.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.memory
    }
}
