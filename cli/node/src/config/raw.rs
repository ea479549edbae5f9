//! What `wasmyard.toml` says: its keys and the shapes of their values, each with its line.
//!
//! Owns the list of keys. It must never ask what a value means, and never look outside the text: that is
//! `resolve`'s work.

use serde_json::Value as Json;
use toml::de::DeTable;

use super::document::{Reader, Spot, Table};
use super::fault::Fault;

/// The whole file.
#[derive(Debug, Default)]
pub(super) struct RawConfig {
    pub(super) server: RawServer,
    pub(super) egress: RawEgress,
    pub(super) limits: RawLimits,
    pub(super) ceiling: RawLimits,
    pub(super) namespaces: Vec<RawNamespace>,
    pub(super) scripts: Vec<RawScript>,
    pub(super) routes: Vec<RawRoute>,
}

/// `[server]`
#[derive(Debug, Default)]
pub(super) struct RawServer {
    pub(super) listen: Option<Spot<String>>,
    pub(super) api_listen: Option<Spot<String>>,
    pub(super) data: Option<Spot<String>>,
    pub(super) configuration: Option<Spot<String>>,
    pub(super) max_connections: Option<Spot<u64>>,
    pub(super) max_connections_per_client: Option<Spot<u64>>,
    pub(super) api_max_connections: Option<Spot<u64>>,
    pub(super) trusted_proxies: Vec<Spot<String>>,
    pub(super) forwarded_field: Option<Spot<String>>,
    pub(super) proxy_protocol: Option<Spot<bool>>,
    pub(super) api_proxy_protocol: Option<Spot<bool>>,
    pub(super) max_invocations: Option<Spot<u64>>,
    pub(super) max_per_namespace: Option<Spot<u64>>,
    pub(super) max_per_script: Option<Spot<u64>>,
    pub(super) admission_wait_ms: Option<Spot<u64>>,
    pub(super) guest_memory: Option<Spot<String>>,
    pub(super) asset_memory: Option<Spot<String>>,
    pub(super) header_read_ms: Option<Spot<u64>>,
    pub(super) idle_ms: Option<Spot<u64>>,
    pub(super) slow_reader_ms: Option<Spot<u64>>,
    pub(super) drain_ms: Option<Spot<u64>>,
}

/// `[egress]`
#[derive(Debug, Default)]
pub(super) struct RawEgress {
    pub(super) rules: RawEgressRules,
    pub(super) name_servers: Vec<Spot<String>>,
    pub(super) roots: Option<Spot<String>>,
    pub(super) ca_file: Option<Spot<String>>,
    pub(super) max_connections: Option<Spot<u64>>,
    pub(super) max_connections_per_namespace: Option<Spot<u64>>,
    pub(super) max_connections_per_host: Option<Spot<u64>>,
    pub(super) dns_ms: Option<Spot<u64>>,
    pub(super) connect_ms: Option<Spot<u64>>,
    pub(super) tls_ms: Option<Spot<u64>>,
    pub(super) first_byte_ms: Option<Spot<u64>>,
    pub(super) between_bytes_ms: Option<Spot<u64>>,
    pub(super) idle_ms: Option<Spot<u64>>,
}

/// What `[egress]` and `[namespaces.NAME.egress]` have in common.
#[derive(Debug, Default)]
pub(super) struct RawEgressRules {
    pub(super) allow_hosts: Option<Vec<Spot<String>>>,
    pub(super) deny_hosts: Option<Vec<Spot<String>>>,
    pub(super) allow_private: Option<Vec<Spot<String>>>,
    pub(super) ports: Option<Vec<Spot<u64>>>,
}

