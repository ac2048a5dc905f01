use proptest::prelude::*;

use super::*;

/// An encoding of the given type with `tail` behind its name, as base64.
fn key(kind: &str, tail: &[u8]) -> String {
    let mut blob = u32::try_from(kind.len()).unwrap_or(0).to_be_bytes().to_vec();
    blob.extend_from_slice(kind.as_bytes());
    blob.extend_from_slice(tail);
    STANDARD.encode(blob)
}

fn lines_for(text: &str, name: &str) -> Vec<usize> {
    let file = KnownHosts::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    file.lookup(name).keys.into_iter().map(|(line, _)| line).collect()
}

fn rejected(text: &str) -> usize {
    KnownHosts::parse(text.as_bytes()).err().map_or(0, |error| error.line)
}

#[test]
fn names_carry_their_port_unless_it_is_22() {
    assert_eq!(lookup_name("Web1.Example", 22), "web1.example");
    assert_eq!(lookup_name("Web1.Example", 51514), "[web1.example]:51514");
    assert_eq!(lookup_name("::1", 2222), "[::1]:2222");
}

#[test]
fn every_matching_line_counts() {
    let (a, b) = (key("ssh-ed25519", b"a"), key("ssh-rsa", b"b"));
    let text = format!(
        "# comment\n\nweb1,[web1]:2222 ssh-ed25519 {a} note\nweb1\tssh-rsa\t\t{b}\r\n*.example ssh-rsa {b}\n\
         *,!web1 ssh-rsa {b}\nweb? ssh-ed25519 {a}"
    );
    assert_eq!(lines_for(&text, "web1"), [3, 4, 7]);
    assert_eq!(lines_for(&text, "[web1]:2222"), [3, 6]);
    assert_eq!(lines_for(&text, "a.example"), [5, 6]);
    assert_eq!(lines_for(&text, "web2"), [6, 7]);
}

#[test]
fn a_hashed_name_matches_itself_only() {
    // Made with `ssh-keygen -H` from "[web1.example.com]:51514".
    let hashed = "|1|kR/uDw6MGAD2hrLmq2aJQtMoFKc=|eWS2ziyRfHsDjOUkk4W74A8aO5Y=";
    let line = format!("{hashed} ssh-rsa {}", key("ssh-rsa", b"x"));
    assert_eq!(lines_for(&line, "[web1.example.com]:51514"), [1]);
    assert_eq!(lines_for(&line, "[web1.example.com]:51515"), [] as [usize; 0]);
}

#[test]
fn revoked_keys_are_taken_off_and_authorities_are_no_keys() {
    let (a, b) = (key("ssh-ed25519", b"a"), key("ssh-ed25519", b"b"));
    let text =
        format!("web1 ssh-ed25519 {a}\n@revoked * ssh-ed25519 {a}\n@cert-authority web1 ssh-ed25519 {b}\n");
    let found = KnownHosts::parse(text.as_bytes()).map(|file| file.lookup("web1")).unwrap_or_default();
    assert_eq!((found.keys.len(), found.revoked.len()), (0, 1));
}

#[test]
fn what_is_not_understood_is_an_error() {
    let good = key("ssh-rsa", b"b");
    assert_eq!(rejected(&format!("web1 ssh-rsa {good}\nweb1 ssh-rsa")), 2);
    assert_eq!(rejected(&format!("web1 ssh-ed25519 {good}")), 1);
    assert_eq!(rejected("web1 ssh-rsa !!!"), 1);
    assert_eq!(rejected("web1 ssh-rsa AAAA"), 1);
    assert_eq!(rejected(&format!("@new web1 ssh-rsa {good}")), 1);
    assert_eq!(rejected(&format!("|2|a|b ssh-rsa {good}")), 1);
    assert_eq!(rejected("web1 1024 35 1234567890"), 1);
}

/// The obvious, exponential definition.
fn slow_glob(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, rest) => rest.is_none(),
        (Some((b'*', more)), rest) => {
            slow_glob(more, text) || rest.is_some_and(|(_, rest)| slow_glob(pattern, rest))
        }
        (Some((byte, more)), Some((first, rest))) => {
            (*byte == b'?' || byte == first) && slow_glob(more, rest)
        }
        (Some(_), None) => false,
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(text in proptest::collection::vec(any::<u8>(), 0..400)) {
        crate::fuzzing::known_hosts(&text);
    }

    #[test]
    fn almost_valid_lines_are_read_without_panic(line in "@?[a-z|1*?!,]{0,12}[ \t]ssh-rsa[ \t][A-Za-z0-9+/=]{0,40}") {
        crate::fuzzing::known_hosts(line.as_bytes());
    }

    #[test]
    fn wildcards_match_as_defined(pattern in "[ab*?]{0,8}", text in "[ab]{0,10}") {
        prop_assert_eq!(glob(pattern.as_bytes(), text.as_bytes()), slow_glob(pattern.as_bytes(), text.as_bytes()));
    }

    #[test]
    fn an_appended_line_is_found_again(host in "[a-z][a-z0-9.-]{0,20}", port in 1u16.., tail in proptest::collection::vec(any::<u8>(), 0..40)) {
        let name = lookup_name(&host, port);
        let text = format!("{name} ssh-ed25519 {}\n", key("ssh-ed25519", &tail));
        prop_assert_eq!(lines_for(&text, &name), vec![1]);
    }
}
