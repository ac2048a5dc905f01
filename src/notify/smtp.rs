//! One visit at the mail server: letters are handed over, and each recipient's answer is heard.

use std::fmt::Display;
use std::time::{Duration, SystemTime};

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Noop, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, MailParameter};
use lettre::transport::smtp::response::{Response, Severity};
use lettre::{Address, Message};
use tokio::time::timeout;

use super::letter::Letter;
use crate::config::{Notification, SecretError, SmtpSecurity};
use crate::tls::{self, TrustError};

/// How long it may take to come in: connecting, TLS and logging in.
const ENTERING: Duration = Duration::from_secs(30);
/// How long one letter may take.
const HANDING_OVER: Duration = Duration::from_secs(60);
/// How long goodbye may take.
const LEAVING: Duration = Duration::from_secs(5);
const CA_FILE: &str = "notification.smtp_ca_file";

/// A letter could not be handed over.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// An address is none for SMTP.
    #[error("{address:?} is no address that mail can be sent with: {reason}; check notification.{key}")]
    Address {
        /// Which.
        address: String,
        /// Where it is configured, below `notification`.
        key: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody can be trusted.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The password cannot be read.
    #[error("notification.smtp_password: {0}")]
    Password(#[from] SecretError),
    /// The server cannot be used.
    #[error("mail server {server}: {step}: {reason}")]
    Server {
        /// Host and port.
        server: String,
        /// What was being done.
        step: &'static str,
        /// What it said, and what to do about it.
        reason: String,
    },
    /// The connection broke, or what was heard makes no sense.
    #[error("mail server {server}: {step}: {reason}")]
    Lost {
        /// Host and port.
        server: String,
        /// What was being done.
        step: &'static str,
        /// What happened.
        reason: String,
    },
    /// The server took too long.
    #[error("mail server {server}: {step}: no answer within {} s", limit.as_secs())]
    Silent {
        /// Host and port.
        server: String,
        /// What was being done.
        step: &'static str,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The letter cannot be written as a mail.
    #[error("a mail could not be written: {0}; this is a mistake in the program, please report it")]
    Unwritable(#[from] lettre::error::Error),
}

impl MailError {
    /// Whether it is no word of the server's: then nothing that follows on the same connection can be trusted.
    fn is_wordless(&self) -> bool {
        matches!(self, Self::Lost { .. } | Self::Silent { .. })
    }
}

/// What the server said to a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Its last word, which often holds the number of the mail in its queue.
    pub answer: String,
    /// For whom it did not take it.
    pub refused: Vec<Refused>,
}

/// A recipient the server did not take a letter for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The address, as configured.
    pub address: String,
    /// What the server said.
    pub answer: String,
    /// It need not be tried again.
    pub for_good: bool,
}

/// The way to the mail server, as configured.
#[derive(Debug, Clone)]
pub struct Mailer {
    wanted: Notification,
    from: Mailbox,
    /// How long a letter may take.
    limit: Duration,
}

/// A visit at the mail server.
pub struct Session {
    connection: AsyncSmtpConnection,
    /// An answer was not heard to its end: what comes next could be taken for the answer to something else.
    broken: bool,
    /// How long a letter may take.
    limit: Duration,
    from: Mailbox,
    to: Vec<Mailbox>,
    server: String,
}

impl Mailer {
    /// The way as configured.
    ///
    /// # Errors
    /// If the sender cannot be one.
    pub fn new(wanted: &Notification) -> Result<Self, MailError> {
        let from = mailbox("from_address", &wanted.from_address)?;
        Ok(Self { wanted: wanted.clone(), from, limit: HANDING_OVER })
    }

    /// Host and port.
    #[must_use]
    pub fn server(&self) -> String {
        format!("{}:{}", self.wanted.smtp_host, self.wanted.smtp_port)
    }

    /// Comes in: connects, encrypts and logs in as configured. For 30 seconds at most.
    ///
    /// # Errors
    /// If the server cannot be reached, trusted or does not let this in.
    pub async fn open(&self) -> Result<Session, MailError> {
        let to = self.wanted.to_addresses.iter().map(|text| mailbox("to_addresses", text));
        let to = to.collect::<Result<Vec<_>, _>>()?;
        let connection = timeout(ENTERING, self.enter());
        let connection = connection.await.map_err(|_| MailError::Silent {
            server: self.server(),
            step: "connecting",
            limit: ENTERING,
        })??;
        Ok(Session {
            connection,
            broken: false,
            limit: self.limit,
            from: self.from.clone(),
            to,
            server: self.server(),
        })
    }

    async fn enter(&self) -> Result<AsyncSmtpConnection, MailError> {
        let wanted = &self.wanted;
        let failed = |step, error: &SmtpError| MailError::Server {
            server: self.server(),
            step,
            reason: self.advice(error),
        };
        let (tls, hello) = (self.tls()?, hello_name());
        let at_once = tls.clone().filter(|_| wanted.smtp_security == SmtpSecurity::Tls);
        let mut connection = AsyncSmtpConnection::connect_tokio1(
            (wanted.smtp_host.as_str(), wanted.smtp_port),
            Some(ENTERING),
            &hello,
            at_once,
            None,
        )
        .await
        .map_err(|error| failed("connecting", &error))?;
        if let Some(tls) = tls.filter(|_| wanted.smtp_security == SmtpSecurity::Starttls) {
            connection.starttls(tls, &hello).await.map_err(|error| failed("STARTTLS", &error))?;
        }
        if let Some(user) = &wanted.smtp_user {
            let password = wanted.smtp_password.as_ref().map(|secret| secret.read()).transpose()?;
            let credentials = Credentials::new(user.clone(), password.unwrap_or_default());
            let logged_in = connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await;
            logged_in.map_err(|error| failed("logging in", &error))?;
        }
        Ok(connection)
    }

    fn tls(&self) -> Result<Option<TlsParameters>, MailError> {
        if self.wanted.smtp_security == SmtpSecurity::None {
            return Ok(None);
        }
        let mut builder =
            TlsParameters::builder(self.wanted.smtp_host.clone()).certificate_store(CertificateStore::None);
        for authority in tls::authorities(CA_FILE, self.wanted.smtp_ca_file.as_deref())? {
            // An old one among many that nobody can read is no reason to trust none of them.
            if let Ok(certificate) = Certificate::from_der(authority.to_vec()) {
                builder = builder.add_root_certificate(certificate);
            }
        }
        builder.build().map(Some).map_err(|error| MailError::Server {
            server: self.server(),
            step: "TLS",
            reason: said(&error),
        })
    }

    /// What the server said, and what to do about it where that is known.
    fn advice(&self, error: &SmtpError) -> String {
        let said = said(error);
        let lower = said.to_ascii_lowercase();
        let advice = match () {
            () if lower.contains("certificate") => {
                "the certificate is not trusted; name its authority in notification.smtp_ca_file, and the host as the \
                 certificate does in notification.smtp_host"
            }
            () if lower.contains("starttls is not supported") => {
                "set notification.smtp_security to \"none\" or \"tls\", or use another port"
            }
            () if lower.contains("authentication mechanism") => {
                "it offers no login here; leave out notification.smtp_user, or encrypt: notification.smtp_security"
            }
            () if error.status().is_some_and(|code| u16::from(code) == 535) => {
                "check notification.smtp_user and notification.smtp_password"
            }
            () if lower.contains("corrupt message") || lower.contains("invalidcontenttype") => {
                "this port does not begin with TLS; notification.smtp_security \"starttls\" may be right"
            }
            () if lower.contains("refused") => "is a mail server running there?",
            () => return said,
        };
        format!("{said}; {advice}")
    }
}

impl Session {
    /// Whether it can be used no longer: it was not heard to its end.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Asks whether the server still listens. Nothing is sent to anybody.
    ///
    /// # Errors
    /// If it does not, or not within a minute.
    pub async fn greet(&mut self) -> Result<(), MailError> {
        let (server, limit, step) = (self.server.clone(), self.limit, "a first word");
        match timeout(limit, self.say(step, Noop)).await {
            Ok(answer) => answer.map(drop),
            Err(_) => Err(MailError::Silent { server, step, limit }),
        }
    }

    /// Hands a letter over for those of `to` that the server takes it for. For a minute at most.
    ///
    /// # Errors
    /// If it takes it for nobody. When the connection broke after the letter was on its way, it may have arrived; a
    /// session that is broken sends nothing any more.
    pub async fn send(&mut self, letter: &Letter, to: &[String]) -> Result<Receipt, MailError> {
        let (server, limit, step) = (self.server.clone(), self.limit, "handing over a mail");
        if self.broken {
            let reason = "the connection broke with the mail before".to_owned();
            return Err(MailError::Lost { server, step, reason });
        }
        // Until the answer to the end was heard, and also if nobody waits for it any longer.
        self.broken = true;
        match timeout(limit, self.hand_over(letter, to)).await {
            Ok(Err(error)) => {
                self.broken = error.is_wordless();
                Err(error)
            }
            Ok(Ok(receipt)) => {
                self.broken = false;
                Ok(receipt)
            }
            Err(_) => Err(MailError::Silent { server, step, limit }),
        }
    }

    async fn hand_over(&mut self, letter: &Letter, to: &[String]) -> Result<Receipt, MailError> {
        let mail = write(letter, &self.from, &self.to)?;
        let mut parameters = Vec::new();
        let is_foreign = |mailbox: &Mailbox| !mailbox.email.to_string().is_ascii();
        if is_foreign(&self.from) || self.to.iter().any(is_foreign) {
            parameters.push(MailParameter::SmtpUtfEight);
        }
        self.say("as the sender", Mail::new(Some(self.from.email.clone()), parameters)).await?;
        let (mut taken, mut refused, mut last) = (0, Vec::new(), None);
        for text in to {
            let recipient = mailbox("to_addresses", text)?.email;
            match self.connection.command(Rcpt::new(recipient, Vec::new())).await {
                Ok(_) => taken += 1,
                // Only a word from the server says something about the recipient.
                Err(error) if error.status().is_none() => return Err(self.failed("for a recipient", &error)),
                Err(error) => {
                    let for_good = error.is_permanent();
                    refused.push(Refused { address: text.clone(), answer: said(&error), for_good });
                    last = Some(error);
                }
            }
        }
        if let Some(error) = last.filter(|_| taken == 0) {
            // So that the next letter finds an open ear. If that fails, the next one tells.
            let _ = self.connection.command(Rset).await;
            return Err(self.failed("for every recipient", &error));
        }
        let response = self.say("before the text", Data).await?;
        if !response.has_code(354) {
            return Err(self.astray("before the text", &response));
        }
        let response = self.connection.message(&mail).await;
        let response = response.map_err(|error| self.failed("after the text", &error))?;
        if response.code().severity != Severity::PositiveCompletion {
            return Err(self.astray("after the text", &response));
        }
        Ok(Receipt { answer: words(&response), refused })
    }

    async fn say(&mut self, step: &'static str, command: impl Display) -> Result<Response, MailError> {
        match self.connection.command(command).await {
            Ok(response) => Ok(response),
            Err(error) => {
                let failed = self.failed(step, &error);
                if error.status().is_some() {
                    let _ = self.connection.command(Rset).await;
                }
                Err(failed)
            }
        }
    }

    fn failed(&self, step: &'static str, error: &SmtpError) -> MailError {
        let (server, reason) = (self.server.clone(), said(error));
        match error.status() {
            Some(_) => MailError::Server { server, step, reason },
            None => MailError::Lost { server, step, reason },
        }
    }

    /// An answer that has no place here.
    fn astray(&self, step: &'static str, response: &Response) -> MailError {
        let reason = format!("the answer makes no sense here: {}", words(response));
        MailError::Lost { server: self.server.clone(), step, reason }
    }

    /// Says goodbye, if there is somebody to hear it. Whether it is heard matters to nobody.
    pub async fn close(mut self) {
        if self.broken {
            return;
        }
        let _ = timeout(LEAVING, self.connection.quit()).await;
    }
}

/// What a server said, or what happened instead.
fn said(error: &SmtpError) -> String {
    // The client's errors repeat those they come from, behind words of their own that say less than the step does.
    let mut cause: &(dyn std::error::Error + 'static) = error;
    while let Some(deeper) = cause.source().filter(|_| has_nothing_to_add(cause)) {
        cause = deeper;
    }
    let mut said = cause.to_string();
    while let Some(deeper) = cause.source() {
        let deeper_said = deeper.to_string();
        if !said.contains(&deeper_said) {
            said = format!("{said}: {deeper_said}");
        }
        cause = deeper;
    }
    let code = error.status().map(|code| format!("{code} ")).unwrap_or_default();
    code + &said.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether it is an error of the client that only wraps another one.
fn has_nothing_to_add(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref::<SmtpError>().is_some_and(|error| !error.is_response())
}

fn words(response: &Response) -> String {
    let text: Vec<&str> = response.message().collect();
    format!("{} {}", response.code(), text.join(" "))
}

/// The name this machine says hello with.
fn hello_name() -> ClientId {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let is_name = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))
    };
    Some(name.trim())
        .filter(|name| is_name(name))
        .map_or_else(ClientId::default, |name| ClientId::Domain(name.to_owned()))
}

