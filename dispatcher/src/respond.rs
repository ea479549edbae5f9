//! Failures become answers here, in one table: status, stable code, safe text. Nothing that the visitor
//! is shown names a path, an address, a secret, or another tenant.

mod origins;

use std::borrow::Cow;
use std::time::Duration;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode};
use http_body::Body as _;
use serde_json::json;
use wasmyard_runtime::{Body, Failure, body};

use crate::head::{BadHead, strip_hop_by_hop};
use crate::visit::{Answer, UploadFault, VisitLog};

pub(crate) use origins::OriginFault;

const CF_RAY: HeaderName = HeaderName::from_static("cf-ray");

/// Why the visitor gets the platform's page instead of a script's answer.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    /// A stable number; those below 2000 are the hosted product's for the same thing.
    code: u16,
    /// A stable word, for logs, metrics and JSON.
    reason: &'static str,
    text: Cow<'static, str>,
    /// The limit that was passed, with its value.
    limit: Option<String>,
    retry_after: Option<Duration>,
    /// Where to ask instead.
    location: Option<Box<HeaderValue>>,
    close: bool,
}

impl Refusal {
    const fn new(status: StatusCode, code: u16, reason: &'static str, text: &'static str) -> Self {
        let text = Cow::Borrowed(text);
        Self { status, code, reason, text, limit: None, retry_after: None, location: None, close: false }
    }

    pub(crate) fn no_route(host: &str) -> Self {
        let mut refusal = Self::new(StatusCode::NOT_FOUND, 2001, "no_route", "");
        refusal.text = Cow::Owned(format!("Nothing is served here for the host {host}."));
        refusal
    }

    /// The host is not this platform's, which may be meant to be: it has zones, and customers whose DNS leads here.
    pub(crate) fn no_custom_hostname(host: &str) -> Self {
        let mut refusal = Self::new(StatusCode::FORBIDDEN, 1014, "no_custom_hostname", "");
        refusal.text =
            Cow::Owned(format!("CNAME Cross-User Banned: there is no custom hostname {host} here."));
        refusal
    }

    /// Whose the host is cannot be found out for the moment.
    pub(crate) fn unknown_host() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            2000,
            "internal",
            "The platform failed to answer this request.",
        )
    }

    pub(crate) fn no_such_script() -> Self {
        Self::new(StatusCode::NOT_FOUND, 2002, "worker_not_found", "Worker not found.")
    }

    /// The connection was made for another host's certificate.
    pub(crate) fn misdirected() -> Self {
        let text = "This connection was made for another host; ask over a connection of this host's own.";
        Self::new(StatusCode::MISDIRECTED_REQUEST, 2006, "misdirected", text)
    }

    /// The host requires a certificate of clients, and the request came by a way on which none was shown.
    pub(crate) fn no_client_certificate() -> Self {
        let text = "This host asks for a certificate of yours; connect to it directly, with one.";
        Self::new(StatusCode::FORBIDDEN, 2008, "client_certificate", text)
    }

    /// The host is served over https.
    pub(crate) fn to_https(status: StatusCode, location: Option<HeaderValue>) -> Self {
        let refusal = Self::new(status, 2007, "to_https", "This host is served over https.");
        Self { location: location.map(Box::new), ..refusal }
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
        upload.map_or_else(|| Self::from(failure), Self::of_upload)
    }

    /// What a visitor is told whose request's body went wrong.
    pub(crate) fn of_upload(fault: UploadFault) -> Self {
        let refusal = match fault {
            UploadFault::Stalled => {
                let text = "The request body stopped arriving.";
                Self::new(StatusCode::REQUEST_TIMEOUT, 2005, "request_timeout", text)
            }
            UploadFault::Broken => {
                let text = "The request body is incomplete.";
                Self::new(StatusCode::BAD_REQUEST, 2004, "bad_request", text)
            }
        };
        Self { close: true, ..refusal }
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
            Failure::NoHandler { .. } => {
                Self::new(broken, 1101, "no_handler", "Worker handles no such events.")
            }
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

/// What the record of a visit says of a failure that nobody is shown a page of.
pub(crate) fn noted(failure: &Failure) -> Answer {
    let Refusal { status, reason, .. } = Refusal::from(failure.clone());
    Answer { status, reason }
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

/// What the visitor is sent: what came of the visit, within the rules of HTTP, or the page that says why nothing did.
pub(crate) fn to_visitor(
    answer: Result<Response<Body>, Refusal>,
    wanted: Wanted,
    log: &VisitLog,
) -> Response<Body> {
    let ray_id = &log.trace.ray_id;
    let response = match answer {
        Ok(response) => {
            log.answered(Answer { status: response.status(), reason: "ok" });
            within_its_status(passed_on(response, ray_id))
        }
        Err(refusal) => {
            log.answered(Answer { status: refusal.status, reason: refusal.reason });
            page(&refusal, wanted, ray_id)
        }
    };
    if log.method == Method::HEAD { head_only(response) } else { response }
}

/// The platform's own page.
pub(crate) fn page(refusal: &Refusal, wanted: Wanted, ray_id: &str) -> Response<Body> {
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
    if let Some(location) = &refusal.location {
        headers.insert(header::LOCATION, HeaderValue::clone(location));
    }
    if refusal.close {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    name_ray(headers, ray_id);
    response
}

/// A script's answer, with what belongs to one hop only taken out and the ray id put in.
pub(crate) fn passed_on(mut response: Response<Body>, ray_id: &str) -> Response<Body> {
    let headers = response.headers_mut();
    strip_hop_by_hop(headers);
    name_ray(headers, ray_id);
    response
}

/// A script's answer without the body that its status rules out (RFC 9110, 6.4.1, 15.3.5, 15.3.6 and 15.4.5). Over
/// HTTP/2 nobody else takes it off, and a client that gets one breaks the connection off.
///
/// What the script says of its length goes, too: after 204 and 205 it would be wrong, after 304 it may be left out.
fn within_its_status(response: Response<Body>) -> Response<Body> {
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
fn head_only(response: Response<Body>) -> Response<Body> {
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
    // Statuses of origins have no phrase of their own.
    let status = match refusal.status.canonical_reason() {
        Some(reason) => format!("{} {reason}", refusal.status.as_u16()),
        None => refusal.status.as_u16().to_string(),
    };
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
mod tests;
