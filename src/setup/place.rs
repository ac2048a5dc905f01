//! Hosts, ports and servers as they are typed: `web1=root@web1.example.com:2222`.

use std::fmt;
use std::str::FromStr;

use super::document::NewServer;
use crate::model::ServerName;

/// The port of sshd where none is typed.
const SSH_PORT: u16 = 22;
const ROOT: &str = "root";

/// A text that names no server or host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not {wanted}")]
pub struct PlaceError {
    found: String,
    wanted: &'static str,
}

/// A host, and a port where one was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// A name or an address without brackets.
    pub host: String,
    /// The port.
    pub port: Option<u16>,
}

impl FromStr for Host {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        host(text).ok_or_else(|| PlaceError {
            found: text.chars().take(80).collect(),
            wanted: "HOST or HOST:PORT, as in broker.example.com:1883 or [2001:db8::1]:1883",
        })
    }
}

/// `HOST`, `HOST:PORT`, `ADDRESS` or `[ADDRESS]:PORT`. What the name itself may be, the configuration knows.
#[must_use]
fn host(text: &str) -> Option<Host> {
    let is_plain = |host: &str| {
        !host.is_empty()
            && !host.starts_with('-')
            && !host.contains(|c: char| {
                c.is_whitespace() || c.is_control() || matches!(c, '[' | ']' | '@' | '/' | '=' | '\'' | '"')
            })
    };
    let port = |text: &str| text.parse::<u16>().ok().filter(|&port| port > 0);
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        match rest.split_once(']')? {
            (host, "") => (host, None),
            (host, after) => (host, Some(port(after.strip_prefix(':')?)?)),
        }
    } else {
        match text.split_once(':') {
            // More than one colon is an address.
            Some((_, after)) if after.contains(':') => (text, None),
            Some((host, after)) => (host, Some(port(after)?)),
            None => (text, None),
        }
    };
    is_plain(host).then(|| Host { host: host.to_owned(), port })
}

impl FromStr for NewServer {
    type Err = PlaceError;

    /// `NAME=[USER@]HOST[:PORT]`; without a name, the host's first label is the name.
    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let wanted = "NAME=HOST[:PORT], as in web1=web1.example.com:22 or web1=root@192.0.2.1";
        let invalid = || PlaceError { found: text.chars().take(80).collect(), wanted };
        let (name, rest) = match text.split_once('=') {
            Some((name, rest)) => (Some(name.trim()), rest.trim()),
            None => (None, text.trim()),
        };
        let (user, place) = match rest.split_once('@') {
            Some((user, place)) => (user, place),
            None => (ROOT, rest),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if user.is_empty() || user.starts_with('-') || !user.chars().all(plain) {
            return Err(invalid());
        }
        let Host { host, port } = host(place).ok_or_else(invalid)?;
        let name = name.unwrap_or_else(|| name_of(&host));
        let name = name.parse::<ServerName>().map_err(|_| invalid())?;
        Ok(Self { name, host, port: port.unwrap_or(SSH_PORT), user: user.to_owned(), ssh_key: None })
    }
}

/// The first label of a host name; all of an address.
fn name_of(host: &str) -> &str {
    if host.parse::<std::net::IpAddr>().is_ok() {
        return host;
    }
    host.split('.').next().unwrap_or(host)
}

/// `web1 (root@web1.example.com:22)`.
impl fmt::Display for NewServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, host, port, user, .. } = self;
        if host.contains(':') {
            write!(f, "{name} ({user}@[{host}]:{port})")
        } else {
            write!(f, "{name} ({user}@{host}:{port})")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn servers_are_read_as_people_write_them() {
        for (text, shown) in [
            ("web1=web1.example.com", "web1 (root@web1.example.com:22)"),
            ("web1=web1.example.com:51514", "web1 (root@web1.example.com:51514)"),
            ("web1=backup@192.0.2.1:22", "web1 (backup@192.0.2.1:22)"),
            ("v6=[2001:db8::1]:2222", "v6 (root@[2001:db8::1]:2222)"),
            ("v6=2001:db8::1", "v6 (root@[2001:db8::1]:22)"),
            ("web1.example.com:23", "web1 (root@web1.example.com:23)"),
            ("root@web1.example.com", "web1 (root@web1.example.com:22)"),
            ("192.0.2.1", "192.0.2.1 (root@192.0.2.1:22)"),
            (" a = b ", "a (root@b:22)"),
        ] {
            assert_eq!(text.parse::<NewServer>().unwrap().to_string(), shown, "{text}");
        }
        for wrong in [
            "",
            "=",
            "web1=",
            "=host",
            "we b=host",
            "web1=host:",
            "web1=host:0",
            "web1=host:65536",
            "web1=host:ssh",
            "web1=@host",
            "web1=-oProxyCommand=x@host",
            "web1=-x",
            "web1=a b",
            "web1=[::1",
            "web1=[::1]22",
            "web1=ssh://host",
            "web1=a@b@c",
            "2001:db8::1",
        ] {
            assert!(wrong.parse::<NewServer>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reader(text in ".{0,60}") {
            let _ = text.parse::<NewServer>();
            let _ = text.parse::<Host>();
        }

        #[test]
        fn what_is_read_could_be_given_to_ssh(text in "[a-z=@:.\\[\\] '\"$;-]{0,30}") {
            if let Ok(server) = text.parse::<NewServer>() {
                prop_assert!(!server.host.starts_with('-') && !server.user.starts_with('-'));
                prop_assert!(!server.host.contains([' ', '\'', '"', '@']));
            }
        }
    }
}
