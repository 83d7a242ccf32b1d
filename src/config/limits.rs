//! `[limits]`: every bound of [`Limits`] under its own name.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;

use super::error::Problem;
use super::quantity::{read_size, read_time, write_time};
use super::schema::Quantity;
use crate::base::limits::{Amount, Limit, Limits};

/// Places of the head index of `wire::sip`; its offsets are 16 bits wide.
const SIP_HEADER_COUNT_CEILING: u64 = 128;
const SIP_HEAD_BYTES_CEILING: u64 = u16::MAX as u64;
/// The bits of `contacts::Groups`, and the lengths of a packed contact.
const CONTACT_GROUPS_CEILING: u64 = 64;
const CONTACT_BYTES_CEILING: u64 = u16::MAX as u64;
/// Tables are indexed with 32 bits.
const COUNT_CEILING: u64 = u32::MAX as u64;
/// A bound longer than this is a slip of the pen.
const TIME_CEILING: Duration = Duration::from_secs(365 * 86_400);

/// Pairs of which the first may not exceed the second.
pub(super) const ORDERED: &[(Limit, Limit)] = &[
    (Limit::RegistrationTimeMin, Limit::RegistrationTime),
    (Limit::SipHeaderLineBytes, Limit::SipHeadBytes),
];
/// Pairs of which the first must be below the second: a user of a link who refreshes his
/// registration at the last moment is heard no sooner than that.
pub(super) const BELOW: &[(Limit, Limit)] = &[(Limit::RegistrationTime, Limit::LaneIdleTime)];

/// A problem and the octets of the file it is about.
pub type Located = (Range<usize>, Problem);

/// The defaults, less what `written` says.
pub fn resolve(written: &BTreeMap<Spanned<String>, Spanned<Quantity>>) -> Result<Limits, Located> {
    let mut limits = Limits::default();
    let mut places = BTreeMap::new();
    for (key, value) in written {
        let name = key.get_ref();
        let limit = Limit::from_name(name).ok_or_else(|| {
            let nearest = nearest(name);
            (key.span(), Problem::UnknownLimit { name: name.escape_default().to_string(), nearest })
        })?;
        let amount = amount(limit, &limits, value.get_ref()).map_err(|p| (value.span(), p))?;
        if !limits.set(limit, amount) {
            return Err((value.span(), range_problem(limit, amount)));
        }
        places.insert(limit.name(), value.span());
    }
    for (low, high) in ORDERED {
        if exceeds(limits.value(*low), limits.value(*high)) {
            return Err(order_problem(&limits, &places, *low, *high, "may not exceed"));
        }
    }
    for (low, high) in BELOW {
        if !exceeds(limits.value(*high), limits.value(*low)) {
            return Err(order_problem(&limits, &places, *low, *high, "must be below"));
        }
    }
    Ok(limits)
}

fn order_problem(
    limits: &Limits,
    places: &BTreeMap<&str, Range<usize>>,
    low: Limit,
    high: Limit,
    rule: &'static str,
) -> Located {
    let place = places.get(low.name()).or(places.get(high.name())).cloned().unwrap_or(0..0);
    let problem = Problem::LimitOrder {
        rule,
        low: low.name(),
        low_value: write(limits.value(low)),
        high: high.name(),
        high_value: write(limits.value(high)),
    };
    (place, problem)
}

/// `value` as an amount of the kind and range of `limit`.
fn amount(limit: Limit, limits: &Limits, value: &Quantity) -> Result<Amount, Problem> {
    let name = limit.name();
    let amount = match (limits.value(limit), value) {
        (Amount::Time(_), Quantity::Text(text)) => {
            Amount::Time(read_time(text).ok_or(Problem::LimitIsTime(name))?)
        }
        (Amount::Time(_), Quantity::Number(_)) => return Err(Problem::LimitIsTime(name)),
        (Amount::Count(_), Quantity::Number(number)) => Amount::Count(*number),
        (Amount::Count(_), Quantity::Text(text)) if counts_octets(limit) => {
            Amount::Count(read_size(text).ok_or(Problem::LimitIsBytes(name))?)
        }
        (Amount::Count(_), Quantity::Text(_)) => return Err(Problem::LimitIsCount(name)),
    };
    let (least, most) = range(limit, amount);
    if exceeds(least, amount) || exceeds(amount, most) {
        return Err(range_problem(limit, amount));
    }
    Ok(amount)
}

/// Smallest and largest value of `limit`, in the kind of `amount`.
fn range(limit: Limit, amount: Amount) -> (Amount, Amount) {
    match (amount, limit) {
        (Amount::Time(_), _) => {
            (Amount::Time(Duration::from_millis(1)), Amount::Time(TIME_CEILING))
        }
        // Here 0 means no bound.
        (
            Amount::Count(_),
            Limit::ConnectionsPerAddress
            | Limit::HandshakeRate
            | Limit::HandshakeRatePerAddress
            | Limit::SignIns,
        ) => (Amount::Count(0), Amount::Count(COUNT_CEILING)),
        (Amount::Count(_), Limit::ContactBytes) => {
            (Amount::Count(1), Amount::Count(CONTACT_BYTES_CEILING))
        }
        (Amount::Count(_), Limit::ContactGroups) => {
            (Amount::Count(1), Amount::Count(CONTACT_GROUPS_CEILING))
        }
        (Amount::Count(_), Limit::SipHeaderCount) => {
            (Amount::Count(1), Amount::Count(SIP_HEADER_COUNT_CEILING))
        }
        (Amount::Count(_), Limit::SipHeadBytes) => {
            (Amount::Count(1), Amount::Count(SIP_HEAD_BYTES_CEILING))
        }
        (Amount::Count(_), _) => (Amount::Count(1), Amount::Count(COUNT_CEILING)),
    }
}

fn range_problem(limit: Limit, amount: Amount) -> Problem {
    let (least, most) = range(limit, amount);
    Problem::LimitRange { name: limit.name(), least: write(least), most: write(most) }
}

/// An amount as the file may say it.
pub(super) fn write(amount: Amount) -> String {
    match amount {
        Amount::Count(count) => count.to_string(),
        Amount::Time(time) => write_time(time),
    }
}

fn exceeds(left: Amount, right: Amount) -> bool {
    match (left, right) {
        (Amount::Count(left), Amount::Count(right)) => left > right,
        (Amount::Time(left), Amount::Time(right)) => left > right,
        (Amount::Count(_), Amount::Time(_)) | (Amount::Time(_), Amount::Count(_)) => false,
    }
}

fn counts_octets(limit: Limit) -> bool {
    limit.name().split('_').any(|word| word == "bytes")
}

fn nearest(name: &str) -> &'static str {
    Limit::ALL
        .iter()
        .map(|limit| limit.name())
        .max_by(|a, b| strsim::jaro(name, a).total_cmp(&strsim::jaro(name, b)))
        .unwrap_or_default()
}
