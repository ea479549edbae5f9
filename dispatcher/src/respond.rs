//! Failures become answers here, in one table: status, stable code, safe text. Nothing that the visitor
//! is shown names a path, an address, a secret, or another tenant.

use std::borrow::Cow;
use std::time::Duration;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body::Body as _;
use serde_json::json;
use wasmyard_runtime::{Body, Failure, body};

use crate::context::{RequestContext, UploadFault};
use crate::head::{BadHead, strip_hop_by_hop};

const CF_RAY: HeaderName = HeaderName::from_static("cf-ray");

/// Why the visitor gets the platform's page instead of a script's answer.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// A stable number; those below 2000 are the hosted product's for the same thing.
    code: u16,
    /// A stable word, for logs, metrics and JSON.
    pub(crate) reason: &'static str,
    text: Cow<'static, str>,
    /// The limit that was passed, with its value.
    limit: Option<String>,
    retry_after: Option<Duration>,
    close: bool,
}

impl Refusal {
    const fn new(status: StatusCode, code: u16, reason: &'static str, text: &'static str) -> Self {
        let text = Cow::Borrowed(text);
        Self { status, code, reason, text, limit: None, retry_after: None, close: false }
    }

    pub(crate) fn no_route(host: &str) -> Self {
        let mut refusal = Self::new(StatusCode::NOT_FOUND, 2001, "no_route", "");
        refusal.text = Cow::Owned(format!("Nothing is served here for the host {host}."));
        refusal
    }

    pub(crate) fn no_such_script() -> Self {
        Self::new(StatusCode::NOT_FOUND, 2002, "worker_not_found", "Worker not found.")
    }

    /// The route's own status, which opts out of dispatch.
    pub(crate) fn opted_out(status: u16) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::NOT_FOUND);
        let mut refusal = Self::new(status, 2003, "opted_out", "");
        refusal.text = Cow::Borrowed(status.canonical_reason().unwrap_or("Not served."));
        refusal
    }

    /// What a failed invocation shows. A body that the visitor broke off is the visitor's mistake.
    pub(crate) fn of(failure: Failure, upload: Option<UploadFault>) -> Self {
        match upload {
            Some(UploadFault::Stalled) => {
                let text = "The request body stopped arriving.";
                let refusal = Self::new(StatusCode::REQUEST_TIMEOUT, 2005, "request_timeout", text);
                return Self { close: true, ..refusal };
            }
            Some(UploadFault::Broken) => {
                let text = "The request body is incomplete.";
                let refusal = Self::new(StatusCode::BAD_REQUEST, 2004, "bad_request", text);
                return Self { close: true, ..refusal };
            }
            None => {}
        }
        Self::from(failure)
    }
}

impl From<BadHead> for Refusal {
    fn from(error: BadHead) -> Self {
        let refusal = Self::new(StatusCode::BAD_REQUEST, 2004, "bad_request", "");
        Self { text: Cow::Owned(error.to_string()), close: true, ..refusal }
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        const RESOURCES: &str = "Worker exceeded resource limits.";
        const EXCEPTION: &str = "Worker threw an exception.";
        let busy = StatusCode::SERVICE_UNAVAILABLE;
        let broken = StatusCode::INTERNAL_SERVER_ERROR;
        let late = StatusCode::GATEWAY_TIMEOUT;
        let limit = failure.limit();
        let refusal = match failure {
            Failure::WorkerNotFound => Self::no_such_script(),
            Failure::ExceededCpu { .. } => Self::new(busy, 1102, "exceeded_cpu", RESOURCES),
            Failure::ExceededFuel { .. } => Self::new(busy, 1102, "exceeded_fuel", RESOURCES),
            Failure::ExceededMemory { .. } => Self::new(busy, 1102, "exceeded_memory", RESOURCES),
            Failure::ExceededSubrequests { .. } => Self::new(busy, 1102, "exceeded_subrequests", RESOURCES),
            Failure::TimedOut { .. } => Self::new(late, 1102, "timed_out", "Worker did not respond in time."),
            // Its head was out: whoever reads this called a script that called another one.
            Failure::Stalled { .. } => {
                Self::new(late, 1102, "stalled", "Worker stopped sending its response.")
            }
            Failure::ExceededDepth { .. } => Self::new(
                StatusCode::LOOP_DETECTED,
                1019,
                "exceeded_depth",
                "Too many Workers called each other in a row.",
            ),
            Failure::Trapped(_) => Self::new(broken, 1101, "exception", EXCEPTION),
            Failure::NoResponse(_) | Failure::ErrorCode(_) => {
                Self::new(broken, 1101, "no_response", "Worker gave no response.")
            }
            Failure::InvalidArgument(_) | Failure::Unreachable(_) => {
                Self::new(broken, 1101, "exception", EXCEPTION)
            }
            Failure::Overloaded { retry_after } => {
                let refusal = Self::new(busy, 1105, "overloaded", "The platform is at capacity.");
                Self { retry_after: Some(retry_after), ..refusal }
            }
            Failure::BeingMadeReady { retry_after } => {
                let text = "This Worker is being made ready. Try again in a moment.";
                let refusal = Self::new(busy, 2012, "being_made_ready", text);
                Self { retry_after: Some(retry_after), ..refusal }
            }
            Failure::TooManyInvocations { retry_after, .. } => {
                let text = "Too many requests for this Worker are under way.";
                let refusal = Self::new(StatusCode::TOO_MANY_REQUESTS, 2010, "too_many_invocations", text);
                Self { retry_after: Some(retry_after), ..refusal }
            }
            Failure::ExceededMemoryShare { retry_after, .. } => {
                let text = "This Worker's invocations hold too much memory together.";
                let status = StatusCode::TOO_MANY_REQUESTS;
                let refusal = Self::new(status, 2011, "exceeded_memory_share", text);
                Self { retry_after: Some(retry_after), ..refusal }
            }
            // `Failure` is non-exhaustive: what this table does not know yet is the platform's fault.
            Failure::Internal { .. } | _ => {
                Self::new(broken, 2000, "internal", "The platform failed to answer this request.")
            }
        };
        Self { limit, ..refusal }
    }
}

