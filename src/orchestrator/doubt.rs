//! A clock that cannot be right: for a while after a start that is normal, and then it is told, once until it is set.

use std::time::Duration;

use tokio::time::Instant;

use super::wheel::Orchestrator;
use crate::model::What;

/// How long a clock may take to be set.
const PATIENCE: Duration = Duration::from_secs(3600);
/// Under this name it is kept that it was told.
const KEPT_AS: &str = "clock_told";

/// What is known of a clock that cannot be right.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    /// Since when it is so, as far as this process knows.
    since: Option<Instant>,
    /// It was told; `None`: what an earlier process did is not known yet.
    told: Option<bool>,
}

impl Doubt {
    /// Tells of a clock that has been wrong for too long.
    pub async fn attend(&mut self, orchestrator: &mut Orchestrator, plausible: bool) {
        let history = &orchestrator.history;
        let told = match self.told {
            Some(told) => told,
            // Where it cannot be read it is rather told twice.
            None => history.kept(KEPT_AS).await.is_ok_and(|kept| kept.is_some_and(|kept| kept == "yes")),
        };
        self.told = Some(told);
        let is_news = if plausible {
            self.since = None;
            told
        } else {
            !told && self.since.get_or_insert_with(Instant::now).elapsed() > PATIENCE
        };
        if !is_news {
            return;
        }
        if !plausible {
            let text = "the clock of this machine has been wrong for more than an hour: until it is set, no cycle is \
                        started by the schedule and no job is told stale; check the time server (NTP)";
            orchestrator.tell(What::Alert { job: None, text: text.to_owned() }).await;
        }
        self.told = Some(!plausible);
        let word = if plausible { "no" } else { "yes" };
        if let Err(error) = orchestrator.history.keep(KEPT_AS, word.to_owned()).await {
            tracing::warn!("whether the clock was told of is not on record: {error}");
        }
    }
}
