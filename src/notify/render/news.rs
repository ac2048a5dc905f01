//! Letters about what happened just now.

use super::page::{Block, Page, Row};
use super::{Envelope, Labels, odd};
use crate::model::{AfterTimeout, Event, JobResult, Origin, RunRecord, What};
use crate::notify::letter::{Letter, Tag};
use crate::notify::note::has_failed;
use crate::words::{self, Tone, duration, name};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A letter about one event. `log` is what JetBackup's own log says last, where that could be had.
pub(in crate::notify) fn news(
    envelope: &Envelope,
    event: &Event,
    labels: Labels<'_>,
    log: &[String],
) -> Letter {
    let (subject, page) = match &event.what {
        What::JobTimeout { run, elapsed, next } => time_limit(envelope, run, *elapsed, *next),
        What::JobFinished { run, recovered } => end(envelope, run, *recovered, log),
        What::JobStale { job, last_success } => {
            let called = labels(job).map_or_else(|| job.to_string(), |label| name(&label, &job.server));
            let last =
                last_success.map_or_else(|| "never, as far as is known".to_owned(), |at| envelope.moment(at));
            let subject = format!("{called} has not completed for too long");
            let page = Page::new(&subject).with(Block::Facts(vec![("Last success", last)])).with(
                Block::Text("Nobody is told again until it has completed and become stale anew.".into()),
            );
            (subject, page)
        }
        What::Alert { job, text } => {
            let about = job
                .as_ref()
                .map(|job| labels(job).map_or_else(|| job.to_string(), |label| name(&label, &job.server)));
            let subject = match &about {
                Some(about) => format!("{about}: {}", first_words(text)),
                None => first_words(text),
            };
            (subject, Page::new(about.unwrap_or_else(|| "Attention".into())).with(Block::Text(text.clone())))
        }
        What::DestinationStuck { server, destination, error } => {
            let subject = format!("a destination of {server} is still enabled");
            let facts = vec![("Server", server.to_string()), ("Destination", destination.to_string())];
            let more = "It was enabled for the jobs and could not be disabled after them. That is tried again until it \
                        works, and then told.";
            let page = Page::new(format!("A destination of {server} could not be disabled"))
                .with(Block::Text(error.clone()))
                .with(Block::Facts(facts))
                .with(Block::Text(more.into()));
            (subject, page)
        }
        What::Remarks { server, new, .. } => odd::remarks(server, new),
        What::CycleMissed { due, begins } => odd::missed(envelope, *due, *begins),
        _ => {
            let said = words::sentence_with(event, labels).unwrap_or_default();
            (first_words(&said), Page::new(said))
        }
    };
    let thread = event.run().and_then(|run| run.cycle);
    let page = page.with(Block::Facts(vec![("When", envelope.moment(event.at))]));
    envelope.seal(tag(event), thread, subject, &page)
}

fn time_limit(envelope: &Envelope, run: &RunRecord, elapsed: u64, next: AfterTimeout) -> (String, Page) {
    let called = name(&run.label, &run.key.server);
    let subject = format!("{called} runs beyond its time limit");
    let queue = match next {
        AfterTimeout::GoesOn => "It goes on with the next job beside it.",
        AfterTimeout::WaitsForOverruns => {
            "It waits: as many jobs as may be are beyond their limit. It goes on when one of them ends, or when you \
             release one."
        }
        AfterTimeout::WaitsForRelease => "It waits until this job ends, or until you release it.",
    };
    let mut facts = vec![
        ("Running for", duration(elapsed)),
        ("Limit", duration(run.limit)),
        ("Started", run.started.map_or_else(|| "not known".into(), |at| envelope.moment(at))),
    ];
    facts.extend(run.group.map(|group| ("Queue group", group.to_string())));
    if run.result == Some(JobResult::LostContact) {
        facts
            .push(("Contact", format!("{} has not answered for a while; it may have ended", run.key.server)));
    }
    let page = Page::new(&subject)
        .with(Block::Facts(facts))
        .with(Block::Text(format!("The queue: {queue}")))
        .with(Block::Text("The backup is left alone and stays watched; its end is told.".into()));
    (subject, page)
}

