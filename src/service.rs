//! Telling the service manager how the program is: systemd's notification protocol, `sd_notify(3)`.
//!
//! Nothing happens where no service manager asks for it (`NOTIFY_SOCKET`), and nothing here can fail the program: what
//! cannot be told is not told. It knows a socket and a few words, nothing of what the program does.

use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a service manager that does not read may hold the program up.
const PATIENCE: Duration = Duration::from_millis(100);

/// The service manager, if there is one.
#[derive(Debug)]
pub struct Service {
    manager: Option<Manager>,
    watchdog: Option<Duration>,
    told: Mutex<Told>,
}

/// Where the service manager listens.
#[derive(Debug)]
struct Manager {
    socket: UnixDatagram,
    address: SocketAddr,
}

#[derive(Debug, Default)]
struct Told {
    status: String,
    alive: Option<Instant>,
}

impl Service {
    /// The service manager that started this process, by its environment.
    #[must_use]
    pub fn from_env() -> Self {
        Self::from_lookup(|name| std::env::var_os(name))
    }

    fn from_lookup(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let number = |name| variable(name)?.to_str()?.parse::<u64>().ok();
        let manager = variable("NOTIFY_SOCKET").filter(|name| !name.is_empty()).and_then(|name| {
            Manager::at(&name)
                .inspect_err(
                    |error| tracing::warn!(%error, socket = ?name, "NOTIFY_SOCKET names no usable socket"),
                )
                .ok()
        });
        // Without a process id the watchdog is meant for whoever reads this; 0 microseconds are no interval.
        let is_meant = match variable("WATCHDOG_PID") {
            Some(_) => number("WATCHDOG_PID") == Some(std::process::id().into()),
            None => true,
        };
        let watchdog =
            number("WATCHDOG_USEC").filter(|time| is_meant && *time > 0).map(Duration::from_micros);
        Self { watchdog: watchdog.filter(|_| manager.is_some()), manager, told: Mutex::default() }
    }

    /// Starting, or reloading, is done.
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    /// What the program does, in one line for people. The same line again is not sent.
    pub fn status(&self, text: &str) {
        let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.status != line && self.tell(&format!("STATUS={line}")) {
            told.status = line;
        }
    }

    /// The configuration is being read again; [`Service::ready`] ends this.
    pub fn reloading(&self) {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let mut message = "RELOADING=1".to_owned();
        if let (Ok(seconds), Ok(nanos)) = (u64::try_from(now.tv_sec), u64::try_from(now.tv_nsec)) {
            // Writing to a text cannot fail.
            let _ = write!(message, "\nMONOTONIC_USEC={}", seconds * 1_000_000 + nanos / 1_000);
        }
        self.tell(&message);
    }

    /// The program is about to end.
    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// Keeps the watchdog quiet. To be called from where the program would hang if it hung, as often as it pleases:
    /// what is sent is one message every third of the interval.
    pub fn alive(&self) {
        let Some(interval) = self.watchdog else { return };
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let is_fresh = told.alive.is_some_and(|last| now.duration_since(last) < interval / 3);
        if !is_fresh && self.tell("WATCHDOG=1") {
            told.alive = Some(now);
        }
    }

    /// Within which time [`Service::alive`] has to be called again; `None`: nobody watches.
    #[must_use]
    pub fn watchdog_interval(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Answers whether it was sent.
    fn tell(&self, message: &str) -> bool {
        let Some(manager) = &self.manager else { return false };
        let sent = manager.socket.send_to_addr(message.as_bytes(), &manager.address);
        sent.inspect_err(|error| tracing::debug!(%error, message, "the service manager cannot be told"))
            .is_ok()
    }
}

impl Manager {
    /// `name` is a path, or a name in the kernel's abstract namespace with `@` before it.
    fn at(name: &OsStr) -> io::Result<Self> {
        let address = match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            [b'/', ..] => SocketAddr::from_pathname(name)?,
            _ => {
                return Err(io::Error::new(
                    io::ErrorKind::Unsupported,
                    "neither a path nor an abstract name",
                ));
            }
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { socket, address })
    }
}

#[cfg(test)]
#[path = "service_tests.rs"]
mod tests;