/// The word for a failure, for logs and metrics: that of the page that it would have been.
pub(crate) fn reason(failure: &Failure) -> &'static str {
    Refusal::from(failure.clone()).reason
}

/// The form in which the visitor wants to read an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Html,
    Json,
    Text,
}

impl Wanted {
    /// What `Accept` names first of the three.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
        let at = |kind: &str| accept.find(kind).unwrap_or(usize::MAX);
        let (html, json) = (at("text/html"), at("application/json"));
        match html.cmp(&json) {
            std::cmp::Ordering::Less => Self::Html,
            std::cmp::Ordering::Greater => Self::Json,
            std::cmp::Ordering::Equal => Self::Text,
        }
    }
}

/// The platform's own page.
pub(crate) fn page(refusal: &Refusal, wanted: Wanted, context: &RequestContext) -> Response<Body> {
    let ray_id = &context.ray_id;
    let (kind, text) = match wanted {
        Wanted::Json => ("application/json", json_page(refusal, ray_id)),
        Wanted::Html => ("text/html; charset=utf-8", html_page(refusal, ray_id)),
        Wanted::Text => ("text/plain; charset=utf-8", text_page(refusal, ray_id)),
    };
    let mut response = Response::new(body::full(text));
    *response.status_mut() = refusal.status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(wait) = refusal.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
    }
    if refusal.close {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    name_ray(headers, ray_id);
    response
}

/// A script's answer, with what belongs to one hop only taken out and the ray id put in.
pub(crate) fn passed_on(mut response: Response<Body>, context: &RequestContext) -> Response<Body> {
    let headers = response.headers_mut();
    strip_hop_by_hop(headers);
    name_ray(headers, &context.ray_id);
    response
}

/// A script's answer without the body that its status rules out (RFC 9110, 6.4.1, 15.3.5, 15.3.6 and 15.4.5). Over
/// HTTP/2 nobody else takes it off, and a client that gets one breaks the connection off.
///
/// What the script says of its length goes, too: after 204 and 205 it would be wrong, after 304 it may be left out.
pub(crate) fn within_its_status(response: Response<Body>) -> Response<Body> {
    const BODILESS: [StatusCode; 3] =
        [StatusCode::NO_CONTENT, StatusCode::RESET_CONTENT, StatusCode::NOT_MODIFIED];
    if !BODILESS.contains(&response.status()) {
        return response;
    }
    let (mut head, _nobodys) = response.into_parts();
    head.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(head, body::empty())
}

/// The answer to HEAD: the head of what GET would get. Over HTTP/2 nobody else takes the body off.
pub(crate) fn head_only(response: Response<Body>) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    if let Some(length) = body.size_hint().exact().filter(|length| *length > 0) {
        head.headers.entry(header::CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(length));
    }
    Response::from_parts(head, body::empty())
}

fn name_ray(headers: &mut HeaderMap, ray_id: &str) {
    if let Ok(ray_id) = HeaderValue::from_str(ray_id) {
        headers.insert(CF_RAY, ray_id);
    }
}

fn json_page(refusal: &Refusal, ray_id: &str) -> String {
    let mut page = json!({
        "error": {
            "code": refusal.code,
            "reason": refusal.reason,
            "message": refusal.text,
            "limit": refusal.limit,
            "ray_id": ray_id,
        }
    })
    .to_string();
    page.push('\n');
    page
}

fn text_page(refusal: &Refusal, ray_id: &str) -> String {
    let limit = refusal.limit.as_ref().map(|limit| format!("limit: {limit}\n")).unwrap_or_default();
    format!("error {}: {}\n{limit}ray id: {ray_id}\n", refusal.code, refusal.text)
}

fn html_page(refusal: &Refusal, ray_id: &str) -> String {
    let status = refusal.status;
    let limit =
        refusal.limit.as_ref().map(|limit| format!("<p>Limit: {}</p>", escape(limit))).unwrap_or_default();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{status}</title>\n\
         <style>body{{font:16px/1.5 system-ui,sans-serif;max-width:40em;margin:15vh auto;padding:0 1em;\
         color:#222}}small{{color:#666}}</style>\n<h1>{status}</h1>\n<p>{}</p>\n{limit}\n\
         <small>Error {} &middot; Ray ID {ray_id}</small>\n</html>\n",
        escape(&refusal.text),
        refusal.code,
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
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
        rows.push(Refusal::no_route("HOST"));
        rows.push(Refusal::opted_out(404));
        for fault in [UploadFault::Stalled, UploadFault::Broken] {
            rows.push(Refusal::of(Failure::WorkerNotFound, Some(fault)));
        }
        for bad in [
            BadHead::NoHost,
            BadHead::SeveralHosts,
            BadHead::InvalidHost,
            BadHead::HostsDiffer,
            BadHead::Connect,
        ] {
            rows.push(Refusal::from(bad));
        }
        let mut lines: Vec<String> = rows
            .iter()
            .map(|row| {
                let (code, status, reason) = (row.code, row.status.as_u16(), row.reason);
                let limit =
                    row.limit.as_deref().map(|limit| format!(" `limit: {limit}`")).unwrap_or_default();
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
}
