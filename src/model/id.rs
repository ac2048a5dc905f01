//! Names and identifiers of the field.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that is not what it was offered as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not {wanted}")]
pub struct InvalidId {
    found: String,
    wanted: &'static str,
}

impl InvalidId {
    fn new(found: &str, wanted: &'static str) -> Self {
        // Foreign input may be of any size; an error text may not.
        let found = found.chars().take(80).collect();
        Self { found, wanted }
    }

    /// What would have been right, for messages that already show the value.
    #[must_use]
    pub fn wanted(&self) -> &'static str {
        self.wanted
    }
}

/// JetBackup's object identifier: 24 hexadecimal digits, kept as the 12 bytes they stand for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct ObjectId([u8; 12]);

impl FromStr for ObjectId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = || InvalidId::new(text, "an id of 24 hexadecimal digits");
        if text.len() != 24 {
            return Err(invalid());
        }
        let mut bytes = [0; 12];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digit = |c: u8| char::from(c).to_digit(16);
            let (high, low) = (digit(pair[0]), digit(pair[1]));
            let value = high.zip(low).map(|(high, low)| high * 16 + low);
            *byte = value.and_then(|v| u8::try_from(v).ok()).ok_or_else(invalid)?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

macro_rules! object_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(ObjectId);

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.parse().map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

object_id! {
    /// A backup job's `_id` on its server.
    JobId
}
object_id! {
    /// A queue group's `_id`: one run of a job, as JetBackup's queue lists it.
    GroupId
}
object_id! {
    /// A destination's `_id`.
    DestinationId
}
object_id! {
    /// A log's `_id`.
    LogId
}

/// A server's name in the configuration: 1 to 64 of `A-Z a-z 0-9 _ . -`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServerName(std::sync::Arc<str>);

impl ServerName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ServerName {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if (1..=64).contains(&text.len()) && text.chars().all(allowed) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidId::new(text, "a server name of 1 to 64 letters, digits, '_', '.' or '-'"))
        }
    }
}

impl TryFrom<String> for ServerName {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<ServerName> for String {
    fn from(name: ServerName) -> String {
        name.as_str().to_owned()
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A managed job, named uniquely: the id alone is unique only on its server.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Debug)]
pub struct JobKey {
    /// The server that runs the job.
    pub server: ServerName,
    /// The job there.
    #[serde(rename = "job_id")]
    pub job: JobId,
}

impl fmt::Display for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.server, self.job)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ids_are_24_hex_digits_in_either_case() {
        let id: JobId = "64AbCdef0123456789abcdef".parse().unwrap();
        assert_eq!(id.to_string(), "64abcdef0123456789abcdef");
        for bad in [
            "",
            "64abcdef0123456789abcde",
            "64abcdef0123456789abcdeg",
            "+4abcdef0123456789abcdef",
            "ééééééééééée",
        ] {
            let error = bad.parse::<JobId>().unwrap_err();
            assert_eq!(error.wanted(), "an id of 24 hexadecimal digits");
        }
    }

    #[test]
    fn server_names_keep_to_what_topics_and_files_can_carry() {
        assert!("web-1.example_com".parse::<ServerName>().is_ok());
        for bad in ["", "a b", "a/b", "a+", "ñ", &"x".repeat(65)] {
            assert!(bad.parse::<ServerName>().is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_an_id_or_an_error(text in ".{0,40}") {
            if let Ok(id) = text.parse::<GroupId>() {
                prop_assert_eq!(id.to_string(), text.to_ascii_lowercase());
            }
        }
    }
}
