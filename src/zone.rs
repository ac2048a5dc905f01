//! The machine's time zone.

use jiff::tz::TimeZone;

/// Where OpenWrt writes the zone of its system's settings, as a POSIX TZ string: it has neither zone files nor
/// `/etc/localtime` unless a package brings them.
const ROUTERS: &str = "/etc/TZ";

/// The zone that people here live by: `TZ`, else `/etc/localtime`, else `/etc/TZ`, else UTC.
#[must_use]
pub fn system() -> TimeZone {
    known().unwrap_or(TimeZone::UTC)
}

/// As [`system`], but without guessing.
///
/// # Errors
/// If nothing tells the zone, or what does is not understood.
pub fn known() -> Result<TimeZone, jiff::Error> {
    TimeZone::try_system().or_else(|error| of_router(ROUTERS).ok_or(error))
}

fn of_router(path: &str) -> Option<TimeZone> {
    TimeZone::posix(std::fs::read_to_string(path).ok()?.trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_routers_zone_is_understood() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("TZ");
        let path = path.to_str().unwrap();
        assert!(of_router(path).is_none());
        std::fs::write(path, "CET-1CEST,M3.5.0,M10.5.0/3\n").unwrap();
        let zone = of_router(path).unwrap();
        let summer: jiff::Timestamp = "2026-07-01T00:00:00Z".parse().unwrap();
        assert_eq!(summer.to_zoned(zone).offset().seconds(), 7200);
        std::fs::write(path, "nonsense\n").unwrap();
        assert!(of_router(path).is_none());
    }
}
