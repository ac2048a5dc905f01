//! Plain text tables: a header, two spaces between columns, no borders, never wider than the place they are shown in
//! as long as there is a column that may be cut.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::paint::Paint;
use crate::words::{Tone, clean};

/// The width to keep to where there is no terminal, and on a narrow one.
pub const WIDTH: usize = 80;

/// A column that may be cut is never made narrower than this.
const NARROWEST: usize = 8;

/// The space between columns.
const GAP: &str = "  ";

/// What a note is indented by.
const NOTE: &str = "    ";

/// A column of a [`Table`].
#[derive(Debug, Clone, Copy)]
pub struct Column {
    header: &'static str,
    right: bool,
    shrink: u8,
    optional: bool,
}

impl Column {
    /// A column of texts.
    #[must_use]
    pub const fn left(header: &'static str) -> Self {
        Self { header, right: false, shrink: 0, optional: false }
    }

    /// A column of numbers.
    #[must_use]
    pub const fn right(header: &'static str) -> Self {
        Self { right: true, ..Self::left(header) }
    }

    /// May be cut where space is short; the column with the highest `order` goes first, as far as it can.
    #[must_use]
    pub const fn shrinks(self, order: u8) -> Self {
        Self { shrink: order, ..self }
    }

    /// Is left out where all its cells are empty.
    #[must_use]
    pub const fn optional(self) -> Self {
        Self { optional: true, ..self }
    }
}

/// A text in a table.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A text in its colour.
    #[must_use]
    pub fn toned(text: impl AsRef<str>, tone: Tone) -> Self {
        Self { text: clean(text.as_ref()), tone }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::toned(text, Tone::Plain)
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::toned(text, Tone::Plain)
    }
}

/// Nothing known is nothing shown.
impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(text: Option<T>) -> Self {
        text.map(Into::into).unwrap_or_default()
    }
}

/// Rows of cells under their headers.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Row>,
}

#[derive(Debug, Clone)]
struct Row {
    cells: Vec<Cell>,
    notes: Vec<String>,
}

impl Table {
    /// A table without rows.
    #[must_use]
    pub fn new(columns: impl Into<Vec<Column>>) -> Self {
        Self { columns: columns.into(), rows: Vec::new() }
    }

    /// Adds a row. Cells that are missing are empty; those that have no column are not shown.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(Row { cells: cells.into_iter().collect(), notes: Vec::new() });
    }

    /// Puts a text below the last row, indented and in as many lines as it needs: for what is too long for a cell and
    /// too important to be cut.
    pub fn note(&mut self, text: &str) {
        if let Some(row) = self.rows.last_mut() {
            row.notes.push(clean(text));
        }
    }

    /// The table as lines of at most `width` columns.
    #[must_use]
    pub fn render(&self, width: usize, paint: Paint) -> String {
        let shown: Vec<usize> = (0..self.columns.len()).filter(|at| self.is_shown(*at)).collect();
        let widths = self.fit(&shown, width);
        let header = |at: usize| Cell::toned(self.columns[at].header, Tone::Strong);
        let headers = shown.iter().map(|at| header(*at)).collect::<Vec<_>>();
        let mut text = String::new();
        self.line(&mut text, &shown, &widths, &headers.iter().collect::<Vec<_>>(), paint);
        let empty = Cell::default();
        for row in &self.rows {
            let cells: Vec<_> = shown.iter().map(|at| row.cells.get(*at).unwrap_or(&empty)).collect();
            self.line(&mut text, &shown, &widths, &cells, paint);
            for line in row.notes.iter().flat_map(|note| wrapped(note, width.saturating_sub(NOTE.len()))) {
                text.extend([NOTE, &line, "\n"]);
            }
        }
        text
    }

    /// The table for standard output as it is now.
    #[must_use]
    pub fn for_stdout(&self) -> String {
        self.render(stdout_width(), Paint::stdout())
    }

    fn cells(&self, column: usize) -> impl Iterator<Item = &Cell> {
        self.rows.iter().filter_map(move |row| row.cells.get(column))
    }

    fn is_shown(&self, column: usize) -> bool {
        !self.columns[column].optional || self.cells(column).any(|cell| !cell.text.is_empty())
    }

    /// The width of each column shown.
    fn fit(&self, shown: &[usize], width: usize) -> Vec<usize> {
        let mut widths: Vec<usize> = shown
            .iter()
            .map(|at| {
                let cells = self.cells(*at).map(|cell| cell.text.width());
                cells.chain([self.columns[*at].header.width()]).max().unwrap_or(0)
            })
            .collect();
        let gaps = GAP.len() * shown.len().saturating_sub(1);
        while widths.iter().sum::<usize>() + gaps > width {
            let can_shrink = |place: &usize| {
                let column = self.columns[shown[*place]];
                column.shrink > 0 && widths[*place] > column.header.width().max(NARROWEST)
            };
            let first = |place: &usize| (self.columns[shown[*place]].shrink, widths[*place]);
            let Some(place) = (0..shown.len()).filter(can_shrink).max_by_key(first) else { break };
            widths[place] -= 1;
        }
        widths
    }

    fn line(&self, to: &mut String, shown: &[usize], widths: &[usize], cells: &[&Cell], paint: Paint) {
        // Spaces are owed until something follows them, so that no line ends with any.
        let mut owed = 0;
        for (place, cell) in cells.iter().enumerate() {
            let text = cut(&cell.text, widths[place]);
            let room = widths[place].saturating_sub(text.width());
            let (before, after) = if self.columns[shown[place]].right { (room, 0) } else { (0, room) };
            owed += before;
            if !text.is_empty() {
                to.extend(std::iter::repeat_n(' ', owed));
                to.push_str(&paint.tone(cell.tone, &text));
                owed = 0;
            }
            owed += after + GAP.len();
        }
        to.push('\n');
    }
}

