//! Where the origins of a zone are: its DNS records, as requests are sent by them.
//!
//! Owns what is held of them, by zone: a bounded cache, so that a request for an origin that is in use asks the memory
//! alone. What a change of a record made untrue is forgotten before the call that made it returns.

use std::sync::Arc;

use async_trait::async_trait;
use moka::sync::Cache;
use tokio::sync::Mutex;

use super::{DNS_RECORDS, DNS_SETS, within};
use crate::collection::Seen;
use crate::follow::Follow;
use crate::{Inner, Registry, RegistryEvent, Result};
use wasmyard_model::ids::ZoneId;
use wasmyard_model::zone::{DnsRecord, OriginPlace, OriginTable};
use wasmyard_stores::Revision;

/// What is held of where origins are.
#[derive(Debug)]
pub(crate) struct OriginMemory {
    zones: Cache<ZoneId, Arc<OriginTable>>,
    /// Whoever reads the store to fill the memory, or has it read again, holds it. There are few zones.
    turn: Mutex<()>,
}

impl OriginMemory {
    pub(crate) fn new(bytes: u64) -> OriginMemory {
        let weight =
            |_: &ZoneId, table: &Arc<OriginTable>| u32::try_from(256 + table.weight()).unwrap_or(u32::MAX);
        OriginMemory {
            zones: Cache::builder().max_capacity(bytes).weigher(weight).build(),
            turn: Mutex::default(),
        }
    }
}

impl Registry {
    /// Where the origin of a name in a zone is, by its proxied records; none when it has none. Asks the store only for
    /// zones that were not asked for recently. With `wildcards`, a record for all names below one is one for this name.
    ///
    /// # Errors
    /// [`crate::RegistryError::Store`] when the store has to be asked and fails.
    pub async fn origin_place(
        &self,
        zone: &ZoneId,
        name: &str,
        wildcards: bool,
    ) -> Result<Option<OriginPlace>> {
        Ok(self.inner.origins_of(zone).await?.find(name, wildcards))
    }
}

impl Inner {
    async fn origins_of(&self, zone: &ZoneId) -> Result<Arc<OriginTable>> {
        if let Some(known) = self.origins.zones.get(zone) {
            return Ok(known);
        }
        let _turn = self.origins.turn.lock().await;
        if let Some(known) = self.origins.zones.get(zone) {
            return Ok(known);
        }
        let records = self.log.all(&DNS_RECORDS, &within(zone)).await?;
        let records: Vec<DnsRecord> = records.iter().filter_map(Seen::whole).collect();
        let table = Arc::new(OriginTable::of(&records));
        self.origins.zones.insert(zone.clone(), Arc::clone(&table));
        Ok(table)
    }

    /// Forgets where the origins of a zone were.
    pub(super) async fn forget_origins(&self, zone: &ZoneId) {
        let _turn = self.origins.turn.lock().await;
        self.origins.zones.invalidate(zone);
    }
}

/// How what is held of origins follows the store.
pub(crate) struct Origins;

#[async_trait]
impl Follow for Origins {
    fn prefix(&self) -> &'static str {
        DNS_SETS.prefix()
    }

    async fn load(&self, registry: &Inner) -> Result<()> {
        let _turn = registry.origins.turn.lock().await;
        registry.origins.zones.invalidate_all();
        Ok(())
    }

    async fn apply(&self, registry: &Inner, id: &str, _: Revision) -> Result<Option<RegistryEvent>> {
        if let Ok(zone) = ZoneId::parse(id) {
            registry.forget_origins(&zone).await;
        }
        Ok(None)
    }
}
