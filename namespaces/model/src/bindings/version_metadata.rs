//! `version_metadata`: id, tag and time of the version itself.

use serde_json::{Map, Value};

use super::fields::Fields;
use super::{Binding, BindingError};

/// Id, tag and time of the version itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionMetadata;

impl Binding for VersionMetadata {
    const TYPE: &'static str = "version_metadata";
    const FIELDS: &'static [&'static str] = &[];

    fn parse(_fields: &Fields<'_>) -> Result<Self, BindingError> {
        Ok(Self)
    }

    fn view(&self, _fields: &mut Map<String, Value>) {}
}
