//! What components import, as the engine finds it: told at each deploy, compared, and held against the file's policy.

use serde_json::json;

use crate::support::{Site, guest, script_path};

#[tokio::test]
async fn a_deploy_tells_what_the_component_can_reach_and_a_policy_refuses_it() {
    let site = Site::new(
        r#"
        [namespaces.open]
        [namespaces.closed]
        capabilities = { allow = ["wasi:io/*", "wasi:cli/*"], deny = ["binding:plain_text"] }
        "#,
    );
    let server = site.serve().await;
    let url = server.api().url.clone();
    site.write("hello.wasm", guest::bytes("hello"));
    let run = async |arguments: &[&str]| site.run(&[arguments, &["--api-url", &url]].concat()).await;
    let deployed = run(&["deploy", "hello.wasm", "-n", "open"]).await;
    let told = String::from_utf8(deployed.stdout).unwrap();
    assert!(told.contains("can reach now: ") && told.contains("wasi:http/types"), "{told}");
    let again = run(&["deploy", "hello.wasm", "-n", "open", "--var", "A=1"]).await;
    let told = String::from_utf8(again.stdout).unwrap();
    assert!(told.trim_end().ends_with("can reach now: binding:plain_text A"), "{told}");
    let compared = run(&["versions", "diff", "hello", "1", "2", "-n", "open"]).await;
    let told = String::from_utf8(compared.stdout).unwrap();
    assert!(told.contains("+ binding A") && !told.contains("import"), "{told}");
    let refused = run(&["deploy", "hello.wasm", "-n", "closed"]).await;
    let told = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{told}");
    for named in ["wasi:http/", "namespace \"closed\"", "10021"] {
        assert!(told.contains(named), "{named}: {told}");
    }
    // The file owns its policy.
    let namespace = script_path("x").replace("/production/scripts/x", "/closed");
    let changed = server.api().patch(&namespace, &json!({"capabilities": null})).await;
    assert_eq!((changed.status, &changed.envelope["errors"][0]["code"]), (409, &json!(90005)), "{changed:?}");
}
