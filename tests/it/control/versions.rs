//! Versions that are kept, and deployments: what serves changes by a word, at once, and back.

use http::Method;
use serde_json::{Value, json};

use super::deploy::config;
use crate::support::{Api, Server, Site, body, eventually, request, script_path, wat};

const HOST: &str = "shop.localhost";

async fn said(server: &Server) -> String {
    server.get(HOST, "/").await.text().to_owned()
}

async fn said_to(server: &Server, name: &'static str, value: &str) -> String {
    let request = request(Method::GET, HOST, "/").header(name, value).body(body("")).unwrap();
    server.send(request).await.text().to_owned()
}

/// Uploads a version that does not serve; its id.
async fn uploaded(api: &Api, text: &str) -> String {
    let path = format!("{}/versions", script_path("shop"));
    let metadata = json!({ "main_module": "worker.wasm", "annotations": { "workers/message": text } });
    let reply = api.upload_version(&path, &metadata, wat::answer(text)).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.result()["id"].as_str().unwrap().to_owned()
}

async fn deployed(api: &Api, versions: &Value) -> Value {
    let body = json!({ "strategy": "percentage", "versions": versions });
    let reply = api.post(&format!("{}/deployments", script_path("shop")), &body).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.result().clone()
}

#[tokio::test]
async fn a_version_serves_from_its_deployment_on_and_an_earlier_one_again_after_a_rollback() {
    let site = Site::new(&config());
    let server = site.serve().await;
    let (api, url) = (server.api(), server.api().url.clone());
    let run = async |arguments: &[&str]| {
        let run = site.run(&[arguments, &["-n", "production", "--api-url", &url]].concat()).await;
        assert!(run.status.success(), "{run:?}");
        String::from_utf8(run.stdout).unwrap()
    };
    for text in ["one", "two"] {
        site.write(&format!("{text}.wasm"), wat::answer(text));
    }
    run(&["deploy", "one.wasm", "--name", "shop", "-m", "the first"]).await;
    assert_eq!(said(&server).await, "one");
    let told = run(&["deploy", "two.wasm", "--name", "shop", "--only-upload"]).await;
    assert!(told.starts_with("uploaded production/shop as version 2, which does not serve"), "{told}");
    assert_eq!(said(&server).await, "one", "it does not serve yet");

    let diff = run(&["versions", "diff", "shop", "1", "2"]).await;
    assert!(diff.contains("- code: ") && diff.contains("+ code: ") && !diff.contains("binding"), "{diff}");
    assert_eq!(
        run(&["versions", "deploy", "shop", "2", "-m", "try it"]).await,
        "production/shop serves 2 100%\n"
    );
    assert_eq!(said(&server).await, "two");
    let listed = run(&["versions", "list", "shop"]).await;
    let lines: Vec<&str> = listed.lines().collect();
    assert!(lines[1].starts_with("2        100%"), "{listed}");
    assert!(lines[2].starts_with('1') && lines[2].contains("the first"), "{listed}");

    assert_eq!(run(&["rollback", "shop"]).await, "production/shop serves 1 100%\n");
    assert_eq!(said(&server).await, "one");
    let told = run(&["deployments", "list", "shop"]).await;
    let messages: Vec<bool> = ["rollback", "try it", "the first"].map(|text| told.contains(text)).into();
    assert_eq!((told.lines().count(), messages), (4, vec![true; 3]), "{told}");

    // What is kept is kept across a restart.
    server.kill().await;
    let server = site.serve().await;
    assert_eq!(said(&server).await, "one");
    let url = server.api().url.clone();
    let run = site.run(&["rollback", "shop", "-n", "production", "--api-url", &url]).await;
    assert!(run.status.success(), "{run:?}");
    assert_eq!(said(&server).await, "two");
    drop(api);
}

#[tokio::test]
async fn a_version_that_breaks_the_rule_of_its_deployment_is_rolled_back_with_the_reason() {
    let site = Site::new(&config());
    let server = site.serve().await;
    let (api, url) = (server.api(), server.api().url.clone());
    let run = async |arguments: &[&str]| {
        let run = site.run(&[arguments, &["-n", "production", "--api-url", &url]].concat()).await;
        (run.status.success(), String::from_utf8(run.stdout).unwrap(), String::from_utf8(run.stderr).unwrap())
    };
    site.write("good.wasm", wat::answer("good"));
    site.write("bad.wasm", wat::silent());
    let rule = ["--name", "shop", "--rollback-errors", "10", "--rollback-over", "20"];
    // Nothing served before.
    let (done, _, told) = run(&[&["deploy", "good.wasm"], &rule[..]].concat()).await;
    assert!(!done && told.contains("There is nothing to roll back to"), "{told}");
    assert!(run(&["deploy", "good.wasm", "--name", "shop"]).await.0);
    assert!(run(&[&["deploy", "good.wasm"], &rule[..]].concat()).await.0);
    for _ in 0..40 {
        assert_eq!(said(&server).await, "good");
    }
    let kept =
        api.get(&format!("{}/deployments", script_path("shop"))).await.result()["deployments"][0].clone();
    assert_eq!(kept["rollback"], json!({ "over": 20, "errors_percent": 10.0 }), "it keeps its rule");

    assert!(run(&[&["deploy", "bad.wasm"], &rule[..]].concat()).await.0);
    // Two of twenty may fail.
    for _ in 0..3 {
        assert_eq!(server.get(HOST, "/").await.status, 500);
    }
    let told = eventually("that it is rolled back", || async {
        let found = api.get(&format!("{}/deployments", script_path("shop"))).await.result().clone();
        let serving = found["deployments"][0].clone();
        (serving["annotations"]["workers/triggered_by"] == "automatic_rollback").then_some(serving)
    })
    .await;
    assert_eq!(
        told["annotations"]["workers/message"], "3 of 3 invocations failed; the rule is 10% of 20",
        "{told}"
    );
    assert_eq!(said(&server).await, "good");
}

