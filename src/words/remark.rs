//! Remarks on servers, as sentences without their full stop.

use crate::model::RemarkKind;

/// A remark on a job or destination of this name and id.
#[must_use]
pub fn remark(kind: RemarkKind, name: Option<&str>, id: &str) -> String {
    let called = match name.map(super::clean).filter(|name| !name.is_empty()) {
        Some(name) => format!("{name} ({id})"),
        None => id.to_owned(),
    };
    match kind {
        RemarkKind::JobInNoQueue => format!(
            "job {called} is enabled there and in no queue; add it to `jobs` if it is to be run from here"
        ),
        RemarkKind::JobDisabled => {
            format!("job {called} is in the queue and disabled there: its turns are skipped")
        }
        RemarkKind::JobNotFound => {
            format!("job {called} is in the queue and not known there: its turns are skipped")
        }
        RemarkKind::DestinationDisabled => {
            format!("destination {called} is disabled: nothing can be backed up to it")
        }
        RemarkKind::DestinationReadOnly => {
            format!("destination {called} is read-only: nothing can be backed up to it")
        }
        RemarkKind::DestinationNearlyFull => format!("destination {called} is nearly full"),
    }
}

/// As [`remark`], of a destination that is nearly full: how full, and where JetBackup stops, in percent.
#[must_use]
pub fn nearly_full(name: Option<&str>, id: &str, used: u64, limit: Option<u64>) -> String {
    let said = remark(RemarkKind::DestinationNearlyFull, name, id);
    match limit {
        Some(limit) => format!("{said}: {used} % used, and JetBackup stops at {limit} %"),
        None => format!("{said}: {used} % used"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_sentence() {
        let said: std::collections::HashSet<String> =
            RemarkKind::ALL.map(|kind| remark(kind, Some("Nightly"), "64ab")).into();
        assert_eq!(said.len(), RemarkKind::ALL.len());
        assert!(said.iter().all(|text| text.contains("Nightly (64ab)") && !text.ends_with('.')), "{said:?}");
        assert!(remark(RemarkKind::JobDisabled, Some(" \u{1b}"), "64ab").starts_with("job 64ab is"));
        assert_eq!(
            nearly_full(Some("NAS"), "64ab", 93, Some(95)),
            "destination NAS (64ab) is nearly full: 93 % used, and JetBackup stops at 95 %"
        );
        assert_eq!(nearly_full(None, "64ab", 96, None), "destination 64ab is nearly full: 96 % used");
    }
}
