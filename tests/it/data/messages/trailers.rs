//! Trailers hold what is known at the end of a content, and nothing that belongs in a head.

use http::{HeaderMap, HeaderValue, Method};
use hyper::body::Frame;

use crate::support::{Connection, Server, channel, guest, request};

const FORBIDDEN: [&str; 8] = [
    "authorization",
    "cf-connecting-ip",
    "cf-ray",
    "content-encoding",
    "content-length",
    "set-cookie",
    "x-forwarded-for",
    "x_forwarded_for",
];

#[tokio::test]
async fn what_may_not_stand_in_trailers_is_taken_out_on_every_way() {
    let server = Server::serving(&format!(
        "[scripts.echo]\n{}\n[[routes]]\npattern = \"echo.test/*\"\nscript = \"echo\"\n",
        guest::main("echo_stream")
    ))
    .await;
    for mut connection in [Connection::http1(server.visitors).await, Connection::http2(server.visitors).await]
    {
        let (sender, body) = channel();
        let announced = format!("x-checksum, {}", FORBIDDEN.join(", "));
        let head =
            request(Method::POST, "echo.test", "/").header("trailer", announced).header("te", "trailers");
        sender.unbounded_send(Ok(Frame::data("content".into()))).unwrap();
        let mut trailers = HeaderMap::new();
        trailers.insert("x-checksum", HeaderValue::from_static("b5bb9d80"));
        for name in FORBIDDEN {
            trailers.insert(name, HeaderValue::from_static("6"));
        }
        sender.unbounded_send(Ok(Frame::trailers(trailers))).unwrap();
        drop(sender);
        let answer = connection.send(head.body(body).unwrap()).await;
        assert_eq!(answer.status(), 200);
        let whole = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap();
        let trailers = whole.trailers().cloned().unwrap_or_default();
        assert_eq!(trailers.keys().collect::<Vec<_>>(), ["x-checksum"], "{trailers:?}");
        assert_eq!(whole.to_bytes(), "content");
    }
}
