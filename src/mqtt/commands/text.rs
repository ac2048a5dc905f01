//! Foreign text, made fit to be told.

use crate::model::text::{TOLD, cut};

/// The most of a foreign text that is quoted, in characters.
const QUOTED: usize = 60;

/// `text` in double quotes, escaped and cut.
pub(super) fn quoted(text: &str) -> String {
    let mut shown: String = text.escape_debug().take(QUOTED).collect();
    if text.escape_debug().nth(QUOTED).is_some() {
        shown.push('…');
    }
    format!("\"{shown}\"")
}

/// `text` on one line of at most 250 characters.
pub(super) fn one_line(text: &str) -> String {
    let plain = |c: char| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c };
    cut(&text.chars().map(plain).collect::<String>(), TOLD)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_cannot_be_shown_is_escaped_and_what_is_long_is_cut() {
        assert_eq!(quoted("a\"b\n\u{202e}ñ"), r#""a\"b\n\u{202e}ñ""#);
        assert_eq!(quoted(&"x".repeat(60)), format!("\"{}\"", "x".repeat(60)));
        assert_eq!(quoted(&"x".repeat(61)), format!("\"{}…\"", "x".repeat(60)));
        assert_eq!(one_line("a\nb"), "a b");
    }

    proptest! {
        #[test]
        fn a_line_is_one_and_not_too_long(text in any::<String>(), times in 1usize..20) {
            let line = one_line(&text.repeat(times));
            prop_assert!(line.chars().count() <= TOLD && !line.chars().any(char::is_control));
        }
    }
}
