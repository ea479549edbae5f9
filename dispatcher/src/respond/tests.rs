//! What visitors are told, and that `docs/errors.md` says the same.

use super::*;

fn accepting(accept: &'static str) -> Wanted {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
    Wanted::of(&headers)
}

#[test]
fn the_first_form_that_accept_names_is_given() {
    assert_eq!(accepting("text/html,application/json;q=0.9"), Wanted::Html);
    assert_eq!(accepting("application/json, text/html"), Wanted::Json);
    assert_eq!(accepting("*/*"), Wanted::Text);
    assert_eq!(Wanted::of(&HeaderMap::new()), Wanted::Text);
}

#[test]
fn a_passed_limit_is_named_with_its_value() {
    let refusal = Refusal::from(Failure::ExceededCpu { limit: Duration::from_millis(20) });
    assert_eq!(refusal.status, 503);
    for page in [json_page(&refusal, "r"), html_page(&refusal, "r"), text_page(&refusal, "r")] {
        assert!(page.contains("1102") && page.contains("CPU time 20 ms"), "{page}");
    }
}

#[test]
fn what_only_the_operator_may_see_is_not_shown() {
    let detail = "cannot open /var/lib/secret".to_owned();
    let refusal = Refusal::from(Failure::Internal { detail });
    assert!(!html_page(&refusal, "r").contains("/var"));
    assert_eq!(refusal.status, 500);
    let refusal = Refusal::from(Failure::Trapped("secret of a tenant".to_owned()));
    assert!(!json_page(&refusal, "r").contains("secret"));
}

/// The table of `docs/errors.md`, between its markers.
#[test]
fn the_page_lists_every_answer() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/errors.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (before, rest) = page.split_once("<!-- errors -->\n").expect("the page has the opening marker");
    let (_, after) = rest.split_once("<!-- /errors -->").expect("the page has the closing marker");
    let page_now = format!("{before}<!-- errors -->\n{}<!-- /errors -->{after}", page_table());
    if std::env::var_os("WASMYARD_REFRESH").is_some() {
        std::fs::write(path, page_now).unwrap();
        return;
    }
    assert!(page == page_now, "docs/errors.md is out of date: run the tests with WASMYARD_REFRESH=1");
}

fn page_table() -> String {
    let text = || "TEXT".to_owned();
    let failures = [
        Failure::WorkerNotFound,
        Failure::ExceededCpu { limit: Duration::from_millis(50) },
        Failure::ExceededFuel { limit: 1_000_000 },
        Failure::ExceededMemory { limit: 128 << 20 },
        Failure::ExceededSubrequests { limit: 50 },
        Failure::ExceededDepth { limit: 8 },
        Failure::TimedOut { limit: Duration::from_secs(30) },
        Failure::Stalled { limit: Duration::from_secs(60) },
        Failure::Trapped(text()),
        Failure::NoHandler { event: "fetch" },
        Failure::NoResponse(text()),
        Failure::InvalidArgument(text()),
        Failure::Unreachable(text()),
        Failure::Overloaded { retry_after: Duration::from_secs(1) },
        Failure::BeingMadeReady { retry_after: Duration::from_secs(2) },
        Failure::TooManyInvocations { limit: 250, retry_after: Duration::from_secs(1) },
        Failure::ExceededMemoryShare { limit: 4 << 30, retry_after: Duration::from_secs(1) },
        Failure::Internal { detail: text() },
    ];
    let mut rows: Vec<_> = failures.map(Refusal::from).into();
    rows.extend(OriginFault::ALL.map(Refusal::from));
    rows.push(Refusal::no_route("HOST"));
    rows.push(Refusal::no_custom_hostname("HOST"));
    rows.push(Refusal::opted_out(404));
    rows.push(Refusal::misdirected());
    rows.push(Refusal::no_client_certificate());
    for status in [StatusCode::MOVED_PERMANENTLY, StatusCode::PERMANENT_REDIRECT] {
        rows.push(Refusal::to_https(status, None));
    }
    for fault in [UploadFault::Stalled, UploadFault::Broken] {
        rows.push(Refusal::of(Failure::WorkerNotFound, Some(fault)));
    }
    for bad in
        [BadHead::NoHost, BadHead::SeveralHosts, BadHead::InvalidHost, BadHead::HostsDiffer, BadHead::Connect]
    {
        rows.push(Refusal::from(bad));
    }
    let mut lines: Vec<String> = rows
        .iter()
        .map(|row| {
            let (code, status, reason) = (row.code, row.status.as_u16(), row.reason);
            let limit = row.limit.as_deref().map(|limit| format!(" `limit: {limit}`")).unwrap_or_default();
            format!("| {code} | {status} | `{reason}` | {}{limit} |\n", row.text)
        })
        .collect();
    lines.sort();
    lines.dedup();
    format!("\n| code | status | reason | text |\n|---|---|---|---|\n{}\n", lines.concat())
}

#[test]
fn a_host_cannot_write_markup_into_the_page() {
    let page = html_page(&Refusal::no_route("<script>"), "r");
    assert!(!page.contains("<script>"));
}

#[test]
fn a_broken_upload_is_the_visitors_mistake_whatever_the_script_made_of_it() {
    let failure = || Failure::Trapped("unreachable".to_owned());
    assert_eq!(Refusal::of(failure(), Some(UploadFault::Stalled)).status, 408);
    assert_eq!(Refusal::of(failure(), Some(UploadFault::Broken)).status, 400);
    assert_eq!(Refusal::of(failure(), None).status, 500);
}
