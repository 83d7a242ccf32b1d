//! All users of a directory service, a page at a time (RFC 2696).

use ldap3::controls::{Control, ControlType, PagedResults};
use ldap3::{Scope, SearchEntry};
use tokio::time::timeout;

use super::client::{Client, raw};
use super::fault::{Fault, Step};
use crate::config::Ldap;
use crate::directory::Raw;
use crate::metrics::ldap::LdapAlarm;

/// A search that goes on page by page. No more than one page is held.
#[derive(Debug)]
pub struct Pages {
    client: Client,
    base: String,
    filter: String,
    attributes: Vec<String>,
    page_size: u32,
    /// Where the next page begins, as the server has it: empty before the first, `None` after the
    /// last.
    cookie: Option<Vec<u8>>,
}

impl Pages {
    pub(super) fn new(client: Client, ldap: &Ldap, attributes: Vec<String>) -> Self {
        Pages {
            client,
            base: ldap.base.clone(),
            filter: ldap.filter.clone(),
            attributes,
            page_size: ldap.page_size,
            cookie: Some(Vec::new()),
        }
    }

    /// The next page; `None` after the last one.
    pub async fn next(&mut self) -> Result<Option<Vec<Raw>>, Fault> {
        let Some(cookie) = self.cookie.take() else { return Ok(None) };
        let Client { handle, url, timeout: time, .. } = &mut self.client;
        let size = i32::try_from(self.page_size).unwrap_or(i32::MAX);
        let before = cookie.clone();
        handle.with_controls(vec![PagedResults { size, cookie }.into()]);
        let attributes = self.attributes.clone();
        let search = handle.search(&self.base, Scope::Subtree, &self.filter, attributes);
        let found = timeout(*time, search).await.map_err(|_| Fault::late(url, Step::Search))?;
        let (entries, result) = found
            .and_then(ldap3::SearchResult::success)
            .map_err(|error| Fault::of(url, Step::Search, &error))?;
        let next = result.ctrls.iter().find_map(|control| match control {
            Control(Some(ControlType::PagedResults), raw) => Some(raw.parse::<PagedResults>()),
            _ => None,
        });
        self.cookie = next.map(|page| page.cookie).filter(|cookie| !cookie.is_empty());
        if entries.is_empty() && self.cookie.as_ref() == Some(&before) {
            // It would go on for ever.
            let what = "the same empty page comes again and again".to_owned();
            return Err(Fault { alarm: LdapAlarm::Protocol, place: url.clone(), what });
        }
        Ok(Some(entries.into_iter().map(SearchEntry::construct).map(raw).collect()))
    }
}
