//! How a script comes to be bound to keys and values, and what stands against their deletion.

use serde_json::json;

use super::{KV, config, note, put, titled};
use crate::support::{NAMESPACES, PLATFORM_SCRIPTS, Server, Site, guest, script_path};

async fn made(server: &Server, title: &str) -> String {
    server.api().post(KV, &json!({"title": title})).await.result()["id"].as_str().unwrap().to_owned()
}

fn bound_to(id: &str) -> serde_json::Value {
    json!({
        "main_module": "worker.wasm",
        "bindings": [{"type": "kv_namespace", "name": "NOTES", "namespace_id": id}],
    })
}

#[tokio::test]
async fn an_upload_is_bound_by_its_metadata_or_not_deployed_at_all() {
    let server = Server::serving(&config()).await;
    let id = made(&server, "notes of c").await;
    let path = script_path("c");
    let refused = server.api().upload(&path, &bound_to("nobody"), guest::bytes("kv")).await;
    let said = refused.refused(400, 10021).to_owned();
    assert!(said.contains("NOTES") && said.contains("nobody"), "{said}");
    server.api().get(&format!("{path}/settings")).await.refused(404, 10092);

    server.api().upload(&path, &bound_to(&id), guest::bytes("kv")).await.result();
    put(&server, "c.test", "/k", "of c").await;
    assert_eq!(note(&server, "c.test", "/k").await.as_deref(), Some("of c"));
    let declared = json!({"type": "kv_namespace", "name": "NOTES", "namespace_id": id});
    assert_eq!(server.api().get(&format!("{path}/settings")).await.result()["bindings"], json!([declared]));
    assert_eq!(*server.api().get(&format!("{path}/bindings")).await.result(), json!([declared]));

    // Another namespace by the settings alone, and a settings call that keeps what it does not touch.
    let other = made(&server, "other notes of c").await;
    let patch = |bindings| json!({ "bindings": bindings });
    let settings = format!("{path}/settings");
    let gone = json!([{"type": "kv_namespace", "name": "NOTES", "namespace_id": "nobody"}]);
    server.api().patch(&settings, &patch(gone)).await.refused(400, 10021);
    let moved = json!([{"type": "kv_namespace", "name": "NOTES", "namespace_id": other}]);
    server.api().patch(&settings, &patch(moved.clone())).await.result();
    assert_eq!(note(&server, "c.test", "/k").await, None);
    server.api().patch(&settings, &patch(json!([{"type": "kv_namespace", "name": "NOTES"}]))).await.result();
    assert_eq!(server.api().get(&settings).await.result()["bindings"], moved);
}

#[tokio::test]
async fn a_script_without_the_binding_or_with_another_type_of_that_name_gets_none() {
    let server = Server::serving(&config()).await;
    let path = script_path("c");
    for (bindings, said) in [
        (json!([]), "no binding named \"NOTES\""),
        (json!([{"type": "plain_text", "name": "NOTES", "text": "x"}]), "`plain_text`"),
    ] {
        let metadata = json!({"main_module": "worker.wasm", "bindings": bindings});
        server.api().upload(&path, &metadata, guest::bytes("kv")).await.result();
        let answer = server.get("c.test", "/k").await;
        assert_eq!(answer.status, 500, "{}", answer.text());
        server.logged(said, |line| line.to_string().contains(&said.replace('"', "\\\""))).await;
    }
}

#[tokio::test]
async fn each_call_is_a_subrequest_in_the_record() {
    let site = Site::new(&config());
    let server = site.serve_with(&[("WASMYARD_LOG", "wasmyard::invocation=debug")]).await;
    put(&server, "a.test", "/k", "x").await;
    let line = server
        .logged("the record of the script", |line| {
            line["script"] == "production/a" && line["subrequests"].is_u64()
        })
        .await;
    assert_eq!(line["subrequests"], 1, "{line}");
}

#[tokio::test]
async fn a_namespace_in_use_is_not_deleted_unless_that_is_forced() {
    let server = Server::serving(&config()).await;
    let of_a = titled(&server, "notes of a").await;
    let refused = server.api().delete(&of_a).await;
    let said = refused.refused(409, 90015).to_owned();
    assert!(said.contains("NOTES") && said.contains("production/a"), "{said}");

    // A platform script, and one whose namespace has another name by now, are found just as well.
    let id = made(&server, "shared").await;
    server.api().post(NAMESPACES, &json!({"name": "old"})).await.result();
    server
        .api()
        .upload(&format!("{NAMESPACES}/old/scripts/u"), &bound_to(&id), guest::bytes("kv"))
        .await
        .result();
    server.api().upload(&format!("{PLATFORM_SCRIPTS}/p"), &bound_to(&id), guest::bytes("kv")).await.result();
    server.api().put(&format!("{NAMESPACES}/old"), &json!({"name": "new"})).await.result();
    let shared = format!("{KV}/{id}");
    let said = server.api().delete(&shared).await.refused(409, 90015).to_owned();
    assert!(said.contains("\"p\"") && said.contains("\"new/u\"") && !said.contains("old"), "{said}");
    server.api().delete(&format!("{PLATFORM_SCRIPTS}/p")).await.result();
    server.api().delete(&format!("{NAMESPACES}/new/scripts/u")).await.result();
    server.api().delete(&shared).await.result();

    let forced = server.api().delete(&format!("{of_a}?force=true")).await;
    forced.result();
    let said = forced.envelope["messages"][0]["message"].as_str().unwrap();
    assert!(said.contains("production/a"), "{said}");
    let answer = server.get("a.test", "/k").await;
    assert_eq!(answer.status, 500, "{}", answer.text());
    server.logged("what is gone", |line| line.to_string().contains("there is no KV namespace")).await;
    put(&server, "b.test", "/k", "others are not touched").await;
}

#[tokio::test]
async fn deploy_makes_the_namespace_that_the_file_names() {
    let site = Site::new("[limits]\ncpu_ms = 10000\n[[routes]]\npattern = \"*/*\"\nscript = \"notes\"\n");
    let server = site.serve().await;
    let url = server.api().url.clone();
    let scripts = format!(
        "[scripts.notes]\n{}\nkv_namespaces = [{{ binding = \"NOTES\", title = \"by the file\" }}]\n",
        guest::main("kv")
    );
    site.write("deploy.toml", scripts);
    for _ in 0..2 {
        let deployed = site.run(&["deploy", "--config", "deploy.toml", "--api-url", &url]).await;
        assert!(deployed.status.success(), "{deployed:?}");
        put(&server, "any.test", "/k", "kept").await;
        assert_eq!(note(&server, "any.test", "/k").await.as_deref(), Some("kept"));
    }
    assert_eq!(server.api().get(KV).await.result().as_array().unwrap().len(), 1);
}
