//! Random numbers that a seed makes the same everywhere, and the random runs and faults that are made of them.
#![allow(dead_code)]

use jetbackup_sim::{Bools, Dialect, FailureData, Fault, Run, Spoil};

/// A small generator of random numbers (splitmix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn seconds(&mut self, bound: i64) -> i64 {
        self.below(u64::try_from(bound).unwrap()).try_into().unwrap()
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()].clone()
    }

    /// A run that ends in any way, after anything up to `longest` seconds.
    pub fn run(&mut self, longest: i64) -> Run {
        let run = match self.below(8) {
            0 => Run::partial(),
            1 => Run::failed(),
            2 => Run::never_finished(),
            3 => Run::ending_with_code(150),
            4 => return Run::hook_abort(),
            _ => Run::completed(),
        };
        let lasting = if self.chance(30) { self.seconds(5) } else { self.seconds(longest) };
        let mut run = run.lasting(lasting).pending(self.seconds(60)).group_after(self.seconds(59));
        if self.chance(30) {
            run = run.running_after(self.seconds(100));
        }
        match self.below(4) {
            0 => run = run.running_ends_late(self.seconds(30)),
            1 => run = run.running_ends_early(self.seconds(30).min(lasting)),
            _ => {}
        }
        if self.chance(20) {
            run = run.stage(self.seconds(100), 3 + self.seconds(96));
        }
        run
    }

    /// A server's answers are spoiled a few times, sooner or later.
    pub fn fault(&mut self) -> Fault {
        let dialect = Dialect {
            bools: self.pick(&[Bools::Digits, Bools::Text, Bools::EmptyFalse, Bools::NullFalse]),
            numbers_as_text: self.chance(50),
            lists_as_objects: self.chance(50),
            failure_data: self.pick(&[FailureData::Object, FailureData::Null, FailureData::Missing]),
        };
        let spoil = self.pick(&[
            Spoil::Banner,
            Spoil::Garbage,
            Spoil::Empty,
            Spoil::Truncated,
            Spoil::Exit(255),
            Spoil::Dialect(dialect),
            Spoil::ConnectionRefused,
            Spoil::Hang(100),
        ]);
        let function = self.pick(&[
            "runBackupJobManually",
            "listQueueGroups",
            "listBackupJobs",
            "getBackupJob",
            "getQueueGroup",
            "listLogs",
        ]);
        let times = u32::try_from(1 + self.below(5)).unwrap();
        Fault::new(spoil).on(function).skip(u32::try_from(self.below(20)).unwrap()).times(times)
    }
}
