//! Random delays that can be foreseen in tests.

use std::hash::{BuildHasher, Hasher, RandomState};

/// A source of random numbers: SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
/// It spreads load; nothing depends on nobody guessing it.
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A source that is different each time. The standard library seeds its hash tables from the system.
    pub fn random() -> Self {
        Self::new(RandomState::new().build_hasher().finish())
    }

    /// A number from 0 to `most`, each as likely.
    pub fn up_to(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let scaled = (u128::from(mixed) * (u128::from(most) + 1)) >> 64;
        // The product of two numbers below 2^64 and at most 2^64, shifted right by 64, is at most `most`.
        u64::try_from(scaled).unwrap_or(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_as_likely_and_none_is_beyond() {
        let mut dice = Dice::new(7);
        let mut seen = [0_u32; 4];
        for _ in 0..4_000 {
            seen[usize::try_from(dice.up_to(3)).unwrap()] += 1;
        }
        assert!(seen.iter().all(|times| (900..1_100).contains(times)), "{seen:?}");
        assert_eq!(dice.up_to(0), 0);
        let _ = dice.up_to(u64::MAX);
    }

    #[test]
    fn the_same_seed_gives_the_same_numbers_and_no_seed_others() {
        let numbers = |mut dice: Dice| [dice.up_to(u64::MAX), dice.up_to(u64::MAX)];
        assert_eq!(numbers(Dice::new(1)), numbers(Dice::new(1)));
        assert_ne!(numbers(Dice::random()), numbers(Dice::random()));
    }
}
