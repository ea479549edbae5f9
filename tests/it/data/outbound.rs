//! Where a script's own requests go: to hosts of the platform inside, to the network by the policy.

use std::net::SocketAddr;

use futures::FutureExt as _;
use http::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::{Answer, NAMESPACES, Server, Site, body, guest, request};

/// `fetcher` sends on what it is asked; `hello` is somebody to ask.
fn config() -> String {
    format!(
        r#"
        [limits]
        cpu_ms = 10000
        [scripts.fetcher]
        {fetcher}
        [scripts.hello]
        {hello}
        [scripts.probe]
        {probe}
        [[routes]]
        pattern = "*.probe.test/*"
        script = "probe"
        [[routes]]
        pattern = "fetcher.test/*"
        script = "fetcher"
        [[routes]]
        pattern = "hello.test/*"
        script = "hello"
        [[routes]]
        pattern = "closed.test/*"
        respond = 404
        "#,
        fetcher = guest::main("fetcher"),
        hello = guest::main("hello"),
        probe = guest::main("probe"),
    )
}

/// Somebody on this machine who answers every connection with `origin`.
async fn origin() -> SocketAddr {
    origin_saying("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 6\r\n\r\norigin").await
}

/// The same with another answer.
async fn origin_saying(answer: &'static str) -> SocketAddr {
    let origin = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = origin.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = origin.accept().await {
            let mut seen = Vec::new();
            while !seen.ends_with(b"\r\n\r\n") {
                seen.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    address
}

async fn fetched(server: &Server, target: &str) -> Answer {
    let asked = request(Method::GET, "fetcher.test", "/").header("x-target", target).body(body("")).unwrap();
    server.send(asked).await
}

#[tokio::test]
async fn a_request_to_a_host_of_the_platform_needs_no_socket() {
    let server = Server::serving(&config()).await;
    let answer = fetched(&server, "http://hello.test/").await;
    assert_eq!((answer.status, answer.text()), (200, "Hello from Wasmyard!\n"));
    // Whatever the spelling of the host, on every port that visitors reach the platform by.
    let answer = fetched(&server, &format!("http://HELLO.test.:{}/", server.visitors.port())).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = fetched(&server, "http://closed.test/").await;
    assert_eq!(answer.status, 502, "a host that opted out answers nobody inside either");
}

#[tokio::test]
async fn serve_lets_no_script_reach_this_machine_in_any_spelling() {
    let server = Server::serving(&config()).await;
    let port = server.visitors.port();
    for host in ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::1]"] {
        let answer = fetched(&server, &format!("http://{host}:{port}/")).await;
        assert!(matches!(answer.status, 403 | 502), "{host}: {} {}", answer.status, answer.text());
        assert!(!answer.text().contains("Nothing is served here"), "{host} reached the listener");
    }
    for address in ["169.254.169.254", "10.0.0.1", "192.168.1.1", "[fe80::1]", "[::ffff:10.0.0.1]"] {
        let answer = fetched(&server, &format!("http://{address}/")).await;
        assert!(matches!(answer.status, 403 | 502), "{address}: {} {}", answer.status, answer.text());
    }
}

#[tokio::test]
async fn dev_lets_scripts_reach_loopback_but_not_the_platform_itself() {
    let address = origin().await;
    let site = Site::new(&config());
    let server = site.dev().await;
    server.noted("scripts may send requests to this machine's loopback addresses").await;
    let answer = crate::support::eventually("the script is deployed", || async {
        let answer = fetched(&server, &format!("http://{address}/")).await;
        (answer.status == 200).then_some(answer)
    })
    .await;
    assert_eq!(answer.text(), "origin");
    let itself = fetched(&server, &format!("http://{}/", server.visitors)).await;
    assert_ne!(itself.status, 200);
    assert!(!itself.text().contains("Nothing is served here"), "{}", itself.text());
}

/// Lets the user script `fetcher` of the namespace `production` fetch a URL.
async fn fetched_by_a_tenant(server: &Server, target: &str) -> Answer {
    let asked = request(Method::GET, "fetcher.apps.test", "/").header("x-target", target);
    server.send(asked.body(body("")).unwrap()).await
}

