//! Live tails: of a script, of a namespace, with filters; from the command line and over a WebSocket; and what is refused.

use std::sync::{Arc, Mutex};

use http::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Server, Site, body, eventually, request, script_path, within};

const SHOP: &str = r#"
    export default {
      fetch(request) {
        console.warn("asked for", new URL(request.url).pathname);
        if (request.url.endsWith("/broken")) throw new TypeError("no such thing");
        return new Response("shop");
      },
    };
"#;

async fn platform() -> (Site, Server) {
    let site = super::dispatching_by_label();
    let server = site.serve().await;
    let api = server.api();
    for script in ["shop", "blog"] {
        api.javascript(&script_path(script), SHOP).await.result();
    }
    (site, server)
}

/// A tail that is read by hand: what comes after the handshake, byte by byte.
struct Reader {
    stream: TcpStream,
}

impl Reader {
    /// Goes to an address that the API gave, and changes the protocol.
    #[expect(clippy::disallowed_methods, reason = "a reader of this test, not a guest's socket")]
    async fn open(url: &str) -> (Reader, String) {
        let rest = url.strip_prefix("ws://").unwrap();
        let (host, path) = rest.split_once('/').unwrap();
        let mut stream = TcpStream::connect(host).await.unwrap();
        let head = format!(
            "GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: keep-alive, Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             sec-websocket-protocol: trace-v1\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(within("the answer's head", stream.read_u8()).await.unwrap());
        }
        (Reader { stream }, String::from_utf8(answer).unwrap().to_ascii_lowercase())
    }

    /// One frame: what kind it is, and what is in it.
    async fn frame(&mut self) -> (u8, Vec<u8>) {
        let kind = within("a frame", self.stream.read_u8()).await.unwrap() & 0x0f;
        let length = match self.stream.read_u8().await.unwrap() {
            126 => u64::from(self.stream.read_u16().await.unwrap()),
            127 => self.stream.read_u64().await.unwrap(),
            short => u64::from(short),
        };
        let mut content = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut content).await.unwrap();
        (kind, content)
    }

    async fn message(&mut self) -> Value {
        let (kind, content) = self.frame().await;
        assert_eq!(kind, 1, "a text");
        serde_json::from_slice(&content).unwrap()
    }
}

