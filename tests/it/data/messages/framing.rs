//! What a reader in front may cut in another place than we do is refused: where a line ends, where a chunk does, what a
//! target is. On every connection, however it was used before, and in pieces of any size; on both ports.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

use crate::support::{Server, guest, within};

const GOOD: &str = "GET / HTTP/1.1\r\nhost: probe.test\r\n\r\n";
const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nhost: probe.test\r\n\r\n";

async fn server() -> Server {
    let probe = guest::main("probe");
    Server::serving(&format!(
        "[limits]\ncpu_ms = 10000\n[scripts.probe]\n{probe}\n[[routes]]\npattern = \"probe.test/*\"\nscript = \"probe\"\n"
    ))
    .await
}

/// Heads that hyper takes.
const HEADS: [(&str, &str); 8] = [
    ("a line that ends in LF", "GET / HTTP/1.1\nhost: probe.test\r\n\r\n"),
    ("a field that ends in LF", "GET / HTTP/1.1\r\nhost: probe.test\nx-a: b\r\n\r\n"),
    ("a head that ends in LF", "GET / HTTP/1.1\r\nhost: probe.test\r\n\n"),
    ("LF alone throughout", "GET / HTTP/1.1\nhost: probe.test\n\n"),
    ("an empty line of LF before it", "\nGET / HTTP/1.1\r\nhost: probe.test\r\n\r\n"),
    ("a fragment", "GET /a#b HTTP/1.1\r\nhost: probe.test\r\n\r\n"),
    ("a fragment behind a query", "GET /?a#/b HTTP/1.1\r\nhost: probe.test\r\n\r\n"),
    ("a fragment of a URL", "GET http://probe.test/#a HTTP/1.1\r\nhost: probe.test\r\n\r\n"),
];

/// Bodies that hyper takes.
const CHUNKS: [(&str, &str); 6] = [
    ("a blank behind a size", "3 \r\nabc\r\n0\r\n\r\n"),
    ("a tab behind a size", "3\t\r\nabc\r\n0\r\n\r\n"),
    ("a blank before an extension", "3 ;a=b\r\nabc\r\n0\r\n\r\n"),
    ("a control character in an extension", "3;a\x01\r\nabc\r\n0\r\n\r\n"),
    ("a blank behind the last size", "3\r\nabc\r\n0 \r\n\r\n"),
    ("trailers that end in LF", "3\r\nabc\r\n0\r\nx-a: b\n\r\n"),
];

#[tokio::test]
async fn heads_that_may_be_cut_elsewhere_are_refused_behind_the_answers_before() {
    let server = server().await;
    for (what, head) in HEADS {
        for before in [0, 1, 3] {
            let mut visitor = server.raw(format!("{}{head}{HIDDEN}", GOOD.repeat(before))).await;
            for _ in 0..before {
                assert_eq!(visitor.answer().await.status, 200, "{what}, behind {before}");
            }
            assert_eq!(visitor.answer().await.status, 400, "{what}, behind {before}");
            assert_eq!(visitor.rest().await, "", "{what}: the connection is closed");
        }
    }
    // A connection that was kept, and bytes that come one by one.
    let mut visitor = server.raw(GOOD).await;
    assert_eq!(visitor.answer().await.status, 200);
    for byte in "GET / HTTP/1.1\r\nhost: probe.test\n".bytes() {
        visitor.write([byte]).await;
    }
    assert_eq!(visitor.answer().await.status, 400);
    assert_eq!(visitor.rest().await, "");
    assert!(!server.log().contains("/hidden"), "{}", server.log());
}

#[tokio::test]
async fn chunks_that_may_be_cut_elsewhere_are_refused_wherever_they_are_noticed() {
    let server = server().await;
    let head = "POST /length HTTP/1.1\r\nhost: probe.test\r\ntransfer-encoding: chunked\r\n\r\n";
    for (what, body) in CHUNKS {
        let mut visitor = server.raw(format!("{GOOD}{head}{body}{HIDDEN}")).await;
        assert_eq!(visitor.answer().await.status, 200, "{what}");
        assert_eq!(visitor.answer().await.status, 400, "{what}");
        assert_eq!(visitor.rest().await, "", "{what}: the connection is closed");
        // Nobody reads this body: the answer is the script's, and the connection ends with it.
        let head = head.replace("/length", "/");
        let mut visitor = server.raw(format!("{head}{body}{HIDDEN}")).await;
        assert_eq!(visitor.answer().await.status, 200, "{what}, unread");
        assert_eq!(visitor.rest().await, "", "{what}, unread");
    }
    assert!(!server.log().contains("/hidden"), "{}", server.log());
}

#[tokio::test]
async fn what_every_reader_cuts_alike_is_taken_in_pieces_of_any_size() {
    let server = server().await;
    let all = [
        "\r\n",
        GOOD,
        "POST /length HTTP/1.1\r\nhost: probe.test\r\nx-a: #\r\nContent-Length: 3\r\n\r\n\n#\n",
        "POST /length HTTP/1.1\r\nhost: probe.test\r\nTransfer-Encoding: chunked\r\n\r\n",
        "2;a=\"b c\";d\r\n\n\n\r\n000A\r\n0123456789\r\n0;e\r\n\r\n",
        GOOD,
    ]
    .concat();
    for size in [1, 7, all.len()] {
        let mut visitor = server.raw("").await;
        for piece in all.as_bytes().chunks(size) {
            visitor.write(piece).await;
        }
        for number in 0..4 {
            let answer = visitor.answer().await;
            assert_eq!(answer.status, 200, "answer {number}, pieces of {size}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn the_port_of_the_api_is_as_strict() {
    let server = server().await;
    let asked = async |bytes: &str| {
        let mut stream = TcpSocket::new_v4().unwrap().connect(server.api_address()).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let mut said = String::new();
        // Who is closed on while sending may be reset, behind the answer.
        let _ended = within("the end of a connection", stream.read_to_string(&mut said)).await;
        said
    };
    let good = "GET /health/live HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    assert!(asked(good).await.starts_with("HTTP/1.1 200"));
    for (what, head) in HEADS {
        let said = asked(head).await;
        assert!(said.starts_with("HTTP/1.1 400"), "{what}: {said}");
    }
}
