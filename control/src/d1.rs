//! SQL databases: make, delete, and who is bound to them.
//!
//! Owns the order in which a binding comes about: the database notes the script before the script's version is stored, so
//! that what is noted may be stale and is never missing. Nothing is deployed that is bound to a database which is not
//! there.

use wasmyard_d1::{D1, D1Error, DatabaseRecord};
use wasmyard_namespaces::{BindingInput, DatabaseId, Namespace, NamespaceName, Reference, ScriptKey};

use crate::error::ControlError;
use crate::kv::key_of;
use crate::referrers::{Referrer, Referrers};
use crate::{Control, Done, Force, Result};

/// How many notes are looked at at a time.
const PAGE: usize = 256;

impl Control {
    /// The use cases over these databases, too.
    #[must_use]
    pub fn with_databases(mut self, d1: D1) -> Control {
        self.d1 = Some(d1);
        self
    }

    /// SQL databases, for what changes nothing that others refer to.
    ///
    /// # Errors
    /// That this server keeps none.
    pub fn d1(&self) -> Result<&D1> {
        let none = || ControlError::Invalid("this server keeps no SQL databases".to_owned());
        self.d1.as_ref().ok_or_else(none)
    }

    /// Makes a database.
    ///
    /// # Errors
    /// That there is one of that name, or that the name breaks a rule; or the store's failure.
    pub async fn create_database(&self, name: &str) -> Result<DatabaseRecord> {
        let made = self.d1()?.create(name).await?;
        tracing::info!(database = %made.id, name, "database made");
        Ok(made)
    }

    /// Deletes a database with its past, unless scripts are bound to it.
    ///
    /// # Errors
    /// That it is not there, or that scripts are bound to it; or a store's failure.
    pub async fn delete_database(&self, id: &DatabaseId, force: Force) -> Result<Done<()>> {
        self.d1()?.find(id.as_str()).await?;
        let remarks = self.referrers_of_database(id).await?.stand_against("deleted", force)?;
        self.d1()?.delete(id).await?;
        tracing::info!(database = %id, "database deleted");
        Ok(Done::new((), remarks))
    }

    /// Who is bound to a database, user scripts too: they are noted when they are bound. Enough of them to name.
    async fn referrers_of_database(&self, id: &DatabaseId) -> Result<Referrers> {
        let mut found = Referrers::default();
        let mut after: Option<String> = None;
        loop {
            let page = self.d1()?.bound(id, after.as_deref(), PAGE).await?;
            for text in &page {
                let Some(script) = key_of(text) else { continue };
                let bindings = self.registry.script(&script).await?;
                let bindings = bindings.iter().flat_map(|script| script.version.bindings.iter());
                let bound: Vec<Referrer> = bindings
                    .filter(|decl| decl.kind.refers_to().contains(&Reference::Database(id)))
                    .map(|decl| Referrer { name: decl.name.to_string(), owner: text.clone() })
                    .collect();
                if bound.is_empty() {
                    self.d1()?.unbind(id, text).await?;
                }
                found.bindings.extend(bound);
            }
            match page.last() {
                Some(last) if !found.are_enough() => after = Some(last.clone()),
                _ => return Ok(found),
            }
        }
    }

    /// Notes the databases that a version is about to be bound to.
    pub(crate) async fn bind_databases(&self, key: &ScriptKey, inputs: &[BindingInput]) -> Result<()> {
        for input in inputs {
            // What is inherited was noted when it was declared.
            let BindingInput::Declare(decl) = input else { continue };
            for reference in decl.kind.refers_to() {
                let Reference::Database(id) = reference else { continue };
                match self.d1()?.bind(id, &key.to_string()).await {
                    Err(D1Error::NotFound(id)) => {
                        return Err(ControlError::Invalid(format!(
                            "binding \"{}\": there is no database \"{id}\"; make it first, or name another",
                            decl.name
                        )));
                    }
                    noted => noted?,
                }
            }
        }
        Ok(())
    }

    /// A namespace of scripts is about to have another name: what is noted of its scripts is noted under that, too.
    pub(crate) async fn rebind_databases(&self, before: &Namespace, after: &NamespaceName) -> Result<()> {
        let Some(d1) = &self.d1 else { return Ok(()) };
        let prefix = |name: &NamespaceName| format!("{name}/");
        Ok(d1.rebind(&prefix(&before.name), &prefix(after)).await?)
    }
}
