//! The table of `docs/javascript.md` over WinterTC's minimum common API, held to what a running engine says.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::{alone, get};

/// Every name of Ecma's standard 429, the minimum common Web API.
const NAMES: &str = "AbortController AbortSignal Blob ByteLengthQueuingStrategy CompressionStream CountQueuingStrategy Crypto CryptoKey \
    CustomEvent DecompressionStream DOMException ErrorEvent Event EventTarget File FormData Headers MessageChannel MessageEvent \
    MessagePort Performance PromiseRejectionEvent ReadableByteStreamController ReadableStream ReadableStreamBYOBReader \
    ReadableStreamBYOBRequest ReadableStreamDefaultController ReadableStreamDefaultReader Request Response SubtleCrypto \
    TextDecoder TextDecoderStream TextEncoder TextEncoderStream TransformStream TransformStreamDefaultController URL URLPattern \
    URLSearchParams WebAssembly WritableStream WritableStreamDefaultController WritableStreamDefaultWriter \
    atob btoa clearInterval clearTimeout console crypto crypto.subtle fetch globalThis navigator.userAgent onerror \
    onrejectionhandled onunhandledrejection performance.now performance.timeOrigin queueMicrotask reportError self setInterval \
    setTimeout structuredClone";

/// By name: what the page says of it.
fn of_the_page() -> BTreeMap<String, String> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/javascript.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, table) = page.split_once("| name of the minimum common API |").expect("the page has the table");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let mut said = BTreeMap::new();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [names, verdict, how] = cells.as_slice() else { panic!("three cells: {row}") };
        assert!(["same", "differs", "not there"].contains(verdict), "{row}");
        assert!(*verdict == "same" || !how.is_empty(), "how it differs: {row}");
        for name in names.split(", ") {
            let name = name.trim_matches('`').to_owned();
            assert!(said.insert(name.clone(), (*verdict).to_owned()).is_none(), "{name} is there twice");
        }
    }
    said
}

#[tokio::test]
async fn the_table_of_the_minimum_common_api_is_what_an_engine_has() {
    let said = of_the_page();
    let server = alone(
        r"
        export default {
          fetch(request) {
            const there = (name) => {
              let at = globalThis;
              for (const part of name.split('.')) {
                if (at === undefined || at === null || !(part in Object(at))) return false;
                at = at[part];
              }
              return true;
            };
            return Response.json(Object.fromEntries(new URL(request.url).searchParams.get('names').split(' ').map((name) => [name, there(name)])));
          },
        };
        ",
    )
    .await;
    let names: Vec<&str> = NAMES.split_whitespace().collect();
    let answer = get(&server, "a.test", &format!("/?names={}", names.join("+"))).await;
    let there: BTreeMap<String, Value> = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(there.len(), names.len());
    for name in &names {
        let verdict = said.get(*name).unwrap_or_else(|| panic!("{name} is not in the table"));
        assert_eq!(there[*name] == true, verdict != "not there", "{name}: the table says {verdict:?}");
    }
    let strange: Vec<_> = said.keys().filter(|name| !names.contains(&name.as_str())).collect();
    assert!(strange.is_empty(), "{strange:?} are no names of that API");
}