async fn tail(server: &Server, path: &str, filters: Value) -> String {
    let made = server.api().post(&format!("{path}/tails"), &json!({ "filters": filters })).await;
    made.result()["url"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_reader_is_told_of_the_invocations_of_its_script_and_no_others() {
    let (_site, server) = platform().await;
    let url = tail(&server, &script_path("shop"), json!([])).await;
    let (mut reader, head) = Reader::open(&url).await;
    assert!(head.starts_with("http/1.1 101 ") && head.contains("sec-websocket-protocol: trace-v1"), "{head}");
    // The answer to the key of RFC 6455 section 1.3.
    assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
    // The first frame of wrangler has no mask.
    reader.stream.write_all(b"\x81\x0f{\"debug\":false}").await.unwrap();
    assert_eq!(server.get("blog.localhost", "/").await.status, 200);
    assert_eq!(server.get("shop.localhost", "/a?b=c").await.status, 200);
    let told = reader.message().await;
    assert_eq!(told["scriptName"], "shop");
    assert_eq!(told["dispatchNamespace"], "production");
    assert_eq!(told["outcome"], "ok");
    assert_eq!(told["event"]["request"]["method"], "GET");
    assert_eq!(told["event"]["request"]["url"], "http://shop.localhost/a?b=c");
    assert_eq!(told["event"]["response"]["status"], 200);
    assert_eq!(told["logs"][0]["level"], "warn");
    assert_eq!(told["logs"][0]["message"], json!(["asked for /a"]));
    server.get("shop.localhost", "/broken").await;
    let told = reader.message().await;
    assert_eq!(told["outcome"], "exception");
    assert!(told.to_string().contains("no such thing"), "{told}");
    // wrangler asks every ten seconds, and goes when nobody answers.
    reader.stream.write_all(b"\x89\x85\0\0\0\0there").await.unwrap();
    assert_eq!(reader.frame().await, (10, b"there".to_vec()));

    // Who ends it closes the connection, and there is none any more.
    let path = format!("{}/tails", script_path("shop"));
    let listed = server.api().get(&path).await.result().clone();
    let id = listed[0]["id"].as_str().unwrap();
    assert!(url.ends_with(id) && listed.as_array().unwrap().len() == 1, "{listed}");
    server.api().delete(&format!("{path}/{id}")).await.result();
    assert_eq!(reader.frame().await.0, 8);
    assert_eq!(server.api().get(&path).await.result(), &json!([]));
}

#[tokio::test]
async fn secrets_of_visitors_are_left_out_and_filters_choose() {
    let (_site, server) = platform().await;
    let filters = json!([{ "header": { "key": "x-kind", "query": "wanted" } }, { "outcome": ["ok"] }]);
    let url = tail(&server, "/client/v4/accounts/0/workers/dispatch/namespaces/production", filters).await;
    let (mut reader, _) = Reader::open(&url).await;
    let ask = async |host: &str, kind: &'static str| {
        let asked = request(Method::GET, host, "/").header("x-kind", kind);
        let asked = asked.header("authorization", "Bearer canary").header("cookie", "id=canary");
        server.send(asked.body(body("")).unwrap()).await;
    };
    ask("shop.localhost", "other").await;
    ask("shop.localhost", "wanted here").await;
    ask("blog.localhost", "wanted there").await;
    for (script, kind) in [("shop", "wanted here"), ("blog", "wanted there")] {
        let told = reader.message().await;
        assert_eq!(told["scriptName"], script);
        assert_eq!(told["event"]["request"]["headers"]["x-kind"], kind);
        assert_eq!(told["event"]["request"]["headers"]["cookie"], "REDACTED");
        assert!(!told.to_string().contains("canary"), "{told}");
    }
}

#[tokio::test]
async fn an_address_is_read_once_and_nobody_else_gets_in() {
    let (_site, server) = platform().await;
    let url = tail(&server, &script_path("shop"), json!([])).await;
    let (reader, head) = Reader::open(&url).await;
    assert!(head.contains(" 101 "), "{head}");
    let (_, second) = Reader::open(&url).await;
    assert!(second.contains(" 404 "), "{second}");
    let (_, unknown) = Reader::open(&format!("{}0", &url[..url.len() - 1])).await;
    assert!(unknown.contains(" 404 "), "{unknown}");
    // Without a WebSocket it is told what to send.
    let id = url.rsplit('/').next().unwrap();
    let (status, text) = server.api().open(&format!("/tails/{id}")).await;
    assert!(status == 400 && text.contains("Upgrade: websocket"), "{status} {text}");
    // A reader that goes is forgotten.
    drop(reader);
    let path = format!("{}/tails", script_path("shop"));
    let gone = async || (server.api().get(&path).await.result() == &json!([])).then_some(());
    eventually("the tail is forgotten", gone).await;
    server.api().post(&format!("{}/tails", script_path("absent")), &json!({})).await.refused(404, 10092);
    let wrong = json!({ "filters": [{ "sampling_rate": 7 }] });
    let refused = server.api().post(&path, &wrong).await;
    assert!(refused.refused(400, 10021).contains("ilter 0: sampling_rate"), "{refused:?}");
}

#[tokio::test]
async fn the_command_line_watches_a_whole_namespace() {
    let (site, server) = platform().await;
    let url = server.api().url.clone();
    let words = ["tail", "--namespace", "production", "--search", "/b", "--api-url", &url];
    let mut child = site.spawn_to_be_read(&words);
    let seen = Arc::new(Mutex::new(String::new()));
    let mut readers = Vec::new();
    for mut stream in [
        Box::new(child.stdout.take().unwrap()) as Box<dyn tokio::io::AsyncRead + Send + Unpin>,
        Box::new(child.stderr.take().unwrap()),
    ] {
        let seen = Arc::clone(&seen);
        readers.push(tokio::spawn(async move {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = stream.read(&mut bytes).await {
                seen.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        }));
    }
    let shows = |text: &'static str| {
        let seen = Arc::clone(&seen);
        async move {
            let seen = &seen;
            eventually(text, async || seen.lock().unwrap().contains(text).then_some(())).await;
        }
    };
    shows("watching all scripts of production").await;
    server.get("shop.localhost", "/a").await;
    server.get("shop.localhost", "/b").await;
    server.get("blog.localhost", "/broken").await;
    shows("production/shop GET http://shop.localhost/b 200 - ok").await;
    shows("(warn) asked for /b").await;
    shows("production/blog GET http://blog.localhost/broken").await;
    child.kill().await.unwrap();
    for reader in readers {
        reader.await.unwrap();
    }
    assert!(!seen.lock().unwrap().contains("localhost/a "), "{}", seen.lock().unwrap());
}
