//! The OpenAPI golden file and `docs/api.md` agree with the router. `WASMYARD_REFRESH=1` rewrites both.

use std::fmt::Write as _;
use std::path::PathBuf;

use wasmyard_api::{Code, CsrCode, openapi_document};
use wasmyard_namespaces::access::Group;

use crate::common::Api;

fn refresh() -> bool {
    std::env::var_os("WASMYARD_REFRESH").is_some()
}

fn file(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn the_golden_file_is_the_document() {
    let path = file("tests/openapi.json");
    let document = format!("{:#}\n", openapi_document());
    if refresh() {
        std::fs::write(&path, &document).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == document, "the API changed; look at it, then run the tests with WASMYARD_REFRESH=1");
}

#[tokio::test]
async fn the_document_is_served() {
    let answer = Api::new().await.get("/openapi.json").await;
    assert_eq!(answer.json(), openapi_document());
}

#[test]
fn operations_have_unique_names_and_every_reference_leads_somewhere() {
    let document = openapi_document();
    let mut names = Vec::new();
    for methods in document["paths"].as_object().unwrap().values() {
        for operation in methods.as_object().unwrap().values() {
            names.push(operation["operationId"].as_str().unwrap().to_owned());
        }
    }
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!((count, count > 50), (names.len(), true));
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"").skip(1) {
        let pointer = reference.split('"').next().unwrap().strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}

/// Generators and fuzzers read these, and stop at what is missing.
#[test]
fn what_is_bounded_says_so_and_every_result_has_a_schema() {
    let document = openapi_document();
    let mut without = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            for parameter in operation["parameters"].as_array().unwrap() {
                let schema = &parameter["schema"];
                let bounded = schema["pattern"].is_string() && schema["maxLength"].is_number();
                assert!(parameter["in"] == "query" || bounded, "{method} {path}: {parameter}");
            }
            for (status, response) in operation["responses"].as_object().unwrap() {
                let schema = &response["content"]["application/json"]["schema"];
                if status != "default" && schema["properties"]["result"] == serde_json::json!({}) {
                    without.push(path.rsplit('/').nth(1).unwrap().to_owned());
                }
            }
        }
    }
    // Whatever was put beside a value.
    assert_eq!(without, ["metadata"]);
    let mut all = vec![&document];
    while let Some(value) = all.pop() {
        if let Some(fields) = value.as_object() {
            let no_true = |schema: &serde_json::Value| *schema != serde_json::Value::Bool(true);
            assert!(fields.get("items").is_none_or(no_true), "{value}");
            let properties = fields.get("properties").and_then(serde_json::Value::as_object);
            assert!(properties.is_none_or(|properties| properties.values().all(no_true)), "{value}");
            all.extend(fields.values());
        }
        all.extend(value.as_array().into_iter().flatten());
    }
}

#[test]
fn every_code_has_its_own_number() {
    let mut numbers: Vec<u32> = Code::ALL.iter().map(|code| code.number()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    // One number has two statuses, as clients know it: no good token, and a good one that may not.
    assert_eq!(Code::Authentication.number(), Code::Forbidden.number());
    // Three of those that clients of objects know are something else elsewhere: the path of the call says which.
    for of_objects in [Code::R2BucketExists, Code::R2BucketNotFound, Code::R2ObjectNotFound] {
        let others = Code::ALL.iter().filter(|code| code.number() == of_objects.number());
        assert_eq!(others.count(), 2, "{of_objects:?}");
    }
    assert_eq!(numbers.len() + 1 + 3, Code::ALL.len());
    assert!(Code::ALL.iter().all(|code| code.number() >= 900 && code.status().as_u16() >= 400));
    let mut numbers: Vec<u32> = CsrCode::ALL.iter().map(|code| code.number()).collect();
    numbers.dedup();
    assert_eq!(numbers.len(), CsrCode::ALL.len(), "in their order, each once");
    assert!(CsrCode::ALL.iter().all(|code| code.status().as_u16() >= 400));
}

/// The two tables of `docs/api.md`, between its markers.
#[test]
fn the_page_lists_every_call_and_every_code() {
    let path = file("../docs/api.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let page_now = between(&between(&page, "calls", &calls()), "codes", &codes());
    let page_now = between(&page_now, "csr codes", &csr_codes());
    if refresh() {
        std::fs::write(&path, &page_now).unwrap();
        return;
    }
    assert!(page == page_now, "docs/api.md is out of date: run the tests with WASMYARD_REFRESH=1");
}

/// What tokens can be given, in `docs/tokens.md`.
#[test]
fn the_page_on_tokens_lists_every_permission() {
    let path = file("../docs/tokens.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let page_now = between(&page, "permissions", &permissions());
    if refresh() {
        std::fs::write(&path, &page_now).unwrap();
        return;
    }
    assert!(page == page_now, "docs/tokens.md is out of date: run the tests with WASMYARD_REFRESH=1");
}

fn permissions() -> String {
    let mut text = "\n| permission | id | on | for |\n|---|---|---|---|\n".to_owned();
    for group in Group::ALL {
        let (name, id, family) = (group.name(), group.id(), group.family());
        writeln!(text, "| {name} | `{id}` | {} | {} |", family.places(), family.meaning()).unwrap();
    }
    text + "\n"
}

fn between(page: &str, marker: &str, table: &str) -> String {
    let (open, close) = (format!("<!-- {marker} -->\n"), format!("<!-- /{marker} -->"));
    let (before, rest) = page.split_once(&open).expect("the page has the opening marker");
    let (_, after) = rest.split_once(&close).expect("the page has the closing marker");
    format!("{before}{open}{table}{close}{after}")
}

fn calls() -> String {
    let document = openapi_document();
    let mut rows: Vec<(String, String, String, String)> = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let query: Vec<&str> = operation["parameters"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|parameter| parameter["in"] == "query")
                .filter_map(|parameter| parameter["name"].as_str())
                .collect();
            let query = if query.is_empty() { String::new() } else { format!("?{}=", query.join("=&")) };
            let area = operation["tags"][0].as_str().unwrap().to_owned();
            let summary = operation["summary"].as_str().unwrap().to_owned();
            rows.push((area, format!("{path}{query}"), method.to_uppercase(), summary));
        }
    }
    rows.sort();
    let mut text = String::new();
    let mut last = String::new();
    for (area, path, method, summary) in rows {
        if area != last {
            writeln!(text, "\n**{area}**\n\n| call | what it does |\n|---|---|").unwrap();
            last.clone_from(&area);
        }
        let path = path.replace("/client/v4/accounts/{account_id}/workers", "…").replace("/client/v4", "");
        writeln!(text, "| `{method} {path}` | {summary} |").unwrap();
    }
    text + "\n"
}

fn codes() -> String {
    let mut codes: Vec<Code> = Code::ALL.to_vec();
    codes.sort_by_key(|code| code.number());
    let mut text = "\n| code | status | meaning |\n|---|---|---|\n".to_owned();
    for code in codes {
        writeln!(text, "| {} | {} | {} |", code.number(), code.status().as_u16(), code.meaning()).unwrap();
    }
    text + "\n"
}

fn csr_codes() -> String {
    let mut text = "\n| code | status | meaning |\n|---|---|---|\n".to_owned();
    for code in CsrCode::ALL {
        writeln!(text, "| {} | {} | {} |", code.number(), code.status().as_u16(), code.meaning()).unwrap();
    }
    text + "\n"
}
