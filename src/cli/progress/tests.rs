use std::sync::Mutex;

use super::*;
use crate::model::{CycleId, CycleRecord, JobFacts, JobResult, Progress, RunRecord, ServerName};
use indicatif::{ProgressDrawTarget, TermLike};

pub(super) fn key(n: u8) -> JobKey {
    JobKey { server: "web1".parse().unwrap(), job: format!("64ab000000000000000000{n:02}").parse().unwrap() }
}

pub(super) fn run_of(n: u8, label: &str) -> RunRecord {
    RunRecord {
        cycle: Some(CycleId(1)),
        open: false,
        ..RunRecord::new(RunId(i64::from(n)), key(n), label, "2026-03-01T02:00:00Z".parse().unwrap(), 14_400)
    }
}

fn event(second: u32, what: What) -> Event {
    Event { at: format!("2026-03-01T02:00:{second:02}Z").parse().unwrap(), what }
}

fn facts(n: u8, label: &str) -> JobFacts {
    JobFacts {
        key: key(n),
        label: label.into(),
        limit: 14_400,
        last: None,
        last_success: None,
        usual: Some(600),
        stale: false,
    }
}

fn cycle(jobs: Vec<JobKey>) -> What {
    let cycle = CycleRecord::begun(CycleId(1), jiff::Timestamp::UNIX_EPOCH, jobs.len());
    What::CycleStarted { cycle, jobs, resumed: false }
}

fn snapshot() -> Snapshot {
    Snapshot::new(&["web1".parse::<ServerName>().unwrap()], vec![facts(1, "Accounts"), facts(2, "Home")])
}

fn open(n: u8, label: &str) -> RunRecord {
    RunRecord { open: true, ..run_of(n, label) }
}

fn moved(n: u8, items_completed: u64, elapsed: u64) -> What {
    let progress = Progress {
        items: Some(10),
        items_completed: Some(items_completed),
        elapsed,
        usual: Some(600),
        ..Progress::default()
    };
    What::Progress { run: RunId(i64::from(n)), progress }
}

fn finished(n: u8, label: &str) -> What {
    let run = RunRecord { result: Some(JobResult::Completed), duration: Some(400), ..run_of(n, label) };
    What::JobFinished { run, recovered: false }
}

/// A place to write to that can be looked at.
#[derive(Debug, Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Paper {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A terminal of 100 columns, as far as indicatif uses one.
#[derive(Debug, Clone, Default)]
struct Glass(Arc<Mutex<Grid>>);

#[derive(Debug, Default)]
struct Grid {
    rows: Vec<String>,
    row: usize,
    column: usize,
}

impl Grid {
    fn put(&mut self, c: char) {
        if c == '\n' || self.column == 100 {
            self.row += 1;
            self.column = 0;
        }
        if self.rows.len() <= self.row {
            self.rows.resize(self.row + 1, String::new());
        }
        match c {
            '\n' => {}
            '\r' => self.column = 0,
            c => {
                let row = &mut self.rows[self.row];
                let kept: String = row.chars().chain(std::iter::repeat(' ')).take(self.column).collect();
                let rest: String = row.chars().skip(self.column + 1).collect();
                *row = format!("{kept}{c}{rest}");
                self.column += 1;
            }
        }
    }
}

impl Glass {
    /// What is on the screen, down to the last row that is not empty.
    fn rows(&self) -> Vec<String> {
        let grid = self.0.lock().unwrap();
        let mut rows: Vec<_> = grid.rows.iter().map(|row| row.trim_end().to_owned()).collect();
        while rows.last().is_some_and(String::is_empty) {
            rows.pop();
        }
        rows
    }
}

impl TermLike for Glass {
    fn width(&self) -> u16 {
        100
    }
    fn move_cursor_up(&self, n: usize) -> std::io::Result<()> {
        let mut grid = self.0.lock().unwrap();
        grid.row = grid.row.saturating_sub(n);
        Ok(())
    }
    fn move_cursor_down(&self, n: usize) -> std::io::Result<()> {
        self.0.lock().unwrap().row += n;
        Ok(())
    }
    fn move_cursor_right(&self, n: usize) -> std::io::Result<()> {
        self.0.lock().unwrap().column += n;
        Ok(())
    }
    fn move_cursor_left(&self, n: usize) -> std::io::Result<()> {
        let mut grid = self.0.lock().unwrap();
        grid.column = grid.column.saturating_sub(n);
        Ok(())
    }
    fn write_line(&self, text: &str) -> std::io::Result<()> {
        self.write_str(text)?;
        self.write_str("\n")
    }
    fn write_str(&self, text: &str) -> std::io::Result<()> {
        let mut grid = self.0.lock().unwrap();
        text.chars().for_each(|c| grid.put(c));
        Ok(())
    }
    fn clear_line(&self) -> std::io::Result<()> {
        let mut grid = self.0.lock().unwrap();
        let row = grid.row;
        if let Some(row) = grid.rows.get_mut(row) {
            row.clear();
        }
        grid.column = 0;
        Ok(())
    }
    fn flush(&self) -> std::io::Result<()> {
        Ok(())
    }
}

struct Stage {
    events: broadcast::Sender<Event>,
    shown: watch::Sender<Snapshot>,
}

impl Stage {
    fn new(screen: Screen, room: usize) -> (Self, Live) {
        let (events, seen) = broadcast::channel(room);
        let (shown, snapshot) = watch::channel(snapshot());
        let look = Look { paint: Paint::PLAIN, zone: TimeZone::UTC };
        let live = Live { events: seen, snapshot, screen, look };
        (Self { events, shown }, live)
    }

