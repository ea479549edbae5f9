//! `secrets_store_secret`: a secret of a store, read when the script asks for it.

use serde_json::{Map, Value};

use super::fields::Fields;
use super::{Binding, BindingError, Reference};
use crate::ids::SecretStoreId;
use crate::secret_store::check_name;

/// A secret of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretsStoreSecret {
    /// The store.
    pub store_id: SecretStoreId,
    /// The secret's name in it.
    pub secret_name: String,
}

impl Binding for SecretsStoreSecret {
    const TYPE: &'static str = "secrets_store_secret";
    const FIELDS: &'static [&'static str] = &["store_id", "secret_name"];

    fn parse(fields: &Fields<'_>) -> Result<Self, BindingError> {
        let store_id = SecretStoreId::parse(fields.text("store_id")?)
            .map_err(|_| fields.wrong("store_id", "the id of a store of secrets: 32 of 0-9 and a-f"))?;
        let name = fields.text("secret_name")?;
        check_name(name).map_err(|_| {
            fields.wrong("secret_name", "the name of a secret: 1 to 255 letters, digits, '-' and '_'")
        })?;
        Ok(Self { store_id, secret_name: name.to_owned() })
    }

    fn view(&self, fields: &mut Map<String, Value>) {
        fields.insert("store_id".to_owned(), Value::from(self.store_id.as_str()));
        fields.insert("secret_name".to_owned(), Value::from(self.secret_name.as_str()));
    }

    fn refers_to(&self) -> Vec<Reference<'_>> {
        vec![Reference::StoredSecret(&self.store_id, &self.secret_name)]
    }
}
