//! Shapes of bodies and answers that clients in use send and expect.

use http::Method;
use serde_json::{Value, json};

use crate::common::{Api, Form, NAMESPACES, PLATFORM, SCRIPT, component};

const ROUTES: &str = "/client/v4/accounts/acc1/workers/routes";

#[tokio::test]
async fn an_array_is_no_object() {
    let api = Api::with_scripts().await;
    let before = api.stored().await;
    for (method, path, body) in [
        (Method::POST, NAMESPACES.to_owned(), json!(["arrns"])),
        (Method::PATCH, format!("{NAMESPACES}/production"), json!([null, true])),
        (Method::PATCH, format!("{NAMESPACES}/production"), json!({"egress": [[], [], [], null]})),
        (Method::PATCH, format!("{NAMESPACES}/production"), json!({"limits": [1]})),
        (Method::PUT, format!("{SCRIPT}/secrets"), json!(["K9", "v"])),
        (Method::PATCH, format!("{SCRIPT}/secrets-bulk"), json!({"secrets": {"K9": ["K9", "v"]}})),
        (Method::PATCH, format!("{SCRIPT}/settings"), json!([null])),
        (Method::PATCH, format!("{SCRIPT}/tags"), json!([["a"], []])),
        (Method::PATCH, format!("{PLATFORM}/script-settings"), json!([null, null])),
        (Method::POST, ROUTES.to_owned(), json!(["a.example.com/*", "dispatcher"])),
        (Method::POST, "/client/v4/user/tokens".to_owned(), json!(["ci"])),
    ] {
        let answer = api.send(method, &path, "application/json", body.to_string()).await;
        let text = answer.refused(400, 10021);
        assert!(text.contains("object") || text.contains("map"), "{path} {body}: {text}");
    }
    let metadata = json!({"main_module": "a.wasm", "assets": ["token"]});
    api.upload(SCRIPT, &metadata, &component("a")).await.refused(400, 10021);
    assert_eq!(api.stored().await, before);
}

#[tokio::test]
async fn a_key_that_nobody_knows_is_taken_with_a_remark() {
    let api = Api::with_scripts().await;
    let note = |answer: crate::common::Answer| {
        answer.result();
        answer.json()["messages"].to_string()
    };
    let metadata = json!({"main_module": "a.wasm", "some_new_key": 1, "assets_of_tomorrow": {}});
    let said = note(api.upload(SCRIPT, &metadata, &component("a")).await);
    assert!(said.contains("some_new_key") && said.contains("assets_of_tomorrow"), "{said}");
    let said = note(api.post(NAMESPACES, &json!({"name": "new", "region_of_tomorrow": "x"})).await);
    assert!(said.contains("region_of_tomorrow"), "{said}");
    let secret = json!({"name": "K", "text": "v", "type": "secret_text", "expiry_of_tomorrow": 1});
    assert!(note(api.put(&format!("{SCRIPT}/secrets"), &secret).await).contains("expiry_of_tomorrow"));
    let settings = json!({"tags": [], "settings_of_tomorrow": 1});
    assert!(note(api.patch(&format!("{SCRIPT}/settings"), &settings).await).contains("of_tomorrow"));
    // A slip is refused, and so is what might have narrowed a token.
    let slip = json!({"main_modul": "a.wasm"});
    assert!(api.upload(SCRIPT, &slip, &component("a")).await.refused(400, 10021).contains("main_modul"));
    let token = json!({"name": "ci", "scope_of_tomorrow": "read"});
    let text = api.post("/client/v4/user/tokens", &token).await.refused(400, 10021);
    assert!(text.contains("scope_of_tomorrow"), "{text}");
}

#[tokio::test]
async fn one_tag_answers_an_object_as_clients_expect() {
    let api = Api::with_scripts().await;
    let path = format!("{SCRIPT}/tags/a");
    assert_eq!(api.put(&path, &json!({})).await.result(), json!({"tags": ["a"]}));
    assert_eq!(api.delete(&path).await.result(), json!({"tags": []}));
}

