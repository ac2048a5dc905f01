//! Letters about how things went: after a cycle, and now and then.

use jiff::Timestamp;

use super::Envelope;
use super::page::{Block, Page, Row};
use crate::model::{CycleRecord, JobResult, Reason, RunRecord};
use crate::notify::letter::{Letter, Tag};
use crate::notify::note::has_failed;
use crate::words::{self, Tone, count, duration, name};

/// What a summary tells.
#[derive(Debug, Clone)]
pub(in crate::notify) struct Summary {
    pub cycle: CycleRecord,
    /// The cycle's turns, in their order.
    pub turns: Vec<Turn>,
    /// Runs that are no turn of it and go on now.
    pub beside: Vec<RunRecord>,
    /// What else is worth a look.
    pub remarks: Vec<String>,
    /// When the next cycle starts.
    pub next_run: Option<Timestamp>,
}

/// A job's turn.
#[derive(Debug, Clone)]
pub(in crate::notify) struct Turn {
    pub run: RunRecord,
    /// How long the job usually takes, in seconds.
    pub usual: Option<u64>,
    /// What JetBackup's log says last.
    pub log: Vec<String>,
}

/// What a proof of life tells.
#[derive(Debug, Clone)]
pub(in crate::notify) struct Life {
    pub since: Timestamp,
    pub jobs: Vec<Standing>,
    /// Runs since then, and how many of them completed.
    pub runs: (usize, usize),
    pub remarks: Vec<String>,
    pub next_run: Option<Timestamp>,
}

/// How a job stands.
#[derive(Debug, Clone)]
pub(in crate::notify) struct Standing {
    /// As people name it.
    pub name: String,
    pub last: Option<RunRecord>,
    pub last_success: Option<Timestamp>,
    pub usual: Option<u64>,
    pub stale: bool,
}

/// The letter after a cycle.
pub(in crate::notify) fn summary(envelope: &Envelope, summary: &Summary) -> Letter {
    let turns = || summary.turns.iter().map(|turn| &turn.run);
    // Without its runs there is still what the cycle says of itself.
    let unknown = if summary.cycle.problems == 0 { Tag::Ok } else { Tag::Failed };
    let absent =
        usize::try_from(summary.cycle.total).unwrap_or(usize::MAX).saturating_sub(summary.turns.len());
    let tag = turns().map(tag).chain((absent > 0).then_some(unknown)).max().unwrap_or(unknown);
    let subject = subject(&summary.cycle, &summary.turns);
    let cycle = &summary.cycle;
    let mut facts = vec![("Started", envelope.moment(cycle.started))];
    facts.extend(cycle.ended.map(|at| ("Ended", envelope.moment(at))));
    facts.extend(cycle.duration.map(|took| ("Took", duration(took))));
    facts.extend(summary.next_run.map(|at| ("Next cycle", envelope.moment(at))));
    let (open, over): (Vec<&Turn>, Vec<&Turn>) = summary.turns.iter().partition(|turn| turn.run.open);
    let still = |run: &RunRecord, usual| {
        let since = run.started.map_or_else(String::new, |at| format!("since {}", envelope.moment(at)));
        let (state, tone) =
            if run.overrun { ("beyond its limit", Tone::Bad) } else { ("running", Tone::Plain) };
        Row { detail: since, ..row(run, state.into(), tone, usual, &[]) }
    };
    let under_way = open.iter().map(|turn| still(&turn.run, turn.usual));
    let under_way = under_way.chain(summary.beside.iter().map(|run| still(run, None))).collect();
    let (skipped, ended): (Vec<&Turn>, Vec<&Turn>) =
        over.into_iter().partition(|turn| turn.run.result == Some(JobResult::Skipped));
    // What a person has to do something about comes first.
    let (wrong, right): (Vec<&Turn>, Vec<&Turn>) = ended.into_iter().partition(|turn| turn.run.is_problem());
    let rows = |turns: Vec<&Turn>| {
        let row = |turn: &Turn| {
            let (state, tone) = words::outcome(turn.run.result, turn.run.overrun);
            row(&turn.run, state, tone, turn.usual, &turn.log)
        };
        turns.into_iter().map(row).collect::<Vec<_>>()
    };
    let mut page = Page::new(capitalized(&subject)).with(Block::Facts(facts));
    if absent > 0 {
        page = page.with(Block::Text(format!(
            "Of {} no turn is on record: the program was cut off, or the disk failed.",
            count(absent, "job", "jobs")
        )));
    }
    let page = page
        .with_list("Not as it should be", rows(wrong))
        .with_list("Skipped", rows(skipped))
        .with_list("Still running", under_way)
        .with_list("Completed", rows(right))
        .with_list("Worth a look", remarks(&summary.remarks));
    envelope.seal(tag, Some(cycle.id), subject, &page)
}

