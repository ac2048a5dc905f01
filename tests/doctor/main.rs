#![allow(clippy::unwrap_used, clippy::expect_used)]
//! `doctor` against real peers (sshd with the shipped gate, Mosquitto, an SMTP server, a TLS server): what is well is
//! found well, every fault is found and named with what to do, and nothing is changed, sent or triggered by looking.

#[path = "../support/certificates.rs"]
mod certificates;
#[path = "../support/farm.rs"]
mod farm;
#[path = "../support/http.rs"]
mod http;
// Not all of what it can do is asked of it here.
#[allow(dead_code)]
#[path = "../mail/server.rs"]
mod mail_server;
#[path = "../support/mosquitto.rs"]
mod mosquitto;
#[path = "../support/mod.rs"]
mod support;

mod gates;
mod here;
mod peers;
mod well;

use serde_json::Value;

use crate::farm::{Farm, Ran};

/// What `doctor --json` found.
struct Found {
    report: Value,
    code: Option<i32>,
}

/// Examines a farm.
#[track_caller]
fn examine(farm: &Farm) -> Found {
    found(&farm.call(&["doctor", "--json"]))
}

/// What a `doctor --json` that has ended found.
#[track_caller]
fn found(ran: &Ran) -> Found {
    let report = ran.json();
    let failures = report["failures"].as_u64().unwrap();
    assert_eq!(ran.code, Some(if failures == 0 { 0 } else { 1 }), "{report:#}");
    Found { report, code: ran.code }
}

impl Found {
    /// The findings of a check, by the beginning of its subject.
    fn all(&self, subject: &str, check: &str) -> Vec<&Value> {
        let sections = self.report["subjects"].as_array().unwrap();
        let of_it = sections.iter().filter(|one| one["subject"].as_str().unwrap().starts_with(subject));
        let findings = of_it.flat_map(|section| section["findings"].as_array().unwrap());
        findings.filter(|finding| finding["check"] == check).collect()
    }

    /// The one finding of a check is of this level, and says this.
    #[track_caller]
    fn is(&self, subject: &str, check: &str, level: &str, says: &str) {
        let all = self.all(subject, check);
        let fits = |finding: &&&Value| {
            let said = format!("{} {}", finding["text"], finding["advice"]);
            finding["level"] == level && said.contains(says)
        };
        assert!(
            all.iter().any(|finding| fits(&finding)),
            "{subject}, {check}, {level}, {says}: {:#}",
            self.report
        );
        let advised = all.iter().all(|finding| (finding["level"] == "ok") == finding["advice"].is_null());
        assert!(advised, "what is not well has an advice: {all:#?}");
    }

    /// Everything that is not well, but for what depends on this machine: `check: text`.
    fn troubles(&self) -> Vec<String> {
        let sections = self.report["subjects"].as_array().unwrap();
        let findings = sections.iter().flat_map(|section| section["findings"].as_array().unwrap());
        findings
            .filter(|finding| finding["level"] != "ok")
            .map(|finding| {
                format!("{}: {}", finding["check"].as_str().unwrap(), finding["text"].as_str().unwrap())
            })
            .filter(|trouble| !trouble.contains("the service's user"))
            .collect()
    }
}
