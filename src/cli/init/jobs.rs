//! Which of the jobs that the servers have get a turn.

use super::contact::Reached;
use super::{Base, Talk, Which};
use crate::cli::exit::Failure;
use crate::cli::paint::Paint;
use crate::cli::table::{Cell, Column, Table, stdout_width};
use crate::setup::{Asker as _, Found, NewJob, chosen, labels, priorities, ranges};
use crate::words::Tone;

pub(super) fn choose(
    talk: &mut Talk,
    which: Option<Which>,
    base: &Base,
    reached: &[Reached],
) -> Result<Vec<NewJob>, Failure> {
    let found = found(base, reached);
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let numbers: Vec<usize> = (1..=found.len()).collect();
    let by_default: Vec<usize> = numbers
        .into_iter()
        .filter(|number| {
            let job = &found[number - 1];
            match which {
                Some(Which::All) => true,
                Some(Which::None) => false,
                Some(Which::Enabled) => job.is_usual(),
                None => job.is_usual() && is_new_there(base, job),
            }
        })
        .collect();
    talk.tell(&format!("\n{}", table(&found, &by_default).trim_end()))?;
    let (mut numbers, mut wanted) = (by_default.clone(), Vec::new());
    if talk.asks && which.is_none() {
        let default = ranges(&by_default);
        let question = "Which jobs shall run (as in 1,3-5; or all, none)?";
        numbers = talk.console.ask_for(question, Some(&default), |answer| chosen(answer, found.len()))?;
        if numbers.len() > 1 {
            let question = "Priorities, higher first (as in 3=10,1=5; Enter: in this order)";
            wanted = talk.console.ask_for(question, None, |answer| priorities(answer, &numbers))?;
        }
    }
    let priority = |number: usize| wanted.iter().rfind(|(of, _)| *of == number).map_or(0, |(_, high)| *high);
    let picked: Vec<(&Found, i64)> =
        numbers.iter().map(|&number| (&found[number - 1], priority(number))).collect();
    let taken: Vec<&str> = base
        .config()
        .map(|config| config.jobs.iter().map(|job| job.label.as_str()).collect())
        .unwrap_or_default();
    Ok(labels(&picked, &taken))
}

/// The jobs that are in no queue, in the order of the servers.
fn found(base: &Base, reached: &[Reached]) -> Vec<Found> {
    let all = reached.iter().flat_map(|reached| {
        let jobs = reached.jobs.as_deref().unwrap_or_default();
        jobs.iter().map(|job| Found::new(&reached.name, job))
    });
    all.filter(|found| base.config().is_none_or(|config| config.job(&found.key).is_none())).collect()
}

/// Whether nobody has chosen among its server's jobs yet. A job that was left out of a queue was left out on purpose.
fn is_new_there(base: &Base, job: &Found) -> bool {
    let on_it =
        |config: &crate::config::Config| config.jobs.iter().any(|known| known.key.server == job.key.server);
    !base.config().is_some_and(on_it)
}

fn table(found: &[Found], chosen: &[usize]) -> String {
    let columns = [
        Column::right("#"),
        Column::left("Server"),
        Column::left("Job").shrinks(1),
        Column::left("Type"),
        Column::left(""),
    ];
    let mut table = Table::new(columns);
    for (at, job) in found.iter().enumerate() {
        let note = match (job.disabled, job.own) {
            (true, _) => Cell::toned("disabled there", Tone::Warn),
            (_, true) => Cell::toned("JetBackup's own", Tone::Quiet),
            _ if chosen.contains(&(at + 1)) => Cell::default(),
            _ => Cell::toned("not chosen", Tone::Quiet),
        };
        table.row([
            Cell::from((at + 1).to_string()),
            Cell::from(job.key.server.as_str()),
            Cell::from(job.name.as_str()),
            Cell::from(job.kind),
            note,
        ]);
    }
    table.render(stdout_width(), Paint::stdout())
}
