//! `[origins]`.

use wasmyard_dispatcher::{ExtraRoots, OriginsConfig, Roots};

use super::*;

#[test]
fn how_requests_go_to_origins_is_understood() {
    let config = good(
        r#"
        [hostnames]
        apex_addresses = ["192.0.2.10"]
        [origins]
        allow_private = ["10.1.0.0/16", "db.internal"]
        http_port = 8080
        https_port = 8443
        name_servers = ["192.0.2.53"]
        roots = "none"
        ca_file = "ca.pem"
        max_connections = 8
        max_per_origin = 3
        dns_ms = 1
        connect_ms = 2
        tls_ms = 3
        first_byte_ms = 4
        between_bytes_ms = 5
        idle_ms = 6
        "#,
    );
    let OriginsConfig { policy, own_addresses, http_port, https_port, .. } = &config.origins;
    let opened: Vec<_> = policy.allow_private.iter().map(ToString::to_string).collect();
    assert_eq!(opened, ["10.1.0.0/16", "db.internal"]);
    assert_eq!(own_addresses, &["192.0.2.10/32".parse().unwrap()]);
    assert_eq!((*http_port, *https_port), (8080, 8443));
    let origins = &config.origins;
    assert_eq!((origins.roots, origins.name_servers.len()), (Roots::None, 1));
    assert_ne!(origins.extra_roots, ExtraRoots::default());
    assert_eq!([origins.max_connections, origins.max_per_zone, origins.max_per_origin], [8, 4, 3]);
    let times = [
        origins.dns_timeout,
        origins.connect_timeout,
        origins.tls_timeout,
        origins.first_byte_timeout,
        origins.between_bytes_timeout,
        origins.pool_idle,
    ];
    assert_eq!(times.map(|time| time.as_millis()), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_port_of_origins_is_a_port() {
    for port in ["0", "65536"] {
        let found = finding(&format!("[origins]\nhttps_port = {port}\n"));
        assert!(found.contains("origins.https_port") && found.contains("from 1 to 65535"), "{found}");
    }
}
