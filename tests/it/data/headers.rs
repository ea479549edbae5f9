//! What a worker is told about the visitor and the connection, and what it is never told.

use http::Method;

use crate::support::{Answer, Server, body, guest, request};

/// `probe` direct and behind a dispatcher.
fn config() -> String {
    format!(
        r#"
        [limits]
        cpu_ms = 10000
        [scripts.probe]
        {probe}
        [scripts.dispatcher]
        {}
        bindings = [{{ type = "dispatch_namespace", name = "DISPATCHER", namespace = "production" }}]
        [namespaces.production.scripts.probe]
        {probe}
        [[routes]]
        pattern = "probe.test/*"
        script = "probe"
        [[routes]]
        pattern = "*.localhost/*"
        script = "dispatcher"
        "#,
        guest::main("dispatcher_subdomain"),
        probe = guest::main("probe"),
    )
}

/// What the worker says it saw, by the name of the line.
fn seen<'a>(answer: &'a Answer, name: &str) -> Vec<&'a str> {
    let lines = answer.text().lines();
    lines.filter_map(|line| line.strip_prefix(name)?.strip_prefix([' ', ':']).map(str::trim)).collect()
}

fn header<'a>(answer: &'a Answer, name: &str) -> Vec<&'a str> {
    seen(answer, &format!("header {name}"))
}

#[tokio::test]
async fn what_a_visitor_claims_about_itself_is_replaced_by_what_the_listener_saw() {
    let server = Server::serving(&config()).await;
    for host in ["probe.test", "probe.localhost"] {
        let mut forged = request(Method::GET, host, "/");
        for name in [
            "cf-connecting-ip",
            "cf-connecting-ipv6",
            "cf-ray",
            "cf-worker",
            "forwarded",
            "true-client-ip",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-real-ip",
            "cf-ipcountry",
            "cf-visitor",
            "x-client-ip",
            "x-cluster-client-ip",
            "fastly-client-ip",
            "x-original-url",
            "x-rewrite-url",
            "x_forwarded_for",
            "cf_connecting_ip",
            "X_Real-IP",
        ] {
            forged = forged.header(name, "6.6.6.6");
        }
        let answer = server.send(forged.body(body("")).unwrap()).await;
        assert!(!answer.text().contains("6.6.6.6"), "{host}: {}", answer.text());
        assert_eq!(header(&answer, "cf-connecting-ip"), ["127.0.0.1"]);
        assert_eq!(header(&answer, "x-forwarded-for"), ["127.0.0.1"]);
        assert_eq!(header(&answer, "x-forwarded-proto"), ["http"]);
        assert_eq!(seen(&answer, "client-address"), ["127.0.0.1"]);
        assert_eq!(seen(&answer, "hostname"), [host]);
    }
}

#[tokio::test]
async fn fields_for_one_hop_end_at_the_listener_and_others_pass() {
    let server = Server::serving(&config()).await;
    for host in ["probe.test", "probe.localhost"] {
        let answer = server
            .send(
                request(Method::GET, host, "/path?query=1")
                    .header("connection", "keep-alive, x-for-this-hop")
                    .header("keep-alive", "timeout=5")
                    .header("x-for-this-hop", "1")
                    .header("proxy-authorization", "Basic c2VjcmV0")
                    .header("proxy-connection", "keep-alive")
                    .header("te", "trailers")
                    .header("upgrade", "h2c")
                    .header("x-kept", "one")
                    .header("x-kept", "two")
                    .header("accept-language", "de")
                    .body(body(""))
                    .unwrap(),
            )
            .await;
        for name in [
            "connection",
            "keep-alive",
            "x-for-this-hop",
            "proxy-authorization",
            "proxy-connection",
            "te",
            "transfer-encoding",
            "upgrade",
        ] {
            assert_eq!(header(&answer, name), Vec::<&str>::new(), "{host}: {name}");
        }
        assert_eq!(header(&answer, "x-kept"), ["one", "two"], "{host}");
        assert_eq!(header(&answer, "accept-language"), ["de"]);
        assert_eq!(seen(&answer, "target"), ["/path?query=1"]);
        assert_eq!(seen(&answer, "authority"), [host]);
    }
}

#[tokio::test]
async fn one_ray_id_is_in_the_answer_in_the_worker_and_in_the_access_log() {
    let server = Server::serving(&config()).await;
    let (one, two) =
        (server.get("probe.localhost", "/first").await, server.get("probe.test", "/second").await);
    for (answer, path) in [(&one, "/first"), (&two, "/second")] {
        let ray = answer.header("cf-ray");
        assert_eq!(ray.len(), 16, "{ray}");
        assert_eq!((seen(answer, "ray-id"), header(answer, "cf-ray")), (vec![ray], vec![ray]));
        let line = server.logged("the access log", |line| line["path"] == path).await;
        assert_eq!(line["ray_id"], ray);
    }
    assert_ne!(one.header("cf-ray"), two.header("cf-ray"));
    let refused = server.get("nobody.test", "/third").await;
    let line = server.logged("the access log", |line| line["path"] == "/third").await;
    assert_eq!(line["ray_id"], refused.header("cf-ray"));
}
