//! What a head says of a length is what comes, or the connection says that it broke off: nothing that a script or an
//! origin writes is read as a part of the next answer.

use http::Method;

use super::{WAYS, config};
use crate::support::{Answer, Connection, Server, body, origin, request};

/// What an origin says, by target.
fn said(target: &str) -> String {
    let chunks = "transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    match target {
        "/plain" => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_owned(),
        "/chunks" => format!("HTTP/1.1 200 OK\r\n{chunks}"),
        other => {
            let length = other.trim_start_matches("/both/");
            format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n{chunks}")
        }
    }
}

/// Every way in which an answer of the origin comes to the visitor: host and how.
fn ways() -> impl Iterator<Item = (String, &'static str)> {
    let named = WAYS.map(|(host, how)| (format!("{host}.relay.test"), how));
    named.into_iter().chain([("relay.gated.test".to_owned(), "none")])
}

#[tokio::test]
async fn an_answer_that_is_passed_on_has_its_own_length_whatever_the_script_says() {
    let origin = origin::speaking(said).await;
    let server = Server::serving(&config(Some(origin))).await;
    for (host, how) in ways() {
        let mut visitor = server.raw("").await;
        for length in ["0", "1", "2", "5", "50"] {
            visitor
                .write(format!(
                    "GET /relay HTTP/1.1\r\nhost: {host}\r\nx-how: {how}\r\nx-length: {length}\r\nx-target: \
                     http://{origin}/plain\r\n\r\n"
                ))
                .await;
            let answer = visitor.answer().await;
            assert_eq!((answer.status, answer.body.as_str()), (200, "ok"), "{host} {how} {length}");
        }
        visitor.write("GET /?bytes=3&length=3 HTTP/1.1\r\nhost: direct.bare.test\r\n\r\n").await;
        let next = visitor.answer().await;
        assert_eq!((next.status, next.body.as_str()), (200, "..\n"), "{host} {how}: the next answer");
    }
}

#[tokio::test]
async fn chunks_say_where_a_body_ends_and_not_a_length_beside_them() {
    let origin = origin::speaking(said).await;
    let server = Server::serving(&config(Some(origin))).await;
    for mut connection in [Connection::http1(server.visitors).await, Connection::http2(server.visitors).await]
    {
        for (host, how) in ways() {
            for length in ["0", "1", "2", "5"] {
                let asked = request(Method::GET, &host, "/relay").header("x-how", how);
                let asked = asked.header("x-target", format!("http://{origin}/both/{length}"));
                let answer = connection.send(asked.body(body("")).unwrap()).await;
                let answer = Answer::read(answer).await;
                assert_eq!((answer.status, answer.text()), (200, "ok"), "{host} {how} {length}");
            }
        }
    }
}

#[tokio::test]
async fn a_length_that_only_the_script_says_holds_its_answer_to_it() {
    let origin = origin::speaking(said).await;
    let server = Server::serving(&config(Some(origin))).await;
    for (host, how) in ways() {
        for (length, whole) in [("1", false), ("2", true), ("5", false)] {
            let what = format!("{host} {how} {length}");
            let all = server
                .raw(format!(
                    "GET /relay HTTP/1.1\r\nhost: {host}\r\nx-how: {how}\r\nx-length: {length}\r\nx-target: \
                     http://{origin}/chunks\r\n\r\n"
                ))
                .await
                .until_the_end(is_whole)
                .await;
            assert!(all.starts_with("HTTP/1.1 "), "{what}: {all:?}");
            // An outbound worker that has read all of it knows the length, and what the script says does not count.
            let right = is_whole(&all) && all.ends_with("\r\n\r\nok");
            let cut = all.starts_with("HTTP/1.1 500 ") || !is_whole(&all);
            assert!(right || (cut && !whole), "{what}: {all:?}");
        }
    }
}

#[tokio::test]
async fn a_script_that_breaks_its_own_word_is_cut_off_or_refused_and_never_silent() {
    let server = Server::serving(&config(None)).await;
    for (host, how) in WAYS {
        for (length, bytes) in [("50", 10), ("5", 10), ("0", 10), ("50", 0), ("1,2", 2)] {
            let what = format!("{host} {how}: {bytes} bytes of {length}");
            let path = format!("/?length={length}&bytes={bytes}");
            let all = server
                .raw(format!(
                    "GET {path} HTTP/1.1\r\nhost: {host}.bare.test\r\nx-how: {how}\r\nconnection: close\r\n\r\n"
                ))
                .await
                .rest()
                .await;
            assert!(all.starts_with("HTTP/1.1 "), "{what}: {all:?}");
            // Who says that there is no body has none.
            let none = length == "0" && all.ends_with("\r\n\r\n");
            assert!(all.starts_with("HTTP/1.1 500 ") || !is_whole(&all) || none, "{what}: {all:?}");
            let mut http2 = Connection::http2(server.visitors).await;
            let asked = request(Method::GET, &format!("{host}.bare.test"), &path).header("x-how", how);
            let answer = http2.try_send(asked.body(body("")).unwrap()).await;
            let cut = match answer {
                Ok(answer) if answer.status() == 500 => true,
                Ok(answer) => match http_body_util::BodyExt::collect(answer.into_body()).await {
                    Ok(body) => length == "0" && body.to_bytes().is_empty(),
                    Err(_) => true,
                },
                Err(_) => true,
            };
            assert!(cut, "{what}, over HTTP/2");
        }
    }
}

/// Whether an answer is complete as its own head has it.
pub(super) fn is_whole(answer: &str) -> bool {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { return false };
    let head = head.to_ascii_lowercase();
    match head.lines().find_map(|line| line.strip_prefix("content-length: ")) {
        Some(length) => body.len() == length.trim().parse::<usize>().unwrap(),
        None => head.contains("transfer-encoding: chunked") && body.ends_with("0\r\n\r\n"),
    }
}
