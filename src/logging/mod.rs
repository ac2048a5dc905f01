//! What the program says while it works: to stderr for a person or the journal, and to a file that is rotated.
//!
//! It knows formats, levels and files, nothing of what is said. No log line may stop or delay a backup: a file that
//! cannot be written is a warning, and lines wait for a slow disk on a thread of their own.

mod rotation;
mod writer;

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::Subscriber;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer as FormatWriter;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

pub use rotation::LogFile;
use rotation::Rotating;
use writer::Writer;

/// This crate, as `tracing` names it.
const OURS: &str = "jetbackup_remote";

/// Takes text that ends with a line end. With progress bars on the terminal it must draw them anew below.
pub type Sink = Arc<dyn Fn(&str) + Send + Sync>;

/// How to log.
pub struct Options {
    /// How often `-v` was given. 0: what an administrator wants to know; 1: every step; 2 and more: everything, and
    /// more from the libraries.
    pub verbose: u8,
    /// Without `-v` only warnings and errors go to stderr: for commands whose output says the rest.
    pub quiet: bool,
    /// The log file, if any.
    pub file: Option<LogFile>,
    /// The directory where the service manager lets this program log, for when the log file cannot be written: see
    /// [`logs_directory`].
    pub logs_directory: Option<PathBuf>,
    /// Where lines for stderr go: [`stderr`], or something that spares progress bars.
    pub stderr: Sink,
}

/// The running log. Keep it until the end of the program: dropping it waits up to two seconds for the last lines to
/// be written.
#[must_use]
#[derive(Debug)]
pub struct Logging {
    /// What does not work as configured.
    pub warnings: Vec<String>,
    file: Option<Writer>,
    /// The log file, if it is not the configured one.
    moved_to: Option<PathBuf>,
}

impl Drop for Logging {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            file.flush();
        }
    }
}

/// Lines straight to stderr. One that is closed is no error.
#[must_use]
pub fn stderr() -> Sink {
    Arc::new(|text: &str| {
        let _ = io::stderr().lock().write_all(text.as_bytes());
    })
}

/// The directory that systemd made for this service's logs: `LogsDirectory=` in systemd.exec(5), the first if several.
#[must_use]
pub fn logs_directory() -> Option<PathBuf> {
    first_directory(&std::env::var_os("LOGS_DIRECTORY")?)
}

fn first_directory(list: &OsStr) -> Option<PathBuf> {
    list.as_bytes()
        .split(|byte| *byte == b':')
        .map(|path| PathBuf::from(OsStr::from_bytes(path)))
        .find(|path| path.is_absolute())
}

/// Starts logging for the whole program. Never fails: what does not work is in the warnings.
pub fn init(options: Options) -> Logging {
    let (subscriber, mut logging) = build(options, Style::of_this_process());
    if tracing::subscriber::set_global_default(subscriber).is_err() {
        logging.warnings.push("the log was started already".to_owned());
    }
    if let Some(path) = &logging.moved_to {
        tracing::info!(
            "the log file is {}: the configured one cannot be written by the service",
            path.display()
        );
    }
    logging
}

/// How lines look on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Style {
    colour: bool,
    time: bool,
}

impl Style {
    fn of_this_process() -> Self {
        let variable = |name| std::env::var(name).ok();
        Self::of(variable("NO_COLOR").as_deref(), variable("JOURNAL_STREAM").as_deref(), stderr_facts())
    }

    /// `no_color`: see no-color.org, any value but an empty one forbids colour. `journal_stream`: systemd.exec(5),
    /// device and inode of the journal's socket; children that write elsewhere inherit the variable too.
    fn of(no_color: Option<&str>, journal_stream: Option<&str>, stderr: StderrFacts) -> Self {
        let journal = journal_stream.is_some() && journal_stream == stderr.stream.as_deref();
        Self { colour: stderr.terminal && no_color.is_none_or(str::is_empty), time: !journal }
    }
}

#[derive(Debug, Clone)]
struct StderrFacts {
    terminal: bool,
    /// Device and inode, as `JOURNAL_STREAM` writes them.
    stream: Option<String>,
}

fn stderr_facts() -> StderrFacts {
    let metadata = io::stderr().as_fd().try_clone_to_owned().and_then(|fd| File::from(fd).metadata());
    StderrFacts {
        terminal: io::stderr().is_terminal(),
        stream: metadata.ok().map(|metadata| format!("{}:{}", metadata.dev(), metadata.ino())),
    }
}

