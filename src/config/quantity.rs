//! Times and sizes as people write them.

use std::time::Duration;

/// Units of time, largest first.
const TIMES: &[(&str, u64)] =
    &[("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
/// Units of size, largest first.
const SIZES: &[(&str, u64)] = &[("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Reads a whole number and a unit of time: `5ms`, `10s`, `15m`, `2h`, `1d`.
pub fn read_time(text: &str) -> Option<Duration> {
    read(text, TIMES).map(Duration::from_millis)
}

/// Reads a whole number and a unit of size: `512B`, `16KiB`, `1MiB`.
pub fn read_size(text: &str) -> Option<u64> {
    read(text, SIZES)
}

/// Writes a time in the largest unit that divides it. Times are whole milliseconds.
pub fn write_time(time: Duration) -> String {
    write(u64::try_from(time.as_millis()).unwrap_or(u64::MAX), TIMES)
}

fn read(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let unit = unit.strip_prefix(' ').unwrap_or(unit);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

fn write(value: u64, units: &[(&str, u64)]) -> String {
    units
        .iter()
        .find(|(_, factor)| value >= *factor && value.is_multiple_of(*factor))
        .or(units.last())
        .map_or_else(String::new, |(name, factor)| format!("{}{name}", value / factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        for (text, millis) in [
            ("0ms", Some(0)),
            ("5ms", Some(5)),
            ("10s", Some(10_000)),
            ("15 m", Some(900_000)),
            ("2h", Some(7_200_000)),
            ("1d", Some(86_400_000)),
            ("", None),
            ("10", None),
            ("s", None),
            ("-1s", None),
            ("+1s", None),
            ("1.5s", None),
            ("1h30m", None),
            ("1 h ", None),
            ("10S", None),
            ("18446744073709551615d", None),
            ("99999999999999999999s", None),
        ] {
            assert_eq!(read_time(text), millis.map(Duration::from_millis), "{text:?}");
        }
    }

    #[test]
    fn sizes_have_a_unit_of_two_to_the_tenth() {
        for (text, octets) in [
            ("512B", Some(512)),
            ("16KiB", Some(16_384)),
            ("1 MiB", Some(1 << 20)),
            ("2GiB", Some(2 << 30)),
            ("16KB", None),
            ("16k", None),
            ("KiB", None),
            ("18446744073709551615KiB", None),
        ] {
            assert_eq!(read_size(text), octets, "{text:?}");
        }
    }

    #[test]
    fn a_time_is_written_in_its_largest_whole_unit() {
        for text in ["0ms", "5ms", "1500ms", "10s", "90s", "15m", "2h", "36h", "2d"] {
            assert_eq!(write_time(read_time(text).unwrap()), text);
        }
    }
}
