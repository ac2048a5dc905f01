//! Both languages of the manual have the same headings, blocks, tables, words and links.

use std::collections::BTreeSet;

use crate::pages::{Block, Page};

/// What a section has that does not depend on the language.
#[derive(Debug, PartialEq, Eq)]
struct Section {
    /// The level of its heading.
    level: usize,
    blocks: Vec<Block>,
    /// How many columns each row of a table has.
    rows: Vec<usize>,
    spans: BTreeSet<String>,
    /// The files it links to.
    files: BTreeSet<String>,
}

/// The page in pieces, each from a heading to the next.
fn sections(page: &Page) -> Vec<(String, Section)> {
    let mut pieces: Vec<String> = Vec::new();
    let mut inside = false;
    for line in page.text.lines() {
        inside ^= line.trim_start().starts_with("```");
        if !inside && line.starts_with('#') || pieces.is_empty() {
            pieces.push(String::new());
        }
        let piece = pieces.last_mut().unwrap();
        piece.push_str(line);
        piece.push('\n');
    }
    pieces.into_iter().map(|text| section(&Page { name: page.name.clone(), text })).collect()
}

fn section(page: &Page) -> (String, Section) {
    let (level, heading) = page.headings().into_iter().next().unwrap_or_default();
    let row = |line: &&str| line.starts_with('|').then(|| line.replace("\\|", "").matches('|').count());
    let file = |link: &String| link.split('#').next().unwrap().replace(".es.md", ".en.md");
    let section = Section {
        level,
        blocks: page.blocks(),
        rows: page.prose().iter().filter_map(row).collect(),
        spans: page.spans().into_iter().collect(),
        files: page.links().iter().map(file).filter(|file| *file != "manual.en.md").collect(),
    };
    (heading, section)
}

#[test]
fn both_languages_say_the_same() {
    let (english, spanish) =
        (sections(&Page::read("docs/manual.en.md")), sections(&Page::read("docs/manual.es.md")));
    for ((heading, english), (titulo, spanish)) in english.iter().zip(&spanish) {
        assert_eq!(english.level, spanish.level, "{heading} / {titulo}");
        for (english, spanish) in english.blocks.iter().zip(&spanish.blocks) {
            assert_eq!(english, spanish, "{heading} / {titulo}");
        }
        assert_eq!(english.blocks.len(), spanish.blocks.len(), "{heading} / {titulo}");
        let (only_english, only_spanish): (Vec<_>, Vec<_>) = (
            english.spans.difference(&spanish.spans).collect(),
            spanish.spans.difference(&english.spans).collect(),
        );
        assert!(
            only_english.is_empty() && only_spanish.is_empty(),
            "{heading}: {only_english:?} / {only_spanish:?}"
        );
        assert_eq!(english, spanish, "{heading} / {titulo}");
    }
    assert_eq!(english.len(), spanish.len());
    assert!(english.len() > 20, "the manual has lost its sections");
}
