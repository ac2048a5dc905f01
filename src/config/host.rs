//! Host names and addresses as people write them, and what else they write in their place.

use std::net::{IpAddr, Ipv6Addr};

/// What is wrong with `text` as a host, in words that follow its path. A text that may hold a password is not shown.
pub(super) fn fault(text: &str) -> Option<String> {
    let message = if text.contains("://") {
        "is an address with a scheme (not shown), but should be the host name or address alone".into()
    } else if text.contains('@') {
        "holds a user (not shown), but should be the host name or address alone; the user has a key of its own"
            .into()
    } else if is_host(text) {
        return None;
    } else {
        let wanted = match text.rsplit_once(':') {
            Some((host, port)) if is_host(host.trim_matches(['[', ']'])) && port.parse::<u16>().is_ok() => {
                "the host name or address alone; the port has a key of its own"
            }
            _ if text.starts_with('[') => "an address without brackets",
            _ => "a host name or address of letters, digits, '.', '_' and '-'",
        };
        super::check::complaint(&text.into(), wanted)
    };
    Some(message)
}

fn is_host(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok() || is_scoped(text) || is_name(text)
}

/// An address of one link, as in `fe80::1%eth0`.
fn is_scoped(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    text.split_once('%').is_some_and(|(address, link)| {
        address.parse::<Ipv6Addr>().is_ok() && !link.is_empty() && link.chars().all(plain)
    })
}

fn is_name(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    name.len() <= 253
        && name
            .split('.')
            .all(|part| (1..=63).contains(&part.len()) && part.chars().all(plain) && !part.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_and_addresses_are_hosts() {
        for host in [
            "h",
            "web1.example.com",
            "web1.example.com.",
            "my_host",
            "192.0.2.1",
            "2001:db8::1",
            "fe80::1%eth0",
        ] {
            assert_eq!(fault(host), None, "{host}");
        }
    }

    #[test]
    fn anything_else_is_told_with_what_would_be_right() {
        for (text, words) in [
            ("root@h", "user has a key"),
            ("ssh://h", "scheme"),
            ("h:22", "port has a key"),
            ("[2001:db8::1]:22", "port has a key"),
            ("[2001:db8::1]", "without brackets"),
            ("-oProxyCommand=x", "host name"),
            ("-h", "host name"),
            ("a b", "host name"),
            (" h", "host name"),
            ("", "host name"),
            ("a..b", "host name"),
            ("h\n", "host name"),
        ] {
            let fault = fault(text).unwrap_or_default();
            assert!(fault.contains(words), "{text:?}: {fault}");
        }
    }

    proptest! {
        #[test]
        fn a_password_is_never_shown_and_no_host_is_an_option(text in "\\PC{0,40}", password in "[a-z0-9]{12,20}") {
            if fault(&text).is_none() {
                prop_assert!(!text.starts_with('-') && !text.contains(char::is_whitespace));
            }
            for text in [format!("me:{password}@h"), format!("mqtt://me:{password}@h"), format!("mqtt://{password}")] {
                prop_assert!(!fault(&text).unwrap().contains(&password));
            }
        }
    }
}
