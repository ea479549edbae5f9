//! Waiting until a custom hostname is served: what it waits for, told when that changes.
//!
//! Owns what a status means for whoever waits, and when waiting is over. It must never change the hostname: whoever stops
//! waiting leaves it as it is.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use tokio::time::Instant;

use super::{PART, mistakes, records, text};
use crate::client::{Body, Client, ClientError};
use crate::commands::items;
use crate::failure::Failure;
use crate::output::Output;

/// How often the API is asked at first, and how much more seldom later.
const FIRST: Duration = Duration::from_millis(500);
const LATER: Duration = Duration::from_secs(5);

/// How far a hostname has come.
#[derive(Debug, PartialEq, Eq)]
enum Stage {
    /// It goes on by itself; what is going on.
    Under(&'static str),
    /// It is served.
    Served,
    /// Nothing more comes of it; why.
    Over(&'static str),
}

/// Waits until a hostname is served, and tells its way. Returns it as it is then.
pub(super) async fn wait(
    client: &Client,
    zone: &str,
    hostname: &Value,
    target: Option<&str>,
    patience: Duration,
    output: &Output,
) -> Result<Value, Failure> {
    let id = text(hostname, "/id");
    let until = Instant::now() + patience;
    let mut told = (String::new(), records(hostname, target));
    let mut wrong: Vec<String> = Vec::new();
    let (mut now, mut pause) = (hostname.clone(), FIRST);
    output.note("waiting; Ctrl-C ends the waiting, and the hostname stays");
    loop {
        let line = progress(&now);
        if line != told.0 {
            output.note(&line);
            told.0 = line;
        }
        let mistakes = mistakes::lines(&now);
        if mistakes != wrong && !mistakes.is_empty() {
            mistakes.iter().for_each(|line| output.note(&format!("  {line}")));
            if let Some(next) = mistakes::next(&now) {
                output
                    .note(&format!("  looked at again at {next}, or at once by `wasmyard hostname refresh`"));
            }
        }
        wrong = mistakes;
        // What an authority wants to see comes some time after the hostname was made.
        let wanted = records(&now, target);
        let more: Vec<&[String; 3]> = wanted.iter().filter(|record| !told.1.contains(record)).collect();
        if !more.is_empty() {
            output.note("one more record for your customer:");
            more.iter().for_each(|record| output.note(&format!("  {}", record.join("  "))));
        }
        told.1 = wanted;
        match stage(&now) {
            Stage::Served => return Ok(now),
            Stage::Over(why) => return Err(over(&now, why)),
            Stage::Under(_) if Instant::now() >= until => return Err(missing(&now, patience)),
            Stage::Under(_) => {}
        }
        tokio::time::sleep(pause.min(until.saturating_duration_since(Instant::now()))).await;
        pause = (pause * 2).min(LATER);
        match client.call_zones(Method::GET, &[zone, PART, &id], &[], Body::Empty).await {
            Ok(shown) => now = shown,
            // A server that is started anew: what it waits for goes on.
            Err(error @ (ClientError::Unreachable { .. } | ClientError::Interrupted { .. }))
                if Instant::now() < until =>
            {
                output.note(&format!("{error}; asking again"));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Where it can be reached, once it is served.
pub(super) fn address(hostname: &Value) -> String {
    let scheme = if hostname.pointer("/ssl/status").is_some() { "https" } else { "http" };
    format!("{scheme}://{}/", text(hostname, "/hostname"))
}

fn stage(hostname: &Value) -> Stage {
    let ssl = text(hostname, "/ssl/status");
    match text(hostname, "/status").as_str() {
        "active" | "active_redeploying" | "provisioned" => {}
        "moved" => {
            return Stage::Over("its DNS leads elsewhere, or was not shown to be the customer's in time");
        }
        "blocked" | "pending_blocked" => return Stage::Over("the name is held by its owner, or forbidden"),
        "pending_deletion" | "deleted" => return Stage::Over("it is deleted"),
        _ => return Stage::Under("ownership"),
    }
    match ssl.as_str() {
        "" | "active" => Stage::Served,
        "initializing" | "pending_validation" => Stage::Under("validation of its certificate"),
        "pending_issuance" => Stage::Under("issuance of its certificate"),
        "pending_deployment" | "holding_deployment" | "staging_deployment" | "staging_active" => {
            Stage::Under("deployment of its certificate")
        }
        status if status.ends_with("_timed_out") => Stage::Over("its certificate took too long"),
        _ => Stage::Over("its certificate is gone"),
    }
}

/// One line: what is waited for, and what is missing for it.
fn progress(hostname: &Value) -> String {
    let name = text(hostname, "/hostname");
    match stage(hostname) {
        Stage::Served => format!("{name}: served"),
        Stage::Over(why) => format!("{name}: {why}"),
        Stage::Under(what) => {
            let lacks = lacks(hostname);
            let why = if lacks.is_empty() { String::new() } else { format!(": {}", lacks.join("; ")) };
            format!("{name}: waiting for {what}{why}")
        }
    }
}

/// What the API says that is missing.
fn lacks(hostname: &Value) -> Vec<String> {
    let mut said = Vec::new();
    let texts = |pointer: &str| hostname.pointer(pointer).map(items).unwrap_or_default().to_vec();
    said.extend(texts("/verification_errors").iter().map(|error| text(error, "")));
    said.extend(texts("/ssl/validation_errors").iter().map(|error| text(error, "/message")));
    said
}

fn over(hostname: &Value, why: &str) -> Failure {
    let name = text(hostname, "/hostname");
    let lacks = lacks(hostname).join("; ");
    let said = if lacks.is_empty() { String::new() } else { format!(" ({lacks})") };
    let remedy = format!("make the records, then `wasmyard hostname refresh {name} --wait`");
    Failure::with_remedy(format!("{name} is not served: {why}{said}"), remedy)
}

fn missing(hostname: &Value, patience: Duration) -> Failure {
    let name = text(hostname, "/hostname");
    let seen = hostname.pointer("/ownership_checks/seen").map(items).unwrap_or_default();
    let seen: Vec<String> = seen.iter().map(|seen| text(seen, "")).collect();
    let wrong = mistakes::lines(hostname);
    let mut said = format!("not served after {} s. {}", patience.as_secs(), progress(hostname));
    if !wrong.is_empty() {
        said += &format!("\n  {}", wrong.join("\n  "));
    } else if matches!(stage(hostname), Stage::Under("ownership")) && !seen.is_empty() {
        said += &format!(" Seen: {}", seen.join("; "));
    }
    if let Some(next) = mistakes::next(hostname) {
        said += &format!("\n  looked at again at {next}");
    }
    let remedy = format!("make the records above; `wasmyard hostname wait {name}` goes on");
    Failure::with_remedy(said, remedy)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::{Arc, Mutex};

    use axum::Router;
    use axum::routing::any;
    use serde_json::json;

    use super::*;
    use crate::args::ApiArgs;
    use crate::output::tests::captured;

    fn hostname(status: &str, ssl: &str, more: Value) -> Value {
        let mut shown = json!({
            "id": "1d74f419-c24c-4619-9ff2-489751b61d27", "hostname": "shop.customer.test", "status": status,
            "ownership_verification": {"type": "txt", "name": "_cf-custom-hostname.shop.customer.test", "value": "v"},
            "ssl": {"status": ssl},
        });
        for (key, value) in more.as_object().unwrap() {
            shown[key] = value.clone();
        }
        shown
    }

    /// A client of an API that shows these one after the other, and the last one from then on.
    async fn showing(states: Vec<Value>) -> Client {
        let states = Arc::new(Mutex::new(VecDeque::from(states)));
        let handler = any(move || {
            let states = Arc::clone(&states);
            async move {
                let mut states = states.lock().unwrap();
                let shown = if states.len() > 1 { states.pop_front() } else { states.front().cloned() };
                json!({"success": true, "errors": [], "messages": [], "result": shown}).to_string()
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
        let local = wasmyard_node::config::local_api(std::path::Path::new("."));
        Client::find(&ApiArgs { api_url: Some(url), api_token: None }, &local).unwrap()
    }

    async fn waited(states: Vec<Value>, patience: Duration) -> (Result<Value, Failure>, String) {
        let (output, _, notes) = captured();
        let first = states[0].clone();
        let client = showing(states).await;
        let done = wait(&client, "zone", &first, Some("service.saas.test"), patience, &output).await;
        (done, notes.text())
    }

    #[tokio::test]
    async fn each_step_is_told_once_and_the_end_is_the_address() {
        let lacking = json!({"verification_errors": ["custom hostname does not CNAME to this zone."]});
        let proof = json!({"ssl": {"status": "pending_validation", "validation_records": [
            {"status": "pending", "txt_name": "_acme-challenge.shop.customer.test", "txt_value": "proof"}]}});
        let states = vec![
            hostname("pending", "pending_validation", lacking.clone()),
            hostname("pending", "pending_validation", lacking),
            hostname("active", "pending_validation", proof),
            hostname("active", "pending_issuance", json!({})),
            hostname("active", "pending_deployment", json!({})),
            hostname("active", "active", json!({})),
        ];
        let (done, told) = waited(states, Duration::from_secs(600)).await;
        assert_eq!(address(&done.unwrap()), "https://shop.customer.test/");
        let lines: Vec<&str> = told.lines().skip(1).collect();
        assert_eq!(
            lines,
            [
                "shop.customer.test: waiting for ownership: custom hostname does not CNAME to this zone.",
                "shop.customer.test: waiting for validation of its certificate",
                "one more record for your customer:",
                "  TXT  _acme-challenge.shop.customer.test  proof",
                "shop.customer.test: waiting for issuance of its certificate",
                "shop.customer.test: waiting for deployment of its certificate",
                "shop.customer.test: served",
            ]
        );
    }

    #[tokio::test]
    async fn the_end_of_patience_says_what_is_missing_and_what_was_seen() {
        let lacking = json!({
            "verification_errors": ["custom hostname does not CNAME to this zone."],
            "ownership_checks": {"seen": ["192.0.2.53: there is no name shop.customer.test"]},
        });
        let states = vec![hostname("pending", "pending_validation", lacking)];
        let (done, _) = waited(states, Duration::ZERO).await;
        let said = done.unwrap_err().to_string();
        for part in
            ["does not CNAME", "there is no name shop.customer.test", "hostname wait shop.customer.test"]
        {
            assert!(said.contains(part), "{part}: {said}");
        }
        let wrong = json!({"ownership_checks": {
            "seen": ["192.0.2.53: elsewhere"], "next_check_at": "2026-01-01T00:01:00Z", "mistakes": [{
                "code": "cname_elsewhere", "type": "CNAME", "name": "shop.customer.test", "seen": "it ends elsewhere",
                "seen_by": ["192.0.2.53"], "remedy": "point it here",
            }],
        }});
        let (done, told) =
            waited(vec![hostname("pending", "pending_validation", wrong)], Duration::ZERO).await;
        let said = done.unwrap_err().to_string();
        for part in
            ["cname_elsewhere", "ends elsewhere (by 192.0.2.53)", "point it here", "at 2026-01-01T00:01:00Z"]
        {
            assert!(said.contains(part) && told.contains(part), "{part}: {said}: {told}");
        }
    }

    #[tokio::test]
    async fn what_comes_to_nothing_ends_the_waiting() {
        let caa = json!({"ssl": {"status": "issuance_timed_out", "validation_errors": [{"message": "caa_error: shop"}]}});
        for (state, expected) in [
            (hostname("active", "", caa), "took too long (caa_error: shop)"),
            (hostname("moved", "active", json!({})), "leads elsewhere"),
            (hostname("blocked", "active", json!({})), "held by its owner"),
        ] {
            let (done, _) = waited(vec![state], Duration::from_secs(600)).await;
            let said = done.unwrap_err().to_string();
            assert!(said.contains(expected) && said.contains("hostname refresh"), "{said}");
        }
        let plain = json!({"hostname": "plain.customer.test", "status": "active"});
        assert_eq!(
            (stage(&plain), address(&plain)),
            (Stage::Served, "http://plain.customer.test/".to_owned())
        );
    }
}
