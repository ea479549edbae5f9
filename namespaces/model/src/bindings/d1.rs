//! `d1`: an SQL database.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::fields::Fields;
use super::{Binding, BindingError, Reference};

/// An SQL database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct D1 {
    /// The database's identifier.
    pub database_id: DatabaseId,
}

/// Names an SQL database: a UUID in lower case, with its hyphens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DatabaseId(Arc<str>);

impl DatabaseId {
    /// The identifier, if the text is one, in whatever case.
    #[must_use]
    pub fn parse(text: &str) -> Option<DatabaseId> {
        let is_one = text.len() == 36
            && text.bytes().enumerate().all(|(at, byte)| match at {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            });
        is_one.then(|| DatabaseId(Arc::from(text.to_ascii_lowercase())))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DatabaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Clients write `id`, and read `database_id`: each takes the other's word, too.
impl Binding for D1 {
    const TYPE: &'static str = "d1";
    const FIELDS: &'static [&'static str] = &["id", "database_id"];

    fn parse(fields: &Fields<'_>) -> Result<Self, BindingError> {
        let field = if fields.get("id").is_some() { "id" } else { "database_id" };
        let database_id = DatabaseId::parse(fields.text(field)?)
            .ok_or_else(|| fields.wrong(field, "the UUID of a database, not its name"))?;
        Ok(Self { database_id })
    }

    fn view(&self, fields: &mut Map<String, Value>) {
        fields.insert("id".to_owned(), Value::from(self.database_id.as_str()));
        fields.insert("database_id".to_owned(), Value::from(self.database_id.as_str()));
    }

    fn refers_to(&self) -> Vec<Reference<'_>> {
        vec![Reference::Database(&self.database_id)]
    }
}
