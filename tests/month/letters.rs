//! What was written about: every note that was ever committed became a letter, always the same one.

use std::collections::HashSet;

use rusqlite::Connection;
use serde_json::Value;

use crate::ledger::Ledger;
use crate::post::Taken;

/// A note, and what became of it.
#[derive(Debug, Clone)]
pub struct Note {
    pub id: i64,
    pub text: Value,
    pub letter: Option<String>,
    pub readdressed: bool,
    pub gone: bool,
}

/// The notes that this database has seen.
pub fn notes(connection: &Connection) -> Vec<Note> {
    let mut statement = connection
        .prepare("SELECT id, note, letter, readdressed, gone FROM month_notes ORDER BY id")
        .unwrap();
    let rows = statement.query_map([], |row| {
        let text: String = row.get(1)?;
        Ok(Note {
            id: row.get(0)?,
            text: serde_json::from_str(&text).unwrap(),
            letter: row.get(2)?,
            readdressed: row.get(3)?,
            gone: row.get(4)?,
        })
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// Every letter that was ever committed was sent, and always as the same one.
pub fn check(ledger: &Ledger, notes: &[Note], taken: &[Taken]) {
    let told_by_summary = |cycle: &Value| {
        let summary = |note: &&Note| note.text["happened"]["what"]["cycle_finished"]["id"] == *cycle;
        !cycle.is_null() && notes.iter().find(summary).is_some_and(|note| note.letter.is_some())
    };
    for Note { id, text, letter, readdressed, gone } in notes {
        ledger.count("notes");
        if !gone || *readdressed {
            ledger.breach(format!("note {id} waits or became another letter ({letter:?}): {text}"));
        }
        let what = &text["happened"]["what"];
        match letter {
            Some(letter) => {
                if !taken.iter().any(|taken| taken.id == *letter) {
                    ledger.breach(format!("letter {letter} never arrived: {text}"));
                }
            }
            // A summary of nothing is not sent.
            None if what["cycle_finished"].is_object() => {}
            None if told_by_summary(&what["job_finished"]["run"]["cycle"]) => {}
            None => ledger.breach(format!("note {id} became no letter: {text}")),
        }
    }
    for one in taken {
        ledger.count("letters");
        let addressed = notes.iter().any(|note| note.letter.as_ref() == Some(&one.id));
        let same = taken.iter().all(|other| other.id != one.id || other.subject == one.subject);
        if !same {
            ledger.breach(format!("two letters are called {}: {}", one.id, one.subject));
        } else if !addressed && !ledger.disk_was_ever_bad() {
            // Only what the disk does not take is sent from memory.
            ledger.breach(format!("a letter that no note asked for: {}", one.subject));
        }
    }
    let ids: HashSet<_> = taken.iter().map(|taken| &taken.id).collect();
    for _ in ids.len()..taken.len() {
        ledger.count("letters sent twice");
    }
}
