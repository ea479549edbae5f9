//! `[origins]`: where requests to servers outside may go, whom they believe, and how long that may take.

use std::path::Path;

use ipnet::IpNet;
use wasmyard_dispatcher::{OriginsConfig, Policy};

use super::super::document::Spot;
use super::super::fault::Fault;
use super::super::keys::RawOrigins;
use super::egress::{extra_roots, hosts, name_servers};

/// Resolves `[origins]`; paths begin at `root`, and visitors reach the platform at `apex` addresses, too.
pub(super) fn origins(
    raw: &RawOrigins,
    apex: &[IpNet],
    root: &Path,
    faults: &mut Vec<Fault>,
) -> OriginsConfig {
    let connections = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
    let defaults = OriginsConfig::default();
    let max_connections = raw.max_connections.get(faults);
    let max_per_zone = raw.max_per_zone.of(max_connections, faults);
    let max_per_origin = raw.max_per_origin.of(max_connections, faults);
    OriginsConfig {
        policy: Policy {
            allow_private: hosts(raw.allow_private.as_deref().unwrap_or_default(), faults),
            ..Policy::default()
        },
        own_addresses: apex.to_vec(),
        http_port: port(raw.http_port.as_ref(), defaults.http_port, faults),
        https_port: port(raw.https_port.as_ref(), defaults.https_port, faults),
        roots: raw.roots.get(faults),
        extra_roots: extra_roots(raw.ca_file.as_ref(), root, faults),
        name_servers: name_servers(raw.name_servers.as_deref().unwrap_or_default(), faults),
        dns_timeout: raw.dns_ms.get(faults),
        connect_timeout: raw.connect_ms.get(faults),
        tls_timeout: raw.tls_ms.get(faults),
        first_byte_timeout: raw.first_byte_ms.get(faults),
        between_bytes_timeout: raw.between_bytes_ms.get(faults),
        pool_idle: raw.idle_ms.get(faults),
        max_connections: connections(max_connections),
        max_per_zone: connections(max_per_zone),
        max_per_origin: connections(max_per_origin),
    }
}

fn port(spot: Option<&Spot<u64>>, default: u16, faults: &mut Vec<Fault>) -> u16 {
    let Some(spot) = spot else { return default };
    match u16::try_from(spot.value) {
        Ok(port) if port != 0 => port,
        _ => {
            let fault = spot.fault("expected a port from 1 to 65535").value(spot.value.to_string());
            faults.push(fault.remedy(format!("leave the key out for {default}")));
            default
        }
    }
}
