//! The Web APIs, by small scripts each of which gives one answer: `web/*.js`, run by `web/run.js`.
//!
//! What workerd answers is kept in `web/workerd.json`; where Wasmyard's answer is another, `web/differences.json` has it,
//! and why. Both are looked at in both directions: a difference that is not listed fails, and one that is listed and is
//! none any more fails as well. That what is kept is what workerd says is tried by `make workerd-test`, which installs it.

mod table;
mod workerd;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::get;
use crate::support::{Server, Site};

/// The files of the script.
const FILES: [(&str, &str); 15] = [
    ("run.js", include_str!("web/run.js")),
    ("blob.js", include_str!("web/blob.js")),
    ("caching.js", include_str!("web/caching.js")),
    ("compression.js", include_str!("web/compression.js")),
    ("crypto.js", include_str!("web/crypto.js")),
    ("encoding.js", include_str!("web/encoding.js")),
    ("events.js", include_str!("web/events.js")),
    ("fetching.js", include_str!("web/fetching.js")),
    ("globals.js", include_str!("web/globals.js")),
    ("html.js", include_str!("web/html.js")),
    ("intl.js", include_str!("web/intl.js")),
    ("messages.js", include_str!("web/messages.js")),
    ("node.js", include_str!("web/node.js")),
    ("streams.js", include_str!("web/streams.js")),
    ("url.js", include_str!("web/url.js")),
];

/// By case: what workerd answers.
fn of_workerd() -> BTreeMap<String, Value> {
    serde_json::from_str(include_str!("web/workerd.json")).unwrap()
}

/// By case: what Wasmyard answers where that is something else, with the reason.
fn differences() -> BTreeMap<String, Value> {
    serde_json::from_str(include_str!("web/differences.json")).unwrap()
}

async fn serving() -> Server {
    let site = Site::new(
        r#"
        [limits]
        cpu_ms = 30000
        [scripts.worker]
        main = "run.js"
        [[routes]]
        pattern = "*/*"
        script = "worker"
        "#,
    );
    for (name, source) in FILES {
        site.write(name, source);
    }
    site.serve().await
}

#[tokio::test]
async fn every_answer_is_that_of_workerd_or_a_difference_with_its_reason() {
    compare(&serving().await, of_workerd(), differences()).await;
}

/// Asks a script for its cases and each of them for its answer, and holds that beside what workerd says.
pub(super) async fn compare(
    server: &Server,
    mut of_workerd: BTreeMap<String, Value>,
    mut differences: BTreeMap<String, Value>,
) {
    let names: Vec<String> = serde_json::from_slice(&get(server, "a.test", "/").await.body).unwrap();
    let mut wrong = Vec::new();
    for name in names {
        let answer = get(server, "a.test", &format!("/{name}")).await;
        let answer: Value = serde_json::from_slice(&answer.body)
            .unwrap_or_else(|_| json!({ "status": answer.status, "text": answer.text() }));
        let Some(expected) = of_workerd.remove(&name) else {
            wrong.push(format!("{name} is new: `make workerd-test` says what workerd answers"));
            continue;
        };
        match differences.remove(&name) {
            None if answer == expected => {}
            None => wrong.push(format!("{name}\n   here    {answer}\n   workerd {expected}")),
            Some(listed) if answer == expected => {
                wrong.push(format!("{name} is listed as a difference and is none: {listed}"));
            }
            Some(listed) if listed["here"] == answer => {
                assert!(listed["why"].as_str().is_some_and(|why| why.len() > 10), "{name} has no reason");
            }
            Some(listed) => wrong.push(format!("{name}\n   here   {answer}\n   listed {}", listed["here"])),
        }
    }
    let left: Vec<_> = of_workerd.keys().chain(differences.keys()).collect();
    assert!(left.is_empty(), "there are no such cases: {left:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
