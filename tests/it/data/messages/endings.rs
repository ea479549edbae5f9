//! What a script has finished is delivered, however it ends then; what it has not is never taken for the whole.

use super::lengths::is_whole;
use super::{WAYS, config};
use crate::support::Server;

async fn asked(server: &Server, (host, how): (&str, &str), query: &str) -> String {
    let head = format!(
        "GET /?{query} HTTP/1.1\r\nhost: {host}.bare.test\r\nx-how: {how}\r\nconnection: close\r\n\r\n"
    );
    server.raw(head).await.rest().await
}

#[tokio::test]
async fn an_answer_that_was_finished_is_delivered_whole_whatever_the_script_does_then() {
    let server = Server::serving(&config(None)).await;
    for way in WAYS {
        for end in ["exit-ok", "exit-err", "panic", "none"] {
            for (bytes, times) in [(11, 10), (1 << 20, 2)] {
                for _ in 0..times {
                    let all = asked(&server, way, &format!("bytes={bytes}&end={end}")).await;
                    let what = format!("{way:?} {end} {bytes}");
                    assert!(all.starts_with("HTTP/1.1 200 "), "{what}: {}", &all[..all.len().min(300)]);
                    assert!(is_whole(&all), "{what}: {} bytes of it", all.len());
                    assert_eq!(
                        all.matches('.').count(),
                        bytes,
                        "{what}: the one that is no dot is in the version"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn the_account_says_how_it_ended_all_the_same() {
    let server = Server::serving(&config(None)).await;
    for end in ["exit-ok", "exit-err", "panic"] {
        asked(&server, WAYS[0], &format!("bytes=11&end={end}")).await;
    }
    for (outcome, times) in [("ok", 1.0), ("exception", 2.0)] {
        let series = format!(r#"wasmyard_invocations_total{{kind="platform",outcome="{outcome}"}}"#);
        assert_eq!(server.total(&series).await, times, "{outcome}");
    }
}

#[tokio::test]
async fn an_answer_that_was_not_finished_does_not_look_complete_and_is_not_silent() {
    let server = Server::serving(&config(None)).await;
    for way in WAYS {
        for query in [
            "bytes=11&finish=drop",
            "bytes=11&finish=drop&end=panic",
            "bytes=11&finish=leak&end=panic",
            "bytes=11&finish=leak&end=exit-ok",
            "bytes=70000&finish=leak&end=panic",
            "end=panic-before",
        ] {
            let all = asked(&server, way, query).await;
            assert!(all.starts_with("HTTP/1.1 "), "{way:?} {query}: {all:?}");
            let refused = all.starts_with("HTTP/1.1 500 ");
            assert!(refused || !is_whole(&all), "{way:?} {query}: {}", &all[..all.len().min(300)]);
        }
    }
}
