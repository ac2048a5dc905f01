//! A destination: where jobs write to.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A backup destination.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Destination {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) disabled: bool,
    pub(crate) read_only: bool,
    pub(crate) disk_limit: u32,
    pub(crate) disk: Option<[u64; 3]>,
    pub(crate) sticky: bool,
}

impl Destination {
    /// An enabled destination whose disk usage is not known.
    pub fn new(id: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            disabled: false,
            read_only: false,
            disk_limit: 95,
            disk: None,
            sticky: false,
        }
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Disabled.
    pub fn disabled(mut self) -> Self {
        self.disabled = true;
        self
    }

    /// Read-only.
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// The usage, the free and the total space in bytes.
    pub fn disk(mut self, usage: u64, free: u64, total: u64) -> Self {
        self.disk = Some([usage, free, total]);
        self
    }

    /// The per cent of the disk that may be used.
    pub fn disk_limit(mut self, percent: u32) -> Self {
        self.disk_limit = percent;
        self
    }

    /// Attempts to enable or disable it are acknowledged and have no effect.
    pub fn sticky(mut self) -> Self {
        self.sticky = true;
        self
    }

    pub(crate) fn object(&self) -> Value {
        json!({
            "_id": self.id,
            "name": self.name,
            "type": "SSH",
            "disabled": self.disabled,
            "readonly": self.read_only,
            "dr": false,
            "disk_limit": self.disk_limit,
            "disk_usage": self.disk.map_or(json!([]), |[usage, free, total]| {
                json!({"usage": usage, "free": free, "total": total})
            }),
            // A secret on purpose: it must never turn up in a log, a message or a mail.
            "options": {"host": "nas.example.com", "username": "backup", "password": SECRET},
        })
    }
}

/// The credential in every destination's `options`; tests look for it where it must not be.
pub const SECRET: &str = "sim-secret-9f3b";
