//! A page as plain text.

use unicode_width::UnicodeWidthStr;

use super::page::{Block, Page, Row};
use crate::words::clean;

/// How wide lines may be where the words allow it. RFC 5322, 2.1.1.
const WIDTH: usize = 78;
/// A name that is longer stands in a line of its own.
const NAME: usize = 36;

/// Writes a page.
pub(super) fn text(page: &Page) -> String {
    let mut out = String::new();
    wrap(&mut out, &page.title, "");
    for block in &page.blocks {
        out.push('\n');
        match block {
            Block::Heading(heading) => {
                let heading = clean(heading);
                out += &format!("{heading}\n{}\n", "-".repeat(heading.width()));
            }
            Block::Text(text) => wrap(&mut out, text, ""),
            Block::Facts(facts) => {
                let width = facts.iter().map(|(name, _)| name.width()).max().unwrap_or(0);
                for (name, value) in facts {
                    wrap(
                        &mut out,
                        &format!("{name}:{}{value}", pad(name, width + 2)),
                        &" ".repeat(width + 3),
                    );
                }
            }
            Block::Rows(rows) => write_rows(&mut out, rows),
            Block::Lines(lines) => lines.iter().for_each(|line| out += &format!("  {}\n", clean(line))),
        }
    }
    out
}

fn write_rows(out: &mut String, rows: &[Row]) {
    let width = |text: &str| clean(text).width();
    let name = rows.iter().map(|row| width(&row.name)).filter(|width| *width <= NAME).max().unwrap_or(4);
    let state = rows.iter().map(|row| width(&row.state)).max().unwrap_or(0);
    for row in rows {
        let (called, said) = (clean(&row.name), clean(&row.state));
        let fits = called.width() <= name;
        if !fits || (said.is_empty() && row.detail.is_empty()) {
            wrap(out, &called, "");
        }
        if !said.is_empty() || !row.detail.is_empty() {
            let called = if fits { called.as_str() } else { "" };
            let (left, right) = (pad(called, name), pad(&said, state));
            out.push_str(format!("{called}{left}  {said}{right}  {}", clean(&row.detail)).trim_end());
            out.push('\n');
        }
        row.notes.iter().for_each(|note| wrap(out, &format!("    {}", clean(note)), "    "));
        row.log.iter().for_each(|line| *out += &format!("    | {}\n", clean(line)));
    }
}

/// What is missing to that width.
fn pad(text: &str, width: usize) -> String {
    " ".repeat(width.saturating_sub(text.width()))
}

/// Adds a paragraph; its second and further lines begin with `indentation`. What stands before its first word stays.
fn wrap(out: &mut String, text: &str, indentation: &str) {
    let body = text.trim_start_matches(' ');
    let mut line = " ".repeat(text.len() - body.len());
    let mut is_empty = true;
    // Spaces within, such as those of a column, stay where no line ends.
    for word in body.split_inclusive(' ') {
        if !is_empty && line.width() + word.trim_end().width() > WIDTH {
            out.push_str(line.trim_end());
            out.push('\n');
            line = indentation.to_owned();
        }
        line.push_str(word);
        is_empty = false;
    }
    out.push_str(line.trim_end());
    out.push('\n');
}