    fn tell(&self, event: Event) {
        self.shown.send_modify(|snapshot| snapshot.apply(&event));
        self.events.send(event).unwrap();
    }
}

/// Lets the view see what it was told, before time goes on.
async fn seen(stage: &Stage) {
    while !stage.events.is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_terminal_every_event_is_a_line_and_progress_is_rare() {
    let paper = Paper::default();
    let (stage, live) = Stage::new(Screen::lines(Box::new(paper.clone())), 64);
    let view = tokio::spawn(live.run());
    stage.tell(event(0, cycle(vec![key(1), key(2)])));
    stage.tell(event(1, What::JobQueued { job: key(2) }));
    stage.tell(event(2, What::JobStarted(open(1, "Accounts"))));
    for minute in 0..12 {
        stage.tell(event(10 + minute, moved(1, u64::from(minute) / 2, u64::from(minute) * 60)));
        seen(&stage).await;
        tokio::time::advance(Duration::from_secs(60)).await;
    }
    stage.tell(event(40, finished(1, "Accounts")));
    // Nothing is known of this run: its beginning was missed.
    stage.tell(event(41, moved(9, 1, 5)));
    drop(stage);
    view.await.unwrap();
    let golden = "\
2026-03-01 02:00:00  Cycle started: 2 jobs
2026-03-01 02:00:01  Queued: Home on web1
2026-03-01 02:00:02  Running: Accounts on web1
2026-03-01 02:00:15  Accounts on web1: 20 %, 5 min, about 5 min left, 2 of 10 items
2026-03-01 02:00:20  Accounts on web1: 50 %, 10 min, longer than usual, 5 of 10 items
2026-03-01 02:00:40  Completed: Accounts on web1 after 6 min 40 s
";
    assert_eq!(paper.text(), golden);
}

#[tokio::test]
async fn a_view_that_lags_goes_on_with_what_is_left() {
    let paper = Paper::default();
    let (stage, live) = Stage::new(Screen::lines(Box::new(paper.clone())), 2);
    for second in 0..30 {
        stage.tell(event(second, What::Waiting { reason: Some(format!("reason {second}")) }));
    }
    drop(stage);
    live.run().await;
    let golden = "\
2026-03-01 02:00:28  Waiting: reason 28
2026-03-01 02:00:29  Waiting: reason 29
";
    assert_eq!(paper.text(), golden);
}

fn bars(glass: &Glass) -> Bars {
    Bars::on(ProgressDrawTarget::term_like(Box::new(glass.clone())))
}

#[tokio::test(start_paused = true)]
async fn bars_show_the_lane_those_beside_it_and_all() {
    let glass = Glass::default();
    let mut bars = bars(&glass);
    let mut snapshot = snapshot();
    snapshot.apply(&event(0, cycle(vec![key(1), key(2)])));
    bars.draw(&snapshot);
    assert_eq!(glass.rows(), ["0 of 2 jobs done; next: Accounts on web1"]);

    let overrun = RunRecord { overrun: true, ..open(1, "Accounts") };
    snapshot.apply(&event(1, What::JobStarted(overrun)));
    snapshot.apply(&event(2, moved(1, 9, 700)));
    snapshot.apply(&event(3, What::JobStarted(open(2, "Home"))));
    snapshot.apply(&event(4, moved(2, 4, 240)));
    bars.draw(&snapshot);
    let golden = [
        "[====>       ] Home on web1  40 %  4 min  about 6 min left  4 of 10 items",
        "beside it: Accounts on web1  beyond its limit  90 %  11 min  longer than usual  9 of 10 items",
        "0 of 2 jobs done",
    ];
    assert_eq!(glass.rows(), golden);

    tokio::time::advance(Duration::from_secs(65)).await;
    bars.draw(&snapshot);
    assert!(glass.rows()[0].contains("  5 min 5 s  about 4 min left  "), "{:?}", glass.rows());

    let hook = bars.println_hook();
    hook("a line of the log");
    let rows = glass.rows();
    assert_eq!((rows[0].as_str(), &rows[2][..9], rows.len()), ("a line of the log", "beside it", 4));

    snapshot.apply(&event(5, finished(1, "Accounts")));
    snapshot.apply(&event(6, finished(2, "Home")));
    bars.draw(&snapshot);
    assert_eq!(glass.rows(), ["a line of the log", "2 of 2 jobs done"]);
    drop(bars);
    hook("another one");
    assert_eq!(glass.rows(), ["a line of the log", "another one"]);
}

#[tokio::test(start_paused = true)]
async fn on_a_terminal_ends_are_printed_above_the_bars_and_the_bars_go() {
    let glass = Glass::default();
    let (stage, live) = Stage::new(Screen::Bars(bars(&glass)), 64);
    let view = tokio::spawn(live.run());
    stage.tell(event(0, cycle(vec![key(1)])));
    stage.tell(event(1, What::JobStarted(open(1, "Accounts"))));
    seen(&stage).await;
    assert_eq!(glass.rows().len(), 2, "{:?}", glass.rows());
    stage.tell(event(2, finished(1, "Accounts")));
    drop(stage);
    view.await.unwrap();
    assert_eq!(glass.rows(), ["02:00:02  Completed: Accounts on web1 after 6 min 40 s"]);
}
