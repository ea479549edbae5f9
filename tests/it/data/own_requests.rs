//! Requests of a script's own: they arrive as they were made, whether they go in one call or in many, or are refused with
//! the reason.

use http::Method;

use crate::support::{Answer, Server, body, guest, origin, origin::Origin, request};

fn config(origin: &Origin) -> String {
    format!(
        r#"
        {egress}
        [limits]
        cpu_ms = 10000
        [scripts.probe]
        {probe}
        bindings = [{{ type = "service", name = "OTHER", service = "other" }}]
        [scripts.small]
        {probe}
        limits = {{ memory = "16MiB" }}
        [scripts.other]
        {probe}
        [[routes]]
        pattern = "probe.test/*"
        script = "probe"
        [[routes]]
        pattern = "small.test/*"
        script = "small"
        "#,
        egress = origin.egress(),
        probe = guest::main("probe"),
    )
}

async fn own(server: &Server, query: &str, target: Option<&str>) -> Answer {
    let mut asked = request(Method::GET, "probe.test", &format!("/own?{query}"));
    if let Some(target) = target {
        asked = asked.header("x-target", target);
    }
    server.send(asked.body(body("")).unwrap()).await
}

#[tokio::test]
async fn a_body_of_any_size_arrives_whole_with_its_length() {
    let origin = Origin::start().await;
    let server = Server::serving(&config(&origin)).await;
    // Around what goes in one call, and many calls.
    for bytes in [0, 1, 256 << 10, (256 << 10) + 1, 3 << 20] {
        let target = origin.url(&format!("/{bytes}?a=b"));
        let answer = own(&server, &format!("bytes={bytes}&field=x-own"), Some(&target)).await;
        assert_eq!((answer.status, answer.text()), (200, "origin"), "{bytes}");
        let seen = origin.seen().pop().unwrap();
        assert_eq!((seen.method.as_str(), seen.target.clone()), ("POST", format!("/{bytes}?a=b")));
        assert_eq!((seen.header("x-own"), seen.body.len()), ("x", bytes));
        assert_eq!(seen.header("content-length"), bytes.to_string());
        assert_eq!(seen.header("host"), origin.address.to_string());
        assert!(seen.body.iter().all(|byte| *byte == b'o'), "{bytes}");

        let counted = own(&server, &format!("bytes={bytes}"), None).await;
        assert_eq!((counted.status, counted.text()), (200, format!("{bytes}\n").as_str()));
    }
}

#[tokio::test]
async fn what_may_not_be_sent_is_refused_with_the_reason() {
    let origin = Origin::start().await;
    let server = Server::serving(&config(&origin)).await;
    let target = origin.url("/");
    for (query, why) in [
        ("bytes=4&length=3", "header `content-length` says \"3\", but the body has 4 bytes"),
        ("bytes=0&length=3", "header `content-length` says \"3\", but the body has 0 bytes"),
        ("bytes=4&field=connection", "header `connection` cannot be set: it belongs to the connection"),
        (
            "bytes=4&field=Transfer-Encoding",
            "`Transfer-Encoding` cannot be set: it belongs to the connection",
        ),
    ] {
        let refused = own(&server, query, Some(&target)).await;
        assert_eq!(refused.status, 418, "{query}: {}", refused.text());
        assert!(refused.text().starts_with("InvalidRequest: "), "{query}: {}", refused.text());
        assert!(refused.text().contains(why), "{query}: {}", refused.text());
        let refused = own(&server, query, None).await;
        assert!(refused.text().starts_with("InvalidArgument("), "{query}: {}", refused.text());
        assert!(refused.text().contains(&why.replace('"', "\\\"")), "{query}: {}", refused.text());
    }
    assert_eq!(origin.seen().len(), 0, "nothing of it went out");
}

#[tokio::test]
async fn bodies_that_wait_to_be_sent_count_as_the_scripts_memory() {
    let (silent, connected) = origin::counting().await;
    let egress = Origin::start().await;
    let ports = format!("ports = [{}, 80", silent.port());
    let server = Server::serving(&config(&egress).replace("ports = [80", &ports)).await;
    let pile = |host: &'static str| {
        let asked = request(Method::GET, host, "/pile?n=40").header("x-target", format!("http://{silent}/"));
        server.send(asked.body(body("")).unwrap())
    };
    let roomy = pile("probe.test").await;
    assert_eq!((roomy.status, roomy.text()), (200, "0 of 40 answered\n"));
    let cramped = pile("small.test").await;
    assert_eq!(cramped.status, 503, "{}", cramped.text());
    assert!(cramped.text().contains("1102"), "{}", cramped.text());
    let ended = server
        .logged("the end of it", |line| line["script"] == "small" && line["outcome"] == "exceededMemory")
        .await;
    assert_eq!(ended["script"], "small");
    assert!(connected.load(std::sync::atomic::Ordering::Relaxed) > 0, "they were under way");
}
