//! `docs/configuration.md` is made from what `jetbackup-remote schema` prints; `UPDATE_GOLDEN=1` makes it anew.

use std::fmt::Write as _;
use std::process::Command;

use serde_json::Value;

use crate::pages::anchor;
use crate::support::golden;
use crate::support::program;

const INTRODUCTION: &str = r#"# Configuration

One JSON file, `/etc/jetbackup-remote/config.json`, or another one named by `-c`. `jetbackup-remote init` writes it. This page is
made from what `jetbackup-remote schema` prints, the JSON Schema of the file, which editors can use as well.

What every job needs is a server and a key:

```json
{
  "ssh_key": "/etc/jetbackup-remote/id_ed25519",
  "servers": {
    "web1": {"host": "web1.example.com"}
  },
  "jobs": [
    {"job_id": "64a1b2c3d4e5f60718293a4b", "server": "web1", "label": "Accounts of web1", "type": "accounts"}
  ]
}
```

```sh
jetbackup-remote validate
```

says what it makes of the file, or all that is wrong at once, each with its place, its value and what would be right. It needs no
network and no key. The daemon reads the file again when it gets SIGHUP (`systemctl reload jetbackup-remote-daemon`), whole or not
at all; `orchestrator.state_dir`, `lock_file` and `log_*` change with a restart only.

- A key that is not known is warned of, with the nearest one that is, and has no effect. A key that begins with `_` is a comment.
- *needed* keys have to be there. Where the default is *none*, `null` is the same as leaving the key out.
- Times are whole seconds. No number is larger than 1000000000, unless that is said.

## Secrets

Where the type is *secret*, the value may be

| form | what it means |
|---|---|
| `FROM_FILE:/path` | the content of that file, without the line end after it |
| `FROM_CREDENTIAL:name` | the systemd credential of that name (`LoadCredential=name:/path` in the unit) |
| `FROM_ENV:NAME` | the environment variable of that name |
| anything else | the secret itself |

