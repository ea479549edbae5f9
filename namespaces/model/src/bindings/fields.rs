//! The fields of a binding on the wire, as each type reads its own.
//!
//! Owns the errors for what is missing or has another form. Must never show what a field holds.

use serde_json::Value;

use super::BindingError;
use crate::limits::MAX_VAR_BYTES;
use crate::name::{BindingName, NameError, shorten};

/// A binding's JSON object, and the name that every binding has.
#[derive(Debug)]
pub(super) struct Fields<'v> {
    name: BindingName,
    value: &'v Value,
}

impl<'v> Fields<'v> {
    /// The fields of a binding, and its type as it is written.
    pub(super) fn of(value: &'v Value) -> Result<(Self, &'v str), BindingError> {
        let shown = || value.get("name").and_then(Value::as_str).map_or_else(|| "?".to_owned(), shorten);
        let field = |field, expected| BindingError::Field { name: shown(), field, expected };
        let name = value.get("name").and_then(Value::as_str).ok_or_else(|| field("name", "a text"))?;
        let name = BindingName::parse(name).map_err(|source| BindingError::Name { name: shown(), source })?;
        let kind = value.get("type").and_then(Value::as_str).ok_or_else(|| field("type", "a text"))?;
        Ok((Self { name, value }, kind))
    }

    /// The binding's name.
    pub(super) fn name(&self) -> &BindingName {
        &self.name
    }

    pub(super) fn into_name(self) -> BindingName {
        self.name
    }

    /// A field, where it is there and is not null.
    pub(super) fn get(&self, field: &str) -> Option<&'v Value> {
        self.value.get(field).filter(|value| !value.is_null())
    }

    /// A field that may be anything, null too.
    pub(super) fn any(&self, field: &'static str, expected: &'static str) -> Result<&'v Value, BindingError> {
        self.value.get(field).ok_or_else(|| self.wrong(field, expected))
    }

    /// A text.
    pub(super) fn text(&self, field: &'static str) -> Result<&'v str, BindingError> {
        self.value.get(field).and_then(Value::as_str).ok_or_else(|| self.wrong(field, "a text"))
    }

    /// A text that is the value of a variable, and so is bounded.
    pub(super) fn variable(&self, field: &'static str) -> Result<String, BindingError> {
        let text = self.text(field)?;
        self.within_bound(text.len())?;
        Ok(text.to_owned())
    }

    /// A text with a grammar.
    pub(super) fn parsed<T: std::str::FromStr<Err = NameError>>(
        &self,
        field: &'static str,
    ) -> Result<T, BindingError> {
        let text = self.text(field)?;
        text.parse().map_err(|source| BindingError::Name { name: self.name.to_string(), source })
    }

    /// Refuses a variable of more bytes than one may have.
    pub(super) fn within_bound(&self, found: usize) -> Result<(), BindingError> {
        if found > MAX_VAR_BYTES {
            return Err(BindingError::TooLarge { name: self.name.clone(), found, max: MAX_VAR_BYTES });
        }
        Ok(())
    }

    /// The error that a field is not what it must be.
    pub(super) fn wrong(&self, field: &'static str, expected: &'static str) -> BindingError {
        BindingError::Field { name: self.name.to_string(), field, expected }
    }
}
