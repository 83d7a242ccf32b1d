//! Whether the server does its work.

use serde::Serialize;

use crate::base::ids::ShardId;
use crate::metrics::ldap::LdapAlarm;
use crate::metrics::store::Alarm;

/// What keeps the server from its work; nothing, when it is well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Shards whose core makes no progress, as the watchdog sees it.
    pub stuck: Vec<ShardId>,
    /// The store cannot write: sign-in and messages go on, records wait.
    pub store: Option<Alarm>,
    /// Users are not as the directory service has them now: all else goes on.
    pub ldap: Option<LdapAlarm>,
    /// The server was told to go down and takes no new work.
    pub draining: bool,
    /// Seconds until the last connection is closed, once the server takes no new work because of a
    /// drain.
    pub leaves_in_s: Option<u64>,
}

impl Health {
    /// True when `/healthz` answers 200: the server does its work, if with what it knew before.
    pub fn is_well(&self) -> bool {
        Health { ldap: None, ..self.clone() } == Health::default()
    }

    /// The body of `/healthz`.
    pub fn to_json(&self) -> String {
        let cores = self.stuck.iter().map(|shard| Reason {
            cause: "core_stuck",
            detail: format!("core of shard {shard} makes no progress: restart the server"),
        });
        let store = self
            .store
            .map(|alarm| Reason { cause: "store_alarm", detail: alarm.advice().to_owned() });
        let ldap = self
            .ldap
            .map(|alarm| Reason { cause: "ldap_alarm", detail: alarm.advice().to_owned() });
        let draining = self
            .draining
            .then(|| Reason { cause: "draining", detail: "the server is going down".to_owned() });
        let leaving = self.leaves_in_s.filter(|_| !self.draining).map(|left_s| Reason {
            cause: "draining",
            detail: match left_s {
                0 => "the server takes no new work: its connections were closed".to_owned(),
                _ => format!(
                    "the server takes no new work: its connections are closed within {left_s} s"
                ),
            },
        });
        let report = Report {
            status: match (self.is_well(), self.ldap) {
                (true, None) => "ok",
                (true, Some(_)) => "degraded",
                (false, _) => "failing",
            },
            reasons: cores.chain(store).chain(ldap).chain(draining).chain(leaving).collect(),
        };
        serde_json::to_string(&report).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct Report {
    status: &'static str,
    reasons: Vec<Reason>,
}

#[derive(Serialize)]
struct Reason {
    cause: &'static str,
    detail: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_well_says_ok() {
        let health = Health::default();
        assert!(health.is_well());
        assert_eq!(health.to_json(), r#"{"status":"ok","reasons":[]}"#);
    }

    #[test]
    fn every_reason_is_named() {
        let health = Health {
            stuck: vec![ShardId(3)],
            store: Some(Alarm::DiskFull),
            ldap: Some(LdapAlarm::Unreachable),
            draining: true,
            leaves_in_s: Some(7),
        };
        assert!(!health.is_well());
        assert_eq!(
            health.to_json(),
            concat!(
                r#"{"status":"failing","reasons":["#,
                r#"{"cause":"core_stuck","detail":"core of shard 3 makes no progress: restart the server"},"#,
                r#"{"cause":"store_alarm","detail":"the disk is full: free space on the file system of the data folder"},"#,
                r#"{"cause":"ldap_alarm","detail":"the directory service cannot be reached: users stay as they were"},"#,
                r#"{"cause":"draining","detail":"the server is going down"}]}"#,
            )
        );
    }

    #[test]
    fn a_drain_says_how_long_it_takes() {
        let health = |left| Health { leaves_in_s: Some(left), ..Health::default() };
        assert!(!health(7).is_well());
        assert!(health(7).to_json().contains("connections are closed within 7 s"));
        assert!(health(0).to_json().contains("its connections were closed"));
    }
}
