//! Storage of scripts' own: found or made when a script is deployed with it, kept for a while after its script, and removed.
//!
//! Owns the order of it. It is written down before it is made, so that none is lost track of; it is taken away in the registry
//! before it is removed, so that nobody is deployed with what is going; and what is to be removed stays written down until it
//! is. Must never remove what others are bound to.

use std::time::Duration;

use wasmyard_d1::D1Error;
use wasmyard_namespaces::bindings::{StorageKind, Stored};
use wasmyard_namespaces::registry::OwnStorage;
use wasmyard_namespaces::{BindingInput, BucketName, QueueName, ScriptKey};
use wasmyard_queues::QueueError;
use wasmyard_r2::{ListOptions, R2Error};

use crate::bound::Resource;
use crate::error::ControlError;
use crate::referrers::Referrers;
use crate::{Control, Force, Result};

/// The job that removes what is no script's any more, and looks for what nobody uses. One node of those that share a
/// registry does it.
pub const STORAGE_JOB: (&str, &str) = ("storage-sweep", "storage");

/// How many are looked at at a time.
const PAGE: usize = 128;

/// Storage of a script's own, and what is in it.
#[derive(Clone, Debug)]
pub struct StorageInfo {
    /// Whose it is, and under which name it lies.
    pub own: OwnStorage,
    /// What bindings name it by; none where it was not made, or is gone.
    pub stored: Option<Stored>,
    /// Bytes that it holds.
    pub bytes: u64,
    /// Keys, objects or messages; none of a database.
    pub entries: Option<u64>,
}

/// What came of a page of what is to be removed.
#[derive(Debug)]
pub(crate) struct RemovedPage {
    removed: u64,
    /// Whether all of the page was.
    is_all: bool,
    /// Where the next page begins; none where this was the last.
    next: Option<String>,
}

impl Default for RemovedPage {
    fn default() -> RemovedPage {
        RemovedPage { removed: 0, is_all: true, next: None }
    }
}

impl RemovedPage {
    /// Whether nothing is left.
    pub(crate) fn is_the_end(&self) -> bool {
        self.is_all && self.next.is_none()
    }
}

impl Control {
    /// What bindings lead to that ask for the script's own: that which is there, and otherwise what is made now.
    ///
    /// # Errors
    /// That there is no such namespace, that there is as much of a kind as there may be; or a store's failure.
    pub(crate) async fn with_own(
        &self,
        key: &ScriptKey,
        inputs: &[BindingInput],
    ) -> Result<Vec<BindingInput>> {
        let mut found = Vec::with_capacity(inputs.len());
        for input in inputs {
            found.push(match input {
                BindingInput::Own { name, kind } => {
                    let own = self.registry.own_storage(key, *kind, name).await?;
                    BindingInput::Declare(self.made(&own).await?.bound(name.clone()))
                }
                other => other.clone(),
            });
        }
        Ok(found)
    }

    /// What is in the storage of a script's own, also of one that is gone, until it is removed.
    ///
    /// # Errors
    /// That there is no such namespace; or a store's failure.
    pub async fn storage_of(&self, key: &ScriptKey) -> Result<Vec<StorageInfo>> {
        let mut all = Vec::new();
        for own in self.registry.own_storage_of(key).await? {
            let stored = self.storage(own.kind, &own.name).await?;
            let (bytes, entries) = match &stored {
                Some(stored) => self.held(stored).await?,
                None => (0, None),
            };
            all.push(StorageInfo { own, stored, bytes, entries });
        }
        Ok(all)
    }

