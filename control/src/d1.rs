//! SQL databases: make and delete. `bound` says who is bound to them.

use wasmyard_d1::{D1, DatabaseRecord};
use wasmyard_namespaces::DatabaseId;

use crate::bound::Resource;
use crate::error::ControlError;
use crate::{Control, Done, Force, Result};

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
        let remarks = self.referrers_noted(Resource::Database(id)).await?.stand_against("deleted", force)?;
        self.d1()?.delete(id).await?;
        tracing::info!(database = %id, "database deleted");
        Ok(Done::new((), remarks))
    }
}
