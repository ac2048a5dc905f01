//! Bars on a terminal: one for the run that has the lane, a line for each run beside it, a line for all.

use std::collections::HashMap;
use std::sync::Arc;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::Instant;

use super::lines::{Shown, shown};
use crate::model::view::JobState;
use crate::model::{JobKey, Snapshot};

/// At most so many times a second is the screen written to: it may be at the far end of a slow line.
const REDRAWS: u8 = 4;

pub(super) struct Bars {
    all: MultiProgress,
    lane: Option<ProgressBar>,
    beside: Vec<ProgressBar>,
    overall: ProgressBar,
    /// What was last heard of each run's time, and when.
    heard: HashMap<JobKey, (u64, Instant)>,
}

impl Bars {
    pub fn on_stdout() -> Self {
        Self::on(ProgressDrawTarget::stdout_with_hz(REDRAWS))
    }

    pub fn on(target: ProgressDrawTarget) -> Self {
        let all = MultiProgress::with_draw_target(target);
        let overall = all.add(line());
        Self { all, lane: None, beside: Vec::new(), overall, heard: HashMap::new() }
    }

    /// Prints above the bars. Not by `suspend`, which panics where the terminal is gone.
    pub fn println(&self, line: &str) {
        let _ = self.all.println(line);
    }

    pub fn println_hook(&self) -> Arc<dyn Fn(&str) + Send + Sync> {
        let all = self.all.clone();
        Arc::new(move |line| drop(all.println(line)))
    }

    /// Shows how things stand, with the seconds gone by since.
    pub fn draw(&mut self, snapshot: &Snapshot) {
        let (queue, jobs) = (snapshot.queue(), snapshot.jobs());
        self.hear(&jobs);
        let now = Instant::now();
        let later = |job: &JobState| {
            let heard = self.heard.get(&job.key);
            heard.map_or(0, |(_, at)| now.duration_since(*at).as_secs())
        };
        let Shown { lane, beside, overall } = shown(&queue, &jobs, later);
        match lane {
            Some((percent, text)) => {
                let bar = self.lane.get_or_insert_with(|| self.all.insert(0, bar()));
                if bar.position() != u64::from(percent) {
                    bar.set_position(u64::from(percent));
                }
                say(bar, text);
            }
            None => {
                if let Some(bar) = self.lane.take() {
                    self.all.remove(&bar);
                }
            }
        }
        for bar in self.beside.drain(beside.len().min(self.beside.len())..) {
            self.all.remove(&bar);
        }
        while self.beside.len() < beside.len() {
            self.beside.push(self.all.insert_before(&self.overall, line()));
        }
        for (bar, text) in self.beside.iter().zip(beside) {
            say(bar, text);
        }
        say(&self.overall, overall);
    }

    fn hear(&mut self, jobs: &[JobState]) {
        for job in jobs {
            match &job.current {
                Some(run) if self.heard.get(&job.key).is_none_or(|(elapsed, _)| *elapsed != run.elapsed) => {
                    self.heard.insert(job.key.clone(), (run.elapsed, Instant::now()));
                }
                Some(_) => {}
                None => drop(self.heard.remove(&job.key)),
            }
        }
    }
}

impl Drop for Bars {
    /// The screen is left as if there had been no bars: what matters was printed above them.
    fn drop(&mut self) {
        let bars = self.lane.iter().chain(&self.beside).chain([&self.overall]);
        bars.for_each(ProgressBar::finish_and_clear);
        let _ = self.all.clear();
    }
}

/// Every change is a redraw, so nothing is said twice.
fn say(bar: &ProgressBar, text: String) {
    if bar.message() != text {
        bar.set_message(text);
    }
}

fn bar() -> ProgressBar {
    // Plain characters: a serial console may know no others.
    styled(100, "[{bar:12}] {wide_msg}", "=> ")
}

fn line() -> ProgressBar {
    styled(1, "{wide_msg}", "=> ")
}

fn styled(length: u64, template: &str, chars: &str) -> ProgressBar {
    // The templates above are tested to be well formed; were they not, indicatif's own look is no loss.
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::hidden())
        .with_style(style.progress_chars(chars))
}
