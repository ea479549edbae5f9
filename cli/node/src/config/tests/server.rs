//! `[server]`.

use super::*;

#[test]
fn addresses_are_checked() {
    assert_eq!(
        finding("[server]\nlisten = \"localhost:1\"\n"),
        "2: server.listen = \"localhost:1\": expected an IP address and a port; write it as \"127.0.0.1:8787\""
    );
    let found = finding("[server]\nlisten = \"0.0.0.0:1\"\napi_listen = \"127.0.0.1:1\"\n");
    assert!(
        found.starts_with("3: server.api_listen = 127.0.0.1:1: visitors and the API need two"),
        "{found}"
    );
    good("[server]\nlisten = \"127.0.0.1:0\"\napi_listen = \"127.0.0.1:0\"\n");
}

#[test]
fn memory_for_assets_is_a_size_within_its_range() {
    let server = |text: &str| good(&format!("[server]\n{text}")).server.asset_memory;
    assert_eq!((server(""), server("asset_memory = \"1GiB\"")), (64 << 20, 1 << 30));
    for (value, expected) in [
        (
            "7MiB",
            "2: server.asset_memory = \"7MiB\": expected a size from 8MiB to 1024GiB; leave the key out for 64MiB",
        ),
        (
            "2048GiB",
            "2: server.asset_memory = \"2048GiB\": expected a size from 8MiB to 1024GiB; leave the key out for 64MiB",
        ),
        ("much", "2: server.asset_memory = \"much\": "),
    ] {
        let found = finding(&format!("[server]\nasset_memory = {value:?}\n"));
        assert!(found.starts_with(expected), "{found}");
    }
}

#[test]
fn proxies_are_named_by_address_or_network() {
    let config = good(
        "[server]\ntrusted_proxies = [\"127.0.0.1\", \"10.1.2.3/8\", \"::ffff:192.0.2.1\"]\nproxy_protocol = true\n\
         forwarded_field = \"Forwarded\"\nmax_connections = 80\n",
    );
    let trusted: Vec<String> = config.server.proxies.trusted.iter().map(ToString::to_string).collect();
    assert_eq!(trusted, ["127.0.0.1/32", "10.0.0.0/8", "192.0.2.1/32"]);
    assert_eq!(config.server.proxies.field, wasmyard_listener::ForwardedField::Forwarded);
    assert!(config.server.proxy_protocol && !config.server.api_proxy_protocol);
    assert_eq!(config.server.max_connections_per_client, 10);
}

#[test]
fn proxies_that_cannot_be_are_told() {
    for (key, told) in [
        ("trusted_proxies = [\"proxy.example.com\"]", "expected an address or a network"),
        ("trusted_proxies = [\"0.0.0.0/0\"]", "this is everybody"),
        ("trusted_proxies = [\"10.0.0.1\"]\nforwarded_field = \"via\"", "expected the field"),
        ("proxy_protocol = true", "no proxy is trusted"),
        ("api_proxy_protocol = true", "no proxy is trusted"),
        ("max_connections = 10\nmax_connections_per_client = 11", "from 1 to 10"),
        ("api_max_connections = 0", "from 1 to"),
    ] {
        let found = finding(&format!("[server]\n{key}\n"));
        assert!(found.contains(told), "{key}: {found}");
    }
}

#[test]
fn a_client_finds_its_server_in_spite_of_mistakes() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(local_api(folder.path()).url(), "http://127.0.0.1:8788");
    assert_eq!(local_api(folder.path()).data, folder.path().join(".wasmyard"));
    let text = "[server]\napi_listen = \"0.0.0.0:9000\"\ndata = \"d\"\nnonsense = 1\n[scripts.a]\n";
    std::fs::write(folder.path().join(CONFIG_FILE), text).unwrap();
    assert_eq!(local_api(folder.path()).url(), "http://127.0.0.1:9000");
    assert_eq!(local_api(folder.path()).data, folder.path().join("d"));
}
