//! `json`: a JSON value, as a configuration value.

use serde_json::{Map, Value};

use super::fields::Fields;
use super::{Binding, BindingError};

/// A JSON value, as a configuration value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Json {
    /// The value.
    pub json: Value,
}

impl Binding for Json {
    const TYPE: &'static str = "json";
    const FIELDS: &'static [&'static str] = &["json"];
    const IS_VARIABLE: bool = true;

    fn parse(fields: &Fields<'_>) -> Result<Self, BindingError> {
        let json = fields.any("json", "a JSON value")?;
        fields.within_bound(json.to_string().len())?;
        Ok(Self { json: json.clone() })
    }

    fn view(&self, fields: &mut Map<String, Value>) {
        fields.insert("json".to_owned(), self.json.clone());
    }

    /// A parsed value takes several times its text; the bound on the text bounds both.
    fn weight(&self) -> usize {
        self.json.to_string().len() * 4
    }
}
