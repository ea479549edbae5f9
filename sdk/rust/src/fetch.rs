//! Owns plain outgoing HTTP: a request to any URL. One of the worker's own is handed to the platform in one call, or goes
//! through `wasi:http/outgoing-handler` where its body is still to be written; the one that came in is handed over
//! whole, so that its body does not enter the worker's memory.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use wasip2::http::types::{
    ErrorCode, FutureIncomingResponse, IncomingResponse, OutgoingRequest, ResponseOutparam,
};
use wasip2::io::poll::Pollable;

use crate::bindings::message::OwnRequest;
use crate::bindings::{outgoing, request_info};
use crate::body::Body;
use crate::executor::{self, Ready};
use crate::request::{Parts, Request};
use crate::response::Response;

/// Sends a request to its URL and waits for the head of the response.
///
/// The body is streamed while the response comes. The request that came in can be sent on as well, as it is or with
/// another head; its body, as long as it was not read, moves at the host and does not enter this worker's memory. Such
/// a request is handed over in one step, which nothing else of this worker can overlap.
///
/// An outbound worker lets a request pass by sending it on:
///
/// ```no_run
/// # use wasmyard::{Env, Request, Response, Result};
/// # async fn outbound(req: Request, _env: Env) -> Result<Response> {
/// if req.host() == "blocked.example" {
///     return Ok(Response::text("blocked\n").with_status(403));
/// }
/// Ok(wasmyard::fetch(req).await?)
/// # }
/// ```
///
/// ```no_run
/// # use wasmyard::{Request, Result};
/// # async fn f() -> Result<()> {
/// let response = wasmyard::fetch(Request::get("https://example.com/")?).await?;
/// let page = response.into_body().text().await?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// See [`FetchError`]. A response of any status is no error.
pub async fn fetch(request: Request) -> Result<Response, FetchError> {
    match request.into_parts() {
        Parts::Own(own) => own.fetch().await,
        Parts::Changed(changes, incoming) => sent_on(outgoing::forward_with(&changes, incoming)),
        Parts::Untouched(incoming) => {
            not_in_a_circle()?;
            sent_on(outgoing::forward(incoming))
        }
    }
}

/// Sends a request of the worker's own.
pub(crate) async fn fetch_whole(request: OwnRequest) -> Result<Response, FetchError> {
    let future = outgoing::send(&request).map_err(refused)?;
    arrival(&future).await
}

/// The same, with a body that is written meanwhile.
pub(crate) async fn fetch_streamed(head: OutgoingRequest, body: Body) -> Result<Response, FetchError> {
    let sink = head.body().map_err(|()| refused("the request takes no body"))?;
    let future = wasip2::http::outgoing_handler::handle(head, None)?;
    executor::send_beside(body, sink);
    arrival(&future).await
}

/// Sends the request that came in on to its URL after this worker has returned and its memory is gone. Return the
/// response that this gives: the cheapest way for an outbound worker to let a request pass.
///
/// Do not combine it with [`Env::wait_until`](crate::Env::wait_until): the request would wait for that.
///
/// ```no_run
/// # use wasmyard::{Env, Request, Response, Result};
/// # async fn outbound(req: Request, _env: Env) -> Result<Response> {
/// Ok(wasmyard::fetch_last(req)?)
/// # }
/// ```
///
/// # Errors
/// When the request is not the one that came in, or was changed or read.
pub fn fetch_last(request: Request) -> Result<Response, FetchError> {
    let Parts::Untouched(incoming) = request.into_parts() else {
        return Err(refused(
            "fetch_last takes the request as it came in: for one that was made or changed, use fetch",
        ));
    };
    not_in_a_circle()?;
    Ok(Response::handed_over(move |out| Ok(outgoing::tail(incoming, out).map_err(FetchError::from)?)))
}

/// A visitor's request is addressed to this very worker.
fn not_in_a_circle() -> Result<(), FetchError> {
    if request_info::caller().is_none() {
        return Err(refused("the visitor's request needs a new host: set_authority, and set_scheme"));
    }
    Ok(())
}

fn sent_on(answer: Result<IncomingResponse, ErrorCode>) -> Result<Response, FetchError> {
    match answer {
        Ok(response) => Ok(Response::from_incoming(response)),
        Err(code) => {
            let error = FetchError::from(code.clone());
            let answer = move |out| ResponseOutparam::set(out, Err(code));
            SENT_ON.set(Some((error.text.clone(), Box::new(answer))));
            Err(error)
        }
    }
}

