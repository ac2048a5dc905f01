//! The mail server: whether it lets this in. No mail is sent.

use super::finding::{Finding, Level, Section};
use crate::config::{Config, SmtpSecurity};
use crate::notify::{MailError, Mailer};

/// Visits it. Bounded by the visit's own limits.
pub(super) async fn examine(config: &Config) -> Section {
    let wanted = &config.notification;
    if !wanted.enabled {
        return Section::of("Mail", Finding::ok("mail server", "none: notification.enabled is false"));
    }
    let subject = format!("Mail {}:{}", wanted.smtp_host, wanted.smtp_port);
    let finding = match visit(config).await {
        Ok(()) => {
            let over = match wanted.smtp_security {
                SmtpSecurity::None => "not encrypted",
                SmtpSecurity::Starttls => "STARTTLS",
                SmtpSecurity::Tls => "TLS",
            };
            let who = wanted.smtp_user.as_deref();
            let who = who.map_or_else(|| "without a login".into(), |user| format!("logged in as {user}"));
            Finding::ok("mail server", format!("it listens ({over}, {who}); `notify test` sends a mail"))
        }
        Err(error) => {
            let advice = "check notification.smtp_host, smtp_port and smtp_security";
            Finding::from_error(Level::Failure, "mail server", &error, advice)
        }
    };
    Section::of(subject, finding)
}

async fn visit(config: &Config) -> Result<(), MailError> {
    let mut session = Mailer::new(&config.notification)?.open().await?;
    let greeted = session.greet().await;
    session.close().await;
    greeted
}
