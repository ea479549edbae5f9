//! Each mistake by itself, several at once, and what a good file becomes.

use serde_json::json;

use super::*;

mod documented;
mod egress;
mod origins;
mod scripts;
mod server;
mod zones;

/// An authority that was made for these tests; its key is nowhere.
const PRIVATE_CA: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIIBlDCCATmgAwIBAgIUA3xkhegwWz74H2n5QeUGMvJrdqcwCgYIKoZIzj0EAwIw\n\
HjEcMBoGA1UEAwwTQSBwcml2YXRlIGF1dGhvcml0eTAgFw0yNjExMjEwMzUwNDRa\n\
GA8yMTI2MTAyODAzNTA0NFowHjEcMBoGA1UEAwwTQSBwcml2YXRlIGF1dGhvcml0\n\
eTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABGXdhogR1PUXpExkWvLIkumyHvL6\n\
Vfm9WeM9ZDLfBxf7WSr76t0WwtU3HLjnfOEQJbyWbHNdaQdY6lRl4ASUwWijUzBR\n\
MB0GA1UdDgQWBBR0yuRxFajYBPmPJYHO2MpTIGahKzAfBgNVHSMEGDAWgBR0yuRx\n\
FajYBPmPJYHO2MpTIGahKzAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0kA\n\
MEYCIQC+klqjVLSFknDFyKlqqyIYaU3BF+HcXDcO74dJiTX4BgIhAOYRFhIhvLDV\n\
ZqA7LXRcGXGwiQnXvl4pCwR1OGeJFpK/\n\
-----END CERTIFICATE-----\n";

/// Reads `text` as the configuration of a folder that has `a.wasm` and `src/`.
fn read(text: &str, purpose: Purpose) -> (tempfile::TempDir, Result<(ResolvedConfig, Faults), Faults>) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(CONFIG_FILE), text).unwrap();
    std::fs::write(folder.path().join("a.wasm"), "x").unwrap();
    std::fs::write(folder.path().join("ca.pem"), PRIVATE_CA).unwrap();
    std::fs::create_dir_all(folder.path().join("src")).unwrap();
    let source = ConfigSource::find(None, folder.path()).unwrap();
    let loaded = load(source, purpose);
    (folder, loaded)
}

fn good(text: &str) -> ResolvedConfig {
    let (_folder, loaded) = read(text, Purpose::Dev);
    match loaded {
        Ok((config, warnings)) if warnings.list.is_empty() => config,
        Ok((_, warnings)) => panic!("{warnings}"),
        Err(faults) => panic!("{faults}"),
    }
}

/// The findings as `line key = value: expected; remedy`, without the file.
fn findings(text: &str, purpose: Purpose) -> Vec<String> {
    let (_folder, loaded) = read(text, purpose);
    let faults = match loaded {
        Ok((_, warnings)) => warnings,
        Err(faults) => faults,
    };
    faults.list.iter().map(|fault| fault.at("").to_string().trim_start_matches(':').to_owned()).collect()
}

const NOTHING: [&str; 0] = [];

/// The one finding of a text for `dev`.
fn finding(text: &str) -> String {
    let mut found = findings(text, Purpose::Dev);
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0)
}

#[test]
fn an_empty_file_gives_the_defaults() {
    let config = good("");
    assert_eq!(config.server, ServerConfig::defaults(&config.source.root));
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8787");
    assert_eq!(config.server.api_listen.to_string(), "127.0.0.1:8788");
    assert_eq!(config.server.data, config.source.root.join(".wasmyard"));
    assert_eq!(config.limits, Limits::DEFAULT);
    assert_eq!(config.ceiling, Limits::CEILING);
    assert_eq!(config.egress, EgressConfig::default());
    assert_eq!(config.origins, OriginsConfig::default());
}

