//! `[hostnames]`: whom checks of custom hostnames ask, and which addresses are the platform's. `[webhooks]`: where
//! notifications may be sent.

use std::path::Path;

use ipnet::IpNet;

use super::super::document::Spot;
use super::super::fault::Fault;
use super::super::keys::{RawHostnames, RawWebhooks};
use super::super::{HostnamesConfig, WebhooksConfig};
use super::egress::{extra_roots, name_servers, ports};
use super::proxies::network;

/// Resolves `[hostnames]`.
pub(super) fn hostnames(raw: &RawHostnames, root: &Path, faults: &mut Vec<Fault>) -> HostnamesConfig {
    HostnamesConfig {
        name_servers: name_servers(raw.name_servers.as_deref().unwrap_or_default(), faults),
        apex_addresses: networks(raw.apex_addresses.as_deref().unwrap_or_default(), faults),
        allow_private: networks(raw.allow_private.as_deref().unwrap_or_default(), faults),
        certificate_roots: extra_roots(raw.certificate_ca_file.as_ref(), root, faults),
    }
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
