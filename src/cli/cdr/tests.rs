//! When records are wanted from.

use super::*;

#[test]
fn a_start_is_a_time_a_day_or_so_long_ago() {
    let now: Zoned = "2026-11-21T10:00:00+02:00[+02:00]".parse().unwrap();
    for (text, expected) in [
        ("2h", "2026-11-21T06:00:00Z"),
        ("30m", "2026-11-21T07:30:00Z"),
        ("7d", "2026-11-14T08:00:00Z"),
        ("2026-11-20", "2026-11-19T22:00:00Z"),
        ("2026-11-20T08:00", "2026-11-20T06:00:00Z"),
        ("2026-11-20 08:00:30", "2026-11-20T06:00:30Z"),
        ("2026-11-20T08:00:00Z", "2026-11-20T08:00:00Z"),
        ("2026-11-20T08:00:00+01:00", "2026-11-20T07:00:00Z"),
    ] {
        let expected: Timestamp = expected.parse().unwrap();
        assert_eq!(since_at(text, &now).unwrap(), expected, "{text}");
    }
    for text in ["", "yesterday", "2026-13-01", "2", "-2h", "99999999999999d"] {
        assert!(since_at(text, &now).is_err(), "{text:?}");
    }
}
