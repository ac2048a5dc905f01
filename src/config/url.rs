//! URLs that are posted to. One may hold a token, so nothing here ever shows more of it than its host.

use ureq::http::Uri;

/// What of a URL may be told and has to be known before it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The host, without port, user or path.
    pub host: String,
    /// The port, as it says or as its scheme has it.
    pub port: u16,
    /// It is talked to over TLS.
    pub encrypted: bool,
}

/// Where an `http` or `https` URL leads; `None` if it is none or names no host.
pub(crate) fn place(url: &str) -> Option<Place> {
    let uri: Uri = url.parse().ok()?;
    // The scheme comes in small letters, however it is written.
    let encrypted = match uri.scheme_str()? {
        "https" => true,
        "http" => false,
        _ => return None,
    };
    let host = uri.host().filter(|host| !host.is_empty())?.to_owned();
    let port = uri.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
    Some(Place { host, port, encrypted })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(url: &str) -> Option<(String, bool)> {
        place(url).map(|place| (place.host, place.encrypted))
    }

    #[test]
    fn only_the_host_of_a_url_is_told() {
        assert_eq!(found("https://hc.example.com/ping/secret"), Some(("hc.example.com".into(), true)));
        assert_eq!(found("HTTPS://hc.example.com"), Some(("hc.example.com".into(), true)));
        assert_eq!(found("http://user:secret@kuma:3001/api/push/x?y"), Some(("kuma".into(), false)));
        assert_eq!(found("http://[::1]:3001/x"), Some(("[::1]".into(), false)));
    }

    #[test]
    fn what_cannot_be_posted_to_is_no_url() {
        for none in [
            "",
            "hc.example.com/x",
            "/x",
            "ftp://example.com",
            "https://",
            "http://:80/x",
            "https://a b",
            "https://a/b c",
            "file:///etc/passwd",
        ] {
            assert_eq!(place(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn any_text_may_be_asked(text in any::<String>()) {
            crate::fuzzing::url(text.as_bytes());
        }

        #[test]
        fn no_secret_of_a_url_is_told(secret in "[a-zA-Z0-9]{8,20}") {
            let url = format!("https://me:{secret}@example.com:8443/{secret}?token={secret}");
            prop_assert_eq!(found(&url), Some(("example.com".into(), true)));
        }
    }
}
