//! Whole scripts of both kinds: list, show, delete.

use serde_json::{Value, json};

use crate::common::{Api, NAMESPACES, PLATFORM, SCRIPT, SCRIPTS, component};

const PLATFORM_SCRIPTS: &str = "/client/v4/accounts/acc1/workers/scripts";

#[tokio::test]
async fn a_user_script_has_its_times_inside_and_outside() {
    let api = Api::with_scripts().await;
    let shown = api.get(SCRIPT).await.result();
    assert_eq!((&shown["id"], &shown["dispatch_namespace"]), (&json!("customer-a"), &json!("production")));
    assert_eq!(shown["created_on"], shown["script"]["created_on"]);
    assert_eq!(shown["script"]["handlers"], json!(["fetch"]));
    assert_eq!(api.get(SCRIPTS).await.result(), json!([shown]));
    assert_eq!(api.get(&format!("{SCRIPTS}?page=2")).await.result(), json!([]));
}

#[tokio::test]
async fn scripts_are_listed_and_deleted_by_tags() {
    let api = Api::new().await;
    api.with_namespace().await;
    for (name, tags) in [("a", json!(["x", "y"])), ("b", json!(["x"])), ("c", json!([]))] {
        let metadata = json!({"main_module": "w.wasm", "tags": tags});
        api.upload(&format!("{SCRIPTS}/{name}"), &metadata, &component(name)).await.result();
    }
    let names = |answer: Value| -> Vec<String> {
        answer.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(api.get(SCRIPTS).await.result()), ["a", "b", "c"]);
    assert_eq!(names(api.get(&format!("{SCRIPTS}?tags=x:yes")).await.result()), ["a", "b"]);
    assert_eq!(names(api.get(&format!("{SCRIPTS}?tags=x:yes,y:no")).await.result()), ["b"]);
    for bad in ["", "x", "x:maybe", "x:yes,x:no"] {
        api.get(&format!("{SCRIPTS}?tags={bad}")).await.refused(400, 10004);
        api.delete(&format!("{SCRIPTS}?tags={bad}")).await.refused(400, 10004);
    }
    // A forgotten filter must not empty the namespace.
    assert!(api.delete(SCRIPTS).await.refused(400, 10004).contains("?tags="));
    let deleted = api.delete(&format!("{SCRIPTS}?tags=x:yes")).await.result();
    assert_eq!(
        deleted,
        json!({"deleted": [{"id": "a"}, {"id": "b"}], "deleted_count": 2, "has_more": false})
    );
    assert_eq!(names(api.get(SCRIPTS).await.result()), ["c"]);
    let nowhere = format!("{NAMESPACES}/nowhere/scripts");
    api.get(&nowhere).await.refused(404, 100_119);
    api.delete(&format!("{nowhere}?tags=x:yes")).await.refused(404, 100_119);
}

#[tokio::test]
async fn the_two_kinds_of_absence_have_two_numbers() {
    let api = Api::with_scripts().await;
    let gone = format!("{SCRIPTS}/gone");
    let nowhere = format!("{NAMESPACES}/nowhere/scripts/customer-a");
    let platform = format!("{PLATFORM_SCRIPTS}/gone");
    for (script, code) in [(&gone, 10092), (&nowhere, 100_119), (&platform, 10007)] {
        for suffix in ["", "/settings", "/content", "/secrets", "/secrets/KEY"] {
            api.get(&format!("{script}{suffix}")).await.refused(404, code);
        }
        api.delete(script).await.refused(404, code);
        api.delete(&format!("{script}/secrets/KEY")).await.refused(404, code);
        api.put(&format!("{script}/secrets"), &json!({"name": "KEY", "text": "x"})).await.refused(404, code);
        api.patch(&format!("{script}/settings"), &json!({})).await.refused(404, code);
        api.patch(&format!("{script}/secrets-bulk"), &json!({"secrets": {}})).await.refused(404, code);
        api.upload(&format!("{script}/content"), &json!({"main_module": "w.wasm"}), &component("x"))
            .await
            .refused(404, code);
    }
    for (script, code) in [(&gone, 10092), (&nowhere, 100_119)] {
        api.get(&format!("{script}/bindings")).await.refused(404, code);
        api.get(&format!("{script}/tags")).await.refused(404, code);
        api.put(&format!("{script}/tags"), &json!(["a"])).await.refused(404, code);
        api.put(&format!("{script}/tags/a"), &json!({})).await.refused(404, code);
        api.delete(&format!("{script}/tags/a")).await.refused(404, code);
    }
}

#[tokio::test]
async fn a_script_is_deleted() {
    let api = Api::with_scripts().await;
    assert_eq!(api.delete(&format!("{SCRIPT}?force=true")).await.result(), Value::Null);
    api.get(SCRIPT).await.refused(404, 10092);
    api.delete(SCRIPT).await.refused(404, 10092);
    assert_eq!(api.get(PLATFORM_SCRIPTS).await.result()[0]["id"], "dispatcher");
    api.delete(PLATFORM).await.result();
    assert_eq!(api.get(PLATFORM_SCRIPTS).await.result(), json!([]));
}
