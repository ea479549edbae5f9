//! What scripts keep things in that is their own: under which name it lies, for which script and binding, and since when
//! nobody uses it.
//!
//! Owns that nothing is lost track of: what is to be made is written down before it is made, and what is to go is written
//! down in the append by which its script goes. What lies under the names is no business of the registry's: it never makes or
//! removes anything.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::collection::{Collection, PAGE, Seen, Transaction};
use super::{Inner, Registry, Result};
use crate::error::RegistryError;
use crate::record::{NAMESPACES, ScriptRecord, USER_SCRIPTS, scripts_within};
use wasmyard_model::bindings::{BindingType, StorageKind};
use wasmyard_model::digest::Digest;
use wasmyard_model::name::BindingName;
use wasmyard_model::script::ScriptKey;
use wasmyard_model::timestamp::Timestamp;

/// What scripts have of their own, by the key of the script's record, the kind and the binding.
const OWN: Collection<OwnRecord> = Collection::at("own/");
/// What is no script's any more and is to be removed, by its name.
const DROPS: Collection<StorageKind> = Collection::at("own-drop/");
/// Namespaces that are gone, and whose scripts' storage goes with them at once, by id.
pub(super) const DROPPED_WITH: Collection<()> = Collection::at("own-dropped-with/");

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct OwnRecord {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unused_since: Option<Timestamp>,
}

/// Storage of a script's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnStorage {
    /// Whose it is; none where that one's namespace is gone.
    pub script: Option<ScriptKey>,
    /// What it is.
    pub kind: StorageKind,
    /// Under which binding the script has it.
    pub binding: BindingName,
    /// Under which name it lies: of letters, digits and hyphens, and nobody else's.
    pub name: String,
    /// Since when no version of the script leads to it, as far as anybody looked.
    pub unused_since: Option<Timestamp>,
    /// Its place in the list of all.
    pub place: String,
}

impl Registry {
    /// This registry, for deletions that take the storage of what they delete with them. Without it, that is kept for a while.
    #[must_use]
    pub fn with_storage(&self) -> Registry {
        Registry { drops_storage: true, ..self.clone() }
    }

    /// The storage of a script's own behind a binding: that which there is, and otherwise one that is written down now, for
    /// whoever makes it. It is in use from then on.
    ///
    /// # Errors
    /// [`RegistryError::NamespaceNotFound`]; [`RegistryError::Conflict`] under constant change; [`RegistryError::Store`].
    pub async fn own_storage(
        &self,
        script: &ScriptKey,
        kind: StorageKind,
        binding: &BindingName,
    ) -> Result<OwnStorage> {
        let inner = &self.inner;
        let new_name = inner.new_storage_name(script, kind, binding).await?;
        let take = || async {
            let place = inner.place(script);
            let place = place.ok_or_else(|| match script.namespace() {
                Some(namespace) => RegistryError::NamespaceNotFound(namespace.clone()),
                None => RegistryError::ScriptNotFound(script.clone()),
            })?;
            let id = id(&place.scripts.key(&place.id), kind, binding);
            let seen = inner.log.read(&OWN, &id).await?;
            let mut transaction = Transaction::default();
            let found = seen.record()?;
            if found.as_ref().is_none_or(|found| found.unused_since.is_some()) {
                let name = found.map_or_else(|| new_name.clone(), |found| found.name);
                transaction.put(&seen, &OwnRecord { name, unused_since: None })?;
                // Nothing is made for a script whose namespace is going.
                if let Some((id, revision)) = &place.namespace {
                    transaction.expect_unchanged(&NAMESPACES, id, *revision);
                }
            }
            Ok(transaction)
        };
        inner.log.retried("the script's storage", take).await?;
        let place = inner.record_key(script).map(|record| id(&record, kind, binding));
        let kept = match place {
            Some(place) => inner.own(&inner.log.read(&OWN, &place).await?),
            None => None,
        };
        kept.ok_or_else(|| RegistryError::Conflict(format!("the storage of {script}")))
    }

