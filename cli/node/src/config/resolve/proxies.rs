//! `[server]`: which proxies in front are believed, and how they say who the client is.

use std::net::IpAddr;

use ipnet::IpNet;
use wasmyard_listener::{ForwardedField, Proxies};

use super::super::document::Spot;
use super::super::fault::Fault;
use super::super::keys::RawServer;

/// The trusted proxies.
pub(super) fn proxies(raw: &RawServer, faults: &mut Vec<Fault>) -> Proxies {
    let mut proxies = Proxies { field: raw.forwarded_field.get(faults), ..Proxies::default() };
    let named = raw.trusted_proxies.as_deref().unwrap_or_default();
    for spot in named {
        match network(&spot.value) {
            Some(network) if network.prefix_len() == 0 => faults.push(
                spot.fault_shown("this is everybody, and anybody can write the fields that proxies write")
                    .remedy("name the addresses that your proxies connect from"),
            ),
            Some(network) => proxies.trusted.push(network),
            None => faults.push(
                spot.fault_shown("expected an address or a network")
                    .remedy("write it like \"10.0.0.0/8\" or \"127.0.0.1\""),
            ),
        }
    }
    if let Some(spot) = &raw.forwarded_field.spot
        && named.is_empty()
        && proxies.field != ForwardedField::default()
    {
        faults.push(nobody(spot.fault_shown("no proxy is trusted, so that no field is read")).warning());
    }
    proxies
}

/// Whether the proxies speak the PROXY protocol.
pub(super) fn protocol(spot: Option<&Spot<bool>>, proxies: &Proxies, faults: &mut Vec<Fault>) -> bool {
    let Some(spot) = spot else { return false };
    if spot.value && proxies.trusted.is_empty() {
        let fault = spot.fault("no proxy is trusted, so that nobody may begin a connection with it");
        faults.push(nobody(fault.value("true")));
    }
    spot.value
}

fn nobody(fault: Fault) -> Fault {
    fault.remedy("name the addresses that your proxies connect from in trusted_proxies")
}

/// `10.0.0.0/8`, `2001:db8::/32`, or one address.
pub(super) fn network(text: &str) -> Option<IpNet> {
    // An address of IPv4 in the spelling of IPv6 is never what a connection has.
    let address = text.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
    address.or_else(|_| text.parse::<IpNet>()).ok().map(|network| network.trunc())
}
