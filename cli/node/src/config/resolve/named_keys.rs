//! What of a namespace or a script is written down in the file, and so the file's own. Keys of limits and bindings are added
//! where these are resolved.

use wasmyard_namespaces::ConfigKeys;

use crate::config::keys::{RawNamespace, RawScript};

/// The keys that a namespace has by itself.
pub(super) fn of_namespace(raw: &RawNamespace) -> ConfigKeys {
    these(&[
        (ConfigKeys::OUTBOUND, raw.outbound.is_some()),
        (ConfigKeys::TRUSTED_WORKERS, raw.trusted_workers.is_some()),
        (ConfigKeys::SERVICE_BINDINGS, raw.service_bindings.is_some()),
        (ConfigKeys::CALLABLE_BY, raw.callable_by.is_some()),
        (ConfigKeys::CAPABILITIES, raw.capabilities.is_some()),
    ])
}

/// The keys that a script has by itself.
pub(super) fn of_script(raw: &RawScript, main: bool, assets: bool) -> ConfigKeys {
    these(&[
        (ConfigKeys::MAIN, main),
        (ConfigKeys::ASSETS, assets),
        (ConfigKeys::TAGS, raw.tags.is_some()),
        (ConfigKeys::CRONS, raw.crons.is_some()),
        (ConfigKeys::FLAGS, raw.compatibility_flags.is_some()),
    ])
}

fn these(named: &[(&'static str, bool)]) -> ConfigKeys {
    let mut keys = ConfigKeys::default();
    named.iter().filter(|(_, named)| *named).for_each(|(key, _)| keys.insert(*key));
    keys
}
