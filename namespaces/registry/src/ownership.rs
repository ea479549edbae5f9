//! The configuration owns what it names: nobody else changes that, but by force.

use wasmyard_model::config_keys::script_changes;
use wasmyard_model::script::Script;

use super::Result;
use crate::error::RegistryError;

/// Refuses a change of what the configuration names. `after` is none for a deletion.
pub(super) fn refuse_script(before: &Script, after: Option<&Script>, over: bool) -> Result<()> {
    let Some(keys) = before.config.as_ref().filter(|_| !over) else { return Ok(()) };
    let changed = match after {
        Some(after) => script_changes(keys, before, after),
        None => vec!["script".to_owned()],
    };
    refuse(&changed, &format!("script {}", before.key))
}

/// Refuses a change of these keys of a record, if there are any; a key with the kind of the record's name stands
/// for all of it.
pub(super) fn refuse(changed: &[String], record: &str) -> Result<()> {
    match changed {
        [] => Ok(()),
        [one] if record.split(' ').next() == Some(one) => Err(RegistryError::Configured(record.to_owned())),
        keys => Err(RegistryError::Configured(format!("{} of {record}", keys.join(", ")))),
    }
}
