//! The program's disk: it can refuse to take anything, and it remembers every note that was ever committed.
//!
//! Both is done inside the database, by triggers of its own: so it works on the very transactions of the program, and
//! the clock need not run while a real disk is slow.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use jetbackup_remote::history::History;
use rusqlite::Connection;
use serde_json::Value;

use crate::ledger::Ledger;
use crate::post::Taken;

pub struct Disk(PathBuf);

/// A note, and what became of it.
struct Note {
    id: i64,
    text: Value,
    letter: Option<String>,
    readdressed: bool,
    gone: bool,
}

impl Disk {
    /// The disk with the history in `state_dir`, which is created.
    pub fn new(state_dir: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        assert_eq!(runtime.block_on(History::open(state_dir)).notices, Vec::<String>::new());
        let disk = Self(state_dir.join("history.db"));
        disk.open()
            .execute_batch(
                "CREATE TABLE month_notes (id INTEGER PRIMARY KEY, note TEXT, letter TEXT, readdressed INTEGER \
                 DEFAULT 0, gone INTEGER DEFAULT 0);
                 CREATE TRIGGER month_posted AFTER INSERT ON outbox BEGIN
                     INSERT INTO month_notes (id, note) VALUES (new.id, new.note);
                 END;
                 CREATE TRIGGER month_addressed AFTER UPDATE OF letter ON outbox BEGIN
                     UPDATE month_notes SET letter = new.letter,
                         readdressed = readdressed OR (letter IS NOT NULL AND letter IS NOT new.letter)
                     WHERE id = new.id;
                 END;
                 CREATE TRIGGER month_gone AFTER DELETE ON outbox BEGIN
                     UPDATE month_notes SET gone = 1 WHERE id = old.id;
                 END;",
            )
            .unwrap();
        disk
    }

    /// Whether it takes anything from now on.
    pub fn set_full(&self, full: bool) {
        let connection = self.open();
        for (table, change) in [
            ("runs", "INSERT"),
            ("runs", "UPDATE"),
            ("cycles", "INSERT"),
            ("cycles", "UPDATE"),
            ("outbox", "INSERT"),
            ("outbox", "UPDATE"),
            ("queue", "INSERT"),
            ("queue", "DELETE"),
            ("meta", "INSERT"),
            ("meta", "UPDATE"),
            ("published", "INSERT"),
        ] {
            let name = format!("month_full_{table}_{change}");
            let sql = if full {
                format!(
                    "CREATE TRIGGER IF NOT EXISTS {name} BEFORE {change} ON {table} BEGIN
                         SELECT RAISE(ABORT, 'database or disk is full');
                     END"
                )
            } else {
                format!("DROP TRIGGER IF EXISTS {name}")
            };
            connection.execute_batch(&sql).unwrap();
        }
    }

    /// Every letter that was ever committed was sent, and always as the same one.
    pub fn check_letters(&self, ledger: &Ledger, taken: &[Taken]) {
        let notes = self.notes();
        let told_by_summary = |cycle: &Value| {
            let summary = |note: &&Note| note.text["happened"]["what"]["cycle_finished"]["id"] == *cycle;
            !cycle.is_null() && notes.iter().find(summary).is_some_and(|note| note.letter.is_some())
        };
        for Note { id, text, letter, readdressed, gone } in &notes {
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
            } else if !addressed && !ledger.counts().contains_key("full disks") {
                // Only what a full disk does not take is sent from memory.
                ledger.breach(format!("a letter that no note asked for: {}", one.subject));
            }
        }
        let ids: HashSet<_> = taken.iter().map(|taken| &taken.id).collect();
        for _ in ids.len()..taken.len() {
            ledger.count("letters sent twice");
        }
    }

    fn notes(&self) -> Vec<Note> {
        let connection = self.open();
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

    fn open(&self) -> Connection {
        let connection = Connection::open(&self.0).unwrap();
        connection.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
        connection
    }
}