#[tokio::test]
async fn a_namespace_reaches_what_its_rules_and_the_platforms_open_and_a_change_holds_at_once() {
    let address = origin().await;
    let rules = format!(
        r#"
        [egress]
        allow_private = ["127.0.0.0/8"]
        [namespaces.production.scripts.fetcher]
        {}
        [[routes]]
        pattern = "*.apps.test/*"
        namespace = "production"
        "#,
        guest::main("fetcher"),
    );
    let server = Server::serving(&(rules + &config())).await;
    let (url, elsewhere) = (format!("http://{address}/"), format!("http://127.0.0.2:{}/", address.port()));
    assert_eq!(fetched(&server, &url).await.text(), "origin", "the platform's own script");
    assert_eq!(fetched_by_a_tenant(&server, &url).await.status, 403, "not opened to the namespace");
    let refused = server.logged("the refusal", |line| line["target"] == "wasmyard::egress").await["refused"]
        .to_string();
    assert!(refused.contains("allow_private of the namespace"), "{refused}");

    let namespace = format!("{NAMESPACES}/production");
    let change = async |egress: Value| {
        let patch = server.api().patch(&namespace, &json!({"egress": egress})).await;
        patch.result();
    };
    change(json!({"allow_private": ["127.0.0.1", "10.0.0.0/8"]})).await;
    assert_eq!(fetched_by_a_tenant(&server, &url).await.text(), "origin");
    assert_eq!(fetched_by_a_tenant(&server, &elsewhere).await.status, 403);
    assert_eq!(
        fetched_by_a_tenant(&server, "http://10.0.0.1/").await.status,
        403,
        "not the platform's to give"
    );
    change(json!({"allow_private": ["127.0.0.0/8"], "deny_hosts": ["127.0.0.1"]})).await;
    assert_eq!(fetched_by_a_tenant(&server, &url).await.status, 403, "an open connection helps nobody");
    assert_eq!(fetched_by_a_tenant(&server, &elsewhere).await.status, 502, "allowed; nobody listens there");
    change(json!({"allow_hosts": [], "allow_private": ["127.0.0.1"]})).await;
    assert_eq!(fetched_by_a_tenant(&server, &url).await.status, 403, "nothing goes out");
    change(Value::Null).await;
    assert_eq!(fetched_by_a_tenant(&server, &url).await.status, 403);
    assert_eq!(fetched(&server, &url).await.text(), "origin", "the platform's own rules are as they were");

    for (result, rule) in [("ok", ""), ("refused", "host"), ("refused", "address"), ("connect", "")] {
        let series = format!("wasmyard_egress_requests_total{{result={result:?}}}");
        assert!(server.total(&series).await >= 1.0, "{result}");
        if !rule.is_empty() {
            let series = format!("wasmyard_egress_refused_total{{rule={rule:?}}}");
            assert!(server.total(&series).await >= 1.0, "{rule}");
        }
    }
}

#[tokio::test]
async fn fields_about_connections_and_hosts_are_no_scripts_to_set() {
    let server = Server::serving(&config()).await;
    let forbidden = [
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "transfer-encoding",
        "upgrade",
        "http2-settings",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-authentication-info",
        "host",
        "Host",
    ];
    let allowed = ["authorization", "cookie", "x-own", "user-agent"];
    let names = [forbidden.as_slice(), allowed.as_slice()].concat().join(" ");
    let asked = request(Method::GET, "one.probe.test", "/fields")
        .header("x-names", names)
        .header("x-target", "http://two.probe.test/");
    let answer = server.send(asked.body(body("")).unwrap()).await;
    let seen: Vec<_> = answer.text().lines().filter_map(|line| line.split_once(": ")).collect();
    assert_eq!(seen.len(), forbidden.len() + allowed.len(), "{}", answer.text());
    for (name, came) in seen {
        match forbidden.contains(&name) {
            true => assert!(came.contains("belongs to the connection"), "{name}: {came}"),
            false => assert_eq!(came, "200", "{name}"),
        }
    }
}

