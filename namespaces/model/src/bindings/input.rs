//! What an upload says about bindings, before it is joined with the version that it follows.
//!
//! Owns inheritance (`{"type": "inherit"}`, `keep_bindings`) and the bounds on a version's bindings as a
//! whole. Never decides with anything but the two versions it is given, so that the registry can repeat
//! it when another upload came in between.

use std::collections::BTreeMap;

use serde_json::Value;

use super::fields::Fields;
use super::{BindingDecl, BindingError, BindingType, StorageKind, own};
use crate::limits::{MAX_BINDINGS, MAX_VARS};
use crate::name::BindingName;

/// One entry of an upload's list of bindings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BindingInput {
    /// Declared in full.
    Declare(BindingDecl),
    /// Taken over from the version before.
    Inherit {
        /// The name it has from now on.
        name: BindingName,
        /// The name it had; the same when none is given.
        old_name: BindingName,
        /// The type it must have, where the client said so.
        binding_type: Option<BindingType>,
    },
    /// Leads to what is the script's own, which is found or made before the version is stored.
    Own {
        /// The name it has.
        name: BindingName,
        /// What it leads to.
        kind: StorageKind,
    },
}

impl From<BindingDecl> for BindingInput {
    fn from(decl: BindingDecl) -> BindingInput {
        BindingInput::Declare(decl)
    }
}

impl BindingInput {
    /// Reads an entry from its wire form. A secret that comes without its text is one to keep: clients
    /// never get to see it, and so cannot send it back.
    ///
    /// # Errors
    /// [`BindingError`] naming the binding, the field and the rule.
    pub fn from_json(value: &Value) -> Result<BindingInput, BindingError> {
        let (fields, kind) = Fields::of(value)?;
        if let Some(kind) = own::asked(&fields, kind)? {
            return Ok(BindingInput::Own { name: fields.into_name(), kind });
        }
        let name = fields.into_name();
        if kind == "inherit" {
            let old_name = match value.get("old_name").and_then(Value::as_str) {
                Some(old) => BindingName::parse(old)
                    .map_err(|source| BindingError::Name { name: name.to_string(), source })?,
                None => name.clone(),
            };
            return Ok(BindingInput::Inherit { name, old_name, binding_type: None });
        }
        let secret = BindingType::from_wire(kind).filter(|kind| kind.is_secret());
        if secret.is_some_and(|kind| kind.withheld().iter().all(|field| value.get(field).is_none())) {
            return Ok(BindingInput::Inherit { old_name: name.clone(), name, binding_type: secret });
        }
        BindingDecl::from_json(value).map(BindingInput::Declare)
    }

    /// The binding, where it is declared in full.
    #[must_use]
    pub fn declared(&self) -> Option<&BindingDecl> {
        match self {
            BindingInput::Declare(decl) => Some(decl),
            BindingInput::Inherit { .. } | BindingInput::Own { .. } => None,
        }
    }

    /// The name that the binding is to have.
    #[must_use]
    pub fn name(&self) -> &BindingName {
        match self {
            BindingInput::Declare(decl) => &decl.name,
            BindingInput::Inherit { name, .. } | BindingInput::Own { name, .. } => name,
        }
    }
}

/// Joins an upload's bindings with those of the version before: inherited ones are looked up, and those
/// of the types in `keep` stay unless the upload has one of the same name. Sorted by name.
///
/// What is the script's own was found or made before: `Declare` names it.
///
/// With `strict`, a binding that cannot be inherited is an error; otherwise it is left out.
///
/// # Errors
/// [`BindingError`] for a name that comes twice, for nothing to inherit, for what was not made, and for too many.
pub fn resolve(
    inputs: &[BindingInput],
    before: &[BindingDecl],
    keep: &[BindingType],
    strict: bool,
) -> Result<Vec<BindingDecl>, BindingError> {
    let mut resolved: BTreeMap<&BindingName, BindingDecl> = BTreeMap::new();
    for input in inputs {
        let decl = match input {
            BindingInput::Declare(decl) => decl.clone(),
            BindingInput::Inherit { name, old_name, binding_type } => {
                let found = before.iter().find(|decl| {
                    decl.name == *old_name && binding_type.is_none_or(|kind| kind == decl.kind.binding_type())
                });
                match found {
                    Some(decl) => BindingDecl { name: name.clone(), kind: decl.kind.clone() },
                    None if strict => {
                        let (name, old_name) = (name.clone(), old_name.clone());
                        return Err(BindingError::NothingToInherit { name, old_name });
                    }
                    None => continue,
                }
            }
            BindingInput::Own { name, .. } => return Err(BindingError::NotMade { name: name.clone() }),
        };
        if resolved.insert(input.name(), decl).is_some() {
            return Err(BindingError::Duplicate { name: input.name().clone() });
        }
    }
    for kept in before.iter().filter(|decl| keep.contains(&decl.kind.binding_type())) {
        resolved.entry(&kept.name).or_insert_with(|| kept.clone());
    }
    let resolved: Vec<BindingDecl> = resolved.into_values().collect();
    check_counts(&resolved)?;
    Ok(resolved)
}

fn check_counts(bindings: &[BindingDecl]) -> Result<(), BindingError> {
    if bindings.len() > MAX_BINDINGS {
        return Err(BindingError::TooMany { what: "bindings", found: bindings.len(), max: MAX_BINDINGS });
    }
    let variables = bindings.iter().filter(|decl| decl.kind.is_variable()).count();
    if variables > MAX_VARS {
        return Err(BindingError::TooMany { what: "variables", found: variables, max: MAX_VARS });
    }
    Ok(())
}
