//! What a letter says, before it has a form.

use crate::words::Tone;

/// A page.
#[derive(Debug, Clone, Default)]
pub(super) struct Page {
    /// What happened, in a line.
    pub title: String,
    /// What follows.
    pub blocks: Vec<Block>,
}

/// A part of a page.
#[derive(Debug, Clone)]
pub(super) enum Block {
    /// What the next part is about.
    Heading(String),
    /// A paragraph.
    Text(String),
    /// Facts, each with its name.
    Facts(Vec<(&'static str, String)>),
    /// Jobs, a line each and more where there is more to say.
    Rows(Vec<Row>),
    /// Lines as they were found elsewhere.
    Lines(Vec<String>),
}

/// A line of a list.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    /// What it is about.
    pub name: String,
    /// How it is.
    pub state: String,
    /// What colour that has.
    pub tone: Tone,
    /// What belongs to it, such as how long it took.
    pub detail: String,
    /// Sentences below it.
    pub notes: Vec<String>,
    /// Lines of a log below it.
    pub log: Vec<String>,
}

impl Page {
    /// A page with this title.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), blocks: Vec::new() }
    }

    /// With a part.
    pub fn with(mut self, block: Block) -> Self {
        self.blocks.push(block);
        self
    }

    /// With a list under a heading, unless there is nothing in it.
    pub fn with_list(self, heading: &str, rows: Vec<Row>) -> Self {
        if rows.is_empty() {
            self
        } else {
            self.with(Block::Heading(heading.to_owned())).with(Block::Rows(rows))
        }
    }
}