/// `[limits]`, `[limits.ceiling]`, and `limits = { ... }` of a namespace or script: what is set there, as
/// the field of a `LimitSpec` and its value.
#[derive(Debug, Default)]
pub(super) struct RawLimits {
    pub(super) set: Vec<(&'static str, Spot<Json>)>,
}

/// The limits that are plain numbers, by the name they have here and in a `LimitSpec`.
pub(super) const LIMIT_NUMBERS: [&str; 7] =
    ["cpu_ms", "fuel", "subrequests", "first_byte_ms", "stream_idle_ms", "depth", "concurrent_subrequests"];
/// The limits that are sizes: the name they have here, and in a `LimitSpec`.
pub(super) const LIMIT_SIZES: [(&str, &str); 2] = [("memory", "memory_bytes"), ("logs", "log_bytes")];

/// `[namespaces.NAME]`
#[derive(Debug)]
pub(super) struct RawNamespace {
    pub(super) name: Spot<String>,
    pub(super) outbound: Option<RawOutbound>,
    pub(super) egress: Option<RawEgressRules>,
    pub(super) limits: RawLimits,
    pub(super) trusted_workers: Option<Spot<bool>>,
    pub(super) service_bindings: Option<Spot<bool>>,
    pub(super) scripts: Vec<RawScript>,
}

/// `outbound = { script = "...", params = [...] }`
#[derive(Debug)]
pub(super) struct RawOutbound {
    pub(super) line: usize,
    pub(super) key: String,
    pub(super) script: Option<Spot<String>>,
    pub(super) params: Vec<Spot<String>>,
}

/// `[scripts.NAME]` and `[namespaces.NAME.scripts.NAME]`
#[derive(Debug)]
pub(super) struct RawScript {
    pub(super) name: Spot<String>,
    pub(super) main: Option<Spot<String>>,
    pub(super) build: Option<RawBuild>,
    pub(super) assets: Option<Spot<Json>>,
    pub(super) bindings: Vec<Spot<Json>>,
    pub(super) kv_namespaces: Vec<RawKv>,
    pub(super) vars: Vec<Spot<(String, Json)>>,
    pub(super) limits: RawLimits,
    pub(super) tags: Option<Vec<Spot<String>>>,
    pub(super) compatibility_flags: Option<Vec<Spot<String>>>,
}

/// `[[scripts.NAME.kv_namespaces]]`
#[derive(Debug)]
pub(super) struct RawKv {
    pub(super) line: usize,
    pub(super) key: String,
    pub(super) binding: Option<Spot<String>>,
    pub(super) title: Option<Spot<String>>,
}

/// `build = { command = "...", cwd = "...", watch = [...] }`
#[derive(Debug)]
pub(super) struct RawBuild {
    pub(super) line: usize,
    pub(super) key: String,
    pub(super) command: Option<Spot<String>>,
    pub(super) cwd: Option<Spot<String>>,
    pub(super) watch: Vec<Spot<String>>,
}

/// `[[routes]]`
#[derive(Debug)]
pub(super) struct RawRoute {
    pub(super) line: usize,
    pub(super) key: String,
    pub(super) pattern: Option<Spot<String>>,
    pub(super) script: Option<Spot<String>>,
    pub(super) namespace: Option<Spot<String>>,
    pub(super) respond: Option<Spot<u64>>,
}

/// Reads the text; whatever is wrong with its shape is in `reader.faults` afterwards.
pub(super) fn read(reader: &mut Reader<'_>, text: &str) -> RawConfig {
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let line = error.span().map_or(0, |span| reader.line(span.start));
        reader.faults.push(Fault::new(line, "", format!("not valid TOML: {}", error.message())));
    }
    let mut root = Table::new(document.get_ref(), String::new(), 1);
    let mut config = RawConfig::default();
    if let Some(table) = root.table(reader, "server") {
        config.server = server(reader, table);
    }
    if let Some(table) = root.table(reader, "egress") {
        config.egress = egress(reader, table);
    }
    if let Some(mut table) = root.table(reader, "limits") {
        if let Some(ceiling) = table.table(reader, "ceiling") {
            config.ceiling = limits(reader, ceiling);
        }
        config.limits = limits(reader, table);
    }
    for (name, table) in root.named_tables(reader, "namespaces", "a table of namespaces, [namespaces.NAME]") {
        config.namespaces.push(namespace(reader, name, table));
    }
    config.scripts = scripts(reader, &mut root);
    for table in root.tables(reader, "routes") {
        config.routes.push(route(reader, table));
    }
    root.finish(reader);
    config
}

fn server(reader: &mut Reader<'_>, mut table: Table<'_, '_>) -> RawServer {
    let server = RawServer {
        listen: table.string(reader, "listen"),
        api_listen: table.string(reader, "api_listen"),
        data: table.string(reader, "data"),
        configuration: table.string(reader, "configuration"),
        max_connections: table.number(reader, "max_connections"),
        max_connections_per_client: table.number(reader, "max_connections_per_client"),
        api_max_connections: table.number(reader, "api_max_connections"),
        trusted_proxies: table.strings(reader, "trusted_proxies"),
        forwarded_field: table.string(reader, "forwarded_field"),
        proxy_protocol: table.boolean(reader, "proxy_protocol"),
        api_proxy_protocol: table.boolean(reader, "api_proxy_protocol"),
        max_invocations: table.number(reader, "max_invocations"),
        max_per_namespace: table.number(reader, "max_per_namespace"),
        max_per_script: table.number(reader, "max_per_script"),
        admission_wait_ms: table.number(reader, "admission_wait_ms"),
        guest_memory: table.byte_text(reader, "guest_memory"),
        asset_memory: table.byte_text(reader, "asset_memory"),
        header_read_ms: table.number(reader, "header_read_ms"),
        idle_ms: table.number(reader, "idle_ms"),
        slow_reader_ms: table.number(reader, "slow_reader_ms"),
        drain_ms: table.number(reader, "drain_ms"),
    };
    table.finish(reader);
    server
}

fn egress(reader: &mut Reader<'_>, mut table: Table<'_, '_>) -> RawEgress {
    let egress = RawEgress {
        rules: egress_rules(reader, &mut table),
        name_servers: table.strings(reader, "name_servers"),
        roots: table.string(reader, "roots"),
        ca_file: table.string(reader, "ca_file"),
        max_connections: table.number(reader, "max_connections"),
        max_connections_per_namespace: table.number(reader, "max_connections_per_namespace"),
        max_connections_per_host: table.number(reader, "max_connections_per_host"),
        dns_ms: table.number(reader, "dns_ms"),
        connect_ms: table.number(reader, "connect_ms"),
        tls_ms: table.number(reader, "tls_ms"),
        first_byte_ms: table.number(reader, "first_byte_ms"),
        between_bytes_ms: table.number(reader, "between_bytes_ms"),
        idle_ms: table.number(reader, "idle_ms"),
    };
    table.finish(reader);
    egress
}

