//! The pages and what is in them: blocks, headings, links, spans.

use std::fs;
use std::path::{Path, PathBuf};

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A page of the documentation.
pub struct Page {
    /// Its path in the repository.
    pub name: String,
    pub text: String,
}

/// A fenced block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The language it names.
    pub language: String,
    /// Its lines, without the blanks that a list indents them by.
    pub text: String,
}

/// All of it: README, what is in `docs`, and the read-me files of other folders.
pub fn pages() -> Vec<Page> {
    let mut paths: Vec<PathBuf> = vec!["README.md".into(), "homeassistant/README.md".into()];
    for folder in ["openwrt", "systemd", "packaging"] {
        paths.extend(Some(Path::new(folder).join("README.md")).filter(|path| root().join(path).exists()));
    }
    let mut docs: Vec<PathBuf> = below(&root().join("docs"))
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| path.strip_prefix(root()).unwrap().to_owned())
        .collect();
    docs.sort();
    assert!(docs.len() > 5, "the documentation has gone: {docs:?}");
    paths.extend(docs);
    paths.iter().map(|path| Page::read(path)).collect()
}

fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(below(&path)) } else { found.push(path) }
    }
    found
}

impl Page {
    #[track_caller]
    pub fn read(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        let text = fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        Self { name: path.display().to_string(), text }
    }

    /// Its blocks, in their order.
    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut open: Option<(&str, Vec<&str>)> = None;
        for line in self.text.lines() {
            match (line.trim_start().strip_prefix("```"), &mut open) {
                (Some(language), None) => open = Some((language.trim(), Vec::new())),
                (Some(_), Some((language, lines))) => {
                    blocks.push(Block { language: (*language).to_owned(), text: outdented(lines) });
                    open = None;
                }
                (None, Some((_, lines))) => lines.push(line),
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{}: a block is never closed", self.name);
        blocks
    }

    /// The blocks of this language.
    pub fn blocks_of(&self, language: &str) -> Vec<String> {
        self.blocks().into_iter().filter(|block| block.language == language).map(|block| block.text).collect()
    }

    /// Its lines outside of blocks.
    pub fn prose(&self) -> Vec<&str> {
        let mut inside = false;
        let mut prose = Vec::new();
        for line in self.text.lines() {
            let fence = line.trim_start().starts_with("```");
            if !fence && !inside {
                prose.push(line);
            }
            inside ^= fence;
        }
        prose
    }

    /// Its headings with their levels.
    pub fn headings(&self) -> Vec<(usize, String)> {
        let heading = |line: &&str| {
            let level = line.len() - line.trim_start_matches('#').len();
            let text = line[level..].strip_prefix(' ')?;
            (1..=6).contains(&level).then(|| (level, text.trim().to_owned()))
        };
        self.prose().iter().filter_map(heading).collect()
    }

    /// What headings can be linked to by, as GitHub makes it.
    pub fn anchors(&self) -> Vec<String> {
        let mut anchors: Vec<String> = Vec::new();
        for (_, heading) in self.headings() {
            let anchor = anchor(&heading);
            let before = anchors.iter().filter(|known| **known == anchor).count();
            anchors.push(if before == 0 { anchor } else { format!("{anchor}-{before}") });
        }
        anchors
    }

    /// Where its links lead, without those to the web.
    pub fn links(&self) -> Vec<String> {
        let mut links = Vec::new();
        for line in self.prose() {
            // What stands in backticks is no link.
            let plain: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
            for rest in plain.split("](").skip(1) {
                let target = rest.split(')').next().unwrap().split(' ').next().unwrap().to_owned();
                if !target.contains("://") && !target.starts_with("mailto:") {
                    links.push(target);
                }
            }
        }
        links
    }

    /// What stands in backticks outside of blocks.
    pub fn spans(&self) -> Vec<String> {
        let prose = self.prose();
        let spans = prose.iter().flat_map(|line| line.split('`').skip(1).step_by(2));
        // In a table a bar has to be escaped.
        spans.map(|span| span.replace("\\|", "|")).collect()
    }
}

/// The anchor of a heading: small letters, hyphens for blanks, and no punctuation.
pub fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn outdented(lines: &[&str]) -> String {
    let blanks = |line: &&str| line.len() - line.trim_start().len();
    let indent = lines.iter().filter(|line| !line.trim().is_empty()).map(blanks).min().unwrap_or(0);
    lines.iter().map(|line| format!("{}\n", line.get(indent..).unwrap_or_default())).collect()
}

#[test]
fn a_page_is_taken_apart_as_it_is_shown() {
    let text = "# One `a b`, two\n[x](y.md#z) `[n](o)` ![i](p.png)\n\n   ```sh\n   # no heading\n   a\n   ```\n## One `a b`, two\n";
    let page = Page { name: "x".into(), text: text.into() };
    assert_eq!(page.blocks(), [Block { language: "sh".into(), text: "# no heading\na\n".into() }]);
    assert_eq!(page.anchors(), ["one-a-b-two", "one-a-b-two-1"]);
    assert_eq!(page.links(), ["y.md#z", "p.png"]);
    assert_eq!(page.spans(), ["a b", "[n](o)", "a b"]);
    assert_eq!(anchor("¿Qué hace `doctor`?"), "qué-hace-doctor");
}
