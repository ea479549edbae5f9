//! Who the visitor is behind a proxy: believed of those that are named, and of nobody else.

mod real;

use http::Method;

use crate::support::{Answer, Connection, Server, body, guest, request};

fn config(server: &str) -> String {
    format!(
        "[server]\n{server}\n[limits]\ncpu_ms = 10000\n[scripts.probe]\n{probe}\n[scripts.dispatcher]\n{dispatcher}\n\
         bindings = [{{ type = \"dispatch_namespace\", name = \"DISPATCHER\", namespace = \"production\" }}]\n\
         [namespaces.production.scripts.probe]\n{probe}\n\
         [[routes]]\npattern = \"probe.test/*\"\nscript = \"probe\"\n\
         [[routes]]\npattern = \"*.localhost/*\"\nscript = \"dispatcher\"\n",
        probe = guest::main("probe"),
        dispatcher = guest::main("dispatcher_subdomain"),
    )
}

/// What a proxy that ends TLS writes into a request of its visitor, who had claims of their own.
fn through_a_proxy(host: &str) -> http::Request<crate::support::ClientBody> {
    request(Method::GET, host, "/page")
        .header("x-forwarded-for", "6.6.6.6, 203.0.113.7")
        .header("x-forwarded-proto", "https")
        .header("forwarded", "for=6.6.6.6")
        .header("cf-connecting-ip", "6.6.6.6")
        .body(body(""))
        .unwrap()
}

async fn logged_client(server: &Server, answer: &Answer) -> String {
    let ray = answer.header("cf-ray").to_owned();
    let line = server
        .logged("the access line", |line| line["target"] == "wasmyard::access" && line["ray_id"] == *ray)
        .await;
    line["client"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_trusted_proxy_says_who_the_visitor_is_and_how_it_came() {
    let server = Server::serving(&config("trusted_proxies = [\"127.0.0.1\"]")).await;
    for host in ["probe.test", "probe.localhost"] {
        for mut connection in [server.connect().await, Connection::http2(server.visitors).await] {
            let answer = Answer::read(connection.send(through_a_proxy(host)).await).await;
            let text = answer.text();
            for line in [
                "header cf-connecting-ip: 203.0.113.7",
                "header x-forwarded-for: 203.0.113.7",
                "header x-forwarded-proto: https",
            ] {
                assert!(text.contains(line), "{host}: {line}:\n{text}");
            }
            assert!(!text.contains("6.6.6.6"), "{text}");
            assert_eq!(logged_client(&server, &answer).await, "203.0.113.7");
        }
    }
}

#[tokio::test]
async fn nobody_else_is_believed() {
    let server = Server::serving(&config("trusted_proxies = [\"192.0.2.0/24\"]")).await;
    let answer = server.send(through_a_proxy("probe.test")).await;
    let text = answer.text();
    assert!(text.contains("header cf-connecting-ip: 127.0.0.1"), "{text}");
    assert!(text.contains("header x-forwarded-proto: http\n"), "{text}");
    assert!(!text.contains("203.0.113.7"), "{text}");
    assert_eq!(logged_client(&server, &answer).await, "127.0.0.1");
}

#[tokio::test]
async fn a_header_of_the_proxy_protocol_names_the_visitor_of_a_connection() {
    let server = Server::serving(&config("trusted_proxies = [\"127.0.0.1\"]\nproxy_protocol = true")).await;
    let get = "GET /page HTTP/1.1\r\nhost: probe.test\r\n\r\n";
    let mut one = server.raw(format!("PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\n{get}")).await;
    let said = one.answer().await.body;
    assert!(said.contains("header cf-connecting-ip: 203.0.113.7"), "{said}");

    let mut two = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x14".to_vec();
    two.extend([203, 0, 113, 8, 192, 0, 2, 1, 0, 1, 1, 187]);
    two.extend([0x20, 0, 5, 1, 0, 0, 0, 0]);
    two.extend(get.bytes());
    let said = server.raw(two).await.answer().await.body;
    assert!(said.contains("header cf-connecting-ip: 203.0.113.8"), "{said}");
    assert!(said.contains("header x-forwarded-proto: https"), "{said}");

    assert_eq!(server.raw(get).await.rest().await, "", "without one it is closed");
    server.counts(r#"wasmyard_connections_refused_total{reason="proxy_header"}"#, 1.0).await;
}

#[tokio::test]
async fn cookies_that_came_apart_are_one_field_for_scripts() {
    let server = Server::serving(&config("")).await;
    for mut connection in [server.connect().await, Connection::http2(server.visitors).await] {
        let asked = request(Method::GET, "probe.test", "/");
        let asked = asked.header("cookie", "a=1").header("cookie", "session=xyz").header("cookie", "b=2");
        let answer = Answer::read(connection.send(asked.body(body("")).unwrap()).await).await;
        assert!(answer.text().contains("header cookie: a=1; session=xyz; b=2"), "{}", answer.text());
    }
}
