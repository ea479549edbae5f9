//! Scripts call methods of each other: `rpc/caller.js` calls `rpc/callee.js`, each case for one answer, which is held beside
//! workerd's; and what belongs to the platform.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Value, json};

use super::web::compare;
use super::{alone, get, serving};
use crate::support::{PLATFORM_SCRIPTS, Server, body, guest, request};

pub(super) const FILES: [(&str, &str); 2] =
    [("caller.js", include_str!("rpc/caller.js")), ("callee.js", include_str!("rpc/callee.js"))];

pub(super) fn of_workerd() -> BTreeMap<String, Value> {
    serde_json::from_str(include_str!("rpc/workerd.json")).unwrap()
}

fn differences() -> BTreeMap<String, Value> {
    serde_json::from_str(include_str!("rpc/differences.json")).unwrap()
}

/// Both scripts, and the bindings by which one calls the other.
pub(super) fn config_of_workerd(port: u16) -> String {
    format!(
        r#"
        using Workerd = import "/workerd/workerd.capnp";
        const config :Workerd.Config = (
          services = [(name = "main", worker = .caller), (name = "callee", worker = .callee)],
          sockets = [(name = "http", address = "127.0.0.1:{port}", http = (), service = "main")],
        );
        const caller :Workerd.Worker = (
          modules = [(name = "caller.js", esModule = embed "caller.js")],
          compatibilityDate = "2026-11-01",
          bindings = [
            (name = "SVC", service = "callee"),
            (name = "NAMED", service = (name = "callee", entrypoint = "Named")),
            (name = "OBJECTS", service = (name = "callee", entrypoint = "objects")),
            (name = "PROPS", service = (name = "callee", props = (json = "{{\"a\": 1}}"))),
          ],
        );
        const callee :Workerd.Worker = (
          modules = [(name = "callee.js", esModule = embed "callee.js")],
          compatibilityDate = "2026-11-01",
          bindings = [(name = "GREETING", text = "hello")],
        );
        "#
    )
}

#[tokio::test]
async fn every_call_is_answered_as_workerd_does_or_is_a_difference_with_its_reason() {
    let config = r#"
        [limits]
        cpu_ms = 30000
        [scripts.main]
        main = "caller.js"
        bindings = [
          { type = "service", name = "SVC", service = "callee" },
          { type = "service", name = "NAMED", service = "callee", entrypoint = "Named" },
          { type = "service", name = "OBJECTS", service = "callee", entrypoint = "objects" },
          { type = "service", name = "PROPS", service = "callee", props = { a = 1 } },
        ]
        [scripts.callee]
        main = "callee.js"
        vars = { GREETING = "hello" }
        [[routes]]
        pattern = "*/*"
        script = "main"
    "#;
    compare(&serving(&FILES, config).await, of_workerd(), differences()).await;
}

const DISPATCHER: &str = include_str!("rpc/dispatcher.js");

const USER: &str = include_str!("rpc/user.js");

const CONFIG: &str = r#"
    [limits]
    cpu_ms = 5000
    [scripts.main]
    main = "main.js"
    bindings = [{ type = "dispatch_namespace", name = "NS", namespace = "production" }]
    [scripts.few]
    main = "main.js"
    limits = { subrequests = 1 }
    bindings = [{ type = "dispatch_namespace", name = "NS", namespace = "production" }]
    [namespaces.production]
    service_bindings = true
    [namespaces.production.scripts.user]
    main = "user.js"
    [namespaces.production.scripts.nested]
    main = "user.js"
    bindings = [{ type = "service", name = "BACK", service = "user", namespace = "production" }]
    [namespaces.production.scripts.plain]
    main = "plain.js"
    [namespaces.production.scripts.older]
    main = "main.js"
    [namespaces.production.scripts.component]
    GUEST
    [[routes]]
    pattern = "few.test/*"
    script = "few"
    [[routes]]
    pattern = "*.production.test/*"
    namespace = "production"
    [[routes]]
    pattern = "*/*"
    script = "main"
"#;

async fn platform() -> Server {
    let plain = "export default { fetch: () => new Response('plain'), greet(name, env, ctx) { return `hello ${name}`; } }";
    let config = CONFIG.replace("GUEST", &guest::main("hello"));
    serving(&[("main.js", DISPATCHER), ("user.js", USER), ("plain.js", plain)], &config).await
}

async fn asked(server: &Server, path: &str) -> Value {
    serde_json::from_slice(&get(server, "a.test", path).await.body).unwrap()
}

