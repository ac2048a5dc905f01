//! The time: one for the servers, which nobody moves, and the one on the program's wall, which jumps.

use std::sync::{Arc, Mutex};

use jetbackup_remote::model::BootMoment;
use jetbackup_remote::orchestrator::WallClock;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// The first moment of every month.
pub const DAWN: &str = "2031-03-01T00:00:00Z";

/// When the program was built: 2031-01-01T00:00:00Z.
const BUILT: i64 = 1_924_992_000;

/// True time. It follows the clock of the runtime in which the program lives, and stands between two lives.
#[derive(Clone)]
pub struct Sky(Arc<Mutex<(Timestamp, Option<Instant>)>>);

impl Sky {
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new((DAWN.parse().unwrap(), None))))
    }

    pub fn now(&self) -> Timestamp {
        let (base, born) = *self.0.lock().unwrap();
        born.map_or(base, |born| base + SignedDuration::try_from(born.elapsed()).unwrap())
    }

    /// A life begins, so many seconds after the last one. To be called in its runtime.
    pub fn rise(&self, after: i64) {
        let now = self.now() + SignedDuration::from_secs(after);
        *self.0.lock().unwrap() = (now, Some(Instant::now()));
    }

    /// The life is over. To be called in its runtime.
    pub fn set(&self) {
        let now = self.now();
        *self.0.lock().unwrap() = (now, None);
    }
}

/// What this machine believes.
#[derive(Clone)]
pub struct Wall {
    sky: Sky,
    wrong_by: Arc<Mutex<SignedDuration>>,
    /// How often the machine was restarted, and when it last was.
    boot: Arc<Mutex<(u64, Timestamp)>>,
}

impl Wall {
    pub fn new(sky: &Sky) -> Self {
        Self { sky: sky.clone(), wrong_by: Arc::default(), boot: Arc::new(Mutex::new((1, sky.now()))) }
    }

    /// The machine is restarted.
    pub fn reboot(&self) {
        let now = self.sky.now();
        let mut boot = self.boot.lock().unwrap();
        *boot = (boot.0 + 1, now);
    }

    /// From now on the wall is wrong by so many seconds.
    pub fn jump(&self, seconds: i64) {
        *self.wrong_by.lock().unwrap() = SignedDuration::from_secs(seconds);
    }
}

impl WallClock for Wall {
    fn now(&self) -> Timestamp {
        let now = self.sky.now() + *self.wrong_by.lock().unwrap();
        // As the program's own clock has it.
        Timestamp::from_millisecond(now.as_millisecond()).unwrap()
    }

    fn boot(&self) -> Option<BootMoment> {
        let (boot, since) = *self.boot.lock().unwrap();
        let millisecond = i64::try_from(self.sky.now().duration_since(since).as_millis()).unwrap();
        Some(BootMoment { boot, millisecond })
    }

    fn is_plausible(&self) -> bool {
        self.now().as_second() > BUILT
    }
}
