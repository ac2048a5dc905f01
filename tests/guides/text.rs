//! Reading what is checked: guides, sources, and messages with `…` for what varies.

use std::fs;
use std::path::{Path, PathBuf};

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A guide.
#[track_caller]
pub fn guide(name: &str) -> String {
    fs::read_to_string(root().join("docs").join(name)).unwrap()
}

/// The fenced blocks of this language, without the blanks that a list indents them by.
pub fn blocks(guide: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut open: Option<(bool, Vec<&str>)> = None;
    for line in guide.lines() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(of), None) => open = Some((of == language, Vec::new())),
            (Some(_), Some(_)) => {
                let Some((wanted, lines)) = open.take() else { unreachable!() };
                if wanted {
                    blocks.push(outdented(&lines));
                }
            }
            (None, Some((_, lines))) => lines.push(line),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is never closed");
    blocks
}

/// The one block that has this text.
#[track_caller]
pub fn block(guide: &str, language: &str, with: &str) -> String {
    let found: Vec<_> = blocks(guide, language).into_iter().filter(|block| block.contains(with)).collect();
    assert_eq!(found.len(), 1, "blocks of {language} with {with:?}: {found:#?}");
    found.into_iter().next().unwrap()
}

fn outdented(lines: &[&str]) -> String {
    let blanks = |line: &&str| line.len() - line.trim_start().len();
    let indent = lines.iter().filter(|line| !line.trim().is_empty()).map(blanks).min().unwrap_or(0);
    lines.iter().map(|line| format!("{}\n", line.get(indent..).unwrap_or_default())).collect()
}

/// The part of a guide below this heading, up to the next one of its level.
#[track_caller]
pub fn section<'a>(guide: &'a str, heading: &str) -> &'a str {
    let start = guide.find(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no {heading:?}")) + 1;
    let level = heading.split(' ').next().unwrap();
    let rest = &guide[start + heading.len()..];
    &rest[..rest.find(&format!("\n{level} ")).unwrap_or(rest.len())]
}

/// The messages in the first column of the tables that are headed `message`.
pub fn messages(guide: &str) -> Vec<String> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in guide.lines() {
        let Some(row) = line.strip_prefix('|') else {
            inside = false;
            continue;
        };
        let first = row.split(" |").next().unwrap().trim();
        if inside {
            let spans = first.split('`').skip(1).step_by(2);
            found.extend(spans.map(str::to_owned));
        }
        inside |= first == "message";
    }
    found
}

/// Whether the fixed parts of a message stand in this text, in their order.
pub fn says(text: &str, message: &str) -> bool {
    let mut rest = text;
    message.split('…').filter(|part| !part.is_empty()).all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

/// What the program can say: the string literals of its sources, the lines of its scripts, and of the golden files.
pub fn sayings() -> Vec<String> {
    let mut sayings = Vec::new();
    for file in files(&root().join("src")) {
        let text = fs::read_to_string(&file).unwrap();
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("rs") => sayings.extend(literals(&text)),
            _ => sayings.extend(text.lines().map(str::to_owned)),
        }
    }
    for file in ["gate", "tests/cli", "tests/config"].iter().flat_map(|folder| files(&root().join(folder))) {
        sayings.extend(fs::read_to_string(file).unwrap().lines().map(str::to_owned));
    }
    sayings
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// The string literals of a Rust source, with their escapes resolved.
pub fn literals(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = rest.find('\n').map_or("", |at| &rest[at..]);
        } else if let Some((text, after)) = raw(rest) {
            found.push(text.to_owned());
            rest = after;
        } else if first == '"' {
            let (text, after) = quoted(&rest[1..]);
            found.push(text);
            rest = after;
        } else if first == '\'' {
            rest = after_character(rest);
        } else {
            rest = &rest[first.len_utf8()..];
        }
    }
    found
}

/// A raw string at the beginning, and what follows it.
fn raw(source: &str) -> Option<(&str, &str)> {
    let hashes = source.strip_prefix('r')?;
    let marks = &hashes[..hashes.find(|c| c != '#')?];
    let text = hashes[marks.len()..].strip_prefix('"')?;
    text.split_once(&format!("\"{marks}"))
}

/// A string up to its closing quote, and what follows it.
fn quoted(source: &str) -> (String, &str) {
    let mut text = String::new();
    let mut characters = source.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (text, &source[at + 1..]),
            '\\' => match characters.next() {
                Some((_, 'n')) => text.push('\n'),
                // The line goes on below; the blanks before it do not count.
                Some((at, '\n')) => {
                    let below = source[at..].trim_start();
                    let (more, after) = quoted(below);
                    return (text + &more, after);
                }
                Some((_, other)) => text.push(other),
                None => break,
            },
            other => text.push(other),
        }
    }
    panic!("a string is never closed: {text:?}");
}

/// What follows a character literal or a lifetime.
fn after_character(source: &str) -> &str {
    let inside = &source[1..];
    if let Some(escaped) = inside.strip_prefix('\\') {
        let skipped = escaped.chars().next().map_or(0, char::len_utf8);
        return escaped[skipped..].split_once('\'').map_or("", |(_, after)| after);
    }
    let length = inside.chars().next().map_or(0, char::len_utf8);
    inside[length..].strip_prefix('\'').unwrap_or(inside)
}

#[test]
fn literals_are_found_whatever_stands_around_them() {
    let source = r###"
        // "no"
        fn a<'a>(b: &'a str) -> char { '"' }
        #[error("one {x} \
                 and \"two\"")]
        const C: &str = r#"three "quoted""#; let d = ['\'', '\u{2026}', 'e']; "four\n";
    "###;
    assert_eq!(literals(source), ["one {x} and \"two\"", "three \"quoted\"", "four\n"]);
}

#[test]
fn messages_stand_in_the_first_column_of_their_tables_only() {
    let guide = "| what | more |\n|---|---|\n| `no` | x |\n\n| message | why |\n|---|---|\n| `one …`, `two` | `no` |\n\n`no`";
    assert_eq!(messages(guide), ["one …", "two"]);
    assert!(says("it said {one} and two", "said … and") && !says("and said", "said … and"));
}
