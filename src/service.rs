//! Stand-in.
use std::time::Duration;
/// Stand-in.
#[derive(Debug, Clone, Default)]
pub struct Service;
impl Service {
    /// Stand-in.
    #[must_use]
    pub fn from_env() -> Self {
        Self
    }
    /// Stand-in.
    pub fn ready(&self) {}
    /// Stand-in.
    pub fn status(&self, _text: &str) {}
    /// Stand-in.
    pub fn reloading(&self) {}
    /// Stand-in.
    pub fn stopping(&self) {}
    /// Stand-in.
    pub fn alive(&self) {}
    /// Stand-in.
    #[must_use]
    pub fn watchdog_interval(&self) -> Option<Duration> {
        None
    }
}
