//! How far a queue group or a log has come, in JetBackup's codes.

/// A queue group's `status`: how far one run has come.
///
/// Codes from the vendor's API documentation. 200 and 201 are not in it; earlier tools met them as failed and aborted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GroupStatus {
    /// 1: in the queue, not started.
    Pending,
    /// 2: at work.
    Processing,
    /// 3 to 99: at work, at some stage of it.
    Stage(i64),
    /// 100: everything was backed up. The only success.
    Completed,
    /// 101: some of it was not backed up.
    Partial,
    /// 102 (also 200).
    Failed,
    /// 103 (also 201): by a person or a hook.
    Aborted,
    /// 104: JetBackup was stopped or crashed meanwhile.
    NeverFinished,
    /// Any other code. From 100 on it is finished without success; below, the run may still be writing.
    Unknown(i64),
}

impl GroupStatus {
    /// The status of `code`. A group without a readable code (`None`) becomes `Unknown(0)`: it may be running, because
    /// taking a writing backup for finished would let a second one write beside it.
    pub(crate) fn new(code: Option<i64>) -> Self {
        match code.unwrap_or(0) {
            1 => Self::Pending,
            2 => Self::Processing,
            stage @ 3..=99 => Self::Stage(stage),
            100 => Self::Completed,
            101 => Self::Partial,
            102 | 200 => Self::Failed,
            103 | 201 => Self::Aborted,
            104 => Self::NeverFinished,
            other => Self::Unknown(other),
        }
    }

    /// JetBackup's code; the documented one where two mean the same.
    #[must_use]
    pub fn code(self) -> i64 {
        match self {
            Self::Pending => 1,
            Self::Processing => 2,
            Self::Completed => 100,
            Self::Partial => 101,
            Self::Failed => 102,
            Self::Aborted => 103,
            Self::NeverFinished => 104,
            Self::Stage(code) | Self::Unknown(code) => code,
        }
    }

    /// Whether the run is over, whatever came of it. While this is false it may be writing.
    #[must_use]
    pub fn is_finished(self) -> bool {
        self.code() >= 100
    }
}

/// A log's `status`, which counts differently from a queue group's (vendor's API documentation, Log Object).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogStatus {
    /// 1.
    Completed,
    /// 2.
    Failed,
    /// 3.
    Aborted,
    /// 4.
    Partial,
    /// 5.
    NeverFinished,
    /// 6: still at work.
    Processing,
    /// Any other code; 0 where there was no readable one.
    Unknown(i64),
}

impl LogStatus {
    /// The status of `code`.
    pub(crate) fn new(code: Option<i64>) -> Self {
        match code.unwrap_or(0) {
            1 => Self::Completed,
            2 => Self::Failed,
            3 => Self::Aborted,
            4 => Self::Partial,
            5 => Self::NeverFinished,
            6 => Self::Processing,
            other => Self::Unknown(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_codes_from_100_on_are_finished() {
        let table = [
            (1, GroupStatus::Pending, false),
            (2, GroupStatus::Processing, false),
            (3, GroupStatus::Stage(3), false),
            (99, GroupStatus::Stage(99), false),
            (100, GroupStatus::Completed, true),
            (101, GroupStatus::Partial, true),
            (102, GroupStatus::Failed, true),
            (103, GroupStatus::Aborted, true),
            (104, GroupStatus::NeverFinished, true),
            (105, GroupStatus::Unknown(105), true),
            (200, GroupStatus::Failed, true),
            (201, GroupStatus::Aborted, true),
            (0, GroupStatus::Unknown(0), false),
            (-7, GroupStatus::Unknown(-7), false),
        ];
        for (code, status, finished) in table {
            assert_eq!(GroupStatus::new(Some(code)), status);
            assert_eq!(status.is_finished(), finished, "{code}");
        }
        assert!(!GroupStatus::new(None).is_finished());
    }

    #[test]
    fn logs_count_differently() {
        assert_eq!(LogStatus::new(Some(4)), LogStatus::Partial);
        assert_eq!(LogStatus::new(Some(100)), LogStatus::Unknown(100));
        assert_eq!(LogStatus::new(None), LogStatus::Unknown(0));
    }

    proptest! {
        #[test]
        fn codes_are_kept(code in any::<i64>()) {
            prop_assume!(code != 200 && code != 201);
            prop_assert_eq!(GroupStatus::new(Some(code)).code(), code);
        }
    }
}
