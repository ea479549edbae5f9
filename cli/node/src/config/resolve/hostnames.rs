//! `[hostnames]`: whom checks of custom hostnames ask, and which addresses are the platform's. `[webhooks]`: where
//! notifications may be sent.

use std::path::{Path, PathBuf};

use ipnet::IpNet;
use wasmyard_namespaces::BlockedNames;
use wasmyard_ownership::Anchors;

use super::super::document::Spot;
use super::super::fault::Fault;
use super::super::keys::{RawHostnames, RawWebhooks};
use super::super::locate::below;
use super::super::{HostnamesConfig, WebhooksConfig};
use super::egress::{extra_roots, name_servers, ports};
use super::proxies::network;

/// Resolves `[hostnames]`.
pub(super) fn hostnames(raw: &RawHostnames, root: &Path, faults: &mut Vec<Fault>) -> HostnamesConfig {
    HostnamesConfig {
        name_servers: name_servers(raw.name_servers.as_deref().unwrap_or_default(), faults),
        dnssec: raw.dnssec.get(faults),
        trust_anchors: trust_anchors(raw.trust_anchor_file.as_ref(), root, faults),
        apex_addresses: networks(raw.apex_addresses.as_deref().unwrap_or_default(), faults),
        allow_private: networks(raw.allow_private.as_deref().unwrap_or_default(), faults),
        certificate_roots: extra_roots(raw.certificate_ca_file.as_ref(), root, faults),
        blocked: blocked(raw.blocked.as_deref().unwrap_or_default(), faults),
    }
}

/// Read here as well, so that a mistake has its line.
fn trust_anchors(spot: Option<&Spot<String>>, root: &Path, faults: &mut Vec<Fault>) -> Option<PathBuf> {
    let spot = spot?;
    let path = below(root, &spot.value);
    if let Err(error) = Anchors::from_file(&path) {
        let fault = spot.fault_shown(format!("no keys can be read of it: {error}"));
        faults.push(fault.remedy(
            "name a file with DNSKEY records of the root, such as \". 172800 IN DNSKEY 257 3 13 ...\"",
        ));
    }
    Some(path)
}

fn blocked(spots: &[Spot<String>], faults: &mut Vec<Fault>) -> BlockedNames {
    BlockedNames::parse(spots.iter().map(|spot| spot.value.as_str())).unwrap_or_else(|(place, error)| {
        let fault = spots.get(place).map(|spot| {
            let told = spot.fault_shown(format!("this is no name: {error}"));
            told.remedy("write it like \"bank.example\" or \"*.bank.example\"")
        });
        faults.extend(fault);
        BlockedNames::default()
    })
}

/// Resolves `[webhooks]`.
pub(super) fn webhooks(raw: &RawWebhooks, faults: &mut Vec<Fault>) -> WebhooksConfig {
    WebhooksConfig {
        ports: raw.ports.as_deref().map_or_else(|| vec![80, 443], |spots| ports(spots, faults)),
        allow_private: networks(raw.allow_private.as_deref().unwrap_or_default(), faults),
    }
}

fn networks(spots: &[Spot<String>], faults: &mut Vec<Fault>) -> Vec<IpNet> {
    let mut found = Vec::new();
    for spot in spots {
        match network(&spot.value) {
            // Then every name would be shown to be its customer's.
            Some(network) if network.prefix_len() == 0 => faults.push(
                spot.fault_shown("this is every address there is")
                    .remedy("name the addresses of this platform"),
            ),
            Some(network) => found.push(network),
            None => faults.push(
                spot.fault_shown("expected an address or a network")
                    .remedy("write it like \"192.0.2.10\" or \"192.0.2.0/28\""),
            ),
        }
    }
    found
}
