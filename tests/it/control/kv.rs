//! Keys and values: scripts reach those of the namespaces that they are bound to and no others, the API shows the same,
//! and nothing that was answered for is lost.

mod bindings;
mod wasi;

use http::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::support::{Answer, NAMESPACES, Server, Site, body, guest, request, within};

/// Where KV namespaces are.
const KV: &str = "/client/v4/accounts/0/storage/kv/namespaces";

/// Two customers, each with notes of its own, behind a dispatcher.
fn config() -> String {
    format!(
        r#"
        [limits]
        cpu_ms = 10000
        [scripts.front]
        {front}
        bindings = [{{ type = "dispatch_namespace", name = "DISPATCHER", namespace = "production" }}]
        [namespaces.production.scripts.a]
        {notes}
        kv_namespaces = [{{ binding = "NOTES", title = "notes of a" }}]
        [namespaces.production.scripts.b]
        {notes}
        kv_namespaces = [{{ binding = "NOTES", title = "notes of b" }}]
        [[routes]]
        pattern = "*/*"
        script = "front"
        "#,
        front = guest::main("dispatcher_subdomain"),
        notes = guest::main("kv"),
    )
}

async fn ask(server: &Server, method: Method, host: &str, path: &str, content: &str) -> Answer {
    server.send(request(method, host, path).body(body(content.to_owned())).unwrap()).await
}

async fn put(server: &Server, host: &str, path: &str, content: &str) {
    let answer = ask(server, Method::PUT, host, path, content).await;
    assert_eq!(answer.status, 204, "{}", answer.text());
}

/// The note at a path; none where there is none.
async fn note(server: &Server, host: &str, path: &str) -> Option<String> {
    let answer = server.get(host, path).await;
    match answer.status {
        404 => None,
        200 => Some(answer.text().to_owned()),
        other => panic!("{other} {}", answer.text()),
    }
}

/// The path of the KV namespace with that title.
async fn titled(server: &Server, title: &str) -> String {
    let all = server.api().get(KV).await.result().clone();
    let found = all.as_array().unwrap().iter().find(|one| one["title"] == title).cloned();
    format!("{KV}/{}", found.unwrap()["id"].as_str().unwrap())
}

