//! Storage of scripts' own: a tenant has a database, keys, objects and a queue by saying so, gets them back when it is
//! deployed again, and leaves nothing when it is deleted with them.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Api, NAMESPACES, Server, Site, eventually, script_path};

/// A value that is put everywhere, and looked for everywhere.
const CANARY: &str = "the-canary-of-this-tenant";

const KEEPS: &str = r#"
    export default {
      async fetch(request, { KEYS, DB, FILES, JOBS }) {
        const { pathname, searchParams } = new URL(request.url);
        if (pathname === "/put") {
          const value = searchParams.get("value");
          await KEYS.put("k", value);
          await DB.exec("CREATE TABLE IF NOT EXISTS notes (text TEXT)");
          await DB.prepare("INSERT INTO notes VALUES (?)").bind(value).run();
          await FILES.put("a/file", value);
          await JOBS.send({ value });
          return new Response("put");
        }
        try {
          const rows = await DB.prepare("SELECT text FROM notes").all();
          const object = await FILES.get("a/file");
          return Response.json([await KEYS.get("k"), rows.results.map(({ text }) => text), object && await object.text()]);
        } catch (error) {
          return Response.json([await KEYS.get("k"), String(error.message).includes("no such table"), null]);
        }
      },
    };
"#;

async fn platform() -> (Site, Server) {
    let site = super::dispatching_by_label();
    let server = site.serve().await;
    (site, server)
}

async fn deploy(api: &Api, script: &str) {
    let own = |(kind, name)| json!({"type": kind, "name": name, "own": true});
    let bindings: Vec<Value> =
        [("kv_namespace", "KEYS"), ("d1", "DB"), ("r2_bucket", "FILES"), ("queue", "JOBS")].map(own).into();
    let metadata = json!({"main_module": "worker.js", "bindings": bindings});
    let reply = api.javascript_with(&script_path(script), &metadata, KEEPS).await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

async fn kept(server: &Server, script: &str) -> Value {
    let answer = server.get(&format!("{script}.localhost"), "/").await;
    assert_eq!(answer.status, 200, "{}\n{}", answer.text(), server.log());
    serde_json::from_slice(&answer.body).unwrap()
}

async fn put(server: &Server, script: &str, value: &str) {
    let answer = server.get(&format!("{script}.localhost"), &format!("/put?value={value}")).await;
    assert_eq!((answer.status, answer.text()), (200, "put"), "{}", server.log());
}

async fn storage(api: &Api, script: &str) -> Vec<Value> {
    let path = format!("{}/storage", script_path(script));
    api.get(&path).await.result().as_array().unwrap().clone()
}

/// Files below a folder that hold the canary.
fn holding(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_symlink() {
            // Compiled code, which is kept for all tests.
            continue;
        }
        if kind.is_dir() {
            holding(&entry.path(), found);
        } else {
            let bytes = std::fs::read(entry.path()).unwrap();
            if bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes()) {
                found.push(entry.path().display().to_string());
            }
        }
    }
}

/// Keys and messages are written over by sweeps, the first of which comes with a start, and logs go into their files when the
/// server stops: it is started and stopped until no file holds the canary.
async fn nothing_left(site: &Site, mut server: Server) -> Server {
    let mut found = Vec::new();
    for _ in 0..20 {
        server.terminate();
        server.ended().await;
        found.clear();
        holding(&site.data(), &mut found);
        server = site.serve().await;
        if found.is_empty() {
            return server;
        }
        // Visitors are answered: the sweeps have begun.
        server.get("two.localhost", "/").await;
    }
    panic!("{found:?}");
}

