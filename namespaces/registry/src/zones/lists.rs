//! Lists of custom hostnames, a page at a time: in the order in which they were made, or in that of their names.
//!
//! Owns which order goes with which question. Never holds more than a page.

use std::sync::Arc;

use super::hostnames::{HOSTNAME_NAMES, HOSTNAMES, hostname_key};
use super::within;
use crate::collection::PAGE;
use crate::{Inner, Registry, Result};
use wasmyard_model::hostname::CustomHostname;
use wasmyard_model::ids::ZoneId;

/// Which names a list is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HostnameNames {
    /// All; the list is in the order in which they were made.
    #[default]
    All,
    /// Exactly this one.
    Exactly(String),
    /// Those that begin so; the list is in the order of the names.
    Beginning(String),
    /// Those that have this in them; the list is in the order of the names.
    Containing(String),
}

/// A page of custom hostnames, each with its key for the next page.
pub type HostnamePage = Vec<(String, Arc<CustomHostname>)>;

impl Registry {
    /// Custom hostnames of a zone with names as asked for, of which `keep` is true and whose keys come after `after`;
    /// `limit` at most.
    ///
    /// # Errors
    /// [`crate::RegistryError::Store`].
    pub async fn hostnames(
        &self,
        zone: &ZoneId,
        names: &HostnameNames,
        keep: impl Fn(&CustomHostname) -> bool,
        after: Option<&str>,
        limit: usize,
    ) -> Result<HostnamePage> {
        let inner = &self.inner;
        let mut found = Vec::new();
        let mut after = after.map(|key| format!("{}{key}", within(zone)));
        while found.len() < limit {
            let page = match names {
                HostnameNames::All => inner.hostnames_by_id(zone, &mut after).await?,
                HostnameNames::Exactly(name) if after.is_none() => {
                    let page = inner.hostnames_by_name(zone, name, |found| found == name, &mut after).await?;
                    after = Some(String::new());
                    page
                }
                HostnameNames::Exactly(_) => None,
                HostnameNames::Beginning(start) => {
                    inner.hostnames_by_name(zone, start, |_| true, &mut after).await?
                }
                HostnameNames::Containing(part) => {
                    inner.hostnames_by_name(zone, "", |name| name.contains(part.as_str()), &mut after).await?
                }
            };
            let Some(page) = page else { break };
            let room = limit - found.len();
            found.extend(page.into_iter().filter(|(_, hostname)| keep(hostname)).take(room));
        }
        Ok(found)
    }
}

impl Inner {
    /// A page in the order of the ids; moves `after` on. None at the end.
    async fn hostnames_by_id(
        &self,
        zone: &ZoneId,
        after: &mut Option<String>,
    ) -> Result<Option<HostnamePage>> {
        let within = within(zone);
        let page = self.log.page(&HOSTNAMES, &within, after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(None) };
        *after = Some(last.id().to_owned());
        let rows = page.iter().filter_map(|seen| {
            let key = seen.id().strip_prefix(&within).unwrap_or_default().to_owned();
            Some((key, Arc::new(seen.whole()?)))
        });
        Ok(Some(rows.collect()))
    }

    /// A page in the order of the names, of those names that are wanted; moves `after` on. None at the end.
    async fn hostnames_by_name(
        &self,
        zone: &ZoneId,
        start: &str,
        wanted: impl Fn(&str) -> bool,
        after: &mut Option<String>,
    ) -> Result<Option<HostnamePage>> {
        let within = within(zone);
        let page =
            self.log.page(&HOSTNAME_NAMES, &format!("{within}{start}"), after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(None) };
        *after = Some(last.id().to_owned());
        let names = page.iter().filter(|seen| wanted(seen.id().strip_prefix(&within).unwrap_or_default()));
        let keys: Vec<String> =
            names.filter_map(|seen| seen.whole()).map(|id| hostname_key(zone, &id)).collect();
        let found = self.log.read_many(&HOSTNAMES, &keys).await?;
        let rows = found.iter().filter_map(|seen| seen.whole());
        Ok(Some(rows.map(|hostname| (hostname.name.to_string(), Arc::new(hostname))).collect()))
    }
}
