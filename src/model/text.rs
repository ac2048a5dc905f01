//! Texts of any length, as long as what keeps and shows them can bear.

/// The most of an error that is kept, in characters: long ones say at their end what to do about it.
pub const KEPT: usize = 1000;

/// The most of an error, or of a reason, in a message to other programs, in characters.
pub const TOLD: usize = 250;

/// `text`; where it is longer than `most` characters, cut to that many, the last of which shows the cut.
#[must_use]
pub fn cut(text: &str, most: usize) -> String {
    if text.chars().nth(most).is_none() {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_is_shown() {
        assert_eq!(cut("mañana", 6), "mañana");
        assert_eq!(cut("mañanas", 6), "mañan…");
        assert_eq!(cut("", 0), "");
    }
}