/// The text, ended with `…` where it is wider than `width` columns.
#[must_use]
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut used = 1;
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used <= width
    };
    let mut kept: String = text.chars().take_while(fits).collect();
    // Some sequences are wider than their characters one by one.
    while kept.width() + 1 > width && kept.pop().is_some() {}
    if width > 0 {
        kept.truncate(kept.trim_end().len());
        kept.push('…');
    }
    kept
}

/// The text in lines of at most `width` columns, parted between words where that can be.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            // A word too long for any line, such as a path, is the terminal's to part.
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The width of standard output: that of a terminal wider than [`WIDTH`], else [`WIDTH`].
#[must_use]
pub fn stdout_width() -> usize {
    let terminal = terminal_size::terminal_size_of(std::io::stdout());
    terminal.map_or(WIDTH, |(width, _)| usize::from(width.0).max(WIDTH))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn table() -> Table {
        let mut table = Table::new([
            Column::left("Job").shrinks(1),
            Column::left("Server"),
            Column::right("Took"),
            Column::left("Nothing").optional(),
            Column::left("Why").shrinks(2),
        ]);
        table.row(["Accounts".into(), "web1".into(), "1 h 23 min".into(), Cell::default(), "".into()]);
        table.row([
            "Bases de datos de la tienda".into(),
            "web2.example.com".into(),
            "45 s".into(),
            Cell::default(),
            "the destination answered that there is no space left on it".into(),
        ]);
        table.row(["日本語のジョブ".into(), Cell::toned("web3", Tone::Bad)]);
        table
    }

    #[test]
    fn a_table_fits_by_cutting_what_may_be_cut_first() {
        let golden = "\
Job                          Server                  Took  Why
Accounts                     web1              1 h 23 min
Bases de datos de la tienda  web2.example.com        45 s  the destination answ…
日本語のジョブ               web3
";
        let rendered = table().render(80, Paint::PLAIN);
        assert_eq!(rendered, golden);
        assert!(rendered.lines().all(|line| line.width() <= 80));
    }

    #[test]
    fn a_wide_place_cuts_nothing_and_a_narrow_one_all_it_may() {
        let wide = table().render(200, Paint::PLAIN);
        assert!(!wide.contains('…'));
        let narrow = "\
Job           Server                  Took  Why
Accounts      web1              1 h 23 min
Bases de da…  web2.example.com        45 s  the des…
日本語のジ…   web3
";
        assert_eq!(table().render(52, Paint::PLAIN), narrow);
    }

    #[test]
    fn colours_do_not_count() {
        let painted = table().render(80, Paint::COLOURS);
        assert!(painted.starts_with("\x1b[1mJob\x1b[0m                          \x1b[1mServer"), "{painted}");
        assert!(painted.ends_with("日本語のジョブ               \x1b[31mweb3\x1b[0m\n"), "{painted}");
    }

    #[test]
    fn no_rows_are_a_header() {
        assert_eq!(
            Table::new([Column::left("Job"), Column::right("Took")]).render(80, Paint::PLAIN),
            "Job  Took\n"
        );
    }

    #[test]
    fn a_note_is_never_cut() {
        let mut table = Table::new([Column::left("Job")]);
        table.note("there is no row yet");
        table.row(["Accounts".into()]);
        table.note("no space left\non the destination, says the server");
        table.row(["Home".into()]);
        let golden = "\
Job
Accounts
    no space left on the
    destination, says the
    server
Home
";
        assert_eq!(table.render(26, Paint::PLAIN), golden);
    }

    #[test]
    fn foreign_text_stays_in_its_line() {
        let mut table = Table::new([Column::left("Job")]);
        table.row(["a\nb\x1b[2Jc".into()]);
        assert_eq!(table.render(80, Paint::PLAIN), "Job\na b [2Jc\n");
    }

    proptest! {
        #[test]
        fn a_cut_text_fits(text in any::<String>(), width in 0usize..30) {
            let text = clean(&text);
            prop_assert!(cut(&text, width).width() <= width);
        }

        #[test]
        fn a_table_of_cuttable_columns_fits(
            rows in prop::collection::vec(prop::collection::vec(".{0,60}", 3), 0..5), width in 30usize..100
        ) {
            let mut table =
                Table::new([Column::left("A").shrinks(1), Column::right("B").shrinks(3), Column::left("C").shrinks(2)]);
            for row in rows {
                table.row(row.into_iter().map(Cell::from));
            }
            for line in table.render(width, Paint::PLAIN).lines() {
                prop_assert!(line.width() <= width, "{line:?}");
                prop_assert!(!line.ends_with(' '));
            }
        }
    }
}
