//! What is told at the end of a one-shot run.

use jiff::tz::TimeZone;

use crate::cli::paint::Paint;
use crate::cli::table::{Cell, Column, Table, stdout_width};
use crate::model::{CycleRecord, JobKey, JobResult, RunRecord};
use crate::words::{self, Tone, because, count, duration, moment_in, over};

/// The end of a run for standard output: a line for the cycle, a row for each run that ended, with its reason below, and then
/// what is still running. `usual` gives the seconds a job usually takes.
#[must_use]
pub fn summary(cycle: &CycleRecord, runs: &[RunRecord], usual: impl Fn(&JobKey) -> Option<u64>) -> String {
    render(cycle, runs, usual, stdout_width(), Paint::stdout(), &crate::zone::system())
}

/// The turns that were given to a daemon, as they ended.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Handed {
    /// Their runs, some of which may still be open.
    pub runs: Vec<RunRecord>,
    /// Jobs whose turn never came.
    pub not_reached: Vec<String>,
    /// Jobs of which it is not known what became of them.
    pub unknown: Vec<String>,
}

/// The end of a run by the daemon, as [`summary`] tells that of a run of one's own.
#[must_use]
pub fn handed(handed: &Handed, usual: impl Fn(&JobKey) -> Option<u64>) -> String {
    render_handed(handed, usual, stdout_width(), Paint::stdout(), &crate::zone::system())
}

fn render_handed(
    handed: &Handed,
    usual: impl Fn(&JobKey) -> Option<u64>,
    width: usize,
    paint: Paint,
    zone: &TimeZone,
) -> String {
    let Handed { runs, not_reached, unknown } = handed;
    let problems = runs.iter().filter(|run| run.open || run.result.is_none() || run.is_problem()).count();
    let completed = runs.len() - problems;
    let total = runs.len() + not_reached.len() + unknown.len();
    let mut heading = format!("{completed} of {} completed in time", count(total, "job", "jobs"));
    for (number, said) in [
        (problems, count(problems, "problem", "problems")),
        (not_reached.len(), format!("{} not reached", not_reached.len())),
        (unknown.len(), format!("{} not known", unknown.len())),
    ] {
        if number > 0 {
            heading.push_str(&format!(", {said}"));
        }
    }
    let tone = if completed == total { Tone::Good } else { Tone::Warn };
    let mut text = format!("{}\n", paint.tone(tone, &heading));
    text.push_str(&tables(runs, usual, "Still running; the daemon watches it:", width, paint, zone));
    for (heading, names) in [("Not reached:", not_reached), ("Not known what became of:", unknown)] {
        if !names.is_empty() {
            let names = names.iter().map(|name| format!("{name}\n")).collect::<String>();
            text.push_str(&format!("\n{}\n{names}", paint.tone(Tone::Warn, heading)));
        }
    }
    text
}

fn render(
    cycle: &CycleRecord,
    runs: &[RunRecord],
    usual: impl Fn(&JobKey) -> Option<u64>,
    width: usize,
    paint: Paint,
    zone: &TimeZone,
) -> String {
    let tone = if cycle.problems == 0 && cycle.done >= cycle.total { Tone::Good } else { Tone::Warn };
    let heading = paint.tone(tone, &over(cycle));
    let still = "Still running; watched again by the next run:";
    format!("{heading}\n{}", tables(runs, usual, still, width, paint, zone))
}

/// The runs that ended, and below `still` those that have not.
fn tables(
    runs: &[RunRecord],
    usual: impl Fn(&JobKey) -> Option<u64>,
    still: &str,
    width: usize,
    paint: Paint,
    zone: &TimeZone,
) -> String {
    let mut text = String::new();
    let (open, ended): (Vec<_>, Vec<_>) = runs.iter().partition(|run| run.open);
    if !ended.is_empty() {
        text.push('\n');
        text.push_str(&ended_table(&ended, usual).render(width, paint));
    }
    if !open.is_empty() {
        text.push_str(&format!("\n{}\n", paint.tone(Tone::Warn, still)));
        text.push_str(&open_table(&open, zone).render(width, paint));
    }
    text
}

fn ended_table(runs: &[&RunRecord], usual: impl Fn(&JobKey) -> Option<u64>) -> Table {
    let mut table = Table::new([
        Column::left("Job").shrinks(2),
        Column::left("Server").shrinks(1),
        Column::left("Result"),
        Column::right("Took").optional(),
        Column::right("Usually").optional(),
    ]);
    for run in runs {
        table.row([
            run.label.as_str().into(),
            run.key.server.as_str().into(),
            result(run),
            run.duration.map(duration).into(),
            usual(&run.key).map(duration).into(),
        ]);
        table.note(&because(run));
    }
    table
}

