//! There is no second way out: what a script can import is a written list, of which one interface sends requests and
//! three hand them to it; and where the outbound worker blocks, nothing leaves.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use http::Method;
use serde_json::json;

use crate::support::{Api, Server, body, guest, origin, request, script_path};

/// Every interface with functions that a script is given, and why it is no way to the network.
const GIVEN: &[(&str, &str)] = &[
    ("wasi:cli/environment", "empty"),
    ("wasi:cli/exit", "ends the script"),
    ("wasi:cli/stderr", "the log"),
    ("wasi:cli/stdin", "empty"),
    ("wasi:cli/stdout", "the log"),
    ("wasi:cli/terminal-stderr", "there is no terminal"),
    ("wasi:cli/terminal-stdin", "there is no terminal"),
    ("wasi:cli/terminal-stdout", "there is no terminal"),
    ("wasi:clocks/monotonic-clock", "time"),
    ("wasi:clocks/wall-clock", "time"),
    ("wasi:config/store", "values that the script was given"),
    ("wasi:filesystem/preopens", "there is no folder"),
    ("wasi:filesystem/types", "there is no folder to begin at"),
    ("wasi:http/outgoing-handler", "THE WAY OUT: every request passes the gate"),
    ("wasi:http/types", "requests and responses, not sent by themselves"),
    ("wasi:io/error", "texts of errors"),
    ("wasi:io/poll", "waiting"),
    ("wasi:io/streams", "bodies"),
    ("wasi:keyvalue/atomics", "keys and values of the namespaces that the script is bound to"),
    ("wasi:keyvalue/batch", "keys and values of the namespaces that the script is bound to"),
    ("wasi:keyvalue/store", "keys and values of the namespaces that the script is bound to"),
    ("wasi:random/insecure", "numbers"),
    ("wasi:random/insecure-seed", "numbers"),
    ("wasi:random/random", "numbers"),
    ("wasi:sockets", "denied, every call: `a_script_finds_no_file_no_socket_and_no_environment`"),
    ("wasmyard:platform/bindings", "names and types of what the script was given"),
    ("wasmyard:platform/assets", "static files of the script itself"),
    ("wasmyard:platform/cache", "responses that the script itself has put there"),
    (
        "wasmyard:platform/calls",
        "methods of other scripts, inside, by a handle that `dispatch` gave; the gate goes along",
    ),
    ("wasmyard:platform/d1", "SQL databases that the script is bound to, each of them alone"),
    ("wasmyard:platform/dispatch", "other scripts, inside; the gate goes along"),
    ("wasmyard:platform/r2", "objects of the buckets that the script is bound to"),
    ("wasmyard:platform/kv", "keys and values of the namespaces that the script is bound to"),
    ("wasmyard:platform/log", "the log"),
    ("wasmyard:platform/message", "the answer to whoever asked"),
    ("wasmyard:platform/mtls", "hands the request to the way out, with the certificate that it shows there"),
    ("wasmyard:platform/outgoing", "hands the request to the way out"),
    ("wasmyard:platform/queues", "messages to queues that the script is bound to"),
    ("wasmyard:platform/rate-limit", "counts of the tenant's own"),
    ("wasmyard:platform/request-info", "what is known of the request"),
    ("wasmyard:platform/secrets", "what the script is bound to"),
];

/// A function of an interface, as the component model names it, with the resource it belongs to.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Clone)]
struct Function {
    /// Like `wasi:io/poll@0.2.12`.
    interface: String,
    name: String,
    resource: Option<String>,
}

/// All functions of all interfaces that `sdk/wit` holds: those of WASI, and the platform's own.
fn all_functions() -> Vec<Function> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../sdk/wit");
    let mut files = vec![format!("{folder}/platform.wit")];
    for entry in std::fs::read_dir(format!("{folder}/deps")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "wit") {
            files.push(path.to_str().unwrap().to_owned());
        }
    }
    files.iter().flat_map(|file| functions(&std::fs::read_to_string(file).unwrap())).collect()
}

