//! Buckets and objects by the API: what clients rely on, and what is refused.

use axum::body::Body;
use http::{Method, header};
use serde_json::{Value, json};

use crate::common::{Answer, Api};

const BUCKETS: &str = "/client/v4/accounts/acc1/r2/buckets";

async fn with(api: &Api, method: Method, path: &str, fields: &[(&str, &str)], content: &str) -> Answer {
    let mut request = api.request(method, path);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    api.raw(request.body(Body::from(content.to_owned())).unwrap()).await
}

fn names(listed: &Value) -> Vec<&str> {
    listed["buckets"].as_array().unwrap().iter().map(|bucket| bucket["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn buckets_are_made_found_changed_and_deleted() {
    let api = Api::new().await;
    let wanted = json!({"name": "photos", "locationHint": "weur", "storageClass": "InfrequentAccess"});
    let made = api.post(BUCKETS, &wanted).await.result();
    assert_eq!((&made["name"], &made["location"]), (&json!("photos"), &json!("weur")));
    assert_eq!(
        (&made["storage_class"], &made["jurisdiction"]),
        (&json!("InfrequentAccess"), &json!("default"))
    );
    assert_eq!(api.get(&format!("{BUCKETS}/photos")).await.result(), made);
    api.post(BUCKETS, &wanted).await.refused(409, 10004);
    for bad in ["Photos", "x", "-ab", "a_b"] {
        api.post(BUCKETS, &json!({ "name": bad })).await.refused(400, 10021);
    }
    api.post(BUCKETS, &json!({"name": "abc", "storageClass": "Cold"})).await.refused(400, 10021);
    for name in ["alpha", "beta"] {
        api.post(BUCKETS, &json!({ "name": name })).await.result();
    }
    assert_eq!(names(&api.get(BUCKETS).await.result()), ["alpha", "beta", "photos"]);
    assert_eq!(
        names(&api.get(&format!("{BUCKETS}?direction=desc")).await.result()),
        ["photos", "beta", "alpha"]
    );
    assert_eq!(names(&api.get(&format!("{BUCKETS}?name_contains=eta")).await.result()), ["beta"]);
    let page = api.get(&format!("{BUCKETS}?per_page=2")).await.json();
    assert_eq!(names(&page["result"]), ["alpha", "beta"]);
    let cursor = page["result_info"]["cursor"].as_str().unwrap();
    let last = api.get(&format!("{BUCKETS}?per_page=2&cursor={cursor}")).await.json();
    assert_eq!(names(&last["result"]), ["photos"]);
    assert_eq!(last["result_info"].get("cursor"), None);
    api.get(&format!("{BUCKETS}?per_page=0")).await.refused(400, 10004);
    let class = [("cf-r2-storage-class", "Standard")];
    let changed = with(&api, Method::PATCH, &format!("{BUCKETS}/photos"), &class, "").await.result();
    assert_eq!(changed["storage_class"], "Standard");
    api.patch(&format!("{BUCKETS}/photos"), &json!({})).await.refused(400, 10021);
    api.delete(&format!("{BUCKETS}/photos")).await.result();
    api.delete(&format!("{BUCKETS}/photos")).await.refused(404, 10006);
    api.get(&format!("{BUCKETS}/NO")).await.refused(400, 10004);
}

#[tokio::test]
async fn objects_are_put_read_and_deleted_as_clients_do() {
    let api = Api::new().await;
    api.post(BUCKETS, &json!({"name": "photos"})).await.result();
    let path = format!("{BUCKETS}/photos/objects/a%20b/%C3%A5.txt");
    let fields = [
        ("content-type", "text/x-photo"),
        ("cache-control", "max-age=60"),
        ("content-disposition", "inline"),
        ("expires", "Fri, 02 Jan 1970 00:00:00 GMT"),
        ("cf-r2-storage-class", "InfrequentAccess"),
    ];
    let made = with(&api, Method::PUT, &path, &fields, "0123456789").await.result();
    assert_eq!((&made["key"], &made["size"]), (&json!("a b/å.txt"), &json!(10)));
    assert_eq!(made["etag"], "781e5e245d69b566979b86e28d23f2c7");
    let got = api.get(&path).await;
    assert_eq!((got.status.as_u16(), &got.body[..]), (200, &b"0123456789"[..]));
    for (name, value) in &fields[..4] {
        assert_eq!(got.headers[*name], *value);
    }
    assert_eq!(got.headers[header::ETAG], "\"781e5e245d69b566979b86e28d23f2c7\"");
    assert!(got.headers.contains_key(header::LAST_MODIFIED));
    let ranged = with(&api, Method::GET, &path, &[("range", "bytes=2-4")], "").await;
    assert_eq!((ranged.status.as_u16(), &ranged.body[..]), (206, &b"234"[..]));
    assert_eq!(ranged.headers[header::CONTENT_RANGE], "bytes 2-4/10");
    with(&api, Method::GET, &path, &[("range", "bytes=10-")], "").await.refused(416, 10039);
    let etag = got.headers[header::ETAG].to_str().unwrap();
    let same = with(&api, Method::GET, &path, &[("if-none-match", etag)], "").await;
    assert_eq!((same.status.as_u16(), same.body.len()), (304, 0));
    with(&api, Method::GET, &path, &[("if-match", "\"other\"")], "").await.refused(412, 10031);
    with(&api, Method::PUT, &path, &[("if-none-match", "*")], "new").await.refused(412, 10031);

    let listed = api.get(&format!("{BUCKETS}/photos/objects?delimiter=/")).await.json();
    assert_eq!((&listed["result"], &listed["result_info"]["delimited"]), (&json!([]), &json!(["a b/"])));
    assert_eq!(listed["result_info"]["is_truncated"], false);
    let listed = api.get(&format!("{BUCKETS}/photos/objects?prefix=a")).await.result();
    assert_eq!(listed[0]["http_metadata"]["cacheExpiry"], "1970-01-02T00:00:00.000000Z");
    assert_eq!(listed[0]["storage_class"], "InfrequentAccess");
    let usage = api.get(&format!("{BUCKETS}/photos/usage")).await.result();
    assert_eq!(usage["objectCount"], "1");

    let filter = json!({"filter": {"bucketName": "photos"}});
    let asked =
        json!({"query": "query getR2StorageMetrics { r2StorageAdaptiveGroups }", "variables": filter});
    let figures = api.post("/client/v4/graphql", &asked).await.json();
    let group = &figures["data"]["viewer"]["accounts"][0]["r2StorageAdaptiveGroups"][0];
    assert_eq!(group["max"]["objectCount"], 1);
    let other = api.post("/client/v4/graphql", &json!({"query": "query other { x }"})).await.json();
    assert_eq!(other["data"], Value::Null);

    api.delete(&format!("{BUCKETS}/photos?force=true")).await.refused(409, 10008);
    assert_eq!(api.delete(&path).await.result(), json!({"key": "a b/å.txt"}));
    api.delete(&path).await.result();
    api.get(&path).await.refused(404, 10007);
    api.get(&format!("{BUCKETS}/nobody/objects/k")).await.refused(404, 10006);
    let gone = with(&api, Method::PUT, &format!("{BUCKETS}/nobody/objects/k"), &[], "x").await;
    gone.refused(404, 10006);
    let keys = json!(["one", "two"]);
    let path = format!("{BUCKETS}/photos/objects");
    let many = api.send(Method::DELETE, &path, "application/json", keys.to_string());
    assert_eq!(many.await.result().as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_token_looks_at_objects_or_changes_them() {
    let api = Api::new().await;
    api.post(BUCKETS, &json!({"name": "photos"})).await.result();
    let group = |id: &str| {
        json!({"policies": [{"effect": "allow", "permission_groups": [{"id": id}],
               "resources": {"com.cloudflare.api.account.*": "*"}}]})
    };
    let object = format!("{BUCKETS}/photos/objects/k");
    let reader = api.token_for(&group("b4992e1108244f5d8bfbd5744320c2e1")).await;
    with(&reader, Method::PUT, &object, &[], "x").await.refused(403, 10000);
    reader.delete(&format!("{BUCKETS}/photos")).await.refused(403, 10000);
    let writer = api.token_for(&group("bf7481a1826f439697cb59a20b22293e")).await;
    with(&writer, Method::PUT, &object, &[], "x").await.result();
    assert_eq!(reader.get(&object).await.body, "x");
    let other = api.token_for(&group("f7f0eda5697f475c90846e879bab8666")).await;
    other.get(&object).await.refused(403, 10000);
}
