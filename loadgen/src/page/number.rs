//! Numbers as people read them.

/// With three significant digits or fewer, and thousands apart.
pub fn short(value: f64) -> String {
    let size = value.abs();
    let decimals = match size {
        _ if size == 0.0 || size >= 100.0 => 0,
        _ if size >= 10.0 => 1,
        _ if size >= 1.0 => 2,
        _ if size >= 0.01 => 3,
        _ if size >= 0.001 => 4,
        _ => 6,
    };
    let text = format!("{value:.decimals$}");
    match text.split_once('.') {
        Some((whole, rest)) => {
            let rest = rest.trim_end_matches('0');
            let dot = if rest.is_empty() { "" } else { "." };
            format!("{}{dot}{rest}", thousands(whole))
        }
        None => thousands(&text),
    }
}

/// A count, with thousands apart.
pub fn count(value: u64) -> String {
    thousands(&value.to_string())
}

/// Octets with their unit, by 1,024.
pub fn octets(value: f64) -> String {
    let mut value = value;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value.abs() < 1024.0 {
            return format!("{} {unit}", short(value));
        }
        value /= 1024.0;
    }
    format!("{} TiB", short(value))
}

/// Octets a second as bits a second with their unit, by 1,000.
pub fn bits(octets_per_s: f64) -> String {
    let mut value = octets_per_s * 8.0;
    for unit in ["bit/s", "kbit/s", "Mbit/s"] {
        if value.abs() < 1000.0 {
            return format!("{} {unit}", short(value));
        }
        value /= 1000.0;
    }
    format!("{} Gbit/s", short(value))
}

fn thousands(digits: &str) -> String {
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", digits),
    };
    let mut text = String::from(sign);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_that_count() {
        let texts = [0.0, 0.000_012_3, 0.01234, 1.5, 12.34, 123.4, 1_234_567.0, -2500.0].map(short);
        assert_eq!(texts, ["0", "0.000012", "0.012", "1.5", "12.3", "123", "1,234,567", "-2,500"]);
        assert_eq!(count(1000), "1,000");
        assert_eq!(octets(10_240.0), "10 KiB");
        assert_eq!(octets(0.0), "0 B");
        assert_eq!(bits(125_000.0), "1 Mbit/s");
    }
}
