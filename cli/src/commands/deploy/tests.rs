//! Tests of [`super`].

use super::*;
use crate::args::{ListingArgs, RollbackIf};
use crate::output::tests::captured;

fn args() -> DeployArgs {
    DeployArgs {
        only_upload: false,
        message: None,
        rollback: RollbackIf::default(),
        file: None,
        assets: None,
        namespace: None,
        name: None,
        tags: Vec::new(),
        vars: Vec::new(),
        config: None,
        output: ListingArgs::default(),
    }
}

#[test]
fn a_script_is_called_like_its_file() {
    let plan = from_file(Some(Path::new("out/customer-a.wasm")), &args()).unwrap();
    assert_eq!(plan.key.to_string(), "customer-a");
    let mut named = args();
    named.namespace = Some("production".to_owned());
    named.name = Some("b".to_owned());
    let plan = from_file(Some(Path::new("out/customer-a.wasm")), &named).unwrap();
    assert_eq!(plan.key.to_string(), "production/b");
}

#[test]
fn a_name_that_breaks_the_grammar_is_wrong_use() {
    let failure = from_file(Some(Path::new("Customer A.wasm")), &args()).err().unwrap();
    assert_eq!(failure.exit_code(), 2);
    assert!(failure.to_string().contains("Customer A"), "{failure}");
}

#[test]
fn metadata_holds_what_was_asked_for_and_keeps_secrets() {
    let mut options = args();
    options.tags = vec!["paid".to_owned(), "paid".to_owned()];
    options.vars = vec![("GREETING".to_owned(), "hello".to_owned())];
    let plan = from_file(Some(Path::new("a.wasm")), &options).unwrap();
    assert_eq!(
        metadata(&plan, Some("a.wasm")),
        json!({
            "main_module": "a.wasm",
            "bindings": [{"type": "plain_text", "name": "GREETING", "text": "hello"}],
            "keep_bindings": ["secret_text", "secret_key"],
            "tags": ["paid"],
        })
    );
}

#[test]
fn modules_are_called_like_their_file_in_plain_characters() {
    assert_eq!(module_name(Path::new("out/customer-a.wasm")), "customer-a.wasm");
    assert_eq!(module_name(Path::new("out/é \"x\".wasm")), "___x_.wasm");
}

#[test]
fn without_tags_the_old_ones_are_left_alone() {
    let plan = from_file(Some(Path::new("a.wasm")), &args()).unwrap();
    assert_eq!(metadata(&plan, Some("a.wasm")).get("tags"), None);
}

#[test]
fn a_configuration_gives_bindings_limits_and_tags() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wasmyard.toml");
    let text = r#"
        [scripts.front]
        main = "front.wasm"
        bindings = [
            { type = "dispatch_namespace", name = "NS", namespace = "production" },
            { type = "secret_text", name = "KEY", text = "s3cret" },
        ]
        limits = { cpu_ms = 20 }
        [namespaces.production.scripts.a]
        main = "a.wasm"
        vars = { N = 1 }
        tags = ["t"]
    "#;
    std::fs::write(&file, text).unwrap();
    let mut options = args();
    options.config = Some(file);
    let (output, _, _) = captured();
    let plans = from_config(&options, &output).unwrap();
    let shown: Vec<String> = plans.iter().map(|plan| plan.key.to_string()).collect();
    assert_eq!(shown, ["front", "production/a"]);
    let front = metadata(&plans[0], Some("front.wasm"));
    assert_eq!(front["bindings"][0], json!({"type": "secret_text", "name": "KEY", "text": "s3cret"}));
    assert_eq!(front["limits"], json!({"cpu_ms": 20}));
    let a = metadata(&plans[1], Some("a.wasm"));
    assert_eq!(a["bindings"][0], json!({"type": "json", "name": "N", "json": 1}));
    assert_eq!(a["tags"], json!(["t"]));

    options.vars = vec![("N".to_owned(), "2".to_owned())];
    assert_eq!(from_config(&options, &output).err().unwrap().exit_code(), 2);
    options.name = Some("a".to_owned());
    let plans = from_config(&options, &output).unwrap();
    let a = metadata(&plans[0], Some("a.wasm"));
    assert_eq!(a["bindings"], json!([{"type": "plain_text", "name": "N", "text": "2"}]));
}

#[tokio::test]
async fn only_webassembly_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.wasm");
    std::fs::write(&file, b"#!/bin/sh").unwrap();
    assert!(read(&file).await.unwrap_err().to_string().contains("not WebAssembly"));
    std::fs::write(&file, b"\0asm\x0d\0\x01\0").unwrap();
    assert_eq!(read(&file).await.unwrap().len(), 8);
    let missing = read(&folder.path().join("b.wasm")).await.unwrap_err().to_string();
    assert!(missing.contains("build it first"), "{missing}");
}