#[test]
fn a_whole_file_is_understood() {
    let config = good(
        r#"
        [server]
        listen = "0.0.0.0:80"
        api_listen = "[::1]:9000"
        data = "var/data"
        configuration = "west"
        max_connections = 10
        max_invocations = 20
        header_read_ms = 1
        idle_ms = 2
        drain_ms = 0

        [limits]
        cpu_ms = 40
        memory = "64MiB"
        [limits.ceiling]
        cpu_ms = 1000

        [namespaces.production]
        outbound = { script = "front", params = ["customer_name"] }
        limits = { cpu_ms = 20, subrequests = 5 }
        trusted_workers = true

        [namespaces.production.scripts.customer-a]
        main = "a.wasm"
        vars = { GREETING = "hello", COUNT = 3, LIST = [1, "x"], ON = true }
        tags = ["paid", "eu"]
        limits = { memory = 33554432 }

        [scripts.front]
        main = "../elsewhere/front.wasm"
        build = { command = "make", cwd = "src", watch = ["src"] }
        bindings = [
            { type = "dispatch_namespace", name = "NS", namespace = "production", outbound = { script = "front", params = ["p"] } },
            { type = "service", name = "SELF", service = "front" },
            { type = "secret_text", name = "KEY", text = "s3cret" },
        ]

        [[routes]]
        pattern = "*/*"
        script = "front"
        [[routes]]
        pattern = "*.apps.localhost/*"
        namespace = "production"
        [[routes]]
        pattern = "status.localhost"
        respond = 404
        "#,
    );
    let root = &config.source.root;
    assert_eq!(config.server.listen.to_string(), "0.0.0.0:80");
    assert_eq!(config.server.data, root.join("var/data"));
    assert_eq!(config.server.configuration.as_str(), "west");
    assert_eq!(config.server.drain, Duration::ZERO);
    assert_eq!(config.limits.cpu, Duration::from_millis(40));
    assert_eq!(config.limits.memory_bytes, 64 << 20);
    assert_eq!(config.ceiling.cpu, Duration::from_secs(1));
    let [production] = config.namespaces.as_slice() else { panic!("{:?}", config.namespaces) };
    assert!(production.trusted_workers);
    assert_eq!(production.limits.cpu_ms, Some(20));
    assert_eq!(production.limits.subrequests, Some(5));
    assert_eq!(production.outbound.as_ref().unwrap().params, ["customer_name"]);
    let [front, customer] = config.scripts.as_slice() else { panic!("{:?}", config.scripts) };
    assert_eq!(front.key.to_string(), "front");
    assert_eq!(front.main.clone().unwrap(), root.parent().unwrap().join("elsewhere/front.wasm"));
    let build = front.build.as_ref().unwrap();
    assert_eq!(
        (build.command.as_str(), &build.cwd, &build.watch),
        ("make", &root.join("src"), &vec![root.join("src")])
    );
    let shown = |script: &ScriptConfig| json!(script.bindings);
    assert_eq!(
        shown(front),
        json!([
            {"type": "secret_text", "name": "KEY"},
            {"type": "dispatch_namespace", "name": "NS", "namespace": "production",
             "outbound": {"worker": {"service": "front"}, "params": [{"name": "p"}]}},
            {"type": "service", "name": "SELF", "service": "front"},
        ])
    );
    assert_eq!(customer.key.to_string(), "production/customer-a");
    assert_eq!(
        shown(customer),
        json!([
            {"type": "json", "name": "COUNT", "json": 3},
            {"type": "plain_text", "name": "GREETING", "text": "hello"},
            {"type": "json", "name": "LIST", "json": [1, "x"]},
            {"type": "json", "name": "ON", "json": true},
        ])
    );
    assert_eq!(customer.limits.memory_bytes, Some(32 << 20));
    assert_eq!(customer.tags.len(), 2);
    let targets: Vec<&RouteTarget> = config.routes.iter().map(|route| &route.target).collect();
    assert!(matches!(
        targets.as_slice(),
        [RouteTarget::Script(_), RouteTarget::Namespace(_), RouteTarget::Respond(404)]
    ));
    assert_eq!(config.routes[2].pattern.to_string(), "status.localhost/*");
}

#[test]
fn all_mistakes_are_told_together_in_the_order_of_the_file() {
    let text = r#"
[server]
listen = "localhost"
api_listn = "127.0.0.1:1"
max_connections = 0

[limits]
cpu_ms = "fast"
memory = "128Mib of it"

[scripts.A]
main = "a.wasm"

[[routes]]
pattern = "http://x/*"
script = "a"
respond = 404
"#;
    let (_folder, loaded) = read(text, Purpose::Dev);
    let faults = loaded.unwrap_err();
    let lines: Vec<usize> = faults.list.iter().map(|fault| fault.line).collect();
    assert_eq!(lines, [3, 4, 5, 8, 9, 11, 14, 15], "{faults}");
    for fault in &faults.list {
        assert!(!fault.key.is_empty(), "{fault:?}");
    }
}

