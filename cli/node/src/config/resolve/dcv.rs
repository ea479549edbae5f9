//! `[dcv]`: the name server of delegated validation.

use wasmyard_namespaces::domain::Domain;

use super::super::document::Spot;
use super::super::fault::Fault;
use super::super::keys::RawDcv;
use super::super::{DcvConfig, Purpose};
use super::tls::address;

/// Resolves `[dcv]`.
pub(super) fn dcv(raw: &RawDcv, purpose: Purpose, faults: &mut Vec<Fault>) -> Option<DcvConfig> {
    // Whoever deploys opens no ports, and nobody delegates to a laptop.
    if matches!(purpose, Purpose::Dev | Purpose::Deploy) {
        return None;
    }
    let Some(suffix) = &raw.suffix else {
        if let Some(other) = raw.listen.as_ref().or(raw.name_server.as_ref()) {
            let fault = other.fault_shown("without a name nothing is delegated to it");
            faults.push(fault.remedy("write suffix = \"dcv.saas.example\" beside it"));
        }
        return None;
    };
    let mut missing = |key: &str, such: &str| {
        let fault = suffix.fault_shown(format!("a zone needs its {key}"));
        faults.push(fault.remedy(format!("write {key} = \"{such}\" beside it")));
    };
    if raw.listen.is_none() {
        missing("listen", "0.0.0.0:53");
    }
    if raw.name_server.is_none() {
        missing("name_server", "ns.saas.example");
    }
    let zone = name(suffix, faults);
    let listen = raw.listen.as_ref().and_then(|spot| address(spot, faults));
    let server = raw.name_server.as_ref().and_then(|spot| Some((spot, name(spot, faults)?)));
    let (suffix, listen, (spot, name_server)) = (zone?, listen?, server?);
    if format!(".{name_server}").ends_with(&format!(".{suffix}")) {
        let fault =
            spot.fault_shown("the zone says nothing but texts: where its name server is says the zone above");
        faults.push(fault.remedy("name a host that is not below suffix"));
        return None;
    }
    Some(DcvConfig { suffix, listen, name_server })
}

fn name(spot: &Spot<String>, faults: &mut Vec<Fault>) -> Option<Domain> {
    match Domain::parse(&spot.value) {
        Ok(name) => Some(name),
        Err(error) => {
            faults.push(spot.fault(error.to_string()).remedy("write it like \"dcv.saas.example\""));
            None
        }
    }
}
