//! What is called a key of the configuration is one, and words with underscores are the program's.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::pages::{Page, pages, root};

/// Whether the configuration has a key of this path, in which `*` and `[]` stand for any name and place.
fn exists(schema: &Value, path: &str) -> bool {
    let mut place = schema;
    for step in path.replace("[]", ".[]").split('.') {
        place = resolved(schema, place);
        place = match step {
            "*" => &place["additionalProperties"],
            "[]" => &place["items"],
            name => match place["properties"].get(name) {
                Some(inner) => inner,
                // The name of a server.
                None => &place["additionalProperties"],
            },
        };
        if place.is_null() {
            return false;
        }
    }
    true
}

fn resolved<'a>(schema: &'a Value, place: &'a Value) -> &'a Value {
    let first = place["anyOf"].get(0).unwrap_or(place);
    match first["$ref"].as_str() {
        Some(name) => &schema["$defs"][name.trim_start_matches("#/$defs/")],
        None => place,
    }
}

/// A dotted path that begins with a section of the configuration.
fn is_path(schema: &Value, span: &str) -> bool {
    let first = span.split(['.', '[']).next().unwrap();
    let plain = |c: char| c.is_ascii_lowercase() || matches!(c, '.' | '_' | '*' | '[' | ']');
    let section = schema["properties"].get(first).is_some();
    // Files and state have dots, too.
    let file = ["json", "md", "service"].iter().any(|end| span.ends_with(&format!(".{end}")));
    section && span.contains('.') && span.chars().all(plain) && !file && !span.ends_with(".*")
}

#[test]
fn every_key_mentioned_exists() {
    let schema = jetbackup_remote::config::json_schema();
    let mut seen = 0;
    for page in pages() {
        for span in page.spans() {
            let path = span.split([':', ' ', '=']).next().unwrap();
            if is_path(&schema, path) {
                seen += 1;
                assert!(exists(&schema, path), "{}: there is no key {path}", page.name);
            }
        }
    }
    assert!(seen > 40, "only {seen} keys were found");
    for (path, there) in [
        ("orchestrator.max_overruns", true),
        ("servers.*.host_key", true),
        ("jobs[].timeout", true),
        ("mqtt.tls.ca_file", true),
        ("mqtt.tls.ca", false),
        ("jobs[].host", false),
    ] {
        assert_eq!(exists(&schema, path), there, "{path}");
    }
}

#[test]
fn every_word_with_underscores_is_one_of_the_programs() {
    let mut sources = String::new();
    collect(&root().join("src"), &mut sources);
    let words: std::collections::HashSet<&str> =
        sources.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).collect();
    for name in ["docs/manual.en.md", "docs/manual.es.md", "docs/json.md"] {
        for span in Page::read(name).spans() {
            let plain = span.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            if plain && span.contains('_') && !span.starts_with('_') {
                assert!(words.contains(span.as_str()), "{name}: the program does not know {span}");
            }
        }
    }
}

fn collect(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => collect(&path, text),
            false => text.push_str(&fs::read_to_string(path).unwrap()),
        }
    }
}