thread_local! {
    /// The error of the request that came in, when it was sent on: its text, and how to answer with it.
    static SENT_ON: RefCell<Option<(String, SentOn)>> = const { RefCell::new(None) };
}

/// Answers with an error.
pub(crate) type SentOn = Box<dyn FnOnce(ResponseOutparam)>;

/// How to answer when a worker ends with this text: if that is the error of the request that it sent on, whoever asked
/// is told the same.
pub(crate) fn answer_for(text: &str) -> Option<SentOn> {
    let (known, answer) = SENT_ON.take()?;
    (known == text).then_some(answer)
}

pub(crate) fn refused(text: impl Into<String>) -> FetchError {
    FetchError { kind: FetchErrorKind::InvalidRequest, text: text.into() }
}

/// A response that is on its way.
pub(crate) trait Arriving {
    fn look(&self) -> Option<Result<Result<IncomingResponse, ErrorCode>, ()>>;
    fn wait(&self) -> Pollable;
}

impl Arriving for outgoing::FutureResponse {
    fn look(&self) -> Option<Result<Result<IncomingResponse, ErrorCode>, ()>> {
        self.get()
    }

    fn wait(&self) -> Pollable {
        self.subscribe()
    }
}

impl Arriving for FutureIncomingResponse {
    fn look(&self) -> Option<Result<Result<IncomingResponse, ErrorCode>, ()>> {
        self.get()
    }

    fn wait(&self) -> Pollable {
        self.subscribe()
    }
}

pub(crate) async fn arrival(future: &impl Arriving) -> Result<Response, FetchError> {
    loop {
        match future.look() {
            Some(Ok(result)) => return Ok(Response::from_incoming(result?)),
            Some(Err(())) => {
                let text = "the response was already taken".to_owned();
                return Err(FetchError { kind: FetchErrorKind::Other, text });
            }
            None => Ready::new(Rc::new(future.wait())).await,
        }
    }
}

/// Why a request got no response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchError {
    kind: FetchErrorKind,
    text: String,
}

/// The sort of a [`FetchError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FetchErrorKind {
    /// The request breaks a rule of HTTP, or of this crate.
    InvalidRequest,
    /// The platform's policy does not allow this destination, or this worker has no subrequests left.
    Denied,
    /// The host's name has no address.
    Dns,
    /// No connection came about, or it broke off.
    Connection,
    /// The certificate or the TLS handshake failed.
    Tls,
    /// It took too long.
    TimedOut,
    /// The other side broke the rules of HTTP.
    Protocol,
    /// All else: see the text.
    Other,
}

