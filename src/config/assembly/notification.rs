//! Mail: what is needed while it is on, and addresses that are ones.

use super::Assembly;
use crate::config::check::complaint;
use crate::config::file::{DEFAULT_SENDER, NotificationSection};
use crate::config::{Notification, Secret, SmtpSecurity, address, host, place};

const WANTED: &str = "an address as in a@example.com or Name <a@example.com>";

fn is_encrypted(entry: &NotificationSection) -> bool {
    match entry.smtp_security {
        Some(security) => security != SmtpSecurity::None,
        None => entry.smtp_tls,
    }
}

/// Whether the host is this machine.
fn is_here(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

impl Assembly<'_> {
    pub(super) fn notification(&mut self, entry: NotificationSection) -> Notification {
        let used = entry.enabled;
        let to_addresses = self.recipients(used, &entry.to_addresses);
        let from_address = self.sender(used, &entry.from_address);
        if let Some(fault) = host::fault(&entry.smtp_host) {
            self.fault(used, "notification.smtp_host", fault);
        }
        if used && entry.smtp_user.is_some() && !is_encrypted(&entry) && !is_here(&entry.smtp_host) {
            let path = "notification.smtp_security";
            self.warn(
                path,
                format!("is \"none\": the password for {} travels in the clear", entry.smtp_host),
            );
        }
        let by_flag = if entry.smtp_tls { SmtpSecurity::Starttls } else { SmtpSecurity::None };
        let smtp_password = self.secret(used, "notification.smtp_password", entry.smtp_password.as_deref());
        // These work without mail, too.
        let ping_url = self.url("ping_url", entry.ping_url.as_deref());
        let webhook_url = self.url("webhook_url", entry.webhook_url.as_deref());
        Notification {
            enabled: entry.enabled,
            smtp_host: entry.smtp_host,
            smtp_port: entry.smtp_port,
            smtp_user: entry.smtp_user,
            smtp_password,
            smtp_security: entry.smtp_security.unwrap_or(by_flag),
            smtp_ca_file: entry.smtp_ca_file,
            from_address,
            to_addresses,
            on_failure: entry.on_failure,
            on_timeout: entry.on_timeout,
            on_complete: entry.on_complete,
            on_partial: entry.on_partial,
            on_daemon_lifecycle: entry.on_daemon_lifecycle,
            digest: entry.digest,
            ping_url,
            webhook_url,
        }
    }

    /// A URL that may hold a token: it is never shown. One that stands elsewhere is looked at when it is used.
    fn url(&mut self, key: &str, text: Option<&str>) -> Option<Secret> {
        let path = format!("notification.{key}");
        let secret = self.secret(true, &path, text)?;
        if secret.is_literal() && text.is_some_and(|url| place(url).is_none()) {
            let wanted = "is no URL; needed: one as in https://example.com/path";
            self.problem(&path, format!("{wanted} (it is not shown, as it may hold a token)"));
        }
        Some(secret)
    }

    /// The recipients that can be written to.
    fn recipients(&mut self, used: bool, texts: &[String]) -> Vec<String> {
        let path = "notification.to_addresses";
        let all: Vec<String> = texts.iter().flat_map(|text| address::split(text)).collect();
        let told = self.found.problems.iter().any(|problem| problem.path.starts_with(path));
        if used && all.is_empty() && !told {
            self.problem(path, "is empty; needed while enabled: at least one address");
        }
        let (right, wrong): (Vec<_>, Vec<_>) = all.into_iter().partition(|text| address::is_address(text));
        if let Some(first) = wrong.first() {
            let more =
                if wrong.len() > 1 { format!(" ({} more are none)", wrong.len() - 1) } else { String::new() };
            let item = complaint(&first.as_str().into(), WANTED).replacen("is ", "holds ", 1);
            self.fault(used, path, format!("{item}{more}"));
        }
        right
    }

    /// The one sender. A wrong one while mail is off is replaced, so that no wrong one is ever handed out.
    fn sender(&mut self, used: bool, text: &str) -> String {
        match address::split(text).as_slice() {
            [] => return DEFAULT_SENDER.into(),
            [one] if address::is_address(one) => return one.clone(),
            [_] => self.fault(used, "notification.from_address", complaint(&text.into(), WANTED)),
            _ => {
                let message = complaint(&text.into(), "one address: mail has one sender");
                self.fault(used, "notification.from_address", message);
            }
        }
        DEFAULT_SENDER.into()
    }
}
