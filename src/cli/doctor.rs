//! `doctor`: everything at once, grouped by subject, and what to do about what is not well.

use std::path::Path;

use serde::Serialize;

use super::context::{self, block_on};
use super::exit::{Exit, Failure};
use super::output::print;
use super::paint::Paint;
use crate::doctor::{self, Count, Finding, Level, Report, Section};
use crate::words::{Tone, count};

pub(super) fn doctor(path: &Path, verbose: u8, json: bool) -> Result<Exit, Failure> {
    let _log = context::log_to_stderr(verbose);
    block_on(async {
        let report = doctor::examine(path).await;
        if json {
            print(&serde_json::to_string_pretty(&Shown::of(&report))?)?;
        } else {
            print(text(&report, Paint::stdout()).trim_end())?;
        }
        Ok(if report.count().failures == 0 { Exit::Done } else { Exit::CouldNotStart })
    })
}

/// The report as JSON.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    count: Count,
    subjects: &'a [Section],
}

impl<'a> Shown<'a> {
    fn of(report: &'a Report) -> Self {
        Self { count: report.count(), subjects: &report.sections }
    }
}

fn text(report: &Report, paint: Paint) -> String {
    let mut text = String::new();
    for section in &report.sections {
        text.push_str(&paint.tone(Tone::Strong, &section.subject));
        text.push('\n');
        for finding in &section.findings {
            text.push_str(&line(finding, paint));
        }
        text.push('\n');
    }
    let Count { ok, warnings, failures } = report.count();
    let (warnings, failures) =
        (told(warnings, "warning", Tone::Warn, paint), told(failures, "failure", Tone::Bad, paint));
    text.push_str(&format!("{ok} ok, {warnings}, {failures}\n"));
    text
}

fn told(n: usize, what: &str, tone: Tone, paint: Paint) -> String {
    let told = count(n, what, &format!("{what}s"));
    if n == 0 { told } else { paint.tone(tone, &told) }
}

fn line(finding: &Finding, paint: Paint) -> String {
    let (tone, mark) = match finding.level {
        Level::Ok => (Tone::Good, "ok"),
        Level::Warning => (Tone::Warn, "warning"),
        Level::Failure => (Tone::Bad, "FAILURE"),
    };
    // The mark is padded before it is coloured.
    let mark = paint.tone(tone, &format!("{mark:<7}"));
    let mut line = format!("  {mark}  {}: {}\n", finding.check, finding.text);
    if let Some(advice) = &finding.advice {
        line.push_str(&format!("           -> {advice}\n"));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let section = |subject: &str, findings: Vec<Finding>| Section { subject: subject.into(), findings };
        Report {
            sections: vec![
                section("Configuration", vec![Finding::ok("file", "/etc/x.json is valid: 1 server, 1 job")]),
                section(
                    "Server web1 (web1.example.com:51514)",
                    vec![
                        Finding::ok("connection", "sshd answers"),
                        Finding::warning("gate version", "0.0.1, older", "update it"),
                        Finding::failure("gate", "the key gives a shell", "install the gate"),
                    ],
                ),
            ],
        }
    }

    #[test]
    fn it_is_grouped_by_subject_and_says_what_to_do() {
        let golden = "\
Configuration
  ok       file: /etc/x.json is valid: 1 server, 1 job

Server web1 (web1.example.com:51514)
  ok       connection: sshd answers
  warning  gate version: 0.0.1, older
           -> update it
  FAILURE  gate: the key gives a shell
           -> install the gate

2 ok, 1 warning, 1 failure
";
        let shown = text(&report(), Paint::PLAIN);
        assert_eq!(shown, golden, "{shown}");
        let coloured = text(&report(), Paint::COLOURS);
        assert!(coloured.contains("\x1b[31mFAILURE\x1b[0m  gate:"), "{coloured}");
    }

    #[test]
    fn the_same_as_json() {
        let golden = r#"{
  "ok": 2,
  "warnings": 1,
  "failures": 1,
  "subjects": [
    {
      "subject": "Configuration",
      "findings": [
        {
          "check": "file",
          "level": "ok",
          "text": "/etc/x.json is valid: 1 server, 1 job",
          "advice": null
        }
      ]
    },
    {
      "subject": "Server web1 (web1.example.com:51514)",
      "findings": [
        {
          "check": "connection",
          "level": "ok",
          "text": "sshd answers",
          "advice": null
        },
        {
          "check": "gate version",
          "level": "warning",
          "text": "0.0.1, older",
          "advice": "update it"
        },
        {
          "check": "gate",
          "level": "failure",
          "text": "the key gives a shell",
          "advice": "install the gate"
        }
      ]
    }
  ]
}"#;
        let shown = serde_json::to_string_pretty(&Shown::of(&report())).unwrap();
        assert_eq!(shown, golden, "{shown}");
    }
}