fn end(envelope: &Envelope, run: &RunRecord, recovered: bool, log: &[String]) -> (String, Page) {
    let called = name(&run.label, &run.key.server);
    let how = run.result.map_or("ended", words::result);
    let because = words::because(run);
    let subject = match (has_failed(run), recovered) {
        (true, _) if because.is_empty() => format!("{called} {}", verb(run)),
        (true, _) => format!("{called} {}: {}", verb(run), first_words(&because)),
        (false, true) => format!("{called} succeeds again"),
        (false, false) if run.overrun => format!("{called} has ended after all: {how}"),
        (false, false) => format!("{called} {how}"),
    };
    let mut page = Page::new(match recovered {
        true => format!("{called} completed, after it had not completed the last time"),
        false => format!("{called} {}", verb(run)),
    });
    if !because.is_empty() {
        page = page.with(Block::Text(because));
    }
    let mut facts = Vec::new();
    facts.extend(run.started.map(|at| ("Started", envelope.moment(at))));
    facts.extend(run.ended.map(|at| ("Ended", envelope.moment(at))));
    facts.extend(run.duration.map(|took| ("Took", duration(took))));
    if run.overrun {
        facts.push(("Limit", format!("{}, passed", duration(run.limit))));
    }
    if run.origin == Origin::Adopted {
        facts.push(("Started by", "JetBackup's schedule or a person, not from here".into()));
    }
    if !facts.is_empty() {
        page = page.with(Block::Facts(facts));
    }
    if !log.is_empty() {
        page = page
            .with(Block::Heading("JetBackup's log, the last lines".into()))
            .with(Block::Lines(log.to_vec()));
    }
    (subject, page)
}

fn verb(run: &RunRecord) -> &'static str {
    match run.result {
        Some(JobResult::Failed) => "failed",
        Some(JobResult::Aborted) => "was aborted",
        Some(JobResult::NeverFinished) => "never finished",
        Some(JobResult::DidNotStart) => "did not start",
        Some(JobResult::LostContact) => "is out of contact",
        Some(JobResult::Partial) => "completed in part",
        Some(JobResult::Completed) => "completed",
        Some(JobResult::Skipped) => "was skipped",
        Some(JobResult::Unknown) | None => "ended, and nothing tells how",
    }
}

/// A letter about many things at once. What is told of each is its line, when it happened and how bad it is.
pub(in crate::notify) fn several(envelope: &Envelope, events: &[Event], labels: Labels<'_>) -> Letter {
    let worst = events.iter().map(tag).max().unwrap_or(Tag::Ok);
    let rows = events.iter().map(|event| {
        let tone = match tag(event) {
            Tag::Ok => Tone::Good,
            Tag::Partial => Tone::Warn,
            Tag::Timeout | Tag::Failed | Tag::Critical => Tone::Bad,
        };
        let (name, state, notes) = odd::line(envelope, event).unwrap_or_else(|| line(event, labels));
        Row { name, state, tone, detail: envelope.moment(event.at), notes, log: Vec::new() }
    });
    let count = |wanted: fn(&Event) -> bool| events.iter().filter(|event| wanted(event)).count();
    let failed = count(|event| matches!(&event.what, What::JobFinished { run, .. } if has_failed(run)));
    let late = count(|event| matches!(event.what, What::JobTimeout { .. }));
    let stale = count(|event| matches!(event.what, What::JobStale { .. }));
    let again = count(|event| matches!(event.what, What::JobFinished { recovered: true, .. }));
    let other = events.len() - failed - late - stale - again;
    let said = |n: usize, one: &str, many: &str| (n > 0).then(|| words::count(n, one, many));
    let parts = [
        said(failed, "job failed", "jobs failed"),
        said(late, "job beyond its time limit", "jobs beyond their time limit"),
        said(stale, "job without success for too long", "jobs without success for too long"),
        said(again, "job succeeds again", "jobs succeed again"),
        said(other, "other event", "other events"),
    ];
    let subject = match events.first() {
        // Nothing that can be counted under a name of its own: the first one speaks for the others.
        Some(first) if other == events.len() && other > 1 => {
            let (name, ..) = line(first, labels);
            format!("{}, and {} more", first_words(&name), other - 1)
        }
        _ => parts.into_iter().flatten().collect::<Vec<_>>().join(", "),
    };
    let page = Page::new(&subject).with(Block::Rows(rows.collect()));
    envelope.seal(worst, None, subject, &page)
}

