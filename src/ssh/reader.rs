//! Reading one exec channel to its end, in whatever order its messages come.

use std::time::Duration;

use russh::client::Handle;
use russh::{ChannelMsg, ChannelReadHalf, Sig};
use tokio::time::timeout;

use super::Output;
use super::handler::Client;

/// The most a command may write to standard output.
pub(super) const MOST_OUTPUT: usize = 8 * 1024 * 1024;
/// How much of standard error is kept.
const MOST_STDERR: usize = 4 * 1024;
/// How long a channel may stay open and silent after the exit status before the server is asked whether more is on its
/// way: something the command left in the background may hold the channel open for days.
const GRACE: Duration = Duration::from_secs(1);

/// How a channel ended without a usable answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("the connection was lost before it finished")]
    Lost,
    #[error("it ended without an exit status")]
    NoStatus,
    #[error("it was killed by signal {0}")]
    Signal(String),
    #[error("it wrote more than {} MiB", MOST_OUTPUT >> 20)]
    TooLarge,
    #[error("the server refused to run it")]
    Refused,
}

/// What a channel that ended in order had to say.
pub(super) struct Answer {
    pub(super) output: Output,
    /// Whether the server still holds the channel open, so that it must be closed from here.
    pub(super) held: bool,
}

#[derive(Default)]
struct Gathered {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    exit: Option<u32>,
    eof: bool,
}

/// Reads until the channel is closed, or stays silent after the exit status.
pub(super) async fn read(
    channel: &mut ChannelReadHalf,
    connection: &Handle<Client>,
) -> Result<Answer, ReadError> {
    let mut gathered = Gathered::default();
    loop {
        let message = match gathered.exit {
            None => channel.wait().await,
            Some(_) => match timeout(GRACE, channel.wait()).await {
                Ok(message) => message,
                Err(_) => {
                    // The silence may be the network's. What was sent before the answer to a ping is here with it.
                    let pinged = connection.send_ping().await;
                    if pinged.is_err() || connection.is_closed() {
                        channel.wait().await
                    } else if let Ok(message) = timeout(Duration::ZERO, channel.wait()).await {
                        message
                    } else {
                        return gathered.finish(true);
                    }
                }
            },
        };
        match message {
            Some(ChannelMsg::Close) => return gathered.finish(false),
            // The channel vanished with its connection; what was announced as complete still is. Without the announcement
            // the output may be cut short, whatever the status.
            None if gathered.eof && gathered.exit.is_some() => return gathered.finish(false),
            None => return Err(ReadError::Lost),
            Some(message) => gathered.take(message)?,
        }
    }
}

impl Gathered {
    fn take(&mut self, message: ChannelMsg) -> Result<(), ReadError> {
        match message {
            ChannelMsg::Data { data } => {
                if self.stdout.len() + data.len() > MOST_OUTPUT {
                    return Err(ReadError::TooLarge);
                }
                self.stdout.extend_from_slice(&data);
            }
            ChannelMsg::ExtendedData { data, ext: 1 } => {
                let room = MOST_STDERR.saturating_sub(self.stderr.len()).min(data.len());
                self.stderr.extend(data.iter().take(room));
            }
            ChannelMsg::ExitStatus { exit_status } => self.exit = Some(exit_status),
            ChannelMsg::ExitSignal { signal_name, .. } => return Err(ReadError::Signal(name(&signal_name))),
            ChannelMsg::Failure => return Err(ReadError::Refused),
            ChannelMsg::Eof => self.eof = true,
            // Success and window sizes say nothing about the result.
            _ => {}
        }
        Ok(())
    }

    fn finish(self, held: bool) -> Result<Answer, ReadError> {
        let exit = self.exit.ok_or(ReadError::NoStatus)?;
        let stderr = String::from_utf8_lossy(&self.stderr).into_owned();
        Ok(Answer { output: Output { stdout: self.stdout, stderr, exit }, held })
    }
}

/// The name without its `SIG`, made harmless for a log line.
fn name(signal: &Sig) -> String {
    match signal {
        Sig::Custom(name) => name.chars().filter(char::is_ascii_alphanumeric).take(20).collect(),
        known => format!("{known:?}"),
    }
}
