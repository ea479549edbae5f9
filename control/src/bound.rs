//! What scripts are bound to, noted by the resource itself: what a version is about to be bound to is noted before the version is
//! stored, so that what is noted may be stale and is never missing.
//!
//! Owns the one list of families whose resources note who is bound to them, and the reading of their notes. Nothing is deployed that
//! is bound to what is not there.

use std::fmt;

use wasmyard_d1::D1Error;
use wasmyard_kv::KvError;
use wasmyard_namespaces::ids::MtlsCertificateId;
use wasmyard_namespaces::registry::ZoneError;
use wasmyard_namespaces::{
    BindingDecl, BindingInput, BucketName, DatabaseId, KvNamespaceId, NamespaceName, Reference,
    RegistryError, ScriptKey,
};
use wasmyard_queues::{Queue, QueueError};
use wasmyard_r2::R2Error;

use crate::error::ControlError;
use crate::referrers::{Referrer, Referrers};
use crate::{Control, Result};

/// How many notes are looked at at a time.
const PAGE: usize = 256;

/// What notes by itself who is bound to it.
#[derive(Clone, Copy)]
pub(crate) enum Resource<'a> {
    Kv(&'a KvNamespaceId),
    Database(&'a DatabaseId),
    Queue(&'a Queue),
    Bucket(&'a BucketName),
    MtlsCertificate(&'a MtlsCertificateId),
}

impl Resource<'_> {
    /// How bindings name it.
    fn reference(&self) -> Reference<'_> {
        match self {
            Resource::Kv(id) => Reference::KvNamespace(id),
            Resource::Database(id) => Reference::Database(id),
            Resource::Queue(queue) => Reference::Queue(&queue.name),
            Resource::Bucket(name) => Reference::R2Bucket(name),
            Resource::MtlsCertificate(id) => Reference::MtlsCertificate(id),
        }
    }
}

impl Control {
    /// Who is bound to a resource, user scripts too: they are noted when they are bound. Enough of them to name. Forgets notes of
    /// those who are bound no more.
    ///
    /// # Errors
    /// A store's failure.
    pub(crate) async fn referrers_noted(&self, resource: Resource<'_>) -> Result<Referrers> {
        let mut found = Referrers::default();
        let mut after: Option<String> = None;
        loop {
            let page = self.noted(resource, after.as_deref()).await?;
            for text in &page {
                let Some(key) = ScriptKey::parse(text) else { continue };
                let script = self.registry.script(&key).await?;
                let versions = script.iter().flat_map(|script| script.serving());
                let bound: Vec<Referrer> = versions
                    .flat_map(|(version, _)| &version.bindings)
                    .filter(|decl| decl.kind.refers_to().contains(&resource.reference()))
                    .map(|decl| Referrer { name: decl.name.to_string(), owner: text.clone() })
                    .collect();
                if bound.is_empty() {
                    self.forget(resource, text).await?;
                }
                found.bindings.extend(bound);
            }
            match page.last() {
                Some(last) if !found.are_enough() => after = Some(last.clone()),
                _ => return Ok(found),
            }
        }
    }

    async fn noted(&self, resource: Resource<'_>, after: Option<&str>) -> Result<Vec<String>> {
        Ok(match resource {
            Resource::Kv(id) => self.kv.bound(id, after, PAGE).await?,
            Resource::Database(id) => self.d1()?.bound(id, after, PAGE).await?,
            Resource::Queue(queue) => self.queues()?.bound(&queue.id, after, PAGE).await?,
            Resource::Bucket(name) => self.r2()?.bound(name, after, PAGE).await?,
            Resource::MtlsCertificate(id) => {
                let after = after.and_then(ScriptKey::parse);
                let found = self.registry.bound_to_mtls_certificate(id, after.as_ref(), PAGE).await?;
                found.iter().map(ToString::to_string).collect()
            }
        })
    }

    async fn forget(&self, resource: Resource<'_>, script: &str) -> Result<()> {
        match resource {
            Resource::Kv(id) => self.kv.unbind(id, script).await?,
            Resource::Database(id) => self.d1()?.unbind(id, script).await?,
            Resource::Queue(queue) => self.queues()?.unbind(&queue.id, script).await?,
            Resource::Bucket(name) => self.r2()?.unbind(name, script).await?,
            Resource::MtlsCertificate(id) => {
                if let Some(script) = ScriptKey::parse(script) {
                    self.registry.unbind_mtls_certificate(id, &script).await?;
                }
            }
        }
        Ok(())
    }

    /// Notes a script with all that it is about to be bound to.
    ///
    /// # Errors
    /// That something is not there; or the failure of a store. Then nothing may be stored.
    pub(crate) async fn note_bindings(&self, key: &ScriptKey, inputs: &[BindingInput]) -> Result<()> {
        for input in inputs {
            // What is inherited was noted when it was declared.
            let BindingInput::Declare(decl) = input else { continue };
            for reference in decl.kind.refers_to() {
                self.note(key, decl, reference).await?;
            }
        }
        Ok(())
    }

    async fn note(&self, key: &ScriptKey, decl: &BindingDecl, reference: Reference<'_>) -> Result<()> {
        let missing = |what: &'static str, which: &dyn fmt::Display| {
            ControlError::Invalid(format!(
                "binding \"{}\": there is no {what} \"{which}\"; make it first, or name another",
                decl.name
            ))
        };
        let script = key.to_string();
        match reference {
            Reference::KvNamespace(id) => self.kv.bind(id, &script).await.map_err(|error| match error {
                KvError::NamespaceNotFound(id) => missing("KV namespace", &id),
                error => error.into(),
            }),
            Reference::Database(id) => self.d1()?.bind(id, &script).await.map_err(|error| match error {
                D1Error::NotFound(id) => missing("database", &id),
                error => error.into(),
            }),
            Reference::Queue(name) => self.queues()?.bind(name, &script).await.map_err(|error| match error {
                QueueError::NameNotFound(name) => missing("queue", &name),
                error => error.into(),
            }),
            Reference::R2Bucket(name) => self.r2()?.bind(name, &script).await.map_err(|error| match error {
                R2Error::BucketNotFound(name) => missing("bucket", &name),
                error => error.into(),
            }),
            Reference::StoredSecret(store, name) => {
                self.registry.bind_stored_secret(store, name, key).await.map_err(|error| match error {
                    RegistryError::SecretStore(error) => {
                        ControlError::Invalid(format!("binding \"{}\": {error}", decl.name))
                    }
                    error => error.into(),
                })
            }
            Reference::MtlsCertificate(id) => {
                self.registry.bind_mtls_certificate(id, key).await.map_err(|error| match error {
                    RegistryError::Zone(ZoneError::Mtls(error)) => {
                        ControlError::Invalid(format!("binding \"{}\": {error}", decl.name))
                    }
                    error => error.into(),
                })
            }
            // These are looked for where they are named: `referrers` says how.
            Reference::Script(_) | Reference::OutboundWorker(_) | Reference::Namespace(_) => Ok(()),
        }
    }

    /// A namespace of scripts is about to have another name: what is noted of its scripts is noted under that, too.
    ///
    /// # Errors
    /// A store's failure.
    pub(crate) async fn rename_notes(&self, before: &NamespaceName, after: &NamespaceName) -> Result<()> {
        let (before, after) = (format!("{before}/"), format!("{after}/"));
        self.kv.rebind(&before, &after).await?;
        if let Some(queues) = &self.queues {
            queues.rebind(&before, &after).await?;
        }
        if let Some(d1) = &self.d1 {
            d1.rebind(&before, &after).await?;
        }
        if let Some(r2) = &self.r2 {
            r2.rebind(&before, &after).await?;
        }
        Ok(())
    }
}