/// What happened, in a line of a list: about what, what of it, and what else is known.
fn line(event: &Event, labels: Labels<'_>) -> (String, String, Vec<String>) {
    match &event.what {
        What::JobFinished { run, recovered } => {
            let state = if *recovered {
                "succeeds again".to_owned()
            } else {
                words::outcome(run.result, run.overrun).0
            };
            let because = words::because(run);
            (
                name(&run.label, &run.key.server),
                state,
                Some(because).filter(|b| !b.is_empty()).into_iter().collect(),
            )
        }
        What::JobTimeout { run, elapsed, .. } => {
            let long = format!("running for {}, limit {}", duration(*elapsed), duration(run.limit));
            (name(&run.label, &run.key.server), "beyond its limit".into(), vec![long])
        }
        What::JobStale { job, .. } => {
            let called = labels(job).map_or_else(|| job.to_string(), |label| name(&label, &job.server));
            (called, "stale".into(), vec!["has not completed for too long".into()])
        }
        _ => (words::sentence_with(event, labels).unwrap_or_default(), String::new(), Vec::new()),
    }
}

/// The daemon is at work.
pub(in crate::notify) fn started(envelope: &Envelope, at: jiff::Timestamp) -> Letter {
    let page = Page::new("The daemon is at work")
        .with(Block::Facts(vec![("Since", envelope.moment(at)), ("Version", VERSION.into())]));
    envelope.seal(Tag::Ok, None, "the daemon is at work".into(), &page)
}

/// The daemon was told to end.
pub(in crate::notify) fn stopping(envelope: &Envelope, at: jiff::Timestamp) -> Letter {
    let page = Page::new("The daemon was told to end")
        .with(Block::Facts(vec![("When", envelope.moment(at)), ("Version", VERSION.into())]))
        .with(Block::Text(
            "What runs goes on. Until the daemon is back nothing more is started, and nobody watches.".into(),
        ));
    envelope.seal(Tag::Ok, None, "the daemon was told to end".into(), &page)
}

/// Somebody wants to see whether mail arrives.
pub(in crate::notify) fn test(envelope: &Envelope) -> Letter {
    let page = Page::new("Mail works")
        .with(Block::Text("This is the test that was asked for by `jetbackup-remote notify test`.".into()))
        .with(Block::Facts(vec![("Sent", envelope.moment(envelope.date)), ("Version", VERSION.into())]));
    envelope.seal(Tag::Ok, None, "a test".into(), &page)
}

/// How bad it is.
fn tag(event: &Event) -> Tag {
    match &event.what {
        What::JobTimeout { .. } => Tag::Timeout,
        What::JobFinished { run, .. } if has_failed(run) => Tag::Failed,
        What::JobFinished { run, .. } if run.result == Some(JobResult::Partial) => Tag::Partial,
        What::JobFinished { .. } => Tag::Ok,
        What::JobStale { .. } | What::CycleMissed { begins: None, .. } => Tag::Failed,
        What::DestinationStuck { .. } => Tag::Critical,
        What::DestinationDisabled { .. } => Tag::Ok,
        _ => Tag::Partial,
    }
}

/// What of a text fits into a subject.
fn first_words(text: &str) -> String {
    const MOST: usize = 80;
    let text = words::clean(text);
    if text.chars().count() <= MOST {
        return text;
    }
    let cut: String = text.chars().take(MOST).collect();
    let whole = cut.rsplit_once(' ').map_or(cut.as_str(), |(whole, _)| whole);
    format!("{}…", whole.trim_end_matches([',', ';', ':']))
}
