//! The log file's own thread: a card that takes seconds for a write must not hold up the queue.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::time::Duration;

use super::Sink;
use super::rotation::Rotating;

/// How many lines may wait for the disk. Beyond that they are lost, and counted.
const WAITING: usize = 1000;
/// How long the end of the program waits for the disk.
const LAST_WRITES: Duration = Duration::from_secs(2);

/// What hands lines to the thread.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    lines: SyncSender<Line>,
    lost: Arc<AtomicU64>,
}

enum Line {
    Text(String),
    /// Answer when everything before this is written.
    Flush(Sender<()>),
}

/// Starts the thread. `complain` is told, once each time, when lines cannot be written.
pub(super) fn start(file: Rotating, complain: Sink) -> io::Result<Writer> {
    let (lines, waiting) = sync_channel(WAITING);
    let lost = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&lost);
    std::thread::Builder::new()
        .name("log file".to_owned())
        .spawn(move || write_all(&waiting, file, &counter, &complain))?;
    Ok(Writer { lines, lost })
}

impl Writer {
    /// Takes a line, and never waits.
    pub(super) fn line(&self, text: String) {
        match self.lines.try_send(Line::Text(text)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Waits until the lines taken so far are written, for two seconds at most.
    pub(super) fn flush(&self) {
        let (done, answer) = channel();
        // With the queue full, the disk hangs anyway.
        if self.lines.try_send(Line::Flush(done)).is_ok() {
            let _ = answer.recv_timeout(LAST_WRITES);
        }
    }
}

fn write_all(waiting: &Receiver<Line>, mut file: Rotating, lost: &AtomicU64, complain: &Sink) {
    let mut failing = false;
    while let Ok(line) = waiting.recv() {
        let text = match line {
            Line::Flush(done) => {
                let _ = done.send(());
                continue;
            }
            Line::Text(text) => text,
        };
        let gap = lost.load(Ordering::Relaxed);
        let note = match gap {
            0 => String::new(),
            _ => format!("[{gap} lines were lost here: the disk was full or slow]\n"),
        };
        let written = file.write(&[note.as_bytes(), text.as_bytes()].concat());
        match written {
            Ok(()) => {
                lost.fetch_sub(gap, Ordering::Relaxed);
                failing = false;
            }
            Err(error) => {
                lost.fetch_add(1, Ordering::Relaxed);
                if !std::mem::replace(&mut failing, true) {
                    complain(&format!("the log file cannot be written: {error}\n"));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Mutex;

    use super::super::rotation::LogFile;
    use super::*;

    #[test]
    fn a_disk_that_fails_is_told_of_once_and_the_gap_is_written_down() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("logs/log");
        fs::create_dir(dir.path().join("logs")).unwrap();
        let file = Rotating::open(LogFile { path: path.clone(), max_bytes: 9, backups: 1 }).unwrap();
        let complaints: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = Arc::clone(&complaints);
        let complain: Sink = Arc::new(move |text: &str| heard.lock().unwrap().push(text.to_owned()));
        let writer = start(file, complain).unwrap();
        writer.line("one line\n".to_owned());
        writer.flush();

        // The next line must open a new file, which is not possible while the directory is gone.
        fs::rename(dir.path().join("logs"), dir.path().join("away")).unwrap();
        writer.line("lost\n".to_owned());
        writer.line("lost too\n".to_owned());
        writer.flush();
        let heard = complaints.lock().unwrap().clone();
        assert!(heard.len() == 1 && heard[0].starts_with("the log file cannot be written: "), "{heard:?}");

        fs::create_dir(dir.path().join("logs")).unwrap();
        writer.line("back\n".to_owned());
        writer.flush();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, "[2 lines were lost here: the disk was full or slow]\nback\n");
        assert_eq!(complaints.lock().unwrap().len(), 1);
    }
}
