//! Dates and times (RFC 3339; XML Schema part 2 section 3.2.7).

use std::fmt;

/// The last second that is the year 9999 in every time zone, and so the last that has a text.
const LAST: u64 = 253_402_207_200;

/// The seconds since 1970 that `text` names; `None` for what is no time, or is before 1970.
/// Fractions of a second are cut off; a time without zone is in UTC.
pub fn read(text: &str) -> Option<u64> {
    let timestamp = text.parse::<jiff::Timestamp>().ok().or_else(|| {
        let civil: jiff::civil::DateTime = text.parse().ok()?;
        civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    })?;
    u64::try_from(timestamp.as_second()).ok()
}

/// Seconds since 1970, written in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Utc(pub u64);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let second = self.0.min(LAST) as i64;
        jiff::Timestamp::from_second(second).unwrap_or_default().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_and_written() {
        assert_eq!(read("2026-11-20T21:23:31Z"), Some(1_795_209_811));
        assert_eq!(read("2026-11-20T22:23:31.999+01:00"), Some(1_795_209_811));
        assert_eq!(read("2026-11-20T21:23:31"), Some(1_795_209_811));
        assert_eq!(Utc(1_795_209_811).to_string(), "2026-11-20T21:23:31Z");
        assert_eq!(Utc(u64::MAX).to_string(), "9999-12-30T22:00:00Z");
        assert_eq!(read("9999-12-30T22:00:00Z"), Some(LAST));
    }

    #[test]
    fn anything_else_is_no_time() {
        for bad in ["", "now", "1969-12-31T23:59:59Z", "99999-01-01T00:00:00Z", "2026-13-01T00:00Z"]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