fn result(run: &RunRecord) -> Cell {
    let result = run.result.unwrap_or(JobResult::Unknown);
    match (words::result(result), words::result_tone(result)) {
        (said, Tone::Good) if run.overrun => Cell::toned(format!("{said}, late"), Tone::Warn),
        (said, tone) if run.overrun => Cell::toned(format!("{said}, late"), tone),
        (said, tone) => Cell::toned(said, tone),
    }
}

fn open_table(runs: &[&RunRecord], zone: &TimeZone) -> Table {
    let mut table = Table::new([
        Column::left("Job").shrinks(3),
        Column::left("Server").shrinks(1),
        Column::left("Since"),
        Column::left("Group").optional(),
        Column::left("State").shrinks(2),
    ]);
    for run in runs {
        let state = match run.result {
            _ if run.released => "released",
            Some(result) => words::result(result),
            None if run.overrun => "beyond its limit",
            None => "running",
        };
        table.row([
            run.label.as_str().into(),
            run.key.server.as_str().into(),
            moment_in(run.started.unwrap_or(run.asked), zone).into(),
            run.group.map(|group| group.to_string()).into(),
            Cell::toned(state, Tone::Warn),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::progress::tests::{key, run_of};
    use crate::model::{CycleId, Reason};
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn a_cycle_ends_in_a_table() {
        let cycle = CycleRecord {
            id: CycleId(1),
            started: "2026-03-01T02:00:00Z".parse().unwrap(),
            ended: None,
            duration: Some(10_920),
            total: 5,
            done: 4,
            completed: 1,
            problems: 3,
        };
        let ended = |n, label: &str, result| RunRecord { result: Some(result), ..run_of(n, label) };
        let runs = [
            RunRecord { duration: Some(4980), ..ended(1, "Accounts", JobResult::Completed) },
            RunRecord { duration: Some(15_000), overrun: true, ..ended(2, "Home", JobResult::Completed) },
            RunRecord {
                duration: Some(45),
                error: Some("no space left on the destination, says the server".into()),
                ..ended(3, "Bases de datos de la tienda", JobResult::Failed)
            },
            RunRecord { reason: Some(Reason::Disabled), ..ended(4, "Mail", JobResult::Skipped) },
            RunRecord {
                open: true,
                overrun: true,
                group: Some("64ab0000000000000000ffff".parse().unwrap()),
                ..run_of(5, "Big one")
            },
        ];
        let usual = |found: &JobKey| (*found == key(1)).then_some(2400);
        let golden = "\
Cycle finished after 3 h 2 min: 1 of 5 jobs completed, 3 problems, 1 not reached

Job                          Server  Result                 Took  Usually
Accounts                     web1    completed        1 h 23 min   40 min
Home                         web1    completed, late  4 h 10 min
Bases de datos de la tienda  web1    failed                 45 s
    no space left on the destination, says the server
Mail                         web1    skipped
    the job is disabled on its server

Still running; watched again by the next run:
Job      Server  Since             Group                     State
Big one  web1    2026-03-01 02:00  64ab0000000000000000ffff  beyond its limit
";
        let shown = render(&cycle, &runs, usual, 80, Paint::PLAIN, &TimeZone::UTC);
        assert_eq!(shown, golden);
        assert!(shown.lines().skip(1).all(|line| line.width() <= 80));
    }

    #[test]
    fn turns_of_a_daemon_end_in_a_table_as_well() {
        let ended = |n, label: &str, result| RunRecord { result: Some(result), ..run_of(n, label) };
        let all_well = Handed {
            runs: vec![RunRecord { duration: Some(4980), ..ended(1, "Accounts", JobResult::Completed) }],
            ..Handed::default()
        };
        let shown = |handed: &Handed| render_handed(handed, |_| None, 80, Paint::PLAIN, &TimeZone::UTC);
        let golden = "\
1 of 1 job completed in time

Job       Server  Result           Took
Accounts  web1    completed  1 h 23 min
";
        assert_eq!(shown(&all_well), golden);

        let mut mixed = all_well;
        mixed.runs.push(RunRecord { open: true, overrun: true, ..run_of(2, "Home") });
        mixed.runs.push(RunRecord { reason: Some(Reason::Disabled), ..ended(3, "Mail", JobResult::Skipped) });
        mixed.not_reached.push("Databases on web1".into());
        mixed.unknown.push("Logs on web2".into());
        let golden = "\
1 of 5 jobs completed in time, 2 problems, 1 not reached, 1 not known

Job       Server  Result           Took
Accounts  web1    completed  1 h 23 min
Mail      web1    skipped
    the job is disabled on its server

Still running; the daemon watches it:
Job   Server  Since             State
Home  web1    2026-03-01 02:00  beyond its limit

Not reached:
Databases on web1

Not known what became of:
Logs on web2
";
        assert_eq!(shown(&mixed), golden);
    }
}
