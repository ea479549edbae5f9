//! `assets`: the static files of the version itself.

use serde_json::{Map, Value};

use super::fields::Fields;
use super::{Binding, BindingError};

/// The static files of the version itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assets;

impl Binding for Assets {
    const TYPE: &'static str = "assets";
    const FIELDS: &'static [&'static str] = &[];

    fn parse(_fields: &Fields<'_>) -> Result<Self, BindingError> {
        Ok(Self)
    }

    fn view(&self, _fields: &mut Map<String, Value>) {}
}
