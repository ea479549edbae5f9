//! Each mistake by itself, several at once, and what a good file becomes.

use serde_json::json;
use wasmyard_dispatcher::{ExtraRoots, Roots};
use wasmyard_namespaces::HostRule;

use super::*;

mod documented;

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
        "3: scripts.a.zzz: there is no such key; the keys here are assets, bindings, build, compatibility_flags, kv_namespaces, limits, main, tags, vars"
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
    let fields = raw::LIMIT_NUMBERS.into_iter().chain(raw::LIMIT_SIZES.map(|(_, field)| field));
    let mut here: Vec<&str> = fields.collect();
    let rows = table().iter().filter(|row| row.scope == LimitScope::Invocation);
    let mut there: Vec<&str> = rows.map(|row| row.name).collect();
    here.sort_unstable();
    there.sort_unstable();
    assert_eq!(here, there);
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
fn a_script_needs_a_component() {
    assert_eq!(
        finding("[scripts.a]\n"),
        "1: scripts.a.main: the key is missing; write main = \"path/to/component.wasm\""
    );
    assert_eq!(
        findings("[scripts.a]\nmain = \"src\"\n", Purpose::Check),
        [
            "2: scripts.a.main = \"src\": this is no file; correct the path, or say how it is made with `build`"
        ]
    );
}

#[test]
fn a_component_that_is_missing_matters_where_nobody_builds_it() {
    let without = "[scripts.a]\nmain = \"b.wasm\"\n";
    let with = "[scripts.a]\nmain = \"b.wasm\"\nbuild = { command = \"make\", watch = [\"src\"] }\n";
    assert_eq!(findings(with, Purpose::Dev), NOTHING);
    assert_eq!(findings(with, Purpose::Deploy), NOTHING);
    assert!(findings(without, Purpose::Dev)[0].contains("warning: "));
    assert!(findings(with, Purpose::Check)[0].contains("warning: "));
    assert!(findings(with, Purpose::Serve)[0].contains("run its build command first"));
    assert!(findings(without, Purpose::Check)[0].contains("there is no such file; correct the path"));
}

#[test]
fn builds_are_checked() {
    let found = findings(
        "[scripts.a]\nmain = \"a.wasm\"\nbuild = { command = \" \", cwd = \"nowhere\", watch = [\"nothing\"] }\n",
        Purpose::Dev,
    );
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(
        found.iter().any(|f| f.contains("build.cwd = \"nowhere\": there is no such folder")),
        "{found:#?}"
    );
    assert!(found.iter().any(|f| f.contains("build.watch[0] = \"nothing\": there is no such")), "{found:#?}");
    assert!(found.iter().any(|f| f.contains("build.command: a build needs a command")), "{found:#?}");
}

#[test]
fn a_build_watches_its_sources_where_it_does_not_say() {
    let config = good("[scripts.a]\nmain = \"a.wasm\"\nbuild = { command = \"make\" }\n");
    assert_eq!(config.scripts[0].build.as_ref().unwrap().watch, [config.source.root.join("src")]);
}

#[test]
fn assets_have_a_folder_a_binding_and_ways_of_serving() {
    let config = good(
        "[scripts.a]\nmain = \"a.wasm\"\nassets = { directory = \"src\", binding = \"FILES\", not_found_handling = \"404-page\", run_worker_first = [\"/api/*\"] }\n",
    );
    let script = &config.scripts[0];
    let assets = script.assets.as_ref().unwrap();
    assert_eq!(assets.directory, config.source.root.join("src"));
    assert_eq!(assets.config.not_found_handling, wasmyard_namespaces::NotFoundHandling::Page404);
    assert_eq!(script.bindings[0].name.as_str(), "FILES");
    // A script may be files alone.
    let config = good("[scripts.site.assets]\ndirectory = \"src\"\n");
    assert_eq!((config.scripts[0].main.clone(), config.scripts[0].assets.is_some()), (None, true));
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
fn wrong_assets_are_told_by_their_line() {
    for (assets, told) in [
        ("{}", "assets need the folder that they are in; write { directory = \"public\" }"),
        ("{ directory = \"nowhere\" }", "= \"nowhere\": there is no such folder"),
        ("{ directory = \"src\", html_handlin = \"none\" }", "unknown field `html_handlin`"),
        ("{ directory = \"src\", html_handling = \"x\" }", "unknown variant `x`"),
        ("{ directory = \"src\", run_worker_first = [\"api\"] }", "must begin with / or !/"),
        ("{ directory = \"src\", _headers = \"x\" }", "_headers is a file in the folder"),
        ("{ directory = \"src\", binding = \"1\" }", "= \"1\": "),
    ] {
        let found = finding(&format!("[scripts.a]\nmain = \"a.wasm\"\nassets = {assets}\n"));
        assert!(
            found.starts_with("3: ") && found.contains("scripts.a.assets") && found.contains(told),
            "{found}"
        );
    }
}

#[test]
fn bindings_are_checked_and_never_shown() {
    let script = |bindings: &str| format!("[scripts.a]\nmain = \"a.wasm\"\nbindings = [{bindings}]\n");
    let found = finding(&script(r#"{ type = "r2_bucket", name = "B", bucket_name = "b" }"#));
    assert!(found.contains("r2_bucket") && found.contains("plain_text"), "{found}");
    let found = finding(&script(r#"{ type = "plain_text", name = "B", texte = "x", text = "y" }"#));
    assert!(found.contains("bindings[0].texte: there is no such key; did you mean `text`?"), "{found}");
    let found =
        finding(&script(r#"{ type = "secret_text", name = "B", text = "hunter2", txt = "hunter3" }"#));
    assert!(!found.contains("hunter"), "{found}");
    let found = finding(
        "[scripts.a]\nmain = \"a.wasm\"\nvars = { B = \"x\" }\nbindings = [{ type = \"plain_text\", name = \"B\", text = \"y\" }]\n",
    );
    assert!(found.contains("\"B\" is declared twice"), "{found}");
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
fn a_client_finds_its_server_in_spite_of_mistakes() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(local_api(folder.path()).url(), "http://127.0.0.1:8788");
    assert_eq!(local_api(folder.path()).data, folder.path().join(".wasmyard"));
    let text = "[server]\napi_listen = \"0.0.0.0:9000\"\ndata = \"d\"\nnonsense = 1\n[scripts.a]\n";
    std::fs::write(folder.path().join(CONFIG_FILE), text).unwrap();
    assert_eq!(local_api(folder.path()).url(), "http://127.0.0.1:9000");
    assert_eq!(local_api(folder.path()).data, folder.path().join("d"));
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