    /// Removes the storage of a script that no version of it leads to, without waiting any longer. Says how much that was.
    ///
    /// # Errors
    /// That there is no such namespace, that others are bound to it; or a store's failure.
    pub async fn remove_unused_storage(&self, key: &ScriptKey, force: Force) -> Result<u64> {
        let mut removed = 0;
        for own in self.registry.own_storage_of(key).await? {
            if self.is_used(&own).await? {
                continue;
            }
            self.others_bound(key, &own).await?.stand_against("removed", force)?;
            if self.registry.drop_own_storage(&own).await? {
                self.remove(own.kind, &own.name).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Who else is bound to what is a script's own.
    ///
    /// # Errors
    /// A store's failure.
    pub(crate) async fn others_bound_to_storage(&self, key: &ScriptKey) -> Result<Referrers> {
        let mut found = Referrers::default();
        for own in self.registry.own_storage_of(key).await? {
            found = found.also(self.others_bound(key, &own).await?);
        }
        Ok(found)
    }

    /// Removes some of what is written down as to be removed, of what comes after `after`. What cannot be removed now is told
    /// and stays written down: the rest must not wait for it.
    ///
    /// # Errors
    /// The registry's failure.
    pub(crate) async fn remove_some_storage(&self, after: Option<&str>) -> Result<RemovedPage> {
        let page = self.registry.storage_to_remove(after, PAGE).await?;
        let mut done = RemovedPage::default();
        for (name, kind) in &page {
            match self.remove(*kind, name).await {
                Ok(()) => done.removed += 1,
                Err(error) => {
                    tracing::error!(storage = name, %error, "storage of a script that is gone could not be removed");
                    done.is_all = false;
                }
            }
        }
        done.next = page.last().filter(|_| page.len() == PAGE).map(|(name, _)| name.clone());
        Ok(done)
    }

    /// Looks at all storage of scripts' own: notes since when nobody uses it, and removes what nobody has used for as long as the
    /// registry's options say. What others are bound to stays. Says how much was removed.
    ///
    /// # Errors
    /// A store's failure.
    pub async fn sweep_storage(&self) -> Result<u64> {
        let grace = self.registry.options().storage_grace;
        let (mut removed, mut after) = (0, None::<String>);
        loop {
            let page = self.remove_some_storage(after.as_deref()).await?;
            removed += page.removed;
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        let mut after: Option<String> = None;
        loop {
            let page = self.registry.own_storage_page(after.as_deref(), PAGE).await?;
            for own in &page {
                match self.swept(own, grace).await {
                    Ok(is_removed) => removed += u64::from(is_removed),
                    Err(error) => {
                        tracing::error!(storage = own.name, %error, "storage of a script's own could not be looked at");
                    }
                }
            }
            match page.last() {
                Some(last) => after = Some(last.place.clone()),
                None => return Ok(removed),
            }
        }
    }

    /// Whether it was removed.
    async fn swept(&self, own: &OwnStorage, grace: Duration) -> Result<bool> {
        let is_used = self.is_used(own).await?;
        let now = self.registry.clock().now();
        match own.unused_since {
            None if is_used => {}
            Some(_) if is_used => drop(self.registry.note_own_storage(own, true).await?),
            None => drop(self.registry.note_own_storage(own, false).await?),
            Some(since) if now.since(since) < grace => {}
            Some(_) => {
                let others = match &own.script {
                    Some(key) => self.others_bound(key, own).await?,
                    None => Referrers::default(),
                };
                if let Err(error) = others.stand_against("removed", Force::No) {
                    tracing::warn!(storage = own.name, %error, "nobody's storage is kept");
                } else if self.registry.drop_own_storage(own).await? {
                    self.remove(own.kind, &own.name).await?;
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Whether a version that is kept leads to it.
    async fn is_used(&self, own: &OwnStorage) -> Result<bool> {
        let Some(key) = &own.script else { return Ok(false) };
        let Some(script) = self.registry.kept(key).await? else { return Ok(false) };
        let Some(stored) = self.storage(own.kind, &own.name).await? else { return Ok(false) };
        let wanted = stored.bound(own.binding.clone()).kind;
        let mut decls = script.versions().into_iter().flat_map(|version| version.bindings.iter());
        Ok(decls.any(|decl| decl.kind.refers_to() == wanted.refers_to()))
    }

    /// Scripts but its own that are bound to it.
    async fn others_bound(&self, key: &ScriptKey, own: &OwnStorage) -> Result<Referrers> {
        let mut found = match self.storage(own.kind, &own.name).await? {
            None => Referrers::default(),
            Some(Stored::Kv(id)) => self.referrers_noted(Resource::Kv(&id)).await?,
            Some(Stored::Database(id)) => self.referrers_noted(Resource::Database(&id)).await?,
            Some(Stored::Bucket(name)) => self.referrers_noted(Resource::Bucket(&name)).await?,
            Some(Stored::Queue(name)) => {
                let queue = self.queues()?.named(&name).await?;
                self.referrers_noted(Resource::Queue(&queue)).await?
            }
        };
        let own_name = key.to_string();
        found.bindings.retain(|one| one.owner != own_name);
        Ok(found)
    }

    /// What is there under that name; it is made where there is none.
    async fn made(&self, own: &OwnStorage) -> Result<Stored> {
        Ok(match own.kind {
            StorageKind::KvNamespace => Stored::Kv(self.kv.titled(&own.name).await?.id),
            StorageKind::D1 => Stored::Database(self.d1()?.named(&own.name).await?.id),
            StorageKind::Queue => Stored::Queue(self.queues()?.ensure(&queue_name(&own.name)?).await?.name),
            StorageKind::R2Bucket => {
                let name = bucket_name(&own.name)?;
                self.ensure_bucket(&name).await?;
                Stored::Bucket(name)
            }
        })
    }

    /// What is there under that name.
    async fn storage(&self, kind: StorageKind, name: &str) -> Result<Option<Stored>> {
        Ok(match kind {
            StorageKind::KvNamespace => self.kv.with_title(name).await?.map(|found| Stored::Kv(found.id)),
            StorageKind::D1 => match self.d1()?.find(name).await {
                Ok(found) => Some(Stored::Database(found.id)),
                Err(D1Error::NotFound(_)) => None,
                Err(error) => return Err(error.into()),
            },
            StorageKind::Queue => match self.queues()?.named(&queue_name(name)?).await {
                Ok(found) => Some(Stored::Queue(found.name)),
                Err(QueueError::NameNotFound(_)) => None,
                Err(error) => return Err(error.into()),
            },
            StorageKind::R2Bucket => match self.r2()?.info(&bucket_name(name)?).await {
                Ok(found) => Some(Stored::Bucket(found.name)),
                Err(R2Error::BucketNotFound(_)) => None,
                Err(error) => return Err(error.into()),
            },
        })
    }

    /// Bytes, and keys, objects or messages.
    async fn held(&self, stored: &Stored) -> Result<(u64, Option<u64>)> {
        Ok(match stored {
            Stored::Kv(id) => {
                let usage = self.kv.usage(id).await?;
                (usage.bytes, Some(usage.keys))
            }
            Stored::Database(id) => (self.d1()?.file_size(id).await, None),
            Stored::Queue(name) => {
                let queue = self.queues()?.named(name).await?;
                (queue.bytes, Some(queue.messages))
            }
            Stored::Bucket(name) => {
                let info = self.r2()?.info(name).await?;
                (info.bytes, Some(info.objects))
            }
        })
    }

    /// Removes what lies under a name, and forgets the name.
    async fn remove(&self, kind: StorageKind, name: &str) -> Result<()> {
        match self.storage(kind, name).await? {
            None => {}
            Some(Stored::Kv(id)) => self.kv.delete(&id).await?,
            Some(Stored::Database(id)) => self.d1()?.delete(&id).await?,
            Some(Stored::Queue(name)) => {
                let queue = self.queues()?.named(&name).await?;
                self.queues()?.delete(&queue.id).await?;
            }
            Some(Stored::Bucket(name)) => self.emptied(&name).await?,
        }
        self.registry.storage_was_removed(name).await?;
        tracing::info!(
            storage = name,
            kind = kind.binding_type().as_str(),
            "storage of a script that is gone was removed"
        );
        Ok(())
    }

    /// Deletes a bucket with all that is in it.
    async fn emptied(&self, name: &BucketName) -> Result<()> {
        let r2 = self.r2()?;
        let bucket = r2.bucket(name);
        loop {
            let page = bucket.list(ListOptions::default()).await?;
            let keys: Vec<String> = page.objects.into_iter().map(|object| object.key).collect();
            if keys.is_empty() {
                return Ok(r2.delete(name).await?);
            }
            bucket.delete(&keys).await?;
        }
    }
}

/// What bindings lead to that ask for the script's own, for a version that is judged before anything is made for it.
pub(crate) fn standing_in(inputs: &[BindingInput]) -> Vec<BindingInput> {
    let stand_in = |input: &BindingInput| match input {
        BindingInput::Own { name, kind } => {
            kind.stand_in().map_or_else(|| input.clone(), |stored| stored.bound(name.clone()).into())
        }
        other => other.clone(),
    };
    inputs.iter().map(stand_in).collect()
}

fn queue_name(name: &str) -> Result<QueueName> {
    QueueName::parse(name).ok_or_else(|| ControlError::Invalid(format!("no queue is called \"{name}\"")))
}

fn bucket_name(name: &str) -> Result<BucketName> {
    BucketName::parse(name).ok_or_else(|| ControlError::Invalid(format!("no bucket is called \"{name}\"")))
}