fn subject(cycle: &CycleRecord, turns: &[Turn]) -> String {
    let number = |wanted: &dyn Fn(&RunRecord) -> bool| turns.iter().filter(|turn| wanted(&turn.run)).count();
    let is = |result| move |run: &RunRecord| run.result == Some(result) && !run.open;
    let completed = number(&is(JobResult::Completed));
    let total = turns.len().max(usize::try_from(cycle.total).unwrap_or(usize::MAX));
    let parts = [
        (number(&|run| has_failed(run) && !run.open), "failed"),
        (number(&is(JobResult::Partial)), "partial"),
        (number(&is(JobResult::Skipped)), "skipped"),
        (number(&|run| run.overrun), "beyond the time limit"),
    ];
    let mut subject = format!("{completed} of {} completed", count(total, "job", "jobs"));
    for (number, what) in parts.into_iter().filter(|(number, _)| *number > 0) {
        subject += &format!(", {number} {what}");
    }
    subject
}

fn row(run: &RunRecord, state: String, tone: Tone, usual: Option<u64>, log: &[String]) -> Row {
    let usually = usual.map(|usual| format!("usually {}", duration(usual)));
    let detail = match (run.duration.map(duration), usually) {
        (Some(took), Some(usually)) => format!("{took} ({usually})"),
        (took, _) => took.unwrap_or_default(),
    };
    let because = words::because(run);
    let notes = Some(because).filter(|because| !because.is_empty()).into_iter().collect();
    Row { name: name(&run.label, &run.key.server), state, tone, detail, notes, log: log.to_vec() }
}

fn remarks(remarks: &[String]) -> Vec<Row> {
    remarks.iter().map(|remark| Row { name: remark.clone(), ..Row::default() }).collect()
}

/// How bad a turn is.
fn tag(run: &RunRecord) -> Tag {
    match run.result {
        _ if run.is_called_off() => Tag::Ok,
        _ if has_failed(run) && !run.open => Tag::Failed,
        Some(JobResult::Skipped) if run.reason == Some(Reason::Disabled) => Tag::Partial,
        Some(JobResult::Skipped) => Tag::Failed,
        _ if run.overrun => Tag::Timeout,
        Some(JobResult::Partial) => Tag::Partial,
        _ => Tag::Ok,
    }
}

/// The letter that says that all this is still alive.
pub(in crate::notify) fn life(envelope: &Envelope, life: &Life) -> Letter {
    let is_wrong = |job: &&Standing| job.stale || job.last.as_ref().is_some_and(RunRecord::is_problem);
    let wrong = life.jobs.iter().filter(is_wrong).count();
    let (runs, completed) = life.runs;
    let subject = match wrong {
        0 => format!("all {} are well", count(life.jobs.len(), "job", "jobs")),
        wrong => format!("{wrong} of {} need a look", count(life.jobs.len(), "job", "jobs")),
    };
    let tag = if wrong == 0 { Tag::Ok } else { Tag::Partial };
    let mut facts = vec![
        ("Since", envelope.moment(life.since)),
        ("Runs", format!("{runs}, of which {completed} completed")),
    ];
    facts.extend(life.next_run.map(|at| ("Next cycle", envelope.moment(at))));
    let rows = life.jobs.iter().map(|job| {
        let (state, tone) = match &job.last {
            Some(run) => words::outcome(run.result, run.overrun),
            None => ("never ran".to_owned(), Tone::Quiet),
        };
        let last = match job.last_success {
            Some(at) => format!("last success {}", envelope.moment(at)),
            None => "no success yet".to_owned(),
        };
        let stale = job.stale.then(|| "has not completed for too long".to_owned());
        let usual = job.usual.map(|usual| format!("usually takes {}", duration(usual)));
        let notes = [stale, usual].into_iter().flatten().collect();
        Row { name: job.name.clone(), state, tone, detail: last, notes, log: Vec::new() }
    });
    let page = Page::new(capitalized(&subject))
        .with(Block::Facts(facts))
        .with_list("Jobs", rows.collect())
        .with_list("Worth a look", remarks(&life.remarks));
    envelope.seal(tag, None, subject, &page)
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