#[tokio::test]
async fn a_redirect_that_a_script_follows_is_judged_like_its_first_request() {
    let server =
        Server::serving(&("[egress]\nallow_private = [\"127.0.0.1\"]\n".to_owned() + &config())).await;
    let good = origin().await;
    for (location, came) in [
        (format!("http://{good}/"), "302 200\n"),
        ("http://169.254.169.254/latest/meta-data/".to_owned(), "302 Denied\n"),
        (format!("http://127.0.0.2:{}/", good.port()), "302 Denied\n"),
        (format!("http://{}/", server.visitors), "302 Denied\n"),
        ("http://0xa9fea9fe/".to_owned(), "302 Denied\n"),
        ("http://metadata.google.internal/".to_owned(), "302 Denied\n"),
    ] {
        let answer = format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
        let redirecting = origin_saying(answer.leak()).await;
        let asked = request(Method::GET, "one.probe.test", "/follow")
            .header("x-target", format!("http://{redirecting}/"));
        let answer = server.send(asked.body(body("")).unwrap()).await;
        assert_eq!(answer.text(), came, "{location}");
    }
}

#[tokio::test]
async fn proxies_named_in_the_environment_are_nobodys_business() {
    let address = origin().await;
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", proxy.local_addr().unwrap());
    let names = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
    let variables = names.map(|name| (name, url.as_str()));
    let rules = "[egress]\nallow_private = [\"127.0.0.1\"]\n".to_owned();
    let server = Site::new(&(rules + &config())).serve_with(&variables).await;
    assert_eq!(fetched(&server, &format!("http://{address}/")).await.text(), "origin");
    assert!(proxy.accept().now_or_never().is_none(), "the proxy was asked");
}

#[tokio::test]
async fn who_is_asked_inside_sees_the_host_that_was_asked_for_and_the_visitor_as_the_listener_saw_it() {
    let server = Server::serving(&config()).await;
    let asked = request(Method::GET, "one.probe.test", "/forge").header("x-target", "http://two.probe.test/");
    let answer = server.send(asked.body(body("")).unwrap()).await;
    let seen = answer.text();
    for line in [
        "hostname two.probe.test",
        "authority two.probe.test",
        "client-address 127.0.0.1",
        "header cf-connecting-ip: 127.0.0.1",
        "header x-forwarded-for: 127.0.0.1",
        "header x-own: kept",
    ] {
        assert!(seen.lines().any(|seen| seen == line), "{line} is missing:\n{seen}");
    }
    assert!(!seen.contains("6.6.6.6"), "the caller's claims were believed:\n{seen}");
}

#[tokio::test]
async fn a_script_that_asks_itself_for_ever_ends_in_508_with_the_chain_in_the_log() {
    let server = Server::serving(&config()).await;
    let asked = request(Method::GET, "loop.probe.test", "/again").body(body("")).unwrap();
    assert_eq!(server.send(asked).await.status, 508);
    let cut = server.logged("the end of the chain", |line| line["message"] == "chain of scripts cut").await;
    let chain = cut["chain"].as_str().unwrap();
    assert_eq!(chain.split(" -> ").collect::<Vec<_>>(), vec!["probe"; 8], "{chain}");
}

#[tokio::test]
async fn what_the_configuration_opens_is_reached_and_nothing_else() {
    let address = origin().await;
    let rules = format!("[egress]\nallow_private = [\"127.0.0.1\"]\nports = [{}]\n", address.port());
    let server = Server::serving(&(rules + &config())).await;
    let answer = fetched(&server, &format!("http://{address}/")).await;
    assert_eq!((answer.status, answer.text()), (200, "origin"));
    // The same machine by another address, the same address by another port.
    for other in [format!("127.0.0.2:{}", address.port()), format!("127.0.0.1:{}", server.visitors.port())] {
        let answer = fetched(&server, &format!("http://{other}/")).await;
        assert!(matches!(answer.status, 403 | 502), "{other}: {} {}", answer.status, answer.text());
    }

    let closed = "[egress]\nallow_hosts = []\nallow_private = [\"127.0.0.1\"]\n".to_owned();
    let server = Server::serving(&(closed + &config())).await;
    assert_eq!(fetched(&server, &format!("http://{address}/")).await.status, 403);
    assert_eq!(
        fetched(&server, "http://hello.test/").await.status,
        200,
        "hosts of the platform are no outside"
    );
}
