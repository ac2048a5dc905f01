//! What was found: pure data, in the order it is told.

use serde::Serialize;

/// How good a finding is, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works, and somebody should look at it.
    Warning,
    /// It does not work, or is not safe.
    Failure,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at, in a word or two.
    pub check: String,
    /// How good it is.
    pub level: Level,
    /// What was found: one line, never a secret.
    pub text: String,
    /// What to do about it, in one line; there is one with every finding that is not ok.
    pub advice: Option<String>,
}

/// What was found of one subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Section {
    /// The subject: `Configuration`, `Server web1`, `Mail`, …
    pub subject: String,
    /// Its findings.
    pub findings: Vec<Finding>,
}

/// All that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Subject by subject.
    pub sections: Vec<Section>,
}

/// How many findings there are of each level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Count {
    /// As it should be.
    pub ok: usize,
    /// To be looked at.
    pub warnings: usize,
    /// Wrong.
    pub failures: usize,
}

impl Finding {
    /// All is well with this.
    pub fn ok(check: impl Into<String>, text: impl Into<String>) -> Self {
        Self { check: check.into(), level: Level::Ok, text: line(&text.into()), advice: None }
    }

    /// Somebody should look at this.
    pub fn warning(check: impl Into<String>, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::bad(Level::Warning, check, text, advice)
    }

    /// This is wrong.
    pub fn failure(check: impl Into<String>, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::bad(Level::Failure, check, text, advice)
    }

    /// As an error says it. Errors here say what to do about them after the last semicolon; `otherwise` is said where
    /// one does not.
    pub fn from_error(level: Level, check: &str, error: &impl ToString, otherwise: &str) -> Self {
        let message = line(&error.to_string());
        match message.rsplit_once("; ") {
            Some((text, advice)) => Self::bad(level, check, text, advice),
            None => Self::bad(level, check, message, otherwise),
        }
    }

    fn bad(
        level: Level,
        check: impl Into<String>,
        text: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { check: check.into(), level, text: line(&text.into()), advice: Some(line(&advice.into())) }
    }
}

impl Section {
    /// A subject nothing was found of yet.
    pub fn new(subject: impl Into<String>) -> Self {
        Self { subject: subject.into(), findings: Vec::new() }
    }

    /// A subject of which there is only one thing to say.
    pub fn of(subject: impl Into<String>, finding: Finding) -> Self {
        Self { subject: subject.into(), findings: vec![finding] }
    }

    /// Adds a finding.
    pub fn push(&mut self, finding: Finding) {
        self.findings.push(finding);
    }
}

impl Report {
    /// How many findings there are of each level.
    #[must_use]
    pub fn count(&self) -> Count {
        let mut count = Count::default();
        for finding in self.sections.iter().flat_map(|section| &section.findings) {
            match finding.level {
                Level::Ok => count.ok += 1,
                Level::Warning => count.warnings += 1,
                Level::Failure => count.failures += 1,
            }
        }
        count
    }
}

/// One line without control characters: much of it comes from elsewhere.
fn line(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_error_is_split_into_what_is_wrong_and_what_to_do() {
        let found = Finding::from_error(Level::Failure, "key", &"a; b; run: chmod 600 k", "-");
        assert_eq!((found.text.as_str(), found.advice.as_deref()), ("a; b", Some("run: chmod 600 k")));
        let found = Finding::from_error(Level::Warning, "key", &"odd\nthing", "look at it");
        assert_eq!((found.text.as_str(), found.advice.as_deref()), ("odd thing", Some("look at it")));
    }

    proptest! {
        #[test]
        fn whatever_is_said_is_one_line(text in any::<String>(), advice in any::<String>()) {
            let found = Finding::from_error(Level::Failure, "x", &text, &advice);
            let shown = format!("{}{}", found.text, found.advice.unwrap());
            prop_assert!(!shown.chars().any(char::is_control));
        }
    }
}
