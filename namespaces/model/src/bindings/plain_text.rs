//! `plain_text`: a text, as a configuration value.

use serde_json::{Map, Value};

use super::fields::Fields;
use super::{Binding, BindingError};

/// A text, as a configuration value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainText {
    /// The text.
    pub text: String,
}

impl Binding for PlainText {
    const TYPE: &'static str = "plain_text";
    const FIELDS: &'static [&'static str] = &["text"];
    const IS_VARIABLE: bool = true;

    fn parse(fields: &Fields<'_>) -> Result<Self, BindingError> {
        Ok(Self { text: fields.variable("text")? })
    }

    fn view(&self, fields: &mut Map<String, Value>) {
        fields.insert("text".to_owned(), Value::from(self.text.as_str()));
    }

    fn weight(&self) -> usize {
        self.text.len()
    }
}
