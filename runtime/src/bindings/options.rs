//! What a caller asks for beside the script's name: limits, and parameters for the outbound worker. As far as it needs no look-up.

use std::sync::Arc;

use wasmyard_namespaces::limits::{LimitSpec, Limits as Ceiling, MAX_OUTBOUND_PARAMS};
use wasmyard_namespaces::name::shorten;

use super::dispatch_wit::Limits;
use crate::outcome::Failure;
use crate::seams::Parameter;

/// Most bytes of outbound parameters, names and JSON texts together, that one call may carry.
const MAX_OUTBOUND_BYTES: usize = 16 << 10;

/// The limits that a call asks for, within the ceiling.
pub(super) fn limit_spec(limits: &Limits, ceiling: &Ceiling) -> Result<LimitSpec, Failure> {
    let spec = LimitSpec {
        cpu_ms: limits.cpu_ms,
        fuel: limits.fuel,
        subrequests: limits.subrequests,
        memory_bytes: limits.memory_bytes,
        ..LimitSpec::default()
    };
    spec.validate(ceiling).map_err(|error| Failure::InvalidArgument(error.to_string()))?;
    Ok(spec)
}

/// Checks the parameters of a call as far as it needs no look-up, and turns them into configuration values: a JSON
/// string into its text, everything else into compact JSON.
pub(super) fn outbound_values(params: Vec<(String, String)>) -> Result<Arc<[Parameter]>, Failure> {
    let bytes: usize = params.iter().map(|(name, value)| name.len() + value.len()).sum();
    if params.len() > MAX_OUTBOUND_PARAMS || bytes > MAX_OUTBOUND_BYTES {
        return Err(Failure::InvalidArgument(format!(
            "outbound: {} parameters of {bytes} bytes together; at most {MAX_OUTBOUND_PARAMS} of \
             {MAX_OUTBOUND_BYTES} bytes are allowed",
            params.len()
        )));
    }
    let mut values: Vec<Parameter> = Vec::with_capacity(params.len());
    for (name, json) in params {
        let refused = |why: &str| {
            Failure::InvalidArgument(format!("outbound: the parameter \"{}\" {why}", shorten(&name)))
        };
        if values.iter().any(|known| known.name == name) {
            return Err(refused("is given twice; give it once"));
        }
        let value: serde_json::Value =
            serde_json::from_str(&json).map_err(|_| refused("is not JSON; write a text as \"text\""))?;
        values.push(Parameter::of(&name, &value));
    }
    Ok(values.into())
}