#[tokio::test]
async fn two_versions_share_the_requests_and_a_visitor_stays_with_one() {
    let server = Server::serving(&config()).await;
    let api = server.api();
    api.deploy("shop", wat::answer("old")).await;
    let old = api.get(&format!("{}/versions", script_path("shop"))).await.result()["items"][0]["id"].clone();
    let old = old.as_str().unwrap().to_owned();
    let new = uploaded(&api, "new").await;
    let both = json!([{ "version_id": new, "percentage": 50 }, { "version_id": old, "percentage": 50 }]);
    let body = json!({ "strategy": "percentage", "versions": both, "cookie": "session" });
    let reply = api.post(&format!("{}/deployments", script_path("shop")), &body).await;
    assert_eq!(
        reply.result()["versions"],
        json!([
            { "version_id": old, "percentage": 50 }, { "version_id": new, "percentage": 50 }
        ])
    );

    // By a field, and by the cookie: the same key, the same version; of 40 keys each version has some.
    let mut met = std::collections::BTreeMap::<String, usize>::new();
    for visitor in 0..40 {
        let key = format!("visitor-{visitor}");
        let first = said_to(&server, "cloudflare-workers-version-key", &key).await;
        assert_eq!(said_to(&server, "cloudflare-workers-version-key", &key).await, first);
        assert_eq!(said_to(&server, "cookie", &format!("a=b; session={key}")).await, first);
        *met.entry(first).or_default() += 1;
    }
    // Ten standard deviations: a draw outside of it comes once in 10^9 of hash functions.
    assert_eq!(met.len(), 2, "{met:?}");
    // A version is asked for by its id.
    for (id, text) in [(&old, "old"), (&new, "new")] {
        let named = format!("shop=\"{id}\"");
        assert_eq!(said_to(&server, "cloudflare-workers-version-overrides", &named).await, text);
    }
    // Without a key each visit is drawn.
    let mut drawn = std::collections::BTreeSet::new();
    for _ in 0..60 {
        drawn.insert(said(&server).await);
    }
    assert_eq!(drawn.len(), 2);

    // A deployment of one ends it.
    deployed(&api, &json!([{ "version_id": old, "percentage": 100 }])).await;
    for visitor in 0..40 {
        let key = format!("visitor-{visitor}");
        assert_eq!(said_to(&server, "cloudflare-workers-version-key", &key).await, "old");
    }
    let list = api.get(&format!("{}/deployments", script_path("shop"))).await;
    let counts: Vec<usize> = list.result()["deployments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|deployment| deployment["versions"].as_array().unwrap().len())
        .collect();
    assert_eq!(counts, [1, 2, 1]);
}

#[tokio::test]
async fn what_is_not_kept_and_what_is_not_all_together_is_refused_and_nothing_changes() {
    let server = Server::serving(&config()).await;
    let api = server.api();
    let versions = format!("{}/versions", script_path("shop"));
    let metadata = json!({ "main_module": "worker.wasm" });
    let reply = api.upload_version(&versions, &metadata, wat::answer("early")).await;
    reply.refused(404, 10092);
    api.deploy("shop", wat::answer("one")).await;
    let id = api.get(&versions).await.result()["items"][0]["id"].clone();
    let deployments = format!("{}/deployments", script_path("shop"));
    let post = async |body: Value| api.post(&deployments, &body).await;
    let gone = json!({ "versions": [{ "version_id": "9c3a", "percentage": 100 }] });
    let text = post(gone).await.refused(404, 90009).to_owned();
    assert!(text.contains("\"9c3a\"") && text.contains("1 are kept"), "{text}");
    for (percentage, rule) in
        [(99.0, "100 together"), (0.0, "from 0.001 to 100"), (101.0, "from 0.001 to 100")]
    {
        let body = json!({ "versions": [{ "version_id": id, "percentage": percentage }] });
        let reply = post(body).await;
        assert_eq!(reply.status, 400);
        assert!(reply.refused(400, 10021).contains(rule) || percentage == 99.0, "{reply:?}");
    }
    let other = json!({ "strategy": "best", "versions": [{ "version_id": id, "percentage": 100 }] });
    assert_eq!(post(other).await.status, 400);
    let serving = api.get(&deployments).await.result()["deployments"][0]["id"].as_str().unwrap().to_owned();
    let reply = api.delete(&format!("{deployments}/{serving}")).await;
    assert_eq!(reply.status, 400, "{reply:?}");
    api.delete(&format!("{deployments}/none")).await.refused(404, 90009);
    assert_eq!(said(&server).await, "one");
}