/// Reads an address such as `a@b` or `Name <a@b>`.
fn mailbox(key: &'static str, text: &str) -> Result<Mailbox, MailError> {
    let (name, address) = match text.strip_suffix('>').and_then(|named| named.rsplit_once('<')) {
        Some((name, address)) => (name.trim().trim_matches('"').trim(), address),
        None => ("", text),
    };
    let address: Address = address.trim().parse().map_err(|error: lettre::address::AddressError| {
        MailError::Address { address: text.to_owned(), key, reason: error.to_string() }
    })?;
    Ok(Mailbox::new(Some(name.to_owned()).filter(|name| !name.is_empty()), address))
}

/// The letter as it goes over the wire, with the ends of lines that SMTP wants.
fn write(letter: &Letter, from: &Mailbox, to: &[Mailbox]) -> Result<Vec<u8>, MailError> {
    let domain = from.email.domain();
    let mut builder = Message::builder()
        .from(from.clone())
        .subject(one_line(&letter.full_subject()))
        .message_id(Some(format!("<{}@{domain}>", letter.id)))
        .date(SystemTime::from(letter.date));
    for mailbox in to {
        builder = builder.to(mailbox.clone());
    }
    if let Some(cycle) = letter.thread {
        let thread = format!("<cycle-{:x}@{domain}>", cycle.0);
        builder = builder.in_reply_to(thread.clone()).references(thread);
    }
    let parts = MultiPart::alternative_plain_html(letter.text.clone(), letter.html.clone());
    let mut message = builder.multipart(parts)?;
    // Nobody's absence is to be told to a program.
    for (name, value) in [("Auto-Submitted", "auto-generated"), ("X-Auto-Response-Suppress", "All")] {
        let name = HeaderName::new_from_ascii_str(name);
        message.headers_mut().insert_raw(HeaderValue::new(name, value.to_owned()));
    }
    Ok(message.formatted())
}

/// A label may hold anything; a header ends with its line.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests;
