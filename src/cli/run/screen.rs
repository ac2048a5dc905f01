//! Where the log goes while a live view has the screen.

use std::sync::{Arc, OnceLock};

use crate::logging::{self, LogFile, Logging};

/// Where log lines for standard error go: above the bars, once there are some.
#[derive(Clone, Default)]
pub(super) struct Screen(Arc<OnceLock<logging::Sink>>);

impl Screen {
    /// From now on lines go where `println` puts them.
    pub fn show(&self, println: logging::Sink) {
        // It is set once, when the view begins.
        let _ = self.0.set(println);
    }

    /// Starts the log, with a file of its own for who keeps the queue. The live view says what happens; on standard error the
    /// log is for what goes wrong.
    pub fn log(&self, verbose: u8, file: Option<LogFile>) -> Logging {
        let logs_directory = logging::logs_directory();
        logging::init(logging::Options { verbose, quiet: true, file, logs_directory, stderr: self.sink() })
    }

    fn sink(&self) -> logging::Sink {
        let (screen, stderr) = (self.clone(), logging::stderr());
        Arc::new(move |text| match screen.0.get() {
            Some(println) => println(text.trim_end_matches('\n')),
            None => stderr(text),
        })
    }
}