The first three are read when the secret is needed. One that is not to be had is warned of by `validate`. No secret is ever shown
or logged. Which modes the files should have: [security](security.md#files-and-their-modes).
"#;

/// A limit so high that naming it helps nobody.
const UNLIMITED: i64 = 1_000_000_000;

fn schema() -> Value {
    let output = Command::new(program::path()).arg("schema").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The page.
struct Writer<'a> {
    schema: &'a Value,
    text: String,
}

impl<'a> Writer<'a> {
    /// The named definition that a place refers to, or what stands there.
    fn resolve(&self, place: &'a Value) -> &'a Value {
        if let Some(name) = place["$ref"].as_str() {
            let name = name.strip_prefix("#/$defs/").expect("a reference into this schema");
            return &self.schema["$defs"][name];
        }
        // Something, or null, is something that may be left out.
        match place["anyOf"].as_array().map(Vec::as_slice) {
            Some([something, null]) if null["type"] == "null" => self.resolve(something),
            _ => place,
        }
    }

    /// The sections below a place, with their names in the file: objects that have keys of their own.
    fn section(&self, path: &str, place: &'a Value) -> Option<(String, &'a Value)> {
        let found = self.resolve(place);
        if found["properties"].is_object() {
            return Some((path.to_owned(), found));
        }
        let (path, inner) = match (found.get("additionalProperties"), found.get("items")) {
            (Some(inner), _) => (format!("{path}.*"), inner),
            (_, Some(inner)) => (format!("{path}[]"), inner),
            _ => return None,
        };
        self.section(&path, inner)
    }

    fn write(&mut self, heading: &str, path: &str, section: &'a Value) {
        let description = section["description"].as_str().expect("every section is described");
        // Of the file as a whole, the introduction says more.
        let description = if path.is_empty() { "What stands at its top:" } else { description };
        writeln!(self.text, "\n## {heading}\n\n{}\n", line(description)).unwrap();
        self.text.push_str("| key | type | default | meaning |\n|---|---|---|---|\n");
        let required = section["required"].as_array().cloned().unwrap_or_default();
        let mut below = Vec::new();
        for (key, place) in section["properties"].as_object().unwrap() {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let inner = self.section(&path, place);
            let kind = match &inner {
                Some((path, _)) => format!("[{}](#{})", shape(path, &self.schema_kind(place)), anchor(path)),
                None => self.kind(place),
            };
            let default = match &place["default"] {
                _ if required.contains(&Value::from(key.as_str())) => "*needed*".to_owned(),
                Value::Null => "*none*".to_owned(),
                _ if inner.is_some() => String::new(),
                value => format!("`{value}`"),
            };
            let meaning = self.meaning(place);
            writeln!(self.text, "| `{key}` | {kind} | {default} | {meaning} |").unwrap();
            below.extend(inner);
        }
        for (path, section) in below {
            self.write(&path, &path, section);
        }
    }

    fn schema_kind(&self, place: &'a Value) -> String {
        self.resolve(place)["type"].as_str().unwrap_or_default().to_owned()
    }

    /// What may stand there.
    fn kind(&self, place: &'a Value) -> String {
        if place["x-secret"] == true {
            return "[secret](#secrets)".into();
        }
        let found = self.resolve(place);
        if let Some(values) = self.values(found) {
            return values.iter().map(|(value, _)| format!("`{value}`")).collect::<Vec<_>>().join(", ");
        }
        if let Some(wanted) = found["x-wanted"].as_str() {
            return wanted.replace('"', "`");
        }
        if let Some(choices) = found["anyOf"].as_array() {
            return choices.iter().map(|choice| self.kind(choice)).collect::<Vec<_>>().join(", or ");
        }
        let kinds: Vec<&str> = match &found["type"] {
            Value::Array(kinds) => {
                kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null").collect()
            }
            kind => kind.as_str().into_iter().collect(),
        };
        match kinds.as_slice() {
            ["boolean"] => "`true`, `false`".into(),
            ["string"] => "text".into(),
            ["array"] => format!("list of {}s", self.kind(&found["items"])),
            ["integer"] => whole_number(found),
            other => panic!("how is {other:?} described? {found}"),
        }
    }

    /// The closed set of values, with what each means where that is told.
    fn values(&self, found: &'a Value) -> Option<Vec<(String, Option<&'a str>)>> {
        if let Some(values) = found["enum"].as_array() {
            return Some(values.iter().map(|value| (value.to_string(), None)).collect());
        }
        let choices = found["oneOf"].as_array()?;
        choices
            .iter()
            .map(|choice| Some((choice.get("const")?.to_string(), choice["description"].as_str())))
            .collect()
    }

    fn meaning(&self, place: &'a Value) -> String {
        let mut meaning = line(place["description"].as_str().expect("every key is described"));
        // The type says so already.
        if let Some(rest) = meaning.strip_suffix(": a secret.").map(|rest| format!("{rest}.")) {
            meaning = rest;
        }
        for (value, what) in self.values(self.resolve(place)).unwrap_or_default() {
            if let Some(what) = what {
                write!(meaning, " `{value}`: {}", lower(&line(what))).unwrap();
            }
        }
        meaning
    }
}

/// How a section is written in the file.
fn shape(path: &str, kind: &str) -> &'static str {
    match kind {
        "array" => "list of objects",
        _ if path.ends_with(".*") => "object of objects",
        _ => "object",
    }
}

fn whole_number(found: &Value) -> String {
    let (least, most) = (found["minimum"].as_i64(), found["maximum"].as_i64());
    match (least, most.filter(|most| *most != UNLIMITED)) {
        (Some(least), Some(most)) => format!("whole number, {least} to {most}"),
        (Some(least), None) if least > -UNLIMITED => format!("whole number from {least}"),
        _ => "whole number".into(),
    }
}

/// One line, fit for a cell of a table.
fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn lower(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

#[test]
fn the_reference_is_what_the_schema_says() {
    let schema = schema();
    let mut writer = Writer { schema: &schema, text: INTRODUCTION.into() };
    writer.write("The file", "", &schema);
    golden("../docs/configuration.md", &writer.text);
}