fn functions(wit: &str) -> Vec<Function> {
    let mut found = Vec::new();
    let (mut package, mut interface, mut resource) = (String::new(), None::<String>, None::<String>);
    let mut depth = 0_usize;
    for line in wit.lines() {
        let line = line.split("//").next().unwrap().trim();
        if let Some(named) = line.strip_prefix("package ") {
            package = named.trim_end_matches(';').to_owned();
        }
        match depth {
            0 => interface = name_after(line, "interface "),
            1 => resource = name_after(line, "resource "),
            _ => {}
        }
        if let Some(interface) = &interface {
            let (package, version) = package.split_once('@').unwrap();
            let interface = format!("{package}/{interface}@{version}");
            let name = |name: &str| name.trim_start_matches('%').to_owned();
            let named = match (line.split_once(':'), &resource) {
                (Some((method, rest)), Some(of)) if rest.trim().starts_with("static func") => {
                    Some(format!("[static]{of}.{}", name(method)))
                }
                (Some((method, rest)), Some(of)) if rest.trim().starts_with("func") => {
                    Some(format!("[method]{of}.{}", name(method)))
                }
                (Some((function, rest)), None) if rest.trim().starts_with("func") => Some(name(function)),
                (_, Some(of)) if line.starts_with("constructor(") => Some(format!("[constructor]{of}")),
                _ => None,
            };
            found.extend(named.map(|name| Function { interface, name, resource: resource.clone() }));
        }
        depth = (depth + line.matches('{').count()) - line.matches('}').count();
    }
    found
}

fn name_after(line: &str, keyword: &str) -> Option<String> {
    Some(line.strip_prefix(keyword)?.split(['{', ';']).next()?.trim().trim_start_matches('%').to_owned())
}

/// A component that asks for one function, by its name: of which type is for the platform to complain about.
fn importing(function: &Function) -> Vec<u8> {
    let Function { interface, name, resource } = function;
    let (declared, signature) = match resource {
        None => (String::new(), "(func)".to_owned()),
        Some(resource) => {
            let declared = format!(r#"(export "{resource}" (type $r (sub resource)))"#);
            let signature = match name.split_once(']').unwrap().0 {
                "[method" => r#"(func (param "self" (borrow $r)))"#,
                "[constructor" => "(func (result (own $r)))",
                _ => "(func)",
            };
            (declared, signature.to_owned())
        }
    };
    wat::parse_str(format!(
        // Under the handler's name it exports nothing: what is imported is looked at before that is seen.
        r#"(component
            (import "{interface}" (instance {declared} (export "{name}" {signature})))
            (instance $nothing) (export "wasi:http/incoming-handler@0.2.0" (instance $nothing)))"#
    ))
    .unwrap()
}

/// Whether the platform gives a user script this function.
async fn is_given(api: &Api, function: &Function) -> bool {
    let reply = api.deploy("asks", importing(function)).await;
    let message = reply.refused(400, 10021);
    let missing = message.contains("implementation is missing");
    let other_wasi = message.contains(&function.interface) && message.contains("WASI version 0.2 is served");
    !missing && !other_wasi
}

#[tokio::test]
async fn a_script_can_import_what_is_on_the_list_and_nothing_else() {
    let server = Server::serving("[namespaces.production]").await;
    let api = server.api();
    let all = all_functions();
    assert!(all.len() > 200, "the WIT was read: {}", all.len());
    let mut given = BTreeSet::new();
    for function in &all {
        if is_given(&api, function).await {
            let interface = function.interface.split('@').next().unwrap();
            // One line for all of them: none does anything.
            given.insert(interface.split_once("/").map_or(interface, |(package, _)| {
                if package == "wasi:sockets" { package } else { interface }
            }));
        }
    }
    let listed: BTreeSet<&str> = GIVEN.iter().map(|(interface, _)| *interface).collect();
    assert_eq!(given, listed);

    // Interfaces by which other platforms reach out.
    for (interface, name) in [
        ("wasi:keyvalue/atomics@0.2.0-draft2", "increment"),
        ("wasi:keyvalue/store@0.2.0-draft2", "open"),
        ("wasi:blobstore/blobstore@0.2.0-draft", "get-container"),
        ("wasi:messaging/producer@0.2.0-draft", "send"),
        ("wasi:tls/types@0.2.0-draft", "client-handshake"),
        ("wasi:nn/graph@0.2.0-rc-2024-10-28", "load-by-name"),
        ("wasi:http/handler@0.3.0", "handle"),
        ("wasi:http/client@0.3.0", "send"),
        ("wasi:sockets/types@0.3.0", "connect"),
        ("wasi:logging/logging", "log"),
    ] {
        let function = Function { interface: interface.to_owned(), name: name.to_owned(), resource: None };
        assert!(!is_given(&api, &function).await, "{interface} {name}");
    }
    assert_eq!(api.get(&script_path("asks")).await.status, 404, "nothing of it was kept");
}

