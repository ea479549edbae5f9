//! Instances of platform scripts that serve one request after the other, through the whole platform.

use serde_json::json;

use crate::support::{Connection, PLATFORM_SCRIPTS, Server, guest, script_path, wat};

fn config(flags: &str) -> String {
    format!(
        r#"
        [scripts.probe]
        {probe}
        {flags}
        [[routes]]
        pattern = "probe.test/*"
        script = "probe"
        "#,
        probe = guest::main("probe"),
    )
}

const FLAGS: &str = r#"compatibility_flags = ["reuse_instances"]"#;

/// How often each instance had been asked before, for so many requests.
async fn counts(server: &Server, requests: usize) -> Vec<u32> {
    let mut connection = Connection::http1(server.visitors).await;
    let mut counts = Vec::new();
    for _ in 0..requests {
        let answer = connection.get("probe.test", "/count").await;
        counts.push(answer.text().trim().parse().unwrap());
    }
    counts
}

#[tokio::test]
async fn a_platform_script_that_asks_for_it_keeps_its_instances() {
    let server = Server::serving(&config(FLAGS)).await;
    let kept = counts(&server, 100).await;
    // An answer may be there a moment before its instance is free again.
    assert!(kept.iter().filter(|count| **count == 1).count() < 50, "{kept:?}");

    let server = Server::serving(&config("")).await;
    assert_eq!(counts(&server, 20).await, vec![1; 20]);
}

#[tokio::test]
async fn it_can_be_asked_for_later_and_taken_back() {
    let server = Server::serving(&config("")).await;
    let settings = format!("{PLATFORM_SCRIPTS}/probe/settings");
    for (flags, most_new) in [(json!(["reuse_instances"]), 49), (json!([]), 100)] {
        server.api().patch(&settings, &json!({ "compatibility_flags": flags })).await.result();
        let counts = counts(&server, 100).await;
        let new = counts.iter().filter(|count| **count == 1).count();
        assert!(new <= most_new && (most_new < 100 || new == 100), "{flags}: {counts:?}");
    }
}

#[tokio::test]
async fn a_user_script_is_refused_that_asks_for_it() {
    let server = Server::serving("[namespaces.production]\n").await;
    let api = server.api();
    let says = "\"reuse_instances\" is for platform scripts";
    let metadata = json!({"main_module": "worker.wasm", "compatibility_flags": ["reuse_instances"]});
    let refused = api.upload(&script_path("tenant"), &metadata, wat::answer("tenant")).await;
    assert!(refused.refused(400, 10021).contains(says), "{refused:?}");
    assert_eq!(api.get(&script_path("tenant")).await.status, 404, "nothing of it stays");

    api.deploy("tenant", wat::answer("tenant")).await.result();
    let settings = format!("{}/settings", script_path("tenant"));
    let refused = api.patch(&settings, &json!({ "compatibility_flags": ["reuse_instances"] })).await;
    assert_eq!(refused.status, 400, "{refused:?}");
    assert!(refused.envelope.to_string().contains("is for platform scripts"), "{refused:?}");
    assert_eq!(api.get(&settings).await.result()["compatibility_flags"], json!([]));
}

#[tokio::test]
async fn a_dispatcher_that_is_used_again_still_tells_customers_apart() {
    let customer = |name: &str| format!("[namespaces.production.scripts.{name}]\n{}\n", guest::main("probe"));
    let config = format!(
        r#"
        [scripts.dispatcher]
        {dispatcher}
        {FLAGS}
        bindings = [{{ type = "dispatch_namespace", name = "DISPATCHER", namespace = "production" }}]
        [[routes]]
        pattern = "*.localhost/*"
        script = "dispatcher"
        {one}{two}
        "#,
        dispatcher = guest::main("dispatcher_subdomain"),
        one = customer("one"),
        two = customer("two"),
    );
    let server = Server::serving(&config).await;
    let mut connection = server.connect().await;
    for turn in 0..50 {
        for name in ["one", "two", "none"] {
            let host = format!("{name}.localhost");
            let answer = connection.get(&host, &format!("/{turn}")).await;
            if name == "none" {
                assert_eq!(answer.status, 404, "{}", answer.text());
                continue;
            }
            // What it is told of the request is this request's.
            let text = answer.text();
            assert!(text.contains(&format!("authority {host}\ntarget /{turn}\n")), "{text}");
            assert!(text.contains(&format!("hostname {host}\n")), "{text}");
            let ray = text.lines().find_map(|line| line.strip_prefix("ray-id ")).unwrap();
            assert_eq!(answer.header("cf-ray"), ray, "{text}");
            assert_eq!(
                connection.get(&host, "/count").await.text(),
                "1\n",
                "a customer's instance is its own"
            );
        }
    }
}
