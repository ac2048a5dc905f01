//! A world in a file, shared between tests and the executable `jetbackup5api`.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::clock::ScaledClock;
use crate::executable::executable;
use crate::world::World;

/// The file's name beside the executable.
pub(crate) const FILE: &str = "jetbackup5api.json";

/// The environment variable that names another file. The executable looks beside itself without it, since sshd and
/// the gate clear the environment.
pub(crate) const VARIABLE: &str = "JETBACKUP_SIM_STATE";

/// The file could not be used.
#[derive(Debug)]
pub struct StoreError {
    doing: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.doing, self.path.display(), self.source)
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

#[derive(Serialize, Deserialize)]
struct State {
    clock: ScaledClock,
    world: World,
}

/// A world in a file. Every access holds a lock, so that any number of processes can use it.
#[derive(Debug, Clone)]
pub struct Store {
    path: PathBuf,
}

impl Store {
    /// Writes `world` into `dir`, on the wall clock.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn create(dir: &Path, world: &World) -> Result<Self, StoreError> {
        let store = Self { path: dir.join(FILE) };
        store.save(&State { clock: ScaledClock::real(), world: world.clone() })?;
        Ok(store)
    }

    /// The same, and puts the executable `jetbackup5api` beside it.
    ///
    /// # Errors
    /// If the executable has not been built, or a file cannot be written.
    pub fn install(dir: &Path, world: &World) -> Result<Self, StoreError> {
        let target = dir.join("jetbackup5api");
        let failed = |source| StoreError { doing: "installing", path: target.clone(), source };
        let program = executable().map_err(|error| failed(io::Error::new(io::ErrorKind::NotFound, error)))?;
        // Other file systems want a copy; a symbolic link would lead the program back to where it was built.
        fs::hard_link(&program, &target)
            .or_else(|_| fs::copy(&program, &target).map(drop))
            .map_err(failed)?;
        Self::create(dir, world)
    }

    /// The world that was written into `dir` before.
    pub fn open(dir: &Path) -> Self {
        Self { path: dir.join(FILE) }
    }

    /// The world the executable is to use: the file named by `JETBACKUP_SIM_STATE`, else the one beside it.
    ///
    /// # Errors
    /// If the executable cannot find out where it is.
    pub fn of_this_program() -> io::Result<Self> {
        if let Some(path) = std::env::var_os(VARIABLE) {
            return Ok(Self { path: path.into() });
        }
        Ok(Self { path: std::env::current_exe()?.with_file_name(FILE) })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Uses the world at the present simulated time and writes it back.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub fn with<T>(&self, action: impl FnOnce(&mut World, Timestamp) -> T) -> Result<T, StoreError> {
        self.change(|state| {
            let now = state.clock.now();
            action(&mut state.world, now)
        })
    }

    /// Gives the world another clock: fast, frozen or real.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub fn set_clock(&self, clock: ScaledClock) -> Result<(), StoreError> {
        self.change(|state| state.clock = clock)
    }

    fn change<T>(&self, action: impl FnOnce(&mut State) -> T) -> Result<T, StoreError> {
        let _lock = self.lock()?;
        let text = fs::read(&self.path).map_err(self.failed("reading"))?;
        let mut state: State =
            serde_json::from_slice(&text).map_err(io::Error::other).map_err(self.failed("understanding"))?;
        let result = action(&mut state);
        self.write(&state)?;
        Ok(result)
    }

    fn save(&self, state: &State) -> Result<(), StoreError> {
        let _lock = self.lock()?;
        self.write(state)
    }

    /// The lock is a file of its own, so that the state can be replaced as a whole.
    fn lock(&self) -> Result<File, StoreError> {
        let path = self.path.with_extension("lock");
        let file = File::create(&path).and_then(|file| file.lock().map(|()| file));
        file.map_err(|source| StoreError { doing: "locking", path, source })
    }

    /// Replaces the file, so that a program killed half-way leaves the old state behind.
    fn write(&self, state: &State) -> Result<(), StoreError> {
        let text = serde_json::to_vec(state).map_err(io::Error::other).map_err(self.failed("writing"))?;
        let draft = self.path.with_extension("new");
        fs::write(&draft, text).and_then(|()| fs::rename(&draft, &self.path)).map_err(self.failed("writing"))
    }

    fn failed(&self, doing: &'static str) -> impl Fn(io::Error) -> StoreError + '_ {
        move |source| StoreError { doing, path: self.path.clone(), source }
    }
}
