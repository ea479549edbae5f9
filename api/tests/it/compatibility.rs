//! `docs/cloudflare-compatibility.md`: every call that the hosted product's clients know, and what it is here.
//!
//! `compatibility.txt` has the calls: those of the official SDKs for Python (5.9) and TypeScript (6.5) about Workers for
//! Platforms, Workers and custom hostnames, and those that wrangler (4.86 and 4.164) sends. Whether one is there is asked of
//! the router; in what it differs is written here.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use wasmyard_api::openapi_document;

const CALLS: &str = include_str!("compatibility.txt");

/// In what a call differs that is there.
const DIFFERS: &[(&str, &str)] = &[
    ("GET /accounts", "there is one account"),
    ("GET /accounts/{account_id}", "there is one account, and every name is its"),
    ("GET /memberships", "there is one account, and its operator is its only member"),
    ("GET /user", "tokens stand for the operator: there are no other users"),
    (
        "POST /accounts/{account_id}/queues/{queue_id}/consumers",
        "user scripts consume as well, by `dispatch_namespace`",
    ),
    ("PUT /accounts/{account_id}/queues/{queue_id}", "what is left out stays"),
    ("POST /accounts/{account_id}/queues/{queue_id}/purge", "done when it is answered"),
    ("PATCH /accounts/{account_id}/d1/database/{database_id}", "there is one place: no replicas"),
    ("PUT /accounts/{account_id}/d1/database/{database_id}", "there is one place: no replicas"),
    (
        "GET /accounts/{account_id}/workers/domains",
        "there are none: a custom hostname of a zone, or a route, does what they do",
    ),
    ("GET /accounts/{account_id}/workers/durable_objects/namespaces", "there are none"),
    ("GET /accounts/{account_id}/workers/account-settings", "nothing depends on them"),
    ("GET /accounts/{account_id}/workers/subdomain", "there is no `workers.dev`: routes lead to scripts"),
    ("GET /accounts/{account_id}/workers/scripts/{script_name}/subdomain", "always off"),
    ("POST /accounts/{account_id}/workers/scripts/{script_name}/subdomain", "stays off; a remark says so"),
    ("GET /accounts/{account_id}/workers/tails/by-consumer/{script_name}", "always empty"),
    (
        "PUT /accounts/{account_id}/workers/scripts/{script_name}/schedules",
        "user scripts have them as well, below their namespace",
    ),
    (
        "GET /zones/{zone_id}/dns_records",
        "as far as they say where an origin or a target is: we are not the zone's name server",
    ),
    ("POST /zones/{zone_id}/dns_records", "A, AAAA and CNAME: we are not the zone's name server"),
];

/// What is said of calls that are not there, by how their paths begin; the longest beginning counts.
const INSTEAD: &[(&str, &str)] = &[
    ("/accounts/{account_id}/event_subscriptions/", "events of other products do not go to queues"),
    ("/accounts/{account_id}/r2/", "buckets and objects are there: [r2.md](r2.md) says what is not"),
    ("/accounts/{account_id}/secrets_store/", "one by one: `DELETE …/secrets/{secret_id}`"),
    ("/accounts/{account_id}/rulesets", "rules are not there yet"),
    ("/zones/{zone_id}/rulesets", "rules are not there yet"),
    (
        "/accounts/{account_id}/logpush/",
        "the log is lines of JSON on the server's output: [observability.md](observability.md)",
    ),
    ("/accounts/{account_id}/analytics_engine/", "GraphQL answers how much a bucket holds, and nothing else"),
    ("/accounts/{account_id}/workflows", "workflows are not there"),
    ("/accounts/{account_id}/audit_logs", "the audit log is not there yet"),
    ("/accounts/{account_id}/workers/account-settings", "nothing depends on them"),
    ("/accounts/{account_id}/workers/domains", "a custom hostname of a zone, or a route"),
    ("/accounts/{account_id}/workers/scripts-search", "`GET …/workers/scripts`"),
    ("/accounts/{account_id}/workers/subdomain", "there is no `workers.dev`: routes lead to scripts"),
    (
        "/zones/{zone_id}/custom_certificates",
        "certificates of custom hostnames are `custom_hostnames/…/certificate_pack`; others are files that `wasmyard.toml` names",
    ),
    ("/zones/{zone_id}/settings", "the settings that act are listed in [hostnames.md](hostnames.md)"),
    ("/graphql", "analytics are not there yet"),
];

/// A call with its parameters without names: SDKs and router may call them differently.
fn shape(call: &str) -> String {
    let mut shape = String::new();
    let mut inside = false;
    for letter in call.chars() {
        match letter {
            '{' => (inside, shape) = (true, shape + "{"),
            '}' => (inside, shape) = (false, shape + "}"),
            _ if inside => {}
            other => shape.push(other),
        }
    }
    shape
}

fn served() -> BTreeSet<String> {
    let document = openapi_document();
    let mut served = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let path = path.strip_prefix("/client/v4").unwrap_or(path);
        for method in methods.as_object().unwrap().keys() {
            served.insert(shape(&format!("{} {path}", method.to_uppercase())));
        }
    }
    served
}

fn instead(path: &str) -> &'static str {
    let fits = INSTEAD.iter().filter(|(begins, _)| path.starts_with(begins));
    fits.max_by_key(|(begins, _)| begins.len()).map_or("", |(_, text)| text)
}

fn table() -> String {
    let served = served();
    let mut text = String::new();
    let mut counts = [0, 0, 0];
    for call in CALLS.lines() {
        let path = call.split_once(' ').unwrap().1;
        let differs = DIFFERS.iter().find(|(known, _)| *known == call);
        let (what, note, count) = match (served.contains(&shape(call)), differs) {
            (true, None) => ("same", "", 0),
            (true, Some((_, note))) => ("differs", *note, 1),
            (false, _) => ("**not there**", instead(path), 2),
        };
        counts[count] += 1;
        writeln!(text, "| `{call}` | {what} | {note} |").unwrap();
    }
    let [same, differs, missing] = counts;
    format!(
        "{same} calls are the same, {differs} differ, {missing} are not there.\n\n| call | here | |\n|---|---|---|\n{text}"
    )
}

#[test]
fn the_page_says_of_every_call_whether_it_is_there() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/cloudflare-compatibility.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once("<!-- calls -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- /calls -->").unwrap();
    let now = format!("{before}<!-- calls -->\n{}<!-- /calls -->{after}", table());
    if std::env::var_os("WASMYARD_REFRESH").is_some() {
        std::fs::write(&path, &now).unwrap();
        return;
    }
    assert!(
        page == now,
        "docs/cloudflare-compatibility.md is out of date: run the tests with WASMYARD_REFRESH=1"
    );
}

#[test]
fn what_is_said_to_differ_is_there_and_what_is_not_there_has_a_word() {
    let (served, calls): (_, BTreeSet<&str>) = (served(), CALLS.lines().collect());
    assert_eq!(calls.len(), CALLS.lines().count(), "each call once");
    for (call, _) in DIFFERS {
        assert!(calls.contains(call) && served.contains(&shape(call)), "{call}");
    }
    for call in calls.iter().filter(|call| !served.contains(&shape(call))) {
        assert_ne!(instead(call.split_once(' ').unwrap().1), "", "{call}");
    }
}
