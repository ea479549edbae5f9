//! Visitors over HTTP/3: who is told of it and who is served by it, and what is said ahead of an answer.

use std::net::SocketAddr;

use http::{Method, StatusCode};
use rustls::pki_types::CertificateDer;

use super::client_certificates::authority;
use super::tls::Visitor;
use crate::support::http3::{Http3, get};
use crate::support::{Server, Site, body, eventually, guest, heads_over_http2, request};

const HOSTS: [&str; 5] = ["shop.test", "off.test", "on.test", "asks.test", "old.test"];

/// A platform that serves these hosts: of their own, of two zones, and one that asks clients for certificates.
async fn serving(server: &str) -> (Server, SocketAddr, CertificateDer<'static>) {
    let site = Site::new(&format!(
        "[server]\nreserved_names = true\nlisten_tls = \"127.0.0.1:0\"\n{server}\n\
         [[tls.certificates]]\nchain = \"all.pem\"\nkey = \"all.key\"\n\
         hosts = [\"shop.test\", \"off.test\", \"on.test\"]\n\
         [[tls.certificates]]\nchain = \"all.pem\"\nkey = \"all.key\"\nhosts = [\"asks.test\"]\n\
         client_ca = \"clients.pem\"\nclient_certificates = \"optional\"\n\
         [zones.\"off.test\"]\nsettings = {{ http3 = \"off\" }}\n\
         [zones.\"on.test\"]\nsettings = {{ early_hints = \"on\" }}\n\
         [limits]\ncpu_ms = 10000\n\
         [scripts.probe]\n{}\n[scripts.page]\nmain = \"page.js\"\n\
         [[routes]]\npattern = \"*/*\"\nscript = \"probe\"\n\
         [[routes]]\npattern = \"on.test/*\"\nscript = \"page\"\n\
         [[routes]]\npattern = \"shop.test/page\"\nscript = \"page\"\n",
        guest::main("probe"),
    ));
    let names = HOSTS.map(str::to_owned);
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    site.write("all.key", made.signing_key.serialize_pem());
    site.write("all.pem", made.cert.pem());
    site.write("clients.pem", authority("clients").pem());
    site.write("page.js", PAGE);
    let server = site.serve().await;
    let https = server.https().await;
    (server, https, made.cert.der().clone())
}

/// Says what it needs, and takes its time.
pub(super) const PAGE: &str = "
    export default {
      async fetch(request) {
        await new Promise((resolve) => setTimeout(resolve, 300));
        const link = '</a.css>; rel=preload; as=style, </next>; rel=next, <https://cdn.test>; rel=preconnect';
        return new Response('page', { headers: { link } });
      },
    };
";

pub(super) const HINTS: &str = "</a.css>; rel=preload; as=style, <https://cdn.test>; rel=preconnect";

