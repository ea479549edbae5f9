//! Answers that a script gives as a whole: they arrive as they are, or are refused with the reason in the log.

use http::Method;

use crate::support::{Answer, Connection, Server, body, guest, request};

fn config() -> String {
    format!(
        "[scripts.probe]\n{}\n[[routes]]\npattern = \"probe.test/*\"\nscript = \"probe\"\n",
        guest::main("probe")
    )
}

async fn ask(connection: &mut Connection, method: Method, query: &str) -> Answer {
    let asked = request(method, "probe.test", &format!("/whole?{query}")).body(body("")).unwrap();
    Answer::read(connection.send(asked).await).await
}

#[tokio::test]
async fn an_answer_of_any_size_arrives_whole_with_its_length() {
    let server = Server::serving(&config()).await;
    for mut connection in [Connection::http1(server.visitors).await, Connection::http2(server.visitors).await]
    {
        // Around what goes in one call, and many calls.
        for bytes in [0, 1, 256 << 10, (256 << 10) + 1, 3 << 20] {
            let answer = ask(&mut connection, Method::GET, &format!("bytes={bytes}")).await;
            assert_eq!((answer.status, answer.body.len()), (200, bytes));
            assert_eq!(answer.header("content-length"), bytes.to_string());
            assert!(answer.body.iter().enumerate().all(|(n, byte)| usize::from(*byte) == n % 251), "{bytes}");
            let head = ask(&mut connection, Method::HEAD, &format!("bytes={bytes}")).await;
            assert_eq!((head.body.len(), head.header("content-length")), (0, bytes.to_string().as_str()));
        }
        let head = ask(&mut connection, Method::HEAD, "length=7").await;
        assert_eq!(
            (head.status, head.header("content-length")),
            (200, "7"),
            "of the body that GET would get"
        );
        let own = ask(&mut connection, Method::GET, "bytes=3&status=418&field=x-own").await;
        assert_eq!((own.status, own.header("x-own"), own.body.len()), (418, "x", 3));
    }
}

#[tokio::test]
async fn what_may_not_be_said_is_refused_and_the_log_says_why() {
    let server = Server::serving(&config()).await;
    for (query, why) in [
        ("status=99", "99 is not a status code to answer with"),
        ("status=199", "199 is not a status code to answer with"),
        ("status=600", "600 is not a status code to answer with"),
        ("field=connection", "`connection` cannot be set: it belongs to the connection"),
        ("field=Transfer-Encoding", "cannot be set: it belongs to the connection"),
        ("bytes=4&length=3", "says \"3\", but the body has 4 bytes"),
        ("bytes=300000&length=299999", "says \"299999\", but the body has 300000 bytes"),
        ("bytes=4&length=-4", "`content-length` cannot be set: name or value break the rules of HTTP"),
    ] {
        let refused = server.get("probe.test", &format!("/whole?{query}")).await;
        assert_eq!(refused.status, 500, "{query}");
        assert!(refused.text().contains("1101"), "{query}: {}", refused.text());
        server
            .logged(query, |line| line["message"].as_str().is_some_and(|message| message.contains(why)))
            .await;
    }
}
