//! What authorities of certificates want to see as TXT records, for the name server that validation is delegated to.
//!
//! Owns a record for each text that some hostname waits with, made and removed together with the hostname's own record.
//! All of them are in memory: they are few, and a stranger asks for any name as often as they like.

use std::collections::{BTreeSet, HashMap};
use std::sync::{PoisonError, RwLock};

use async_trait::async_trait;

use crate::collection::{Collection, PAGE, Seen, Transaction};
use crate::follow::Follow;
use crate::held::Turn;
use crate::{Inner, Registry, RegistryEvent, Result};
use wasmyard_model::hostname::{CustomHostname, ValidationProof};
use wasmyard_stores::Revision;

/// By their zone's id, their host, and themselves: two zones may wait with one text for the same host.
const TEXTS: Collection<()> = Collection::at("acme-text/");
/// The most texts of one host and zone that are read: two are waited for at a time.
const MOST: usize = 16;

/// The texts by zone and host, `ZONE/HOST`.
#[derive(Debug, Default)]
pub(crate) struct TextMemory {
    known: RwLock<HashMap<String, Vec<String>>>,
    /// Whoever reads the store to say which texts there are holds it.
    turn: Turn,
}

impl Registry {
    /// The texts that a host of the zone with this label waits with. Asks memory alone.
    #[must_use]
    pub fn delegated_texts(&self, label: &str, host: &str) -> Vec<String> {
        let Some(zone) = self.inner.zones.load().by_label.get(label).cloned() else { return Vec::new() };
        let known = self.inner.texts.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&format!("{zone}/{host}")).cloned().unwrap_or_default()
    }
}

/// Under which zone and host a text of this key is found.
fn place(key: &str) -> Option<&str> {
    key.rsplit_once('/').map(|(place, _)| place)
}

/// The keys of the texts that a hostname waits with.
fn texts(hostname: Option<&CustomHostname>) -> BTreeSet<String> {
    let ssl = hostname.and_then(|hostname| Some((hostname, hostname.ssl.as_ref()?)));
    let Some((hostname, ssl)) = ssl else { return BTreeSet::new() };
    let keys = ssl.validation_records.iter().filter_map(|record| match &record.proof {
        ValidationProof::Txt { txt_value, .. } => {
            let is_text = txt_value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
            let key = format!("{}/{}/{txt_value}", hostname.zone, hostname.name.base());
            (is_text && !txt_value.is_empty()).then_some(key)
        }
        ValidationProof::Http { .. } | ValidationProof::Handshake { .. } => None,
    });
    keys.collect()
}

impl Inner {
    /// Adds to a transaction what a change of a hostname means for the texts that it waits with. Returns those that change.
    pub(super) fn change_texts<T>(
        transaction: &mut Transaction,
        owner: &Seen<T>,
        before: Option<&CustomHostname>,
        after: Option<&CustomHostname>,
    ) -> Result<Vec<String>> {
        let (old, new) = (texts(before), texts(after));
        for gone in old.difference(&new) {
            transaction.delete_with(owner, &TEXTS, gone);
        }
        for made in new.difference(&old) {
            transaction.put_with(owner, &TEXTS, made, &())?;
        }
        Ok(old.symmetric_difference(&new).cloned().collect())
    }

    /// Has the memory read the texts again that a key is one of.
    pub(super) async fn refresh_text(&self, key: &str) -> Result<()> {
        let Some(place) = place(key) else { return Ok(()) };
        let _turn = self.texts.turn.take().await;
        let found = self.log.page(&TEXTS, &format!("{place}/"), None, MOST).await?;
        let found: Vec<String> =
            found.iter().filter_map(|seen| Some(seen.id().rsplit_once('/')?.1.to_owned())).collect();
        let mut known = self.texts.known.write().unwrap_or_else(PoisonError::into_inner);
        if found.is_empty() {
            known.remove(place);
        } else {
            known.insert(place.to_owned(), found);
        }
        Ok(())
    }
}

/// How the memory of texts follows the store.
pub(crate) struct DelegatedTexts;

#[async_trait]
impl Follow for DelegatedTexts {
    fn prefix(&self) -> &'static str {
        TEXTS.prefix()
    }

    async fn load(&self, registry: &Inner) -> Result<()> {
        let _turn = registry.texts.turn.take().await;
        let mut all: HashMap<String, Vec<String>> = HashMap::new();
        let mut after: Option<String> = None;
        loop {
            let page = registry.log.page(&TEXTS, "", after.as_deref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id().to_owned());
            for (place, text) in page.iter().filter_map(|seen| seen.id().rsplit_once('/')) {
                all.entry(place.to_owned()).or_default().push(text.to_owned());
            }
        }
        *registry.texts.known.write().unwrap_or_else(PoisonError::into_inner) = all;
        Ok(())
    }

    async fn apply(&self, registry: &Inner, id: &str, _: Revision) -> Result<Option<RegistryEvent>> {
        registry.refresh_text(id).await?;
        Ok(None)
    }
}