impl FetchError {
    /// The sort of error.
    pub fn kind(&self) -> FetchErrorKind {
        self.kind
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for FetchError {}

impl From<ErrorCode> for FetchError {
    fn from(code: ErrorCode) -> FetchError {
        FetchError { kind: kind(&code), text: format!("the request failed: {}", described(&code)) }
    }
}

/// What happened, for people.
fn described(code: &ErrorCode) -> String {
    match code {
        ErrorCode::InternalError(Some(text)) => text.clone(),
        ErrorCode::InternalError(None) => "an internal error".to_owned(),
        ErrorCode::DnsError(payload) => match &payload.rcode {
            Some(rcode) if rcode == "NXDOMAIN" => "there is no such name (NXDOMAIN)".to_owned(),
            Some(rcode) => format!("the name could not be looked up ({rcode})"),
            None => "the name could not be looked up".to_owned(),
        },
        ErrorCode::TlsAlertReceived(payload) => match &payload.alert_message {
            Some(alert) => format!("the other side ended TLS: {alert}"),
            None => "the other side ended TLS".to_owned(),
        },
        other => spelled_out(&format!("{other:?}")),
    }
}

/// The name of a code as words: `ConnectionRefused(None)` is "connection refused".
fn spelled_out(name: &str) -> String {
    let name = name.rsplit("::").next().unwrap_or(name);
    let name = name.split(['(', ' ']).next().unwrap_or(name);
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    for (short, long) in
        [("http ", "HTTP "), ("dns ", "DNS "), ("tls ", "TLS "), (" ip ", " IP "), (" uri", " URI")]
    {
        words = words.replace(short, long);
    }
    words
}

fn kind(code: &ErrorCode) -> FetchErrorKind {
    use ErrorCode as Code;
    match code {
        Code::HttpRequestDenied | Code::DestinationIpProhibited => FetchErrorKind::Denied,
        Code::DnsError(_) | Code::DestinationNotFound => FetchErrorKind::Dns,
        Code::DnsTimeout
        | Code::ConnectionTimeout
        | Code::ConnectionReadTimeout
        | Code::ConnectionWriteTimeout
        | Code::HttpResponseTimeout => FetchErrorKind::TimedOut,
        Code::DestinationUnavailable
        | Code::DestinationIpUnroutable
        | Code::ConnectionRefused
        | Code::ConnectionTerminated
        | Code::ConnectionLimitReached => FetchErrorKind::Connection,
        Code::TlsProtocolError | Code::TlsCertificateError | Code::TlsAlertReceived(_) => FetchErrorKind::Tls,
        Code::HttpRequestLengthRequired
        | Code::HttpRequestBodySize(_)
        | Code::HttpRequestMethodInvalid
        | Code::HttpRequestUriInvalid
        | Code::HttpRequestUriTooLong
        | Code::HttpRequestHeaderSectionSize(_)
        | Code::HttpRequestHeaderSize(_)
        | Code::HttpRequestTrailerSectionSize(_)
        | Code::HttpRequestTrailerSize(_) => FetchErrorKind::InvalidRequest,
        Code::HttpResponseIncomplete
        | Code::HttpResponseHeaderSectionSize(_)
        | Code::HttpResponseHeaderSize(_)
        | Code::HttpResponseBodySize(_)
        | Code::HttpResponseTrailerSectionSize(_)
        | Code::HttpResponseTrailerSize(_)
        | Code::HttpResponseTransferCoding(_)
        | Code::HttpResponseContentCoding(_)
        | Code::HttpUpgradeFailed
        | Code::HttpProtocolError => FetchErrorKind::Protocol,
        Code::LoopDetected | Code::ConfigurationError | Code::InternalError(_) => FetchErrorKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_can_tell_a_denied_destination_from_one_that_is_down() {
        assert_eq!(FetchError::from(ErrorCode::HttpRequestDenied).kind(), FetchErrorKind::Denied);
        assert_eq!(FetchError::from(ErrorCode::ConnectionRefused).kind(), FetchErrorKind::Connection);
        let error = FetchError::from(ErrorCode::InternalError(Some("no route".into())));
        assert_eq!(error.kind(), FetchErrorKind::Other);
        assert!(error.to_string().contains("no route"));
    }

    #[test]
    fn an_error_is_told_in_words() {
        let dns = |rcode: Option<&str>| {
            ErrorCode::DnsError(wasip2::http::types::DnsErrorPayload {
                rcode: rcode.map(str::to_owned),
                info_code: None,
            })
        };
        for (code, text) in [
            (ErrorCode::ConnectionRefused, "connection refused"),
            (ErrorCode::DestinationIpProhibited, "destination IP prohibited"),
            (ErrorCode::HttpRequestUriInvalid, "HTTP request URI invalid"),
            (ErrorCode::HttpResponseBodySize(Some(7)), "HTTP response body size"),
            (ErrorCode::TlsCertificateError, "TLS certificate error"),
            (dns(Some("NXDOMAIN")), "there is no such name (NXDOMAIN)"),
            (dns(None), "the name could not be looked up"),
            (ErrorCode::InternalError(Some("Too many subrequests.".to_owned())), "Too many subrequests."),
        ] {
            assert_eq!(FetchError::from(code).to_string(), format!("the request failed: {text}"));
        }
    }

    #[test]
    fn the_error_of_a_request_that_was_sent_on_is_the_answer_and_no_other_is() {
        let error = sent_on(Err(ErrorCode::ConnectionRefused)).err().unwrap();
        assert!(answer_for(&error.to_string()).is_some());
        assert!(answer_for(&error.to_string()).is_none(), "it is said once");
        let error = sent_on(Err(ErrorCode::ConnectionRefused)).err().unwrap();
        assert!(answer_for(&format!("while logging: {error}")).is_none());
    }
}
