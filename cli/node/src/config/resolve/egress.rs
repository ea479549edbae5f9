//! What `[egress]` and `[namespaces.NAME.egress]` mean: whom scripts may send requests to, whom they believe,
//! and how long that may take.
//!
//! Must never make a rule wider than it was written: one that is wrong is left out of an allowing list and
//! stops the start, like every mistake.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use wasmyard_dispatcher::{EgressConfig, ExtraRoots, Policy};
use wasmyard_namespaces::{ConfigKeys, EgressRules, HostRule, egress::MAX_EGRESS_RULES};

use super::super::document::Spot;
use super::super::fault::Fault;
use super::super::keys::{RawEgress, RawEgressRules};
use super::super::locate::below;

/// Resolves `[egress]`; paths begin at `root`.
pub(super) fn egress(raw: &RawEgress, root: &Path, faults: &mut Vec<Fault>) -> EgressConfig {
    let rules = rules(&raw.rules, faults);
    let policy = Policy {
        allow_hosts: rules.allow_hosts,
        deny_hosts: rules.deny_hosts,
        allow_private: rules.allow_private,
        ports: rules.ports,
        ..Policy::default()
    };
    let connections = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
    let max_connections = raw.max_connections.get(faults);
    // Half of all, unless the operator says otherwise: one namespace leaves room for the others.
    let max_per_namespace = raw.max_connections_per_namespace.of(max_connections, faults);
    EgressConfig {
        policy,
        name_servers: name_servers(raw.name_servers.as_deref().unwrap_or_default(), faults),
        roots: raw.roots.get(faults),
        extra_roots: extra_roots(raw.ca_file.as_ref(), root, faults),
        max_connections: connections(max_connections),
        max_connections_per_namespace: connections(max_per_namespace),
        max_connections_per_host: connections(raw.max_connections_per_host.get(faults)),
        dns_timeout: raw.dns_ms.get(faults),
        connect_timeout: raw.connect_ms.get(faults),
        tls_timeout: raw.tls_ms.get(faults),
        first_byte_timeout: raw.first_byte_ms.get(faults),
        between_bytes_timeout: raw.between_bytes_ms.get(faults),
        pool_idle: raw.idle_ms.get(faults),
        ..EgressConfig::default()
    }
}

/// Resolves `[namespaces.NAME.egress]`; `private` is what `[egress]` opens.
pub(super) fn of_a_namespace(
    raw: &RawEgressRules,
    private: &[HostRule],
    faults: &mut Vec<Fault>,
) -> EgressRules {
    for spot in raw.allow_private.iter().flatten() {
        let Ok(rule) = spot.value.parse::<HostRule>() else { continue };
        if !private.iter().any(|opened| may_meet(opened, &rule)) {
            let fault = spot.fault_shown("[egress] does not open it, so a namespace cannot either");
            faults.push(fault.remedy("add it to allow_private under [egress], or remove it here").warning());
        }
    }
    rules(raw, faults)
}

/// The lists that the rules of a namespace name, even where they are empty.
pub(super) fn keys_of_a_namespace(raw: &RawEgressRules, keys: &mut ConfigKeys) {
    keys.insert(ConfigKeys::EGRESS);
    raw.named().for_each(|list| keys.insert_egress(list));
}

/// Whether two rules can open the same address; a name may be anywhere.
fn may_meet(one: &HostRule, other: &HostRule) -> bool {
    match (one, other) {
        (HostRule::Net(one), HostRule::Net(other)) => one.contains(other) || other.contains(one),
        _ => true,
    }
}

fn rules(raw: &RawEgressRules, faults: &mut Vec<Fault>) -> EgressRules {
    EgressRules {
        allow_hosts: raw.allow_hosts.as_ref().map(|spots| hosts(spots, faults)),
        deny_hosts: hosts(raw.deny_hosts.as_deref().unwrap_or_default(), faults),
        allow_private: hosts(raw.allow_private.as_deref().unwrap_or_default(), faults),
        ports: raw.ports.as_ref().map(|spots| ports(spots, faults)),
    }
}

pub(super) fn hosts(spots: &[Spot<String>], faults: &mut Vec<Fault>) -> Vec<HostRule> {
    bounded(spots, faults);
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

pub(super) fn ports(spots: &[Spot<u64>], faults: &mut Vec<Fault>) -> Vec<u16> {
    bounded(spots, faults);
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

/// Every request is compared with every rule: their number is bounded.
fn bounded<T>(spots: &[Spot<T>], faults: &mut Vec<Fault>) {
    if let Some(first) = spots.get(MAX_EGRESS_RULES) {
        let fault = Fault::new(
            first.line,
            first.key.clone(),
            format!("a list of egress rules has at most {MAX_EGRESS_RULES} entries"),
        );
        faults.push(fault.remedy("use \"*.example.com\" or networks to say the same in fewer"));
    }
}

pub(super) fn name_servers(spots: &[Spot<String>], faults: &mut Vec<Fault>) -> Vec<SocketAddr> {
    const PORT: u16 = 53;
    let mut found = Vec::new();
    for spot in spots {
        let text = spot.value.as_str();
        match text.parse().or_else(|_| text.parse().map(|address: IpAddr| SocketAddr::new(address, PORT))) {
            Ok(server) => found.push(server),
            Err(_) => {
                let fault = spot.fault_shown("expected an IP address, with or without a port");
                faults.push(fault.remedy("write name_servers = [\"192.0.2.53\", \"[2001:db8::53]:5353\"]"));
            }
        }
    }
    found
}

/// Authorities of a file that are believed beside others.
pub(super) fn extra_roots(spot: Option<&Spot<String>>, root: &Path, faults: &mut Vec<Fault>) -> ExtraRoots {
    let Some(spot) = spot else { return ExtraRoots::default() };
    ExtraRoots::read(&below(root, &spot.value)).unwrap_or_else(|error| {
        let fault = spot.fault_shown(error.to_string());
        faults.push(fault.remedy("name a file with one or more certificates in PEM form"));
        ExtraRoots::default()
    })
}
