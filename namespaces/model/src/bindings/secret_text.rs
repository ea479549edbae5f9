//! `secret_text`: a text, as a configuration value, that no view ever shows.

use serde_json::{Map, Value};

use super::fields::Fields;
use super::{Binding, BindingError};
use crate::secret::Secret;

/// A text that no view ever shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretText {
    /// The text.
    pub text: Secret,
}

impl Binding for SecretText {
    const TYPE: &'static str = "secret_text";
    const FIELDS: &'static [&'static str] = &["text"];
    const IS_VARIABLE: bool = true;

    fn parse(fields: &Fields<'_>) -> Result<Self, BindingError> {
        Ok(Self { text: Secret::new(fields.variable("text")?) })
    }

    fn view(&self, _fields: &mut Map<String, Value>) {}

    fn record(&self, fields: &mut Map<String, Value>) {
        fields.insert("text".to_owned(), Value::from(self.text.expose()));
    }

    fn weight(&self) -> usize {
        self.text.expose().len()
    }
}
