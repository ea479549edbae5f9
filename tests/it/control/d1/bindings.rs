//! How a script comes to be bound to a database, and what stands against a database's deletion.

use serde_json::json;

use super::{D1, OF_A, SCRIPT, ask, run, site};
use crate::support::{NAMESPACES, PLATFORM_SCRIPTS, Server, Site, script_path};

async fn made(server: &Server, name: &str) -> String {
    server.api().post(D1, &json!({"name": name})).await.result()["uuid"].as_str().unwrap().to_owned()
}

fn bound_to(id: &str) -> serde_json::Value {
    json!({"main_module": "worker.js", "bindings": [{"type": "d1", "name": "DB", "id": id}]})
}

#[tokio::test]
async fn an_upload_is_bound_by_its_metadata_or_not_deployed_at_all() {
    let server = site().serve().await;
    let id = made(&server, "of-c").await;
    let path = script_path("c");
    let nobody = "00000000-0000-4000-8000-000000000000";
    for (named, said) in [(nobody, "make it first"), ("of-c", "UUID")] {
        let refused = server.api().javascript_with(&path, &bound_to(named), SCRIPT).await;
        let text = refused.refused(400, 10021).to_owned();
        assert!(text.contains("DB") && text.contains(said), "{text}");
    }
    server.api().get(&format!("{path}/settings")).await.refused(404, 10092);

    server.api().javascript_with(&path, &bound_to(&id), SCRIPT).await.result();
    run(&server, "c.test", json!([["CREATE TABLE t (a)"]])).await;
    let declared = json!({"type": "d1", "name": "DB", "id": id, "database_id": id});
    assert_eq!(server.api().get(&format!("{path}/settings")).await.result()["bindings"], json!([declared]));
    let references = server.api().get(&format!("{path}/references")).await;
    assert_eq!(references.result()["d1_databases"], json!([{"name": "DB", "id": id}]));
    // What the settings show can be sent back.
    let patch = json!({ "bindings": [declared] });
    server.api().patch(&format!("{path}/settings"), &patch).await.result();
    run(&server, "c.test", json!([["SELECT * FROM t"]])).await;
}

#[tokio::test]
async fn a_script_without_the_binding_or_with_another_type_of_that_name_gets_none() {
    let server = site().serve().await;
    let path = script_path("c");
    for bindings in [json!([]), json!([{"type": "plain_text", "name": "DB", "text": "x"}])] {
        let metadata = json!({"main_module": "worker.js", "bindings": bindings});
        server.api().javascript_with(&path, &metadata, SCRIPT).await.result();
        let answer = ask(&server, "c.test", "/run", r#"[["SELECT 1"]]"#).await;
        assert_eq!(answer.status, 500, "{}", answer.text());
        assert!(!answer.text().contains("D1_"), "{}", answer.text());
    }
}

#[tokio::test]
async fn each_call_is_a_subrequest_in_the_record() {
    let server = site().serve_with(&[("WASMYARD_LOG", "wasmyard::invocation=debug")]).await;
    run(&server, "a.test", json!([["SELECT 1"], ["SELECT 2"]])).await;
    let line = server
        .logged("the record of the script", |line| {
            line["script"] == "production/a" && line["subrequests"].is_u64()
        })
        .await;
    assert_eq!(line["subrequests"], 1, "a batch is one: {line}");
}

#[tokio::test]
async fn a_database_in_use_is_not_deleted_unless_that_is_forced() {
    let server = site().serve().await;
    let refused = server.api().delete(&format!("{D1}/{OF_A}")).await;
    let said = refused.refused(409, 90015).to_owned();
    assert!(said.contains("DB") && said.contains("production/a"), "{said}");

    // A platform script, and one whose namespace has another name by now, are found just as well.
    let id = made(&server, "shared").await;
    server.api().post(NAMESPACES, &json!({"name": "old"})).await.result();
    let user = format!("{NAMESPACES}/old/scripts/u");
    server.api().javascript_with(&user, &bound_to(&id), SCRIPT).await.result();
    let platform = format!("{PLATFORM_SCRIPTS}/p");
    server.api().javascript_with(&platform, &bound_to(&id), SCRIPT).await.result();
    server.api().put(&format!("{NAMESPACES}/old"), &json!({"name": "new"})).await.result();
    let said = server.api().delete(&format!("{D1}/{id}")).await.refused(409, 90015).to_owned();
    assert!(said.contains("\"p\"") && said.contains("\"new/u\"") && !said.contains("old"), "{said}");
    server.api().delete(&platform).await.result();
    server.api().delete(&format!("{NAMESPACES}/new/scripts/u")).await.result();
    server.api().delete(&format!("{D1}/{id}")).await.result();

    let forced = server.api().delete(&format!("{D1}/{OF_A}?force=true")).await;
    forced.result();
    let said = forced.envelope["messages"][0]["message"].as_str().unwrap();
    assert!(said.contains("production/a"), "{said}");
    let answer = ask(&server, "a.test", "/run", r#"[["SELECT 1"]]"#).await;
    assert!(answer.text().contains("could not be found"), "{}", answer.text());
    run(&server, "b.test", json!([["SELECT 1"]])).await;
}

#[tokio::test]
async fn deploy_makes_the_database_that_the_file_names() {
    let site = Site::new("[limits]\ncpu_ms = 10000\n[[routes]]\npattern = \"*/*\"\nscript = \"counts\"\n");
    let server = site.serve().await;
    let url = server.api().url.clone();
    site.write("worker.js", SCRIPT);
    site.write(
        "deploy.toml",
        "[scripts.counts]\nmain = \"worker.js\"\nd1_databases = [{ binding = \"DB\", database_name = \"by-the-file\" }]\n",
    );
    for n in 1..3 {
        let deployed = site.run(&["deploy", "--config", "deploy.toml", "--api-url", &url]).await;
        assert!(deployed.status.success(), "{deployed:?}");
        let statements = json!([
            ["CREATE TABLE IF NOT EXISTS t (a)"],
            ["INSERT INTO t VALUES (1)"],
            ["SELECT count(*) AS n FROM t"]
        ]);
        assert_eq!(run(&server, "any.test", statements).await[2]["results"], json!([{ "n": n }]));
    }
    assert_eq!(server.api().get(D1).await.result().as_array().unwrap().len(), 1);
}