fn egress_rules(reader: &mut Reader<'_>, table: &mut Table<'_, '_>) -> RawEgressRules {
    RawEgressRules {
        allow_hosts: table.strings_if_any(reader, "allow_hosts"),
        deny_hosts: table.strings_if_any(reader, "deny_hosts"),
        allow_private: table.strings_if_any(reader, "allow_private"),
        ports: table.numbers_if_any(reader, "ports"),
    }
}

fn limits(reader: &mut Reader<'_>, mut table: Table<'_, '_>) -> RawLimits {
    let mut limits = RawLimits::default();
    for name in LIMIT_NUMBERS {
        if let Some(spot) = table.number(reader, name) {
            limits.set.push((name, Spot { value: Json::from(spot.value), line: spot.line, key: spot.key }));
        }
    }
    for (name, field) in LIMIT_SIZES {
        if let Some(spot) = table.byte_text(reader, name) {
            limits.set.push((field, Spot { value: Json::from(spot.value), line: spot.line, key: spot.key }));
        }
    }
    table.finish(reader);
    limits
}

fn own_limits(reader: &mut Reader<'_>, table: &mut Table<'_, '_>) -> RawLimits {
    table.table(reader, "limits").map(|inner| limits(reader, inner)).unwrap_or_default()
}

fn namespace(reader: &mut Reader<'_>, name: Spot<String>, mut table: Table<'_, '_>) -> RawNamespace {
    let outbound = table.table(reader, "outbound").map(|inner| outbound(reader, inner));
    let egress = table.table(reader, "egress").map(|mut inner| {
        let rules = egress_rules(reader, &mut inner);
        inner.finish(reader);
        rules
    });
    let namespace = RawNamespace {
        name,
        outbound,
        egress,
        limits: own_limits(reader, &mut table),
        trusted_workers: table.boolean(reader, "trusted_workers"),
        service_bindings: table.boolean(reader, "service_bindings"),
        scripts: scripts(reader, &mut table),
    };
    table.finish(reader);
    namespace
}

fn outbound(reader: &mut Reader<'_>, mut table: Table<'_, '_>) -> RawOutbound {
    let outbound = RawOutbound {
        line: table.line,
        key: table.key("script"),
        script: table.string(reader, "script"),
        params: table.strings(reader, "params"),
    };
    table.finish(reader);
    outbound
}

fn scripts(reader: &mut Reader<'_>, table: &mut Table<'_, '_>) -> Vec<RawScript> {
    let found = table.named_tables(reader, "scripts", "a table of scripts, [scripts.NAME]");
    found.into_iter().map(|(name, inner)| script(reader, name, inner)).collect()
}

fn script(reader: &mut Reader<'_>, name: Spot<String>, mut table: Table<'_, '_>) -> RawScript {
    let assets = table.table(reader, "assets").and_then(|inner| inner.into_json(reader));
    let build = table.table(reader, "build").map(|inner| build(reader, inner));
    let bindings = table.tables(reader, "bindings");
    let kv_namespaces =
        table.tables(reader, "kv_namespaces").into_iter().map(|inner| kv(reader, inner)).collect();
    let script = RawScript {
        name,
        main: table.string(reader, "main"),
        build,
        assets,
        bindings: bindings.into_iter().filter_map(|inner| inner.into_json(reader)).collect(),
        kv_namespaces,
        vars: table.json_entries(reader, "vars"),
        limits: own_limits(reader, &mut table),
        tags: table.strings_if_any(reader, "tags"),
        compatibility_flags: table.strings_if_any(reader, "compatibility_flags"),
    };
    table.finish(reader);
    script
}

fn kv(reader: &mut Reader<'_>, mut table: Table<'_, '_>) -> RawKv {
    let kv = RawKv {
        line: table.line,
        key: table.key("title"),
        binding: table.string(reader, "binding"),
        title: table.string(reader, "title"),
    };
    table.finish(reader);
    kv
}

fn build(reader: &mut Reader<'_>, mut table: Table<'_, '_>) -> RawBuild {
    let build = RawBuild {
        line: table.line,
        key: table.key("command"),
        command: table.string(reader, "command"),
        cwd: table.string(reader, "cwd"),
        watch: table.strings(reader, "watch"),
    };
    table.finish(reader);
    build
}

fn route(reader: &mut Reader<'_>, mut table: Table<'_, '_>) -> RawRoute {
    let route = RawRoute {
        line: table.line,
        key: table.key("pattern"),
        pattern: table.string(reader, "pattern"),
        script: table.string(reader, "script"),
        namespace: table.string(reader, "namespace"),
        respond: table.number(reader, "respond"),
    };
    table.finish(reader);
    route
}