fn build(options: Options, style: Style) -> (impl Subscriber + Send + Sync, Logging) {
    let mut logging = Logging { warnings: Vec::new(), file: None, moved_to: None };
    if let Some(file) = options.file {
        let path = file.path.clone();
        match open(file, options.logs_directory.as_deref())
            .and_then(|(file, moved)| Ok((writer::start(file, Arc::clone(&options.stderr))?, moved)))
        {
            Ok((writer, moved_to)) => (logging.file, logging.moved_to) = (Some(writer), moved_to),
            Err(error) => logging.warnings.push(format!(
                "the log file {} cannot be written: {error}. Nothing is logged there; check its directory and \
                 owner, or set orchestrator.log_file",
                path.display()
            )),
        }
    }
    let stderr = layer(style, options.verbose, ToSink(options.stderr))
        .with_filter(levels(options.verbose, options.quiet));
    let file = logging
        .file
        .clone()
        .map(|writer| layer(Style { colour: false, time: true }, options.verbose, ToFile(writer)))
        .map(|file| file.with_filter(levels(options.verbose, false)));
    (Registry::default().with(stderr).with(file), logging)
}

/// Opens the log file; if that is not possible, one of the same name in `other`. Answers the path of the latter.
///
/// An unprivileged service may write to its own directory only, and must log without its configuration being edited.
fn open(file: LogFile, other: Option<&Path>) -> io::Result<(Rotating, Option<PathBuf>)> {
    let moved = other.zip(file.path.file_name()).map(|(other, name)| other.join(name));
    let settings = file.clone();
    match (Rotating::open(file), moved) {
        (Ok(file), _) => Ok((file, None)),
        (Err(error), None) => Err(error),
        // The error of the configured file is the one to be told.
        (Err(error), Some(path)) => match Rotating::open(LogFile { path: path.clone(), ..settings }) {
            Ok(file) => Ok((file, Some(path))),
            Err(_) => Err(error),
        },
    }
}

fn levels(verbose: u8, quiet: bool) -> Targets {
    let (ours, others) = match verbose {
        0 if quiet => (LevelFilter::WARN, LevelFilter::WARN),
        0 => (LevelFilter::INFO, LevelFilter::WARN),
        1 => (LevelFilter::DEBUG, LevelFilter::WARN),
        2 => (LevelFilter::TRACE, LevelFilter::INFO),
        _ => (LevelFilter::TRACE, LevelFilter::TRACE),
    };
    Targets::new().with_default(others).with_target(OURS, ours)
}

/// The layer that formats lines for one destination.
fn layer<S, W>(style: Style, verbose: u8, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_ansi(style.colour)
        .with_target(verbose > 0)
        // It would print to stderr, and panic if that is closed.
        .log_internal_errors(false);
    if style.time { layer.with_timer(LocalTime).boxed() } else { layer.without_time().boxed() }
}

/// Local time with its offset, to the second: `2025-11-22T22:14:03+01:00`.
struct LocalTime;

impl FormatTime for LocalTime {
    fn format_time(&self, w: &mut FormatWriter<'_>) -> fmt::Result {
        write!(
            w,
            "{}",
            jiff::Timestamp::now().to_zoned(crate::zone::system()).strftime("%Y-%m-%dT%H:%M:%S%:z")
        )
    }
}

/// One event as text: further lines of a message are indented, so that no text from afar can pass for an event.
fn text_of(event: &[u8]) -> String {
    let text = String::from_utf8_lossy(event);
    let mut text = text.trim_end().replace('\r', "").replace('\n', "\n    ");
    text.push('\n');
    text
}

struct ToSink(Sink);
struct SinkWriter<'a>(&'a Sink);

impl<'a> MakeWriter<'a> for ToSink {
    type Writer = SinkWriter<'a>;

    fn make_writer(&'a self) -> SinkWriter<'a> {
        SinkWriter(&self.0)
    }
}

impl Write for SinkWriter<'_> {
    // The formatting layer hands over each event in one piece.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.0(&text_of(event));
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct ToFile(Writer);
struct FileWriter<'a>(&'a Writer);

impl<'a> MakeWriter<'a> for ToFile {
    type Writer = FileWriter<'a>;

    fn make_writer(&'a self) -> FileWriter<'a> {
        FileWriter(&self.0)
    }
}

impl Write for FileWriter<'_> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.0.line(text_of(event));
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use jiff::fmt::strtime::BrokenDownTime;

    use jiff::Zoned;

    use super::*;

    fn heard() -> (Sink, Arc<Mutex<String>>) {
        let text: Arc<Mutex<String>> = Arc::default();
        let hears = Arc::clone(&text);
        (Arc::new(move |line: &str| hears.lock().unwrap().push_str(line)), text)
    }

    fn speak() {
        tracing::info!(server = "web-1", "run started");
        tracing::debug!("a step");
        tracing::info!(target: "russh::client", "a library's news");
        tracing::warn!(target: "russh::client", "a library's worry");
        tracing::error!("two\nlines \u{1b}[31mred\r");
    }

    const PLAIN: Style = Style { colour: false, time: false };

    #[test]
    fn stderr_has_our_news_and_only_the_worries_of_others() {
        let (stderr, text) = heard();
        let (subscriber, logging) =
            build(Options { quiet: false, verbose: 0, file: None, logs_directory: None, stderr }, PLAIN);
        tracing::subscriber::with_default(subscriber, speak);
        assert_eq!(logging.warnings, Vec::<String>::new());
        let expected = " INFO run started server=\"web-1\"\n WARN a library's worry\n\
                        ERROR two\n    lines \\x1b[31mred\n";
        assert_eq!(*text.lock().unwrap(), expected);
    }