#[tokio::test]
async fn who_comes_by_tls_is_told_of_http3_and_served_by_it() {
    let (server, https, root) = serving("").await;
    let visitor = Visitor::trusting(std::slice::from_ref(&root));
    let told = format!("alt-svc: h3=\":{}\"; ma=86400", https.port());
    for (host, is_told) in [("shop.test", true), ("on.test", true), ("off.test", false), ("asks.test", false)]
    {
        let answer = visitor.get(https, host, host).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert_eq!(answer.contains(&told), is_told, "{host}: {answer}");
        assert_eq!(answer.contains("alt-svc"), is_told, "{host}: {answer}");
        let heads = visitor.heads_over_http2(https, host, &[(host, "/headers")]).await;
        let over_http2 = heads[0][0].headers().get("alt-svc").map(|value| value.to_str().unwrap());
        assert_eq!(over_http2, is_told.then_some(&told["alt-svc: ".len()..]), "{host}");
    }
    let in_clear = server.send(request(Method::GET, "shop.test", "/page").body(body("")).unwrap()).await;
    assert_eq!(in_clear.header("alt-svc"), "");
    let mut http3 = Http3::connect(https, "shop.test", &root).await.unwrap();
    let answer = http3.get("shop.test", "/headers").await;
    assert_eq!((answer.status, answer.header("alt-svc")), (200, ""));
    assert!(answer.text().contains("header x-forwarded-proto: https"), "{}", answer.text());
    assert!(answer.text().contains("\ntls TLSv1.3 AEAD-AES"), "{}", answer.text());
    server.counts("wasmyard_tls_handshakes_total{result=\"http3\"}", 1.0).await;
    http3.leave().await;
    eventually("the connection is counted no more", || async {
        (server.metric("wasmyard_connections").await < 1.0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_is_not_to_be_served_by_http3_is_not() {
    let (server, https, root) = serving("").await;
    for name in ["asks.test", "unknown.test"] {
        assert!(Http3::connect(https, name, &root).await.is_err(), "{name}");
    }
    // A handshake is for a name; whose zone that is in comes with the request.
    let mut http3 = Http3::connect(https, "off.test", &root).await.unwrap();
    for host in ["off.test", "asks.test", "unknown.test"] {
        let answer = http3.get(host, "/").await;
        assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST, "{host}");
        assert!(answer.text().contains("2006"), "{host}: {}", answer.text());
    }
    // A zone changes its mind for the next request.
    let api = server.api();
    let zones = api.get("/client/v4/zones?name=off.test").await;
    let zone = zones.result()[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/client/v4/zones/{zone}/settings/http3?force=true");
    api.patch(&path, &serde_json::json!({ "value": "on" })).await.result();
    assert_eq!(http3.get("off.test", "/headers").await.status, 200);
}

#[tokio::test]
async fn a_node_can_do_without_udp() {
    let (_server, https, root) = serving("http3 = false").await;
    let visitor = Visitor::trusting(std::slice::from_ref(&root));
    let answer = visitor.get(https, "shop.test", "shop.test").await;
    assert!(answer.starts_with("HTTP/1.1 200") && !answer.contains("alt-svc"), "{answer}");
    // Nobody has the port by UDP: it can be had.
    std::net::UdpSocket::bind(https).unwrap();
}

#[tokio::test]
async fn a_body_comes_whole_over_http3() {
    let (_server, https, root) = serving("").await;
    let mut http3 = Http3::connect(https, "shop.test", &root).await.unwrap();
    let post = http::Request::post("https://shop.test/length").body(()).unwrap();
    let answer = http3.send(post, vec![b'x'; 300_000]).await.answer().await;
    assert!(answer.status == 200 && answer.text().contains("300000"), "{}", answer.text());
}

#[tokio::test]
async fn what_a_page_needs_is_said_ahead_of_its_next_answer() {
    let (_server, https, root) = serving("").await;
    let mut http3 = Http3::connect(https, "on.test", &root).await.unwrap();
    let mut first = http3.send(get("on.test", "/a?b"), "").await;
    let head = first.head().await;
    assert_eq!(head.status(), 200, "nothing is known of it yet");
    assert_eq!(first.rest(head).await.text(), "page");
    let mut again = http3.send(get("on.test", "/a?b"), "").await;
    let hints = again.head().await;
    assert_eq!(
        (hints.status(), &hints.headers()["link"]),
        (StatusCode::EARLY_HINTS, &HINTS.parse().unwrap())
    );
    let head = again.head().await;
    assert_eq!((head.status(), again.rest(head).await.text()), (StatusCode::OK, "page"));
    // Another page, a file, and what is no navigation.
    let fetch = http::Request::get("https://on.test/a?b").header("sec-fetch-mode", "cors").body(()).unwrap();
    for other in [get("on.test", "/b"), get("on.test", "/a.css"), get("on.test", "/a.css"), fetch] {
        assert_eq!(http3.send(other, "").await.head().await.status(), 200);
    }
    let navigation =
        http::Request::get("https://on.test/a?b").header("sec-fetch-mode", "navigate").body(()).unwrap();
    assert_eq!(http3.send(navigation, "").await.head().await.status(), StatusCode::EARLY_HINTS);
    // A host whose zone, or that itself, did not ask for it.
    let mut http3 = Http3::connect(https, "shop.test", &root).await.unwrap();
    for _ in 0..2 {
        assert_eq!(http3.send(get("shop.test", "/page"), "").await.head().await.status(), 200);
    }
}

#[tokio::test]
async fn over_http2_it_is_said_as_well_and_over_http1_it_is_not() {
    let (server, _, _) = serving("").await;
    let statuses =
        |heads: &[http::Response<()>]| heads.iter().map(|head| head.status().as_u16()).collect::<Vec<_>>();
    let first = heads_over_http2(server.visitors, "on.test", "/a").await;
    assert_eq!(statuses(&first), [200]);
    let again = heads_over_http2(server.visitors, "on.test", "/a").await;
    assert_eq!(statuses(&again), [103, 200]);
    assert_eq!(again[0].headers()["link"], HINTS);
    let mut raw = server.raw("GET /a HTTP/1.1\r\nhost: on.test\r\n\r\n").await;
    assert_eq!(raw.answer().await.status, 200);
}