#[test]
fn unknown_keys_are_refused_with_a_guess() {
    assert_eq!(finding("[sever]\n"), "1: sever: there is no such key; did you mean `server`?");
    assert_eq!(
        finding("[namespaces.n]\ntrusted_worker = true\n"),
        "2: namespaces.n.trusted_worker: there is no such key; did you mean `trusted_workers`?"
    );
    let found = finding("[scripts.a]\nmain = \"a.wasm\"\nzzz = 1\n");
    assert_eq!(
        found,
        "3: scripts.a.zzz: there is no such key; the keys here are assets, bindings, build, compatibility_flags, crons, d1_databases, kv_namespaces, limits, main, queue_consumers, r2_buckets, tags, vars"
    );
}

#[test]
fn text_that_is_no_toml_is_told_with_its_line() {
    let found = findings("[server]\nlisten = \n", Purpose::Dev);
    assert!(found[0].starts_with("2: not valid TOML: "), "{found:?}");
    let found = findings("a = 1\na = 2\n", Purpose::Dev);
    assert!(found.iter().any(|fault| fault.starts_with("2: not valid TOML: ")), "{found:?}");
}

#[test]
fn shapes_are_checked() {
    assert_eq!(finding("server = 1\n"), "1: server = 1: expected a table, found an integer");
    assert_eq!(
        finding("[server]\nlisten = 8787\n"),
        "2: server.listen = 8787: expected a string, found an integer"
    );
    assert_eq!(
        finding("[server]\nmax_connections = -1\n"),
        "2: server.max_connections = -1: expected a whole number, zero or more, found an integer"
    );
    assert_eq!(
        finding("[scripts.a]\nmain = \"a.wasm\"\ntags = [\n  \"x\",\n  1,\n]\n"),
        "5: scripts.a.tags[1] = 1: expected a string, found an integer"
    );
    assert_eq!(finding("scripts.a = \"x\"\n"), "1: scripts.a = \"x\": expected a table, found a string");
    assert_eq!(finding("[routes]\n"), "1: routes: expected a list of tables, found a table");
}

#[test]
fn limits_are_held_to_their_ceilings() {
    assert_eq!(
        finding("[limits]\ncpu_ms = 0\n"),
        "2: limits.cpu_ms = 0: expected 1 to 30000 ms; choose a value in that range"
    );
    assert_eq!(
        finding("[limits]\ncpu_ms = 200\n[limits.ceiling]\ncpu_ms = 100\n"),
        "2: limits.cpu_ms = 200: expected 1 to 100 ms; choose a value in that range"
    );
    let found = findings(
        "[limits]\nsubrequests = 5000\nmemory = \"1KiB\"\n[limits.ceiling]\ncpu_ms = 60000\n",
        Purpose::Dev,
    );
    assert_eq!(found.len(), 3, "{found:#?}");
    let found = finding("[limits]\nmemory = \"lots\"\n");
    assert!(found.starts_with("2: limits.memory = \"lots\": ") && found.contains("128MiB"), "{found}");
    assert_eq!(good("[limits.ceiling]\ncpu_ms = 10\n").limits.cpu, Duration::from_millis(10));
}

#[test]
fn a_limit_that_can_have_no_effect_is_a_warning() {
    let found = findings("[namespaces.n]\nlimits = { cpu_ms = 100 }\n", Purpose::Dev);
    assert_eq!(
        found,
        [
            "2: warning: namespaces.n.limits.cpu_ms = 100: is looser than the platform's own limit, and the tightest one wins; raise cpu_ms in [limits] first"
        ]
    );
    good("[namespaces.n]\nlimits = { cpu_ms = 50, fuel = 1000 }\n");
}

#[test]
fn every_limit_of_an_invocation_can_be_set() {
    use wasmyard_namespaces::limits::{LimitScope, table};
    let rows: Vec<_> = table().iter().filter(|row| row.scope == LimitScope::Invocation).collect();
    assert_eq!(rows.len(), 13);
    for row in rows {
        let config = good(&format!("[namespaces.n.limits]\n{} = {}\n", row.config_key(), row.min));
        assert_eq!(json!(config.namespaces[0].limits)[row.name], json!(row.min), "{}", row.name);
    }
}