#[tokio::test]
async fn each_script_has_its_own_and_has_it_again_when_it_comes_back() {
    let (_site, server) = platform().await;
    let api = server.api();
    for script in ["one", "two"] {
        deploy(&api, script).await;
    }
    put(&server, "one", CANARY).await;
    assert_eq!(kept(&server, "one").await, json!([CANARY, [CANARY], CANARY]));
    assert_eq!(kept(&server, "two").await, json!([null, true, null]), "nobody else sees it");

    let listed = storage(&api, "one").await;
    let types: Vec<&str> = listed.iter().map(|one| one["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["d1", "kv_namespace", "queue", "r2_bucket"]);
    assert_eq!((&listed[1]["entries"], &listed[1]["bytes"]), (&json!(1), &json!(CANARY.len() + 1)));
    assert_eq!(listed[2]["entries"], 1);
    assert_eq!(
        (&listed[3]["entries"], &listed[3]["bytes"]),
        (&json!(1), &json!(CANARY.len() + "a/file".len()))
    );
    // A binding shows which one it is, like any other.
    let bindings = api.get(&format!("{}/bindings", script_path("one"))).await.result().clone();
    assert_eq!(bindings[0]["database_id"], listed[0]["id"]);

    api.delete(&script_path("one")).await.result();
    assert!(storage(&api, "one").await.iter().all(|one| one["unused_since"].is_string()));
    deploy(&api, "one").await;
    assert_eq!(kept(&server, "one").await, json!([CANARY, [CANARY], CANARY]));
    assert!(storage(&api, "one").await.iter().all(|one| one.get("unused_since").is_none()));
}

#[tokio::test]
async fn a_tenant_that_is_deleted_with_its_storage_leaves_no_byte_of_it() {
    let (site, server) = platform().await;
    let api = server.api();
    for script in ["one", "two"] {
        deploy(&api, script).await;
        put(&server, script, if script == "one" { CANARY } else { "other" }).await;
    }
    let url = api.url.clone();
    let run = site.run(&["script", "delete", "one", "-n", "production", "--purge", "--api-url", &url]).await;
    assert!(run.status.success(), "{run:?}");
    assert_eq!(storage(&api, "one").await, Vec::<Value>::new());
    assert_eq!(kept(&server, "two").await, json!(["other", ["other"], "other"]));
    // Under the same name comes somebody else.
    deploy(&api, "one").await;
    assert_eq!(kept(&server, "one").await, json!([null, true, null]));
    for (path, left) in [("storage/kv/namespaces", 2), ("d1/database", 2), ("queues", 2)] {
        let all = api.get(&format!("/client/v4/accounts/0/{path}")).await.result().clone();
        assert_eq!(all.as_array().unwrap().len(), left, "{path}: {all}");
    }
    let server = nothing_left(&site, server).await;
    let purged = server.api().delete(&format!("{NAMESPACES}/production?purge=true&force=true")).await;
    purged.result();
    for path in ["storage/kv/namespaces", "d1/database", "queues"] {
        let all = server.api().get(&format!("/client/v4/accounts/0/{path}")).await.result().clone();
        assert_eq!(all, json!([]), "{path}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_binding_of_its_own_is_told_and_nothing_is_made() {
    let (_site, server) = platform().await;
    let api = server.api();
    for (binding, told) in [
        (json!({"type": "d1", "name": "DB", "own": true, "id": "x"}), "the only field beside type and name"),
        (
            json!({"type": "plain_text", "name": "T", "own": true, "text": "x"}),
            "only kv_namespace, d1, queue",
        ),
        (json!({"type": "d1", "name": "DB", "own": "yes"}), "true or false"),
    ] {
        let metadata = json!({"main_module": "worker.js", "bindings": [binding]});
        let reply = api.javascript_with(&script_path("one"), &metadata, KEEPS).await;
        let message = reply.refused(400, 10021);
        assert!(message.contains(told), "{message}");
    }
    let broken = json!({"main_module": "worker.js", "bindings": [{"type": "d1", "name": "DB", "own": true}]});
    let reply = api.javascript_with(&script_path("one"), &broken, "export default {").await;
    assert_eq!(reply.status, 400, "{reply:?}");
    api.get(&format!("{}/storage", script_path("one"))).await.result();
    let strange = api.delete(&format!("{}?purge=perhaps", script_path("one"))).await;
    strange.refused(400, 10004);
}

const FILLS: &str = r#"
    export default {
      async fetch(request, { KEYS, DB, FILES, JOBS }) {
        const told = async (work) => { try { await work(); return "done"; } catch (error) { return error.message; } };
        const big = "x".repeat(60_000);
        const [, what] = new URL(request.url).pathname.split("/");
        const fill = {
          keys: (n) => KEYS.put(`k${n}`, big),
          db: async (n) => {
            await DB.exec("CREATE TABLE IF NOT EXISTS notes (text TEXT)");
            await DB.prepare("INSERT INTO notes VALUES (?)").bind(big).run();
          },
          files: (n) => FILES.put(`f${n}`, big),
          jobs: (n) => JOBS.send(big),
        }[what];
        const all = [];
        for (let n = 0; n < 4; n++) all.push(await told(() => fill(n)));
        if (what === "keys") all.push(await told(() => KEYS.put("k0", "less")));
        if (what === "db") all.push(await told(async () => { await DB.exec("DELETE FROM notes"); }));
        if (what === "files") all.push(await told(async () => { await FILES.delete("f0"); await FILES.put("f9", "less"); }));
        return Response.json(all);
      },
    };
"#;

#[tokio::test]
async fn a_tenant_fills_what_is_its_own_as_far_as_its_namespace_lets_it() {
    let (_site, server) = platform().await;
    let api = server.api();
    let limits = json!({"limits": {"storage_bytes": 150_000, "storage_entries": 3, "cpu_ms": 5_000}});
    api.patch(&format!("{NAMESPACES}/production"), &limits).await.result();
    let own = |(kind, name)| json!({"type": kind, "name": name, "own": true});
    let bindings: Vec<Value> =
        [("kv_namespace", "KEYS"), ("d1", "DB"), ("r2_bucket", "FILES"), ("queue", "JOBS")].map(own).into();
    let metadata = json!({"main_module": "worker.js", "bindings": bindings});
    api.javascript_with(&script_path("one"), &metadata, FILLS).await.result();
    for (what, rest, told) in [
        ("keys", Some("done"), "kv_bytes is 150000"),
        ("db", Some("done"), "d1_database_bytes is 150000"),
        ("files", Some("done"), "r2_bytes is 150000"),
        ("jobs", None, "queue_bytes is 150000"),
    ] {
        let answer = server.get("one.localhost", &format!("/{what}")).await;
        let all: Vec<String> =
            serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("{}", answer.text()));
        assert_eq!(all[0], "done", "{what}: {all:?}");
        assert!(all[3].contains(told), "{what}: {all:?}");
        assert_eq!(all.get(4).map(String::as_str), rest, "what makes it smaller is taken: {all:?}");
    }
    // A little less of everything, and then the number is what counts.
    let limits = json!({"limits": {"storage_entries": 1, "cpu_ms": 5_000}});
    api.patch(&format!("{NAMESPACES}/production"), &limits).await.result();
    let answer = server.get("one.localhost", "/jobs").await;
    assert!(answer.text().contains("queue_messages is 1;"), "{}", answer.text());
    // The operator is not the tenant.
    let listed = storage(&api, "one").await;
    let keys = listed[1]["id"].as_str().unwrap();
    let path = format!("/client/v4/accounts/0/storage/kv/namespaces/{keys}/values/of-the-operator");
    let put = api.request(http::Method::PUT, &path).body("x".repeat(200_000)).send().await.unwrap();
    assert_eq!(put.status(), 200);
}

#[tokio::test]
async fn a_folder_that_is_developed_in_has_its_storage_again_after_a_restart() {
    let site = Site::new(
        r#"
        [namespaces.production.scripts.one]
        main = "one.js"
        bindings = [{ type = "kv_namespace", name = "KEYS", own = true }]
        [[routes]]
        pattern = "*.test/*"
        namespace = "production"
        "#,
    );
    let counts = "export default { async fetch(_, { KEYS }) { const n = Number(await KEYS.get('n')) + 1; await KEYS.put('n', `${n}`); return new Response(`${n}`); } };";
    site.write("one.js", counts);
    for visit in ["1", "2"] {
        let mut server = site.dev().await;
        // Until it is compiled, visitors are told so.
        let said = eventually("an answer of the script", async || {
            let answer = server.get("one.test", "/").await;
            (answer.status == 200).then(|| answer.text().to_owned())
        });
        assert_eq!(said.await, visit);
        server.terminate();
        server.ended().await;
    }
}