/// A namespace whose outbound worker does `MODE`, and two scripts that try to get around it.
fn config(port: u16, mode: &str) -> String {
    format!(
        r#"
        [egress]
        allow_private = ["127.0.0.1"]
        ports = [80, 443, {port}]
        [limits]
        cpu_ms = 10000
        [scripts.out]
        {gate}
        vars = {{ ROLE = "outbound", MODE = "{mode}" }}
        [namespaces.production]
        egress = {{ allow_private = ["127.0.0.1"] }}
        service_bindings = true
        outbound = {{ script = "out" }}
        [namespaces.production.scripts.user]
        {gate}
        vars = {{ ROLE = "user" }}
        bindings = [
            {{ type = "service", name = "SIBLING", service = "sibling", namespace = "production" }},
            {{ type = "dispatch_namespace", name = "DISPATCHER", namespace = "production" }},
        ]
        [namespaces.production.scripts.sibling]
        {gate}
        vars = {{ ROLE = "user" }}
        [namespaces.production.scripts.probe]
        {probe}
        [[routes]]
        pattern = "*.test/*"
        namespace = "production"
        "#,
        gate = guest::main("gate"),
        probe = guest::main("probe"),
    )
}

/// Every way to reach the address that a script has.
async fn every_way(server: &Server, target: &str) {
    for path in ["/", "/send", "/forward", "/ignore", "/many", "/service-send", "/dispatch-send", "/later"] {
        for method in [Method::GET, Method::POST] {
            let asked = request(method, "user.test", path).header("x-target", format!("http://{target}/"));
            server.send(asked.body(body("x")).unwrap()).await;
        }
    }
    let asked =
        request(Method::GET, "probe.test", "/reach").header("x-target", target).body(body("")).unwrap();
    let reached = server.send(asked).await;
    assert!(reached.text().lines().all(|line| line.ends_with(" no")), "{}", reached.text());
}

#[tokio::test]
async fn where_the_outbound_worker_blocks_nothing_leaves_by_any_way() {
    let (address, connected) = origin::counting().await;
    let server = Server::serving(&config(address.port(), "block")).await;
    every_way(&server, &address.to_string()).await;
    let blocked = server.send(
        request(Method::GET, "user.test", "/send")
            .header("x-target", format!("http://{address}/"))
            .body(body(""))
            .unwrap(),
    );
    let blocked = blocked.await;
    assert_eq!((blocked.status, blocked.text()), (403, "blocked\n"));
    assert_eq!(connected.load(Ordering::Relaxed), 0);
    // A namespace that loses its outbound worker while a script of it runs is shut, not open.
    let api = server.api();
    api.delete(&format!("{}/out?force=true", crate::support::PLATFORM_SCRIPTS)).await.result();
    every_way(&server, &address.to_string()).await;
    assert_eq!(connected.load(Ordering::Relaxed), 0);
    // Unless the operator says so.
    let open = json!({"outbound": null});
    api.put(&format!("{}/production?force=true", crate::support::NAMESPACES), &open).await.result();
    let asked = async {
        let asked =
            request(Method::GET, "user.test", "/send").header("x-target", format!("http://{address}/"));
        server.connect().await.try_send(asked.body(body("")).unwrap()).await.ok();
    };
    let connects = crate::support::eventually("a connection", || {
        std::future::ready((connected.load(Ordering::Relaxed) > 0).then_some(()))
    });
    tokio::select! { () = asked => {}, () = connects => {} }
    assert!(connected.load(Ordering::Relaxed) > 0, "there was somebody to connect to");
}
