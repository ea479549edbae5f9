//! The seven operations on tags (two of them, on all scripts of a namespace, are in `scripts`).

use http::Method;
use serde_json::json;

use crate::common::{Api, SCRIPT};

fn tags() -> String {
    format!("{SCRIPT}/tags")
}

#[tokio::test]
async fn tags_are_set_added_removed_and_listed() {
    let api = Api::with_scripts().await;
    assert_eq!(api.get(&tags()).await.result(), json!([]));
    assert_eq!(api.put(&tags(), &json!(["b", "a", "b"])).await.result(), json!(["a", "b"]));
    assert_eq!(
        api.put(&format!("{}/c%2Fd", tags()), &json!({})).await.result()["tags"],
        json!(["a", "b", "c/d"])
    );
    assert_eq!(api.delete(&format!("{}/a", tags())).await.result()["tags"], json!(["b", "c/d"]));
    // Adding what is there and removing what is not leaves things as they are.
    api.put(&format!("{}/b", tags()), &json!({})).await.result();
    api.delete(&format!("{}/zzz", tags())).await.result();
    assert_eq!(api.get(&tags()).await.result(), json!(["b", "c/d"]));
    assert_eq!(api.get(&format!("{}?page=1", tags())).await.result(), json!(["b", "c/d"]));
}

#[tokio::test]
async fn a_filter_answers_yes_or_no() {
    let api = Api::with_scripts().await;
    api.put(&tags(), &json!(["customer-123", "env:prod"])).await.result();
    for (filter, matches) in [
        ("customer-123:yes", true),
        ("customer-123:no", false),
        ("customer-123:yes,other:no", true),
        ("env:prod:yes", true),
        ("other:yes", false),
    ] {
        assert_eq!(api.get(&format!("{}?tags={filter}", tags())).await.result(), json!(matches), "{filter}");
    }
    api.get(&format!("{}?tags=nonsense", tags())).await.refused(400, 10004);
}

#[tokio::test]
async fn the_documented_curl_call_works() {
    let api = Api::with_scripts().await;
    let answer = api.send(Method::PUT, &tags(), "application/javascript", "['TAG1', 'TAG2', 'TAG3']").await;
    assert_eq!(answer.result(), json!(["TAG1", "TAG2", "TAG3"]));
}

#[tokio::test]
async fn bad_tags_are_refused() {
    let api = Api::with_scripts().await;
    let eight: Vec<String> = (0..8).map(|n| format!("t{n}")).collect();
    api.put(&tags(), &json!(eight)).await.result();
    let nine: Vec<String> = (0..9).map(|n| format!("t{n}")).collect();
    assert!(api.put(&tags(), &json!(nine)).await.refused(400, 10021).contains('8'));
    assert!(api.put(&format!("{}/ninth", tags()), &json!({})).await.refused(400, 10021).contains('8'));
    for bad in [
        json!(["a,b"]),
        json!(["a&b"]),
        json!([""]),
        json!(["a\u{7}"]),
        json!(["x".repeat(1025)]),
        json!([1]),
        json!({"tags": []}),
    ] {
        api.put(&tags(), &bad).await.refused(400, 10021);
    }
    for bad in ["", "a,b", "['a'", "[a]"] {
        api.send(Method::PUT, &tags(), "application/json", bad).await.refused(400, 10006);
    }
    api.put(&format!("{}/a,b", tags()), &json!({})).await.refused(400, 10004);
    api.delete(&format!("{}/a%26b", tags())).await.refused(400, 10004);
    assert_eq!(api.get(&tags()).await.result(), json!(eight));
}

#[tokio::test]
async fn several_tags_are_added_and_removed_together_or_not_at_all() {
    let api = Api::with_scripts().await;
    let path = format!("{SCRIPT}/tags");
    api.put(&path, &json!(["x", "y", "z"])).await.result();
    let nine = json!({"add": ["a", "b", "c", "d", "e", "f"]});
    assert!(api.patch(&path, &nine).await.refused(400, 10021).contains("9 tags are more than the 8"));
    assert_eq!(api.get(&path).await.result(), json!(["x", "y", "z"]), "none was added");
    let both = json!({"add": ["a", "x"], "remove": ["y", "nothing"]});
    assert_eq!(api.patch(&path, &both).await.result(), json!(["a", "x", "z"]));
    api.patch(&path, &json!({"add": ["a,b"]})).await.refused(400, 10021);
    api.patch(&path, &json!({"ad": ["a"]})).await.refused(400, 10021);
    api.patch(&path.replace("customer-a", "nobody"), &both).await.refused(404, 10092);
}