    /// The storage of a script's own, by kind and binding; also of one that is gone, until it goes.
    ///
    /// # Errors
    /// [`RegistryError::NamespaceNotFound`]; [`RegistryError::Store`].
    pub async fn own_storage_of(&self, script: &ScriptKey) -> Result<Vec<OwnStorage>> {
        let inner = &self.inner;
        let none = || script.namespace().cloned().map(RegistryError::NamespaceNotFound);
        let Some(record) = inner.record_key(script) else { return none().map_or(Ok(Vec::new()), Err) };
        let kept = inner.log.all(&OWN, &format!("{record}/")).await?;
        Ok(kept.iter().filter_map(|seen| inner.own(seen)).collect())
    }

    /// All storage of scripts' own, behind a place in the list; `limit` at most.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn own_storage_page(&self, after: Option<&str>, limit: usize) -> Result<Vec<OwnStorage>> {
        let page = self.inner.log.page(&OWN, "", after, limit).await?;
        Ok(page.iter().filter_map(|seen| self.inner.own(seen)).collect())
    }

    /// Notes whether a script uses what is its own. Whether it was noted: it is not where that has changed since.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn note_own_storage(&self, own: &OwnStorage, is_used: bool) -> Result<bool> {
        let now = self.inner.clock().now();
        self.change_own(own, |transaction, seen| {
            let record = OwnRecord { name: own.name.clone(), unused_since: (!is_used).then_some(now) };
            transaction.put(seen, &record)
        })
        .await
    }

    /// Takes storage away from its script: it is to be removed from then on. Whether it was taken: it is not where somebody
    /// uses it again, or took it.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn drop_own_storage(&self, own: &OwnStorage) -> Result<bool> {
        self.change_own(own, |transaction, seen| dropped(transaction, seen, &own.name)).await
    }

    /// What is to be removed, behind a name: names, and what they are; `limit` at most.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn storage_to_remove(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, StorageKind)>> {
        let page = self.inner.log.page(&DROPS, "", after, limit).await?;
        Ok(page.iter().filter_map(|seen| Some((seen.id().to_owned(), seen.whole()?))).collect())
    }

    /// Forgets what was removed.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn storage_was_removed(&self, name: &str) -> Result<()> {
        let inner = &self.inner;
        let forget = || async {
            let seen = inner.log.read(&DROPS, name).await?;
            let mut transaction = Transaction::default();
            if seen.exists() {
                transaction.delete(&seen);
            }
            Ok(transaction)
        };
        inner.log.retried("the storage that was removed", forget).await
    }

    /// Changes a record that is still as it was listed.
    async fn change_own(
        &self,
        own: &OwnStorage,
        change: impl FnOnce(&mut Transaction, &Seen<OwnRecord>) -> Result<()>,
    ) -> Result<bool> {
        let seen = self.inner.log.read(&OWN, &own.place).await?;
        let listed = OwnRecord { name: own.name.clone(), unused_since: own.unused_since };
        if seen.whole() != Some(listed) {
            return Ok(false);
        }
        let mut transaction = Transaction::default();
        change(&mut transaction, &seen)?;
        match self.inner.log.commit(&transaction).await {
            Ok(_) => Ok(true),
            Err(RegistryError::Conflict(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Inner {
    /// The name for storage that is not there yet.
    async fn new_storage_name(
        &self,
        script: &ScriptKey,
        kind: StorageKind,
        binding: &BindingName,
    ) -> Result<String> {
        if self.options.storage_named_by_key {
            let key = format!("{script}/{}/{binding}", kind.binding_type().as_str());
            let digest = Digest::of(key.as_bytes()).to_string();
            let name = format!("own-{}", digest.get(..32).unwrap_or_default());
            // What is to be removed under that name must not be what comes next.
            if !self.log.read(&DROPS, &name).await?.exists() {
                return Ok(name);
            }
        }
        Ok(format!("own-{}", uuid::Uuid::new_v4().simple()))
    }

    /// What becomes of a script's storage in the append by which the script goes.
    pub(super) async fn leave_storage(
        &self,
        transaction: &mut Transaction,
        script: &Seen<ScriptRecord>,
        drops: bool,
    ) -> Result<()> {
        for seen in self.log.all(&OWN, &format!("{}/", script.key())).await? {
            left(transaction, &seen, drops, self.clock().now())?;
        }
        Ok(())
    }

    /// The same for those scripts of a namespace, by the keys of their records, that go in one append.
    pub(super) async fn leave_storage_of(
        &self,
        transaction: &mut Transaction,
        namespace_id: &str,
        records: &[String],
        drops: bool,
    ) -> Result<()> {
        let within = USER_SCRIPTS.key(&scripts_within(namespace_id));
        let mut kept: HashMap<String, Vec<Seen<OwnRecord>>> = HashMap::new();
        for seen in self.log.all(&OWN, &within).await? {
            if let Some((record, _)) = split(seen.id()) {
                kept.entry(record.to_owned()).or_default().push(seen);
            }
        }
        for seen in records.iter().filter_map(|record| kept.get(record)).flatten() {
            left(transaction, seen, drops, self.clock().now())?;
        }
        Ok(())
    }

    /// The same for a namespace that is gone: page by page, since nobody can use it any more.
    pub(super) async fn leave_storage_within(&self, namespace_id: &str) -> Result<()> {
        let within = USER_SCRIPTS.key(&scripts_within(namespace_id));
        let note = self.log.read(&DROPPED_WITH, namespace_id).await?;
        let (mut after, mut attempt) = (None::<String>, 0);
        loop {
            let page = self.log.page(&OWN, &within, after.as_deref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            let mut transaction = Transaction::default();
            for seen in &page {
                left(&mut transaction, seen, note.exists(), self.clock().now())?;
            }
            if transaction.is_empty() || self.log.commit_page(&transaction, &mut attempt).await? {
                after = Some(last.id().to_owned());
            }
        }
        if note.exists() {
            let mut transaction = Transaction::default();
            transaction.delete(&note);
            self.log.commit_page(&transaction, &mut attempt).await?;
        }
        Ok(())
    }

    fn own(&self, seen: &Seen<OwnRecord>) -> Option<OwnStorage> {
        let OwnRecord { name, unused_since } = seen.whole()?;
        let (record, (kind, binding)) = split(seen.id())?;
        let (script, place) = (self.script_at(record), seen.id().to_owned());
        Some(OwnStorage { script, kind, binding, name, unused_since, place })
    }
}

fn id(record: &str, kind: StorageKind, binding: &BindingName) -> String {
    format!("{record}/{}/{binding}", kind.binding_type().as_str())
}

/// The key of the script's record, the kind and the binding that an id names.
fn split(id: &str) -> Option<(&str, (StorageKind, BindingName))> {
    let (rest, binding) = id.rsplit_once('/')?;
    let (record, kind) = rest.rsplit_once('/')?;
    let kind = BindingType::from_wire(kind).and_then(StorageKind::of)?;
    Some((record, (kind, BindingName::parse(binding).ok()?)))
}

/// Storage whose script goes: it is kept for a while, or is to be removed.
fn left(transaction: &mut Transaction, seen: &Seen<OwnRecord>, drops: bool, now: Timestamp) -> Result<()> {
    // One that is damaged is nobody's: what lies under its name is not known.
    let Some(record) = seen.whole() else { return Ok(()) };
    if drops {
        return dropped(transaction, seen, &record.name);
    }
    if record.unused_since.is_none() {
        transaction.put(seen, &OwnRecord { unused_since: Some(now), ..record })?;
    }
    Ok(())
}

fn dropped(transaction: &mut Transaction, seen: &Seen<OwnRecord>, name: &str) -> Result<()> {
    let kind = split(seen.id()).map(|(_, (kind, _))| kind);
    if let Some(kind) = kind {
        transaction.put_with(seen, &DROPS, name, &kind)?;
    }
    transaction.delete(seen);
    Ok(())
}
