//! Foreign text made fit for one line of ours.

/// `text` in one line of at most `max` characters: runs of white space and control characters become one space,
/// marks that turn the direction of writing are dropped, and what is cut off is shown by `…`.
pub(crate) fn one_line(text: &str, max: usize) -> String {
    let turns_direction =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut line = String::new();
    let mut length = 0;
    let mut gap = false;
    for c in text.chars().filter(|c| !turns_direction(*c)) {
        if c.is_control() || c.is_whitespace() {
            gap = length > 0;
            continue;
        }
        let needed = 1 + usize::from(gap);
        if length + needed > max {
            line.push('…');
            break;
        }
        if gap {
            line.push(' ');
            gap = false;
        }
        line.push(c);
        length += needed;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_could_disturb_a_terminal_a_log_or_a_mail_is_gone() {
        assert_eq!(one_line("\u{1b}[31m  no\r\nlicence\t\0 \u{202e}here ", 250), "[31m no licence here");
        assert_eq!(one_line("abcdef", 6), "abcdef");
        assert_eq!(one_line("abcdefg", 6), "abcdef…");
        assert_eq!(one_line("\n \t", 6), "");
    }

    proptest! {
        #[test]
        fn any_text_becomes_a_short_line(text in any::<String>(), max in 0_usize..50) {
            let line = one_line(&text, max);
            prop_assert!(line.chars().count() <= max + 1);
            prop_assert!(!line.chars().any(char::is_control));
        }
    }
}
