//! What `[egress]` means: whom scripts may send requests to, and how long that may take.
//!
//! Must never make a rule wider than it was written: one that is wrong is left out of an allowing list and
//! stops the start, like every mistake.

use wasmyard_dispatcher::{EgressConfig, HostRule, Policy};

use super::super::document::Spot;
use super::super::fault::Fault;
use super::super::raw::RawEgress;
use super::{count, millis};

/// Resolves `[egress]`.
pub(super) fn egress(raw: &RawEgress, faults: &mut Vec<Fault>) -> EgressConfig {
    let defaults = EgressConfig::default();
    let policy = Policy {
        allow_hosts: raw.allow_hosts.as_ref().map(|spots| rules(spots, faults)),
        deny_hosts: rules(&raw.deny_hosts, faults),
        allow_private: rules(&raw.allow_private, faults),
        ports: raw.ports.as_ref().map(|spots| ports(spots, faults)),
        own_ports: Vec::new(),
    };
    let connections = u32::try_from(defaults.max_connections).unwrap_or(u32::MAX);
    let connections = count(raw.max_connections.as_ref(), connections, faults);
    EgressConfig {
        policy,
        max_connections: usize::try_from(connections).unwrap_or(usize::MAX),
        dns_timeout: millis(raw.dns_ms.as_ref(), defaults.dns_timeout, 1, faults),
        connect_timeout: millis(raw.connect_ms.as_ref(), defaults.connect_timeout, 1, faults),
        tls_timeout: millis(raw.tls_ms.as_ref(), defaults.tls_timeout, 1, faults),
        first_byte_timeout: millis(raw.first_byte_ms.as_ref(), defaults.first_byte_timeout, 1, faults),
        between_bytes_timeout: millis(
            raw.between_bytes_ms.as_ref(),
            defaults.between_bytes_timeout,
            1,
            faults,
        ),
        pool_idle: millis(raw.idle_ms.as_ref(), defaults.pool_idle, 1, faults),
        ..defaults
    }
}

fn rules(spots: &[Spot<String>], faults: &mut Vec<Fault>) -> Vec<HostRule> {
    let mut found = Vec::new();
    for spot in spots {
        match spot.value.parse::<HostRule>() {
            Ok(rule) => found.push(rule),
            Err(error) => {
                let remedy = "write \"example.com\", \"*.example.com\", \"10.1.0.0/16\" or \"*\"";
                faults.push(spot.fault_shown(error.to_string()).remedy(remedy));
            }
        }
    }
    found
}

fn ports(spots: &[Spot<u64>], faults: &mut Vec<Fault>) -> Vec<u16> {
    let mut found = Vec::new();
    for spot in spots {
        match u16::try_from(spot.value) {
            Ok(port) if port != 0 => found.push(port),
            _ => {
                let fault = spot.fault("expected a port from 1 to 65535").value(spot.value.to_string());
                faults.push(fault.remedy("write ports = [80, 443]"));
            }
        }
    }
    found
}