    #[test]
    fn each_v_says_more() {
        for (verbose, lines) in [(0, 4), (1, 5), (2, 6), (9, 6)] {
            let (stderr, text) = heard();
            let (subscriber, _logging) =
                build(Options { quiet: false, verbose, file: None, logs_directory: None, stderr }, PLAIN);
            tracing::subscriber::with_default(subscriber, speak);
            assert_eq!(text.lock().unwrap().lines().count(), lines, "{verbose}: {}", text.lock().unwrap());
        }
    }

    #[test]
    fn the_file_has_local_time_and_no_colour() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let (stderr, text) = heard();
        let file = Some(LogFile { path: path.clone(), max_bytes: 10_000, backups: 5 });
        let style = Style { colour: true, time: true };
        let (subscriber, logging) =
            build(Options { quiet: false, verbose: 0, file, logs_directory: None, stderr }, style);
        tracing::subscriber::with_default(subscriber, || tracing::info!("run started"));
        drop(logging);
        assert!(text.lock().unwrap().contains("\u{1b}[32m INFO"), "{:?}", text.lock().unwrap());
        let line = std::fs::read_to_string(&path).unwrap();
        let (time, rest) = line.split_once(' ').unwrap();
        assert_eq!(rest, " INFO run started\n");
        let time = BrokenDownTime::parse("%Y-%m-%dT%H:%M:%S%:z", time).unwrap();
        assert_eq!(time.offset(), Some(Zoned::now().offset()));
    }

    #[test]
    fn a_file_that_cannot_be_written_is_a_warning() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("nowhere/log");
        let (stderr, text) = heard();
        let file = Some(LogFile { path: path.clone(), max_bytes: 10_000, backups: 5 });
        let (subscriber, logging) =
            build(Options { quiet: false, verbose: 0, file, logs_directory: None, stderr }, PLAIN);
        tracing::subscriber::with_default(subscriber, || tracing::info!("run started"));
        assert_eq!(*text.lock().unwrap(), " INFO run started\n");
        let expected = format!("the log file {} cannot be written: ", path.display());
        assert!(logging.warnings.len() == 1 && logging.warnings[0].starts_with(&expected));
    }

    #[test]
    fn a_service_that_cannot_write_the_file_logs_into_its_own_directory() {
        let dir = tempfile::tempdir().unwrap();
        let logs = dir.path().join("logs");
        std::fs::create_dir(&logs).unwrap();
        let lines = |path: PathBuf, logs_directory: &Path| {
            let (stderr, _) = heard();
            let file = Some(LogFile { path, max_bytes: 10_000, backups: 5 });
            let logs_directory = Some(logs_directory.to_owned());
            let options = Options { quiet: false, verbose: 0, file, logs_directory, stderr };
            let (subscriber, logging) = build(options, PLAIN);
            tracing::subscriber::with_default(subscriber, || tracing::info!("run started"));
            (logging.warnings.clone(), logging.moved_to.clone())
        };
        let moved = logs.join("remote.log");
        let told = lines(dir.path().join("nowhere/remote.log"), &logs);
        assert_eq!(told, (Vec::new(), Some(moved.clone())));
        assert!(std::fs::read_to_string(&moved).unwrap().ends_with(" INFO run started\n"));

        // A file that can be written is the one that was asked for, and of two that cannot the configured one is told.
        let told = lines(dir.path().join("here.log"), &logs);
        assert_eq!(told, (Vec::new(), None));
        let (warnings, moved_to) = lines(dir.path().join("nowhere/log"), &dir.path().join("gone"));
        assert!(warnings.len() == 1 && warnings[0].contains("nowhere/log"), "{warnings:?}");
        assert_eq!(moved_to, None);
    }

    #[test]
    fn the_first_of_several_log_directories_is_taken() {
        let first = |list: &str| first_directory(OsStr::new(list));
        assert_eq!(first("/var/log/a:/var/log/b"), Some("/var/log/a".into()));
        assert_eq!(first("/var/log/a"), Some("/var/log/a".into()));
        assert_eq!(first(""), None);
        assert_eq!(first("relative"), None);
    }

    #[test]
    fn colour_is_for_terminals_and_the_journal_has_its_own_time() {
        let stderr = |terminal| StderrFacts { terminal, stream: Some("8:1234".to_owned()) };
        let style = |colour, time| Style { colour, time };
        assert_eq!(Style::of(None, None, stderr(true)), style(true, true));
        assert_eq!(Style::of(Some(""), None, stderr(true)), style(true, true));
        assert_eq!(Style::of(Some("1"), None, stderr(true)), style(false, true));
        assert_eq!(Style::of(None, None, stderr(false)), style(false, true));
        assert_eq!(Style::of(None, Some("8:1234"), stderr(false)), style(false, false));
        assert_eq!(Style::of(None, Some("8:99"), stderr(true)), style(true, true));
    }
}