#[tokio::test]
async fn a_dispatcher_calls_methods_of_its_users_and_is_told_by_name_what_went_wrong() {
    let server = platform().await;
    assert_eq!(asked(&server, "/call/user/add/1/2").await, json!({ "gave": 3 }));
    assert_eq!(asked(&server, "/call/plain/greet/you").await, json!({ "gave": "hello you" }));
    assert_eq!(asked(&server, "/call/nested/more").await, json!({ "gave": 2 }), "a user calls another");
    assert_eq!(
        asked(&server, "/hold/user").await,
        json!({ "gave": [1, 2] }),
        "one instance serves a session"
    );
    for _ in 0..2 {
        let gave = asked(&server, "/call/user/keep").await;
        assert_eq!(gave, json!({ "gave": 1 }), "each call has an instance of its own");
    }
    for (path, name, says) in [
        ("/call/nobody/add", "Error", "Worker not found."),
        ("/call/user/fails", "RangeError", "SECRET of the user"),
        ("/call/user/scheduled", "TypeError", "reserved"),
        ("/call/component/add", "Error", "no handler of RPC"),
        ("/limited/user", "Error", "CPU time limit"),
        ("/call/user/waits", "Error", "never generate a response"),
    ] {
        let told = asked(&server, path).await;
        assert_eq!(told["threw"][0], name, "{path}: {told}");
        assert!(told["threw"][1].as_str().unwrap().contains(says), "{path}: {told}");
    }
}

/// A script that is lent an object reaches its methods, and nothing else of the script that lent it.
#[tokio::test]
async fn nothing_but_methods_is_reached_of_what_is_lent_to_a_hostile_script() {
    let server = platform().await;
    let told = asked(&server, "/lend/user").await;
    assert_eq!(told["gave"][0], "opened", "{told}");
    assert_eq!(told["gave"][1], "called back", "{told}");
    assert!(!told.to_string().contains("SECRET"), "{told}");
    assert_eq!(told["gave"][2], "secret: TypeError", "{told}");
}

#[tokio::test]
async fn a_call_is_a_subrequest_and_a_visitor_cannot_make_one() {
    let server = platform().await;
    let few = get(&server, "few.test", "/twice/user").await;
    assert_eq!(few.status, 500, "{}", few.text());
    assert!(few.text().contains("Too many subrequests"), "{}", few.text());
    assert_eq!(asked(&server, "/twice/user").await, json!({ "gave": [3, 7] }));
    // What looks like one is a request, which the script's own `fetch` answers.
    for (host, path) in [("user.production.test", "/"), ("a.test", "/proxy/user")] {
        let forged = request(Method::POST, host, path)
            .header("content-type", "application/x-wasmyard-calls")
            .body(body(b"\x10\0\0\0\0\0\0\0[\"call\",1,0,[\"keep\"],[\"a\"]]".to_vec()))
            .unwrap();
        let answer = server.send(forged).await;
        assert_eq!(answer.text(), "application/x-wasmyard-calls POST", "{host}");
    }
}

/// The bodies of a session are what the other script writes: whatever that is, it fails the call and nothing else.
#[tokio::test]
async fn an_answer_that_is_no_session_fails_the_call() {
    let server = platform().await;
    let path = crate::support::script_path("user");
    for source in [
        "export default { fetch: () => new Response('an answer'), answers: 5 }",
        "addEventListener('fetch', (event) => event.respondWith(new Response('older')))",
        "import { WorkerEntrypoint } from 'cloudflare:workers'; export class Other extends WorkerEntrypoint { answers() {} }",
        "import { WorkerEntrypoint } from 'cloudflare:workers';
         JSON.stringify = () => '[\"ok\",1,[\"r\",7]]'; export default class extends WorkerEntrypoint { answers() { return 1; } }",
        "import { WorkerEntrypoint } from 'cloudflare:workers';
         JSON.stringify = () => '[\"ok\",9,1]'; export default class extends WorkerEntrypoint { answers() { return 1; } }",
        "import { WorkerEntrypoint } from 'cloudflare:workers';
         JSON.stringify = () => '[\"call\",1,0,[\"fetch\"],[\"a\"]]'; export default class extends WorkerEntrypoint { answers() { return 1; } }",
    ] {
        server.api().javascript(&path, source).await.result();
        let told = asked(&server, "/caught/user").await;
        let told = told["gave"].as_str().unwrap_or_else(|| panic!("{source}: {told}")).to_owned();
        assert!(!told.is_empty(), "{source}");
        let after = asked(&server, "/call/nested/add/1/1").await;
        assert_eq!(after, json!({ "gave": 2 }), "{source}");
    }
}

#[tokio::test]
async fn what_a_binding_names_of_a_script_is_checked() {
    let server = alone("export default { fetch: () => new Response('before') }").await;
    let path = format!("{PLATFORM_SCRIPTS}/other");
    for (binding, says) in [
        (
            json!({"type": "service", "name": "A", "service": "worker", "entrypoint": "not a name"}),
            "entrypoint",
        ),
        (json!({"type": "service", "name": "A", "service": "worker", "props": [1]}), "props"),
    ] {
        let metadata = json!({"main_module": "w.js", "bindings": [binding]});
        let source = reqwest::multipart::Part::text("export default { fetch() {} }");
        let part = source.file_name("w.js").mime_str("application/javascript+module").unwrap();
        let form = reqwest::multipart::Form::new().text("metadata", metadata.to_string()).part("w.js", part);
        let refused = server.api().form(&path, form).await;
        assert!(refused.refused(400, 10021).contains(says), "{}", refused.envelope);
    }
}
