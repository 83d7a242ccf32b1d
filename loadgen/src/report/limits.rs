//! Pass marks that the command line sets: `--mark 'p99_im_ms < 250'` and `--no-mark NAME`.

use super::marks::{is_mark, mark_names};
use crate::figure::{Bound, condition};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// One limit of the command line.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// Name of the mark.
    pub name: String,
    /// Where a run that passes is.
    pub bound: Bound,
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, bound) = condition(text)?;
        known(name)?;
        Ok(Limit { name: name.to_owned(), bound })
    }
}

/// Reads the name of a mark.
///
/// # Errors
/// Says which there are.
pub fn known(name: &str) -> Result<String, String> {
    let named = || {
        format!(
            "{name:?}: a pass mark is {}, or a figure such as p95_join_ms or rate_im",
            mark_names().collect::<Vec<_>>().join(", ")
        )
    };
    if is_mark(name) { Ok(name.to_owned()) } else { Err(named()) }
}

/// The limits that differ from the usual ones; `None` switches a mark off.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits(BTreeMap<String, Option<Bound>>);

impl Limits {
    /// Of the command line; a mark that is switched off stays so.
    pub fn new(set: Vec<Limit>, off: Vec<String>) -> Limits {
        let set = set.into_iter().map(|Limit { name, bound }| (name, Some(bound)));
        Limits(set.chain(off.into_iter().map(|name| (name, None))).collect())
    }

    /// What the command line says of a mark.
    pub fn of(&self, name: &str) -> Option<Option<Bound>> {
        self.0.get(name).copied()
    }

    /// Names of all marks that have a limit here.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(_, bound)| bound.is_some()).map(|(name, _)| name.as_str())
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, bound)) in self.0.iter().enumerate() {
            out.write_str(if at > 0 { ", " } else { "" })?;
            match bound {
                Some(bound) => write!(out, "{name} {bound}")?,
                None => write!(out, "no {name}")?,
            }
        }
        Ok(())
    }
}

impl Serialize for Limits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_of_a_known_mark_or_of_a_figure() {
        let limit: Limit = "server_cpu_percent < 60".parse().unwrap();
        assert_eq!(limit.bound, Bound::Below(60.0));
        assert!("p95_join_ms <= 20".parse::<Limit>().is_ok());
        let error = "speed < 5".parse::<Limit>().unwrap_err();
        assert!(error.contains("server_cpu_percent"), "{error}");
        let limits = Limits::new(vec![limit], vec!["throttled".into()]);
        assert_eq!(limits.to_string(), "server_cpu_percent < 60, no throttled");
        assert_eq!(limits.of("throttled"), Some(None));
        assert_eq!(limits.of("failures"), None);
    }
}
