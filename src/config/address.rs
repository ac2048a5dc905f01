//! Mail addresses as people write them.

/// The addresses of a text with commas between them; a comma in quotes belongs to a name.
pub(super) fn split(text: &str) -> Vec<String> {
    let mut quoted = false;
    let between = |c: char| {
        quoted ^= c == '"';
        c == ',' && !quoted
    };
    text.split(between).map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Whether `text` is `a@b` or `Name <a@b>`, with nothing that would end a header.
pub(super) fn is_address(text: &str) -> bool {
    let (name, address) = match text.strip_suffix('>') {
        Some(named) => match named.split_once('<') {
            Some(parts) => parts,
            None => return false,
        },
        None => ("", text),
    };
    let named = !name.contains(|c: char| c.is_control() || matches!(c, '<' | '>')) && !has_open_quote(name);
    named && is_bare(address)
}

fn has_open_quote(name: &str) -> bool {
    name.matches('"').count() % 2 == 1
}

fn is_bare(address: &str) -> bool {
    let odd = |c: char| {
        c.is_whitespace()
            || c.is_control()
            || matches!(c, '<' | '>' | ',' | ';' | ':' | '"' | '(' | ')' | '\\')
    };
    let host = |host: &str| host.split('.').all(|part| !part.is_empty());
    match address.split_once('@') {
        Some((user, domain)) => {
            !user.is_empty() && host(domain) && !domain.contains('@') && !address.contains(odd)
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_told_from_other_texts() {
        for right in ["a@b", "me@example.com", "Me <me@example.com>", "\"Doe, Jo\" <jo@example.com>", "<a@b>"]
        {
            assert!(is_address(right), "{right}");
        }
        for wrong in [
            "",
            "a",
            "@b",
            "a@",
            "a b@c",
            "a@b c",
            "Me <a>",
            "Me a@b>",
            "a@b\nBcc: c@d",
            "M\ne <a@b>",
            "a@b@c",
            "<a@b> x",
            "a@b,c@d",
            "a@b..c",
        ] {
            assert!(!is_address(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn commas_part_addresses_outside_of_quotes() {
        assert_eq!(split("a@b, c@d,"), ["a@b", "c@d"]);
        assert_eq!(split("\"Doe, Jo\" <a@b>,c@d"), ["\"Doe, Jo\" <a@b>", "c@d"]);
        assert_eq!(split(" "), [""; 0]);
    }

    proptest! {
        #[test]
        fn no_address_ends_a_header(text in "[a-c@<> \r\n\"\\PC]{0,30}") {
            for part in split(&text).iter().filter(|part| is_address(part)) {
                prop_assert!(!part.contains(char::is_control));
            }
        }
    }
}