#[test]
fn names_are_checked() {
    let found = finding("[namespaces.\"Big Shop\"]\n");
    assert!(found.starts_with("1: namespaces.\"Big Shop\" = \"Big Shop\": "), "{found}");
    let found = finding("[scripts.a]\nmain = \"a.wasm\"\ntags = [\"a,b\"]\n");
    assert!(found.starts_with("3: scripts.a.tags[0] = \"a,b\": "), "{found}");
    let found = finding("[scripts.a]\nmain = \"a.wasm\"\nvars = { \"1X\" = \"v\" }\n");
    assert!(found.starts_with("3: scripts.a.vars.1X: "), "{found}");
    let nine = (1..=9).map(|n| format!("\"t{n}\"")).collect::<Vec<_>>().join(", ");
    let found = finding(&format!("[scripts.a]\nmain = \"a.wasm\"\ntags = [{nine}]\n"));
    assert!(found.contains("at most 8 tags; remove 1"), "{found}");
}

#[test]
fn references_are_followed() {
    let text = r#"
[scripts.front]
main = "a.wasm"
bindings = [
  { type = "dispatch_namespace", name = "NS", namespace = "prodution" },
  { type = "service", name = "S", service = "nobody" },
]
[namespaces.production]
outbound = { script = "frnt" }
[[routes]]
pattern = "*/*"
script = "front2"
[[routes]]
pattern = "*.x/*"
namespace = "prod"
"#;
    let found = findings(text, Purpose::Dev);
    assert_eq!(
        found,
        [
            "5: scripts.front.bindings[0] = \"prodution\": this file declares no namespace of that name; did you mean \"production\"?",
            "6: scripts.front.bindings[1] = \"nobody\": this file declares no platform script of that name; add [scripts.nobody]",
            "9: namespaces.production.outbound.script = \"frnt\": this file declares no platform script of that name; did you mean \"front\"?",
            "12: routes[0].script = \"front2\": this file declares no platform script of that name; did you mean \"front\"?",
            "15: routes[1].namespace = \"prod\": this file declares no namespace of that name; add [namespaces.prod]",
        ]
    );
    // Beside a server's API, each may exist all the same.
    for purpose in [Purpose::Serve, Purpose::Check] {
        let (_folder, loaded) = read(text, purpose);
        let (_, warnings) = loaded.unwrap();
        assert_eq!(warnings.list.len(), 5);
        assert!(warnings.list.iter().all(|f| f.remedy.as_deref().unwrap().contains("through the API")));
    }
    assert_eq!(findings(text, Purpose::Deploy), NOTHING);
}

#[test]
fn routes_are_checked() {
    let route = |body: &str| format!("[namespaces.n]\n[[routes]]\n{body}\n");
    assert_eq!(
        finding(&route("pattern = \"*.x/*\"\nnamespace = \"n\"\nrespond = 404")),
        "2: routes[0]: a route needs exactly one of script, namespace and respond; keep the one that is meant"
    );
    assert!(finding(&route("pattern = \"*/*\"")).contains("exactly one of"));
    assert_eq!(
        finding(&route("respond = 404")),
        "2: routes[0].pattern: the key is missing; write pattern = \"*/*\" for every request"
    );
    assert!(finding(&route("pattern = \"x/*\"\nrespond = 99")).contains("from 200 to 599"));
    assert!(finding(&route("pattern = \"https://x/*\"\nrespond = 404")).contains("scheme"));
    assert!(finding(&route("pattern = \"x.example/*\"\nnamespace = \"n\"")).contains("*.apps.example.com"));
    let twice = "[[routes]]\npattern = \"X.example\"\nrespond = 404\n[[routes]]\npattern = \"x.example/*\"\nrespond = 403\n";
    assert_eq!(
        finding(twice),
        "5: routes[1].pattern = \"x.example/*\": line 2 already routes x.example/*; remove one of the two"
    );
}

#[test]
fn hostile_text_is_refused_without_a_crash() {
    for text in [
        "[".repeat(100_000),
        "a=".to_owned() + &"[".repeat(100_000),
        "\u{0}".to_owned(),
        "é = \"\u{7f}\"".to_owned(),
        "[scripts.\"\"]\n".to_owned(),
        "x = nan\n".to_owned(),
    ] {
        let (_folder, loaded) = read(&text, Purpose::Dev);
        assert!(loaded.unwrap_err().any_error());
    }
}
