//! Every command line of the program that is shown can be typed.

use clap::error::ErrorKind;

use crate::pages::{Page, pages, root};

const PROGRAM: &str = "jetbackup-remote";
/// What stands for something else in the commands, and an example of it.
const PLACEHOLDERS: [(&str, &str); 6] = [
    ("QUEUE_GROUP_ID", "64b0000000000000000000aa"),
    ("JOB_ID", "64a1b2c3d4e5f60718293a4b"),
    ("SHELL", "bash"),
    ("FILE", "/tmp/file"),
    ("S", "web1"),
    ("J", "64a1b2c3d4e5f60718293a4b"),
];

/// A line as a shell takes it apart: commands of words.
fn commands(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote = None;
    let end = |word: &mut Option<String>, commands: &mut Vec<Vec<String>>| {
        if let (Some(word), Some(words)) = (word.take(), commands.last_mut()) {
            words.push(word);
        }
    };
    for c in line.chars() {
        match (c, quote) {
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, Some(open)) if c == open => quote = None,
            (c, Some(_)) => word.get_or_insert_default().push(c),
            ('#', None) if word.is_none() => break,
            (' ' | '\t', None) => end(&mut word, &mut commands),
            // What follows is a file: the empty word keeps it from being taken for a command.
            ('>' | '<', None) => {
                end(&mut word, &mut commands);
                commands.push(vec![String::new()]);
            }
            ('|' | '&' | ';' | '(' | ')', None) => {
                end(&mut word, &mut commands);
                commands.push(Vec::new());
            }
            (c, None) => word.get_or_insert_default().push(c),
        }
    }
    end(&mut word, &mut commands);
    commands.into_iter().filter(|words| !words.is_empty()).collect()
}

/// The program's arguments in a command, if it is the program that is called.
fn arguments(words: &[String]) -> Option<&[String]> {
    let at = words.iter().position(|word| word.rsplit(['/', '=']).next() == Some(PROGRAM))?;
    // `systemctl status jetbackup-remote` is about the program and does not call it.
    let caller =
        |word: &String| matches!(word.as_str(), "sudo" | "env" | "exec" | "root") || word.contains('=');
    let called = words[..at].iter().all(|word| caller(word) || word.parse::<u8>().is_ok() || word == "*");
    called.then(|| &words[at + 1..])
}

/// Why this cannot be typed.
fn fault(arguments: &[String]) -> Option<String> {
    let known = |word: &String| {
        let placeholder = PLACEHOLDERS.iter().find(|(name, _)| word == name);
        placeholder.map_or_else(|| word.clone(), |(_, example)| (*example).to_owned())
    };
    let line = std::iter::once(PROGRAM.to_owned()).chain(arguments.iter().map(known));
    match jetbackup_remote::cli::command().try_get_matches_from(line) {
        Ok(_) => None,
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => None,
        Err(error) => Some(error.to_string()),
    }
}

/// The lines of a page that may call the program: in blocks, in backticks, and in tables of commands.
fn lines(page: &Page) -> Vec<String> {
    let mut lines = Vec::new();
    for block in page.blocks() {
        let text = block.text.replace("\\\n", " ");
        match block.language.as_str() {
            "sh" | "bash" | "ini" | "cron" => lines.extend(text.lines().map(str::to_owned)),
            // Output, which may tell what to type, and crontabs.
            "text" => lines.extend(text.lines().filter_map(told)),
            _ => {}
        }
    }
    lines.extend(
        page.spans().into_iter().filter(|span| span.starts_with("jetbackup-remote -") || tells(span)),
    );
    lines.extend(listed(page));
    lines
}

/// Whether this begins like a call: with the program and a command that it has.
fn tells(text: &str) -> bool {
    let command = jetbackup_remote::cli::command();
    let word = text.strip_prefix(PROGRAM).and_then(|rest| rest.strip_prefix(' '));
    let word = word.and_then(|rest| rest.split(' ').next());
    word.is_some_and(|word| command.get_subcommands().any(|known| known.get_name() == word))
}

fn told(line: &str) -> Option<String> {
    let at = line.find("jetbackup-remote ")?;
    let call = &line[at..];
    // A sentence goes on after it.
    tells(call).then(|| call.trim_end_matches(['.', ')', '`']).to_owned())
}

/// The commands in the first column of the tables that are headed so, which leave out the program's name.
fn listed(page: &Page) -> Vec<String> {
    let mut inside = false;
    let mut listed = Vec::new();
    for line in page.prose() {
        let Some(row) = line.strip_prefix('|') else {
            inside = false;
            continue;
        };
        let first = row.split(" |").next().unwrap().trim();
        if inside {
            listed.extend(first.split('`').skip(1).step_by(2).map(|words| format!("{PROGRAM} {words}")));
        }
        inside |= matches!(first, "command" | "comando");
    }
    listed
}

#[test]
fn every_command_shown_can_be_typed() {
    let mut seen = 0;
    for page in pages() {
        for line in lines(&page) {
            for words in commands(&line) {
                let Some(arguments) = arguments(&words) else { continue };
                // What is left out cannot be checked.
                if arguments.iter().any(|word| word.contains('…')) {
                    continue;
                }
                seen += 1;
                assert_eq!(fault(arguments), None, "{}: {line}", page.name);
            }
        }
    }
    assert!(seen > 100, "only {seen} commands were found");
}

#[test]
fn every_command_there_is_is_explained_in_the_manual_and_the_readme() {
    for page in ["README.md", "docs/manual.en.md", "docs/manual.es.md"] {
        let page = Page::read(page);
        let lines = lines(&page);
        for command in jetbackup_remote::cli::command().get_subcommands() {
            let called = format!("{PROGRAM} {}", command.get_name());
            let there = lines.iter().any(|line| line.contains(&called));
            assert!(there, "{}: {} is not shown", page.name, command.get_name());
        }
    }
}

#[test]
fn every_unit_named_is_one() {
    for page in pages() {
        let words = page.text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '.')));
        for word in words.filter(|word| word.starts_with("jetbackup-remote")) {
            let unit = word.trim_end_matches('.');
            // The guide for a second NAS makes a unit of its own.
            let own = unit.starts_with("jetbackup-remote-nas2");
            if (unit.ends_with(".service") || unit.ends_with(".timer")) && !own {
                assert!(root().join("systemd").join(unit).exists(), "{}: there is no {unit}", page.name);
            }
        }
    }
}

#[test]
fn what_cannot_be_typed_is_seen() {
    let split =
        |line: &str| commands(line).into_iter().find_map(|words| arguments(&words).map(<[String]>::to_vec));
    for line in [
        "jetbackup-remote stauts",
        "sudo jetbackup-remote run --jobs x",
        "0 2 * * * root jetbackup-remote run --server",
        "x && /usr/bin/jetbackup-remote stop --server web1 12",
        "ExecStart=/usr/bin/jetbackup-remote demon",
        "A=b jetbackup-remote | cat",
    ] {
        assert!(fault(&split(line).unwrap_or_else(|| panic!("{line}"))).is_some(), "{line}");
    }
    for line in
        ["jetbackup-remote -c '/a b' stop --server S QUEUE_GROUP_ID # a", "jetbackup-remote --version"]
    {
        assert_eq!(fault(&split(line).unwrap()), None, "{line}");
    }
    for line in [
        "systemctl status jetbackup-remote",
        "man jetbackup-remote",
        "# jetbackup-remote x",
        "jetbackup-remote-python x",
    ] {
        assert_eq!(split(line), None, "{line}");
    }
}
