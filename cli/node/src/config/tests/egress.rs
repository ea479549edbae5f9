//! `[egress]`, and the rules of namespaces.

use wasmyard_dispatcher::{ExtraRoots, Roots};
use wasmyard_namespaces::HostRule;

use super::*;

#[test]
fn rules_of_egress_are_understood() {
    let config = good(
        r#"
        [egress]
        allow_hosts = ["*.Example.com", "api.test"]
        deny_hosts = ["evil.example.com", "203.0.113.0/24"]
        allow_private = ["10.1.0.0/16", "db.internal"]
        ports = [443, 8443]
        roots = "bundled"
        ca_file = "ca.pem"
        name_servers = ["192.0.2.53", "[2001:db8::53]:5353"]
        max_connections = 7
        max_connections_per_host = 3
        dns_ms = 1
        connect_ms = 2
        tls_ms = 3
        first_byte_ms = 4
        between_bytes_ms = 5
        idle_ms = 6
        "#,
    );
    let shown = |rules: &[HostRule]| rules.iter().map(ToString::to_string).collect::<Vec<_>>();
    let policy = &config.egress.policy;
    assert_eq!(shown(policy.allow_hosts.as_ref().unwrap()), ["*.example.com", "api.test"]);
    assert_eq!(shown(&policy.deny_hosts), ["evil.example.com", "203.0.113.0/24"]);
    assert_eq!(shown(&policy.allow_private), ["10.1.0.0/16", "db.internal"]);
    assert_eq!(policy.ports.as_deref(), Some([443, 8443].as_slice()));
    let egress = &config.egress;
    let connections =
        [egress.max_connections, egress.max_connections_per_namespace, egress.max_connections_per_host];
    assert_eq!(connections, [7, 4, 3], "a namespace has half of all unless it is said");
    assert_eq!(egress.roots, Roots::Bundled);
    let servers: Vec<_> = egress.name_servers.iter().map(ToString::to_string).collect();
    assert_eq!(servers, ["192.0.2.53:53", "[2001:db8::53]:5353"]);
    assert_ne!(egress.extra_roots, ExtraRoots::default());
    let times = [
        config.egress.dns_timeout,
        config.egress.connect_timeout,
        config.egress.tls_timeout,
        config.egress.first_byte_timeout,
        config.egress.between_bytes_timeout,
        config.egress.pool_idle,
    ];
    assert_eq!(times.map(|time| time.as_millis()), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_namespace_has_rules_of_its_own_and_is_told_where_they_do_nothing() {
    let text = "[egress]\nallow_private = [\"10.1.0.0/16\"]\n[namespaces.production.egress]\n\
                allow_hosts = [\"*.example.com\"]\ndeny_hosts = [\"x.example.com\"]\nports = [443]\n\
                allow_private = [\"10.1.2.0/24\", \"db.internal\", \"10.2.0.0/16\"]\n[namespaces.staging]\n";
    let (_folder, loaded) = read(text, Purpose::Dev);
    let (config, warnings) = loaded.unwrap();
    let rules: EgressRules = serde_json::from_value(json!({
        "allow_hosts": ["*.example.com"],
        "deny_hosts": ["x.example.com"],
        "allow_private": ["10.1.2.0/24", "db.internal", "10.2.0.0/16"],
        "ports": [443],
    }))
    .unwrap();
    let found: Vec<_> = config.namespaces.iter().map(|namespace| namespace.egress.clone()).collect();
    assert_eq!(found, [Some(rules), None]);
    let warnings: Vec<_> = warnings.list.iter().map(|fault| fault.at("").to_string()).collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let expected = "7: warning: namespaces.production.egress.allow_private[2] = \"10.2.0.0/16\": [egress] does \
                    not open it, so a namespace cannot either";
    assert!(warnings[0].contains(expected), "{warnings:?}");
}

#[test]
fn an_empty_list_of_allowed_hosts_is_not_the_same_as_none() {
    assert_eq!(good("").egress.policy.allow_hosts, None);
    assert_eq!(good("[egress]\nallow_hosts = []").egress.policy.allow_hosts, Some(Vec::new()));
}

#[test]
fn mistakes_in_rules_of_egress_are_told_all_at_once() {
    let text = "[egress]\nallow_hosts = [\"https://a.test\"]\nallow_private = [\"10.0.0.0/40\", 7]\n\
                ports = [0, 443, 70000]\nfirst_byte_ms = 0\nallow_host = []\nroots = \"mine\"\n\
                ca_file = \"a.wasm\"\nname_servers = [\"ns.example.com\"]\n[namespaces.a.egress]\nmax_connections = 1\ndeny_hosts = [\"a b\"]";
    let found = findings(text, Purpose::Dev);
    let expected = [
        "2: egress.allow_hosts[0] = \"https://a.test\": expected a host",
        "3: egress.allow_private[1] = 7: expected a string, found an integer",
        "3: egress.allow_private[0] = \"10.0.0.0/40\": a network is written like",
        "4: egress.ports[0] = 0: expected a port from 1 to 65535; write ports = [80, 443]",
        "4: egress.ports[2] = 70000: expected a port",
        "5: egress.first_byte_ms = 0: expected a whole number from 1",
        "6: egress.allow_host: there is no such key; did you mean `allow_hosts`?",
        "7: egress.roots = \"mine\": expected \"system\", \"bundled\" or \"none\"",
        "8: egress.ca_file = \"a.wasm\": no certificates can be read from it: it holds no certificate",
        "9: egress.name_servers[0] = \"ns.example.com\": expected an IP address, with or without a port",
        "11: namespaces.a.egress.max_connections: there is no such key",
        "12: namespaces.a.egress.deny_hosts[0] = \"a b\": expected a host",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}\n{expected}");
    }
}
