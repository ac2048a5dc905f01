//! A page as HTML: for phones first, with every style inline and nothing to be fetched. Mail programs know little of
//! CSS, so it is tables, widths and colours that are read on light and on dark.

use super::page::{Block, Page, Row};
use crate::notify::letter::Tag;
use crate::words::{Tone, clean};

const FONT: &str =
    "font-family:-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";
const QUIET: &str = "color:#6b7280";
const LINE: &str = "border-top:1px solid rgba(128,128,128,.25)";
const MONO: &str = "margin:6px 0 0;padding:8px 10px;font:12px/1.45 Menlo,Consolas,monospace;white-space:pre-wrap;\
                    word-break:break-word;background:rgba(128,128,128,.12);border-radius:6px";

/// Writes a page; its edge has the colour of the tag.
pub(super) fn html(page: &Page, tag: Tag) -> String {
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"supported-color-schemes\" content=\"light dark\">\n<title>{title}</title>\n</head>\n\
         <body style=\"margin:0;padding:12px;{FONT};font-size:15px;line-height:1.45\">\n\
         <table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" \
         style=\"max-width:640px;margin:0 auto\">\n\
         <tr><td style=\"border-left:4px solid {edge};padding:2px 0 2px 12px\">\n\
         <div style=\"font-size:12px;font-weight:700;letter-spacing:.06em;color:{edge}\">{word}</div>\n\
         <div style=\"font-size:19px;font-weight:600;line-height:1.3\">{title}</div>\n</td></tr>\n",
        title = escape(&page.title),
        edge = edge(tag),
        word = tag.word(),
    );
    for block in &page.blocks {
        out += "<tr><td style=\"padding:12px 0 0\">\n";
        write_block(&mut out, block);
        out += "</td></tr>\n";
    }
    out += &format!("<tr><td style=\"padding:20px 0 0;font-size:12px;{QUIET}\">jetbackup-remote</td></tr>\n");
    out + "</table>\n</body>\n</html>\n"
}

fn write_block(out: &mut String, block: &Block) {
    match block {
        Block::Heading(text) => {
            *out += &format!(
                "<div style=\"padding:8px 0 0;font-size:16px;font-weight:600\">{}</div>\n",
                escape(text)
            );
        }
        Block::Text(text) => *out += &format!("<div>{}</div>\n", escape(text)),
        Block::Facts(facts) => {
            *out += "<table role=\"presentation\" cellpadding=\"0\" cellspacing=\"0\">\n";
            for (name, value) in facts {
                *out += &format!(
                    "<tr><td style=\"padding:2px 14px 2px 0;vertical-align:top;white-space:nowrap;{QUIET}\">{}</td>\
                     <td style=\"padding:2px 0;vertical-align:top\">{}</td></tr>\n",
                    escape(name),
                    escape(value)
                );
            }
            *out += "</table>\n";
        }
        Block::Rows(rows) => {
            *out += "<table width=\"100%\" cellpadding=\"0\" cellspacing=\"0\">\n";
            rows.iter().for_each(|row| write_row(out, row));
            *out += "</table>\n";
        }
        Block::Lines(lines) => write_lines(out, lines),
    }
}

/// Two columns: the name left, and right how it is above what belongs to it. That fits the narrowest of phones.
fn write_row(out: &mut String, row: &Row) {
    *out += &format!(
        "<tr><td style=\"padding:8px 10px 8px 0;vertical-align:top;{LINE}\"><div style=\"font-weight:600\">{}</div>",
        escape(&row.name)
    );
    for note in &row.notes {
        *out += &format!("<div style=\"font-size:13px;{QUIET}\">{}</div>", escape(note));
    }
    *out += &format!(
        "</td>\n<td align=\"right\" style=\"padding:8px 0;vertical-align:top;{LINE}\">\
         <div style=\"font-weight:600;{}\">{}</div>",
        colour(row.tone),
        escape(&row.state)
    );
    if !row.detail.is_empty() {
        *out += &format!("<div style=\"font-size:13px;{QUIET}\">{}</div>", escape(&row.detail));
    }
    *out += "</td></tr>\n";
    if !row.log.is_empty() {
        *out += "<tr><td colspan=\"2\" style=\"padding:0 0 8px\">\n";
        write_lines(out, &row.log);
        *out += "</td></tr>\n";
    }
}

fn write_lines(out: &mut String, lines: &[String]) {
    let lines: Vec<String> = lines.iter().map(|line| escape(line)).collect();
    *out += &format!("<pre style=\"{MONO}\">{}</pre>\n", lines.join("\n"));
}

fn edge(tag: Tag) -> &'static str {
    match tag {
        Tag::Ok => "#16a34a",
        Tag::Partial => "#d97706",
        Tag::Timeout => "#ea580c",
        Tag::Failed => "#dc2626",
        Tag::Critical => "#be123c",
    }
}

fn colour(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "color:#16a34a",
        Tone::Warn => "color:#d97706",
        Tone::Bad => "color:#dc2626",
        Tone::Quiet => QUIET,
        Tone::Plain | Tone::Strong => "",
    }
}

/// Text that can be nothing but text, wherever it stands.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in clean(text).chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            c => out.push(c),
        }
    }
    out
}
