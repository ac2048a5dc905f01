//! What a person sees of a run while it goes on, and at its end: bars on a terminal, else a line an event.
//!
//! This is a view: it follows the events and the snapshot, never holds up the queue, and knows no other view.

mod bars;
mod lines;
mod summary;

pub use lines::how_far;
pub use summary::{Handed, handed, summary};

use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::cli::paint::Paint;
use crate::model::{Event, JobKey, RunId, Snapshot, What};
use crate::words::{self, instant_in};
use bars::Bars;
use lines::Details;

/// How often the bars show a second gone by.
const REDRAW: Duration = Duration::from_secs(1);

/// How often a run's progress is worth a line where there are no bars.
const PROGRESS_LINE: Duration = Duration::from_secs(5 * 60);

/// The live view of a run.
pub struct Live {
    events: broadcast::Receiver<Event>,
    snapshot: watch::Receiver<Snapshot>,
    screen: Screen,
    look: Look,
}

enum Screen {
    Bars(Bars),
    Lines {
        out: Box<dyn Write + Send>,
        /// When each run's progress was last told.
        told: HashMap<RunId, Instant>,
    },
}

/// How things look where they are shown.
struct Look {
    paint: Paint,
    zone: TimeZone,
}

impl Live {
    /// A view on standard output: bars if it is a terminal that can show them, else lines.
    #[must_use]
    pub fn new(events: broadcast::Receiver<Event>, snapshot: watch::Receiver<Snapshot>) -> Self {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let screen = if std::io::stdout().is_terminal() && !dumb {
            Screen::Bars(Bars::on_stdout())
        } else {
            Screen::lines(Box::new(std::io::stdout()))
        };
        let look = Look { paint: Paint::stdout(), zone: crate::zone::system() };
        Self { events, snapshot, screen, look }
    }

    /// A way to print a line, say of the log, that breaks no bars. It goes to standard error, but onto the screen
    /// above the bars where both are the same terminal. Good for as long as it is kept, also after the view's end.
    #[must_use]
    pub fn println_hook(&self) -> Arc<dyn Fn(&str) + Send + Sync> {
        match &self.screen {
            Screen::Bars(bars) if std::io::stderr().is_terminal() => bars.println_hook(),
            // A closed standard error is no reason to end a night's backups.
            _ => Arc::new(|line| drop(writeln!(std::io::stderr(), "{line}"))),
        }
    }

    /// Shows the run until whoever runs it leaves. Events that came too fast to be shown are passed over.
    pub async fn run(mut self) {
        let mut redraw = interval(REDRAW);
        redraw.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let has_bars = matches!(self.screen, Screen::Bars(_));
        let mut snapshots = true;
        loop {
            tokio::select! {
                event = self.events.recv() => match event {
                    Ok(event) if event.what == What::Leaving => return,
                    Ok(event) => self.event(&event),
                    // The snapshot still tells how things stand.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                },
                changed = self.snapshot.changed(), if has_bars && snapshots => snapshots = changed.is_ok(),
                _ = redraw.tick(), if has_bars => {}
            }
            if let Screen::Bars(bars) = &mut self.screen {
                let snapshot = self.snapshot.borrow_and_update().clone();
                bars.draw(&snapshot);
            }
        }
    }

    fn event(&mut self, event: &Event) {
        let line = match &event.what {
            What::Progress { run, progress } => self.progress_is_due(*run).then(|| {
                // Progress names runs by number. One that the snapshot has no longer open is about to be told as ended.
                let snapshot = self.snapshot.borrow();
                let run = snapshot.run(*run)?;
                let name = words::name(&run.label, &run.key.server);
                Some(format!("{name}: {}", Details::of(progress).text(", ")))
            }),
            // The summary says it at once, and more.
            What::CycleFinished(_) => None,
            _ if matches!(self.screen, Screen::Bars(_)) && shown_by_bars(event) => None,
            _ => Some(words::sentence_with(event, &|key| self.label(key))),
        };
        if let Some(line) = line.flatten() {
            self.println(event, &line);
        }
        if let What::JobFinished { run, .. } | What::JobSkipped(run) = &event.what
            && let Screen::Lines { told, .. } = &mut self.screen
        {
            told.remove(&run.id);
        }
    }

    /// Whether it is time for a line about a run's progress. The first one comes a while after the run was seen.
    fn progress_is_due(&mut self, run: RunId) -> bool {
        let Screen::Lines { told, .. } = &mut self.screen else { return false };
        let now = Instant::now();
        let last = told.entry(run).or_insert(now);
        let due = now.duration_since(*last) >= PROGRESS_LINE;
        if due {
            *last = now;
        }
        due
    }

    fn label(&self, key: &JobKey) -> Option<String> {
        self.snapshot.borrow().jobs().into_iter().find(|job| job.key == *key).map(|job| job.label)
    }

    fn println(&mut self, event: &Event, line: &str) {
        let Look { paint, zone } = &self.look;
        // Above the bars somebody is watching, who knows the day; elsewhere the lines are read later.
        let at = match self.screen {
            Screen::Bars(_) => event.at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string(),
            Screen::Lines { .. } => instant_in(event.at, zone),
        };
        let at = paint.tone(words::Tone::Quiet, &at);
        let line = format!("{at}  {}", paint.tone(words::tone(event), line));
        match &mut self.screen {
            Screen::Bars(bars) => bars.println(&line),
            // Nobody listening any more is no reason to end a night's backups.
            Screen::Lines { out, .. } => drop(writeln!(out, "{line}").and_then(|()| out.flush())),
        }
    }
}

impl Screen {
    fn lines(out: Box<dyn Write + Send>) -> Self {
        Self::Lines { out, told: HashMap::new() }
    }
}

/// What the bars show anyway, and better.
fn shown_by_bars(event: &Event) -> bool {
    matches!(
        event.what,
        What::CycleStarted { .. }
            | What::JobQueued { .. }
            | What::JobStarting(_)
            | What::JobStarted(_)
            | What::Waiting { .. }
            | What::ServerReachable { .. }
    )
}

#[cfg(test)]
mod tests;
