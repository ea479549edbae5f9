//! A status that is no final one does not reach the visitor, whoever lets the script say it.

use http::Method;

use super::{WAYS, config};
use crate::support::{Answer, Connection, Server, body, request};

#[tokio::test]
async fn what_a_script_says_below_200_is_its_failure() {
    let server = Server::serving(&config(None)).await;
    for mut connection in [Connection::http1(server.visitors).await, Connection::http2(server.visitors).await]
    {
        for status in [100, 101, 102, 103] {
            for (host, how) in WAYS {
                for method in [Method::GET, Method::HEAD] {
                    let what = format!("{status} {host} {how} {method}");
                    let path = format!("/?bytes=5&status={status}");
                    let asked = request(method.clone(), &format!("{host}.bare.test"), &path);
                    let asked = asked.header("x-how", how).body(body("")).unwrap();
                    let answer = Answer::read(connection.send(asked).await).await;
                    assert_eq!(answer.status, 500, "{what}");
                    assert!(!answer.header("cf-ray").is_empty(), "{what}");
                    if method == Method::GET {
                        assert!(answer.text().starts_with("error 1101: "), "{what}: {}", answer.text());
                    }
                }
            }
        }
        let good = request(Method::GET, "direct.bare.test", "/?bytes=5&status=299").body(body("")).unwrap();
        assert_eq!(Answer::read(connection.send(good).await).await.status, 299, "the connection goes on");
    }
    let line = server.logged("the account", |line| line["target"] == "wasmyard::access").await;
    assert_eq!((&line["status"], &line["reason"]), (&500.into(), &"no_response".into()), "{line}");
}
