//! Who is not looking is told here: mail, a ping for an outside watcher, a webhook.
//!
//! `note` is what somebody is to be written about, `policy` what is worth a note and which notes make one letter.
//! `desk` keeps notes with the events they tell, in the history's outbox; `facts` asks for what belongs to them,
//! `render` writes the letter, `smtp` hands it over, and `postman` does all that patiently. `life` reminds him to write
//! when there is nothing to tell. `outside` tells an outside watcher (`ping`) and a `webhook`, each by a `courier` over
//! `http`.
//!
//! This room sees events, the snapshot and what is on record. It must not know how a run works, and nothing in it can
//! hold up the queue.

mod courier;
mod desk;
mod facts;
mod http;
mod letter;
mod life;
mod note;
mod outside;
mod ping;
mod policy;
mod postman;
mod render;
mod smtp;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

pub use facts::Logs;
pub use letter::{Letter, Tag};
pub use outside::{Outside, outside};
pub use smtp::{MailError, Mailer, Receipt, Refused, Session};

use self::desk::Desk;
use self::facts::Facts;
use self::note::Note;
use self::postman::Postman;
use crate::config::Config;
use crate::history::History;
use crate::orchestrator::{Correspondent, Handle};

/// The pause before a postman who broke off is sent again.
const AFTER_A_BREAK: Duration = Duration::from_secs(60);

/// Mail at work. Dropped, it ends at once; what was not handed over waits in the outbox.
#[derive(Debug)]
pub struct Mail {
    desk: Arc<Desk>,
    history: History,
    digest: crate::config::Digest,
    on_lifecycle: bool,
    closing: CancellationToken,
    going: AbortOnDropHandle<()>,
    living: Option<AbortOnDropHandle<()>>,
}

/// Starts mail. What the outbox holds already is sent too.
///
/// # Errors
/// If it cannot be sent as configured.
pub fn mail(
    config: &Config,
    history: &History,
    handle: &Handle,
    logs: Arc<dyn Logs>,
) -> Result<Mail, MailError> {
    let wanted = &config.notification;
    let desk = Desk::new(wanted.clone(), history.clone());
    let mailer = Mailer::new(wanted)?;
    let (snapshot, history) = (handle.snapshot.clone(), history.clone());
    let facts = Facts { wanted: wanted.clone(), history: history.clone(), snapshot, logs };
    let closing = CancellationToken::new();
    let postman = {
        let (wanted, desk, closing) = (wanted.clone(), Arc::clone(&desk), closing.clone());
        let aside = handle.aside.clone();
        move || Postman::new(&wanted, &desk, &mailer, &facts, &aside, &closing)
    };
    let going = AbortOnDropHandle::new(tokio::spawn(keep_going(postman, closing.clone())));
    let (digest, on_lifecycle) = (wanted.digest, wanted.on_daemon_lifecycle);
    Ok(Mail { desk, history, digest, on_lifecycle, closing, going, living: None })
}

/// Sends the postman out, and again should he break off.
async fn keep_going(postman: impl Fn() -> Postman, closing: CancellationToken) {
    while let Err(error) = AbortOnDropHandle::new(tokio::spawn(postman().go())).await {
        tracing::error!("sending mail broke off: {error}; what waits is kept. Please report this");
        if closing.is_cancelled() {
            return;
        }
        sleep(AFTER_A_BREAK).await;
    }
}

impl Mail {
    /// Who keeps notes with the events they tell.
    #[must_use]
    pub fn correspondent(&self) -> Arc<dyn Correspondent> {
        Arc::clone(&self.desk) as Arc<dyn Correspondent>
    }

    /// Tells now and then that the daemon is still alive, from now on.
    pub fn tell_of_life(&mut self) {
        let telling = life::keep(self.digest, self.history.clone(), Arc::clone(&self.desk));
        self.living = Some(AbortOnDropHandle::new(tokio::spawn(telling)));
    }

    /// Tells that the daemon is at work.
    pub async fn tell_of_start(&self) {
        let at = Timestamp::now();
        if self.on_lifecycle {
            self.desk.write(at, &Note::Started { at }).await;
        }
    }

    /// Tells that the daemon was told to end.
    pub async fn tell_of_end(&self) {
        let at = Timestamp::now();
        if self.on_lifecycle {
            self.desk.write(at, &Note::Stopping { at }).await;
        }
    }

    /// Sends what waits, for so long at most.
    pub async fn close(self, most: Duration) {
        self.closing.cancel();
        if timeout(most, self.going).await.is_err() {
            tracing::warn!(
                "the mail server did not take everything in time; what is left is sent at the next start"
            );
        }
        let lost = self.desk.count_unkept();
        if lost > 0 {
            tracing::error!(
                "{lost} notes for mails were neither sent nor kept, for the disk failed; they are lost"
            );
        }
    }
}

/// A letter to see whether mail arrives.
#[must_use]
pub fn test_letter() -> Letter {
    let date = Timestamp::now();
    let id = postman::letter_id(date);
    render::test(&render::Envelope { id, date, zone: crate::zone::system() })
}