/// A value as the API gives it.
async fn value(server: &Server, path: &str) -> (u16, String) {
    let answer = within(path, server.api().request(Method::GET, path).send()).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn the_api_reads_what_a_script_wrote_and_the_other_way_round() {
    let server = Server::serving(&config()).await;
    let of_a = titled(&server, "notes of a").await;
    let written = request(Method::PUT, "a.test", "/shopping/milk").header("about", r#"{"by":"me"}"#);
    assert_eq!(server.send(written.body(body("two litres")).unwrap()).await.status, 204);

    // The slash in a key comes escaped from some clients, and as it is from others.
    for key in ["shopping%2Fmilk", "shopping/milk"] {
        let read = value(&server, &format!("{of_a}/values/{key}")).await;
        assert_eq!(read, (200, "two litres".to_owned()), "{key}");
        let metadata = server.api().get(&format!("{of_a}/metadata/{key}")).await;
        assert_eq!(*metadata.result(), json!({"by": "me"}));
    }
    let listed = server.api().get(&format!("{of_a}/keys?prefix=")).await;
    assert_eq!(*listed.result(), json!([{"name": "shopping/milk", "metadata": {"by": "me"}}]));
    assert_eq!(listed.envelope["result_info"], json!({"count": 1, "cursor": ""}));

    let path = format!("{of_a}/values/some%20key%2F%C3%A5?expiration_ttl=120");
    let form = Form::new().part("value", Part::bytes(vec![0xff, 0x00])).text("metadata", r#"{"a":1}"#);
    server.api().form(&path, form).await.result();
    let read = server.get("a.test", "/some%20key/%C3%A5").await;
    assert_eq!(
        (read.status, &read.body[..]),
        (404, "There is no such note.\n".as_bytes()),
        "paths stay as they are"
    );
    let got = server.api().request(Method::GET, &format!("{of_a}/values/some%20key%2F%C3%A5"));
    let got = within("a value", got.send()).await.unwrap();
    assert_eq!(got.headers()["content-type"], "application/octet-stream");
    assert!(got.headers()["expiration"].to_str().unwrap().parse::<u64>().is_ok());
    assert_eq!(got.bytes().await.unwrap()[..], [0xff, 0x00]);

    let plain = server.api().request(Method::PUT, &format!("{of_a}/values/k2")).body("value2");
    assert_eq!(within("a plain put", plain.send()).await.unwrap().status(), 200);
    assert_eq!(note(&server, "a.test", "/k2").await.as_deref(), Some("value2"));
    assert_eq!(ask(&server, Method::DELETE, "a.test", "/k2", "").await.status, 204);
    server.api().get(&format!("{of_a}/metadata/k2")).await.refused(404, 10009);
    assert_eq!(value(&server, &format!("{of_a}/values/k2")).await.0, 404);
}

#[tokio::test]
async fn two_tenants_with_the_same_keys_never_see_each_other() {
    let server = Server::serving(&config()).await;
    put(&server, "a.test", "/key", "of a").await;
    assert_eq!(note(&server, "b.test", "/key").await, None);
    put(&server, "b.test", "/key", "of b").await;
    put(&server, "b.test", "/key2", "more of b").await;
    assert_eq!(note(&server, "a.test", "/key").await.as_deref(), Some("of a"));
    assert_eq!(server.get("a.test", "/").await.text(), "key\n");
    assert_eq!(ask(&server, Method::DELETE, "a.test", "/key", "").await.status, 204);
    assert_eq!(note(&server, "b.test", "/key").await.as_deref(), Some("of b"));
    let (of_a, of_b) = (titled(&server, "notes of a").await, titled(&server, "notes of b").await);
    assert_eq!(*server.api().get(&format!("{of_a}/keys")).await.result(), json!([]));
    assert_eq!(server.api().get(&format!("{of_b}/keys")).await.result().as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_list_is_read_by_pages_from_both_sides() {
    let server = Server::serving(&config()).await;
    let of_a = titled(&server, "notes of a").await;
    let values: Vec<Value> = (0..25).map(|n| json!({"key": format!("k/{n:02}"), "value": "x"})).collect();
    let put = server.api().put(&format!("{of_a}/bulk"), &json!(values)).await;
    assert_eq!(put.result()["successful_key_count"], 25);
    put_other(&server).await;

    let (mut of_api, mut of_script) = (Vec::new(), Vec::new());
    let (mut cursor, mut own) = (String::new(), String::new());
    loop {
        let page = server.api().get(&format!("{of_a}/keys?prefix=k/&limit=10&cursor={cursor}")).await;
        of_api.extend(
            page.result().as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap().to_owned()),
        );
        cursor = page.envelope["result_info"]["cursor"].as_str().unwrap().to_owned();
        let page = server.get("a.test", &format!("/?prefix=k/&limit=10&cursor={own}")).await;
        of_script.extend(page.text().lines().map(str::to_owned));
        own = page.header("cursor").to_owned();
        assert_eq!(cursor, own);
        if cursor.is_empty() {
            break;
        }
    }
    let expected: Vec<String> = (0..25).map(|n| format!("k/{n:02}")).collect();
    assert_eq!((&of_api, &of_script), (&expected, &expected));
    server.api().get(&format!("{of_a}/keys?limit=0")).await.refused(400, 10021);
    server.api().get(&format!("{of_a}/keys?cursor=zz")).await.refused(400, 10021);
    assert_eq!(server.get("a.test", "/?limit=1001").await.status, 400);
}

async fn put_other(server: &Server) {
    put(server, "a.test", "/other", "beside the prefix").await;
}

#[tokio::test]
async fn what_was_answered_for_outlives_kill_9_and_a_title_leads_to_the_same_namespace() {
    let site = Site::new(&config());
    let mut server = site.serve().await;
    let id = titled(&server, "notes of a").await;
    for round in 0..5 {
        for n in 0..4 {
            put(&server, "a.test", &format!("/{round}-{n}"), "kept").await;
        }
        server.kill().await;
        server = site.serve().await;
        assert_eq!(titled(&server, "notes of a").await, id);
        let listed = server.get("a.test", "/").await;
        assert_eq!(listed.text().lines().count(), (round + 1) * 4, "{}", listed.text());
    }
    server.terminate();
    server.ended().await;
    let server = site.serve().await;
    assert_eq!(note(&server, "a.test", "/4-3").await.as_deref(), Some("kept"));
    assert_eq!(server.api().get(KV).await.result().as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn writes_under_way_when_it_is_killed_are_there_if_they_were_answered() {
    let site = Site::new(&config());
    let server = site.serve().await;
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let (api, of_a) = (server.api(), server.api());
            tokio::spawn(async move {
                let all = of_a.get(KV).await.result().clone();
                let id = all[0]["id"].as_str().unwrap().to_owned();
                let mut answered = Vec::new();
                for n in 0.. {
                    let path = format!("{KV}/{id}/values/{writer}-{n}");
                    let sent = api.request(Method::PUT, &path).body("x").send().await;
                    // Answered is only what arrived whole.
                    let Ok(answer) = sent else { return answered };
                    let status = answer.status();
                    if status != 200 || answer.bytes().await.is_err() {
                        return answered;
                    }
                    answered.push(format!("{writer}-{n}"));
                }
                answered
            })
        })
        .collect();
    let first = format!("{}/keys", titled(&server, "notes of a").await);
    crate::support::eventually("some writes", || async {
        let keys = server.api().get(&first).await.result().as_array().unwrap().len();
        (keys >= 20).then_some(())
    })
    .await;
    server.kill().await;
    let server = site.serve().await;
    let mut there = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = server.api().get(&format!("{first}?cursor={cursor}")).await;
        there.extend(
            page.result().as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap().to_owned()),
        );
        cursor = page.envelope["result_info"]["cursor"].as_str().unwrap().to_owned();
        if cursor.is_empty() {
            break;
        }
    }
    for writer in writers {
        for key in writer.await.unwrap() {
            assert!(there.contains(&key), "{key} was answered for");
        }
    }
}

#[tokio::test]
async fn limits_are_refused_with_their_rule() {
    let server = Server::serving(&config()).await;
    let of_a = titled(&server, "notes of a").await;
    let long = "k".repeat(513);
    let text = server.api().put(&format!("{of_a}/values/{long}"), &json!("x")).await;
    assert!(text.refused(400, 10021).contains("512"), "{text:?}");
    assert_eq!(ask(&server, Method::PUT, "a.test", &format!("/{long}"), "x").await.status, 400);
    for (query, rule) in [
        ("expiration_ttl=59", "60"),
        ("expiration=1", "60"),
        ("expiration=1&expiration_ttl=60", "one of them"),
    ] {
        let refused = server.api().put(&format!("{of_a}/values/k?{query}"), &json!("x")).await;
        assert!(refused.refused(400, 10021).contains(rule), "{query}: {refused:?}");
    }
    let refused = ask(&server, Method::PUT, "a.test", "/k?ttl=59", "x").await;
    assert!(refused.status == 400 && refused.text().contains("60"), "{}", refused.text());
    let form = Form::new().text("value", "x").text("metadata", format!("\"{}\"", "x".repeat(1_023)));
    server.api().form(&format!("{of_a}/values/k"), form).await.refused(400, 10021);
    let form = Form::new().text("metadata", "{}");
    server.api().form(&format!("{of_a}/values/k"), form).await.refused(400, 10021);

    let large =
        server.api().request(Method::PUT, &format!("{of_a}/values/large")).body(vec![b'x'; (25 << 20) + 1]);
    let answer = within("a value that is too large", large.send()).await.unwrap();
    assert_eq!(answer.status(), 413);
    let largest =
        server.api().request(Method::PUT, &format!("{of_a}/values/large")).body(vec![b'x'; 25 << 20]);
    assert_eq!(within("the largest value", largest.send()).await.unwrap().status(), 200);
    let read = server.get("a.test", "/large").await;
    assert_eq!((read.status, read.body.len()), (200, 25 << 20), "a script reads what the API put");
    assert_eq!(*server.api().get(&format!("{of_a}/keys")).await.result(), json!([{"name": "large"}]));

    let many: Vec<String> = (0..10_001).map(|n| n.to_string()).collect();
    let refused = server.api().request(Method::DELETE, &format!("{of_a}/bulk")).json(&many);
    assert_eq!(within("too many keys", refused.send()).await.unwrap().status(), 400);
    let values = json!([{"key": "good", "value": "x"}, {"key": "..", "value": "x"}]);
    server.api().put(&format!("{of_a}/bulk"), &values).await.refused(400, 10021);
    assert_eq!(
        server.api().get(&format!("{of_a}/keys")).await.result().as_array().unwrap().len(),
        1,
        "all or none"
    );
}

#[tokio::test]
async fn many_keys_are_put_read_and_deleted_in_one_call() {
    let server = Server::serving(&config()).await;
    let of_a = titled(&server, "notes of a").await;
    let values = json!([
        {"key": "a", "value": "1", "expiration_ttl": 100, "metadata": {"m": 1}},
        {"key": "b", "value": "AP8=", "base64": true},
        {"key": "j", "value": "{\"n\":1}"},
    ]);
    server.api().put(&format!("{of_a}/bulk"), &values).await.result();
    let found = server.api().post(&format!("{of_a}/bulk/get"), &json!({"keys": ["a", "nobody"]})).await;
    assert_eq!(*found.result(), json!({"values": {"a": "1", "nobody": null}}));
    let wanted = json!({"keys": ["j"], "type": "json", "withMetadata": true});
    let found = server.api().post(&format!("{of_a}/bulk/get"), &wanted).await;
    assert_eq!(*found.result(), json!({"values": {"j": {"value": {"n": 1}, "metadata": null}}}));
    let bytes = server.api().request(Method::GET, &format!("{of_a}/values/b")).send().await.unwrap();
    assert_eq!(bytes.bytes().await.unwrap()[..], [0, 255]);
    let gone = server.api().request(Method::DELETE, &format!("{of_a}/bulk")).json(&json!(["a", "nobody"]));
    assert_eq!(within("a bulk delete", gone.send()).await.unwrap().status(), 200);
    server.api().post(&format!("{of_a}/bulk/delete"), &json!(["b"])).await.result();
    assert_eq!(*server.api().get(&format!("{of_a}/keys")).await.result(), json!([{"name": "j"}]));
}

#[tokio::test]
async fn namespaces_are_made_listed_renamed_and_deleted() {
    let server = Server::serving("").await;
    let api = server.api();
    let made = api.post(KV, &json!({"title": "NS1"})).await;
    let id = made.result()["id"].as_str().unwrap().to_owned();
    assert_eq!(*made.result(), json!({"id": id, "title": "NS1", "supports_url_encoding": true}));
    api.post(KV, &json!({"title": "NS1"})).await.refused(400, 10014);
    api.post(KV, &json!({"title": ""})).await.refused(400, 10021);
    api.post(KV, &json!({"title": "another"})).await.result();
    // Clients ask for page after page until an empty one comes.
    let list = |page: u32| format!("{KV}?per_page=1000&order=title&direction=asc&page={page}");
    let titles: Vec<Value> =
        api.get(&list(1)).await.result().as_array().unwrap().iter().map(|one| one["title"].clone()).collect();
    assert_eq!(titles, ["NS1", "another"]);
    assert_eq!(*api.get(&list(2)).await.result(), json!([]));
    let path = format!("{KV}/{id}");
    assert_eq!(api.put(&path, &json!({"title": "new"})).await.result()["title"], "new");
    assert_eq!(api.get(&path).await.result()["title"], "new");
    api.put(&path, &json!({"title": "another"})).await.refused(400, 10014);
    api.delete(&path).await.result();
    for rest in ["", "/keys", "/values/k", "/metadata/k"] {
        api.get(&format!("{path}{rest}")).await.refused(404, 10013);
    }
    api.put(&format!("{path}/values/k"), &json!("x")).await.refused(404, 10013);
    api.delete(&path).await.refused(404, 10013);
    api.get(&format!("{KV}/not%20one")).await.refused(400, 10004);
    assert_eq!(api.with_token("wrong").get(&format!("{KV}/{id}/keys")).await.status, 401);
    let namespaces = api.get(NAMESPACES).await;
    assert_eq!(*namespaces.result(), json!([]), "they are no dispatch namespaces");
}