#[tokio::test]
async fn a_date_that_is_not_there_is_left_out_and_one_with_a_time_is_cut() {
    let api = Api::with_scripts().await;
    let list = PLATFORM.trim_end_matches("/dispatcher");
    assert_eq!(api.get(list).await.result()[0].get("compatibility_date"), None);
    assert_eq!(api.get(&format!("{SCRIPT}/settings")).await.result().get("compatibility_date"), None);
    let dated = json!({"main_module": "d.wasm", "compatibility_date": "2021-01-01T00:00:00Z"});
    api.upload(PLATFORM, &dated, &component("d")).await.result();
    assert_eq!(api.get(list).await.result()[0]["compatibility_date"], "2021-01-01");
    let settings = json!({"compatibility_date": "2022-02-02T01:02:03Z"});
    let changed = api.patch(&format!("{SCRIPT}/settings"), &settings).await.result();
    assert_eq!(changed["compatibility_date"], "2022-02-02");
    let bad = json!({"main_module": "d.wasm", "compatibility_date": "2021-13-01T00:00:00Z"});
    api.upload(PLATFORM, &bad, &component("d")).await.refused(400, 10021);
}

#[tokio::test]
async fn if_match_names_the_content_that_an_upload_replaces() {
    let api = Api::with_scripts().await;
    let upload = async |condition: &str, path: &str| {
        let form = Form::new()
            .part("form-data; name=\"metadata\"", None, br#"{"main_module":"a.wasm"}"#)
            .part("form-data; name=\"a.wasm\"; filename=\"a.wasm\"", None, &component("b"));
        let request = api.request(Method::PUT, path).header("if-match", condition);
        let request = request.header("content-type", Form::CONTENT_TYPE);
        api.raw(request.body(axum::body::Body::from(form.end())).unwrap()).await
    };
    let etag = api.get(SCRIPT).await.result()["script"]["etag"].as_str().unwrap().to_owned();
    let text = upload("\"nope\"", SCRIPT).await.refused(412, 10018);
    assert!(text.contains(&etag), "{text}");
    let new = SCRIPT.replace("customer-a", "new");
    upload("*", &new).await.refused(412, 10018);
    assert_eq!(api.get(SCRIPT).await.result()["script"]["version_number"], 1);
    upload(&format!("\"other\", \"{etag}\""), SCRIPT).await.result();
    upload("W/\"old\"", SCRIPT).await.refused(412, 10018);
    upload("*", SCRIPT).await.result();
}

#[tokio::test]
async fn a_byte_order_mark_is_read_over() {
    let api = Api::with_scripts().await;
    let marked = |text: &str| [b"\xef\xbb\xbf", text.as_bytes()].concat();
    let form = Form::new()
        .part("form-data; name=\"metadata\"", None, &marked(r#"{"main_module":"a.wasm","tags":["bom"]}"#))
        .part("form-data; name=\"a.wasm\"; filename=\"a.wasm\"", None, &component("b"));
    let uploaded = api.form(Method::PUT, SCRIPT, form).await.result();
    assert_eq!(uploaded["tags"], json!(["bom"]));
    let made = api.send(Method::POST, NAMESPACES, "application/json", marked(r#"{"name":"marked"}"#)).await;
    assert_eq!(made.result()["namespace_name"], "marked");
    api.send(Method::POST, NAMESPACES, "application/json", marked("")).await.refused(400, 10006);
}

#[tokio::test]
async fn what_has_no_file_may_come_as_json() {
    let api = Api::with_scripts().await;
    for content_type in ["application/json", "application/javascript"] {
        let kept = json!({"metadata": {"keep_assets": true, "main_module": "a.wasm", "tags": ["json"]}});
        let answer = api.send(Method::PUT, SCRIPT, content_type, kept.to_string()).await;
        assert_eq!(answer.result()["tags"], json!(["json"]), "{content_type}");
    }
    let refused = api.send(Method::PUT, SCRIPT, "application/json", r#"{"main_module":"a.wasm"}"#).await;
    refused.refused(415, 10001);
    // What is no JSON under the type of a script is a script.
    let script =
        api.send(Method::PUT, SCRIPT, "application/javascript", "addEventListener('fetch', f)").await;
    assert_eq!(script.result()["startup_time_ms"], 3);
    assert_eq!(Value::Null, api.get("/client/v4/user/tokens").await.json()["errors"][0]);
}

/// Every place in a value where one of these keys stands, as a path, with what stands there.
fn ids(value: &Value, path: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let path = format!("{path}/{key}");
                if matches!(key.as_str(), "id" | "created_by" | "modified_by")
                    && let Some(text) = value.as_str()
                {
                    found.push((path.clone(), text.to_owned()));
                }
                ids(value, &path, found);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| ids(value, path, found)),
        _ => {}
    }
}

#[tokio::test]
async fn who_and_where_are_told_by_32_hexadecimal_digits() {
    let api = Api::with_scripts().await;
    api.post("/client/v4/zones", &json!({"name": "saas.test", "type": "full"})).await.result();
    let mut all = Vec::new();
    for path in [
        "/client/v4/user",
        "/client/v4/accounts",
        "/client/v4/memberships",
        "/client/v4/user/tokens",
        "/client/v4/user/tokens/verify",
        "/client/v4/accounts/acc1/tokens/verify",
        "/client/v4/zones",
        NAMESPACES,
    ] {
        ids(&api.get(path).await.result(), path.trim_start_matches("/client/v4"), &mut all);
    }
    all.retain(|(path, _)| !path.ends_with("/plan/id"));
    let places: Vec<&str> = all.iter().map(|(path, _)| path.as_str()).collect();
    let namespaces = NAMESPACES.trim_start_matches("/client/v4");
    for place in [
        "/user/id",
        "/accounts/id",
        "/memberships/id",
        "/memberships/account/id",
        "/user/tokens/id",
        "/user/tokens/verify/id",
        "/accounts/acc1/tokens/verify/id",
        "/zones/id",
        "/zones/account/id",
        "/zones/owner/id",
        &format!("{namespaces}/created_by"),
        &format!("{namespaces}/modified_by"),
    ] {
        assert!(places.contains(&place), "{place} is not among {places:?}");
    }
    for (path, id) in &all {
        let digits = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        assert!(id.len() == 32 && id.bytes().all(digits), "{path}: {id}");
    }
    // The account is called by it as well, as by any other name.
    let account = api.get("/client/v4/accounts").await.result()[0]["id"].as_str().unwrap().to_owned();
    let path = NAMESPACES.replace("acc1", &account);
    assert_eq!(api.get(&path).await.result(), api.get(NAMESPACES).await.result());
}

#[tokio::test]
async fn of_writers_that_saw_the_same_content_one_wins_and_the_others_are_told() {
    let api = Api::with_scripts().await;
    let etag = api.get(SCRIPT).await.result()["script"]["etag"].as_str().unwrap().to_owned();
    for path in [SCRIPT.to_owned(), format!("{SCRIPT}/content")] {
        let etag = api.get(SCRIPT).await.result()["script"]["etag"].as_str().unwrap().to_owned();
        let writers = (0..8).map(|writer| {
            let form =
                Form::new().part("form-data; name=\"metadata\"", None, br#"{"main_module":"a.wasm"}"#).part(
                    "form-data; name=\"a.wasm\"; filename=\"a.wasm\"",
                    None,
                    &component(&format!("{path}{writer}")),
                );
            let request = api.request(Method::PUT, &path).header("if-match", format!("\"{etag}\""));
            let request = request.header("content-type", Form::CONTENT_TYPE);
            api.raw(request.body(axum::body::Body::from(form.end())).unwrap())
        });
        let mut codes: Vec<u16> = Vec::new();
        for answer in futures::future::join_all(writers).await {
            if answer.status == 412 {
                codes.push(u16::try_from(answer.json()["errors"][0]["code"].as_u64().unwrap()).unwrap());
            } else {
                answer.result();
            }
        }
        assert_eq!(codes, [10018; 7], "{path}");
    }
    assert_ne!(api.get(SCRIPT).await.result()["script"]["etag"], etag.as_str());
}
