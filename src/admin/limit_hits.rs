//! Bounds that are hit off the cores, whose counters are elsewhere.

use crate::base::limits::Limit;
use crate::metrics::api::ApiCounters;
use crate::metrics::ldap::LdapCounters;
use crate::metrics::store::StoreCounters;

/// What counts beside the cores.
#[derive(Clone, Debug, Default)]
pub struct Elsewhere {
    /// Connections of the admin listener that found no place.
    pub connections_refused: u64,
    /// The API.
    pub api: ApiCounters,
    /// The store.
    pub store: StoreCounters,
    /// The directory service.
    pub ldap: LdapCounters,
}

/// How often `limit` was hit off the cores.
pub fn off_the_cores(limit: Limit, elsewhere: &Elsewhere) -> u64 {
    let Elsewhere { connections_refused, api, store, ldap } = elsewhere;
    match limit {
        Limit::AdminConnections => *connections_refused,
        Limit::ApiBodyBytes => api.bodies_refused,
        Limit::ApiConnections => api.connections_refused,
        Limit::ApiEvents => api.streams_overrun,
        Limit::ApiStreams => api.streams_refused,
        Limit::ApiUsers => api.lists_refused,
        Limit::AuthFailuresPerAddress => api.lockouts,
        Limit::ControlQueue => store.refused,
        Limit::LdapEntries => ldap.entries_limit_hits,
        Limit::PhotoBytes => api.photos_refused,
        Limit::PhotoPixels => api.pixels_refused,
        _ => 0,
    }
}
