//! Owns plain outgoing HTTP: a request to any URL, through `wasi:http/outgoing-handler`.

use std::fmt;
use std::rc::Rc;

use wasip2::http::types::{ErrorCode, FutureIncomingResponse};

use crate::body::Body;
use crate::executor::{self, Ready};
use crate::request::{Parts, Request};
use crate::response::Response;

/// Sends a request to its URL and waits for the head of the response.
///
/// The body is streamed while the response comes. A visitor's request can be sent on as well: its body then
/// moves at the host and does not enter this worker's memory.
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
    let refused = |text: String| FetchError { kind: FetchErrorKind::InvalidRequest, text };
    let (head, body) = match request.into_parts().map_err(|error| refused(format!("{error:#}")))? {
        Parts::New(head, body) => (head, body),
        Parts::NewHead(head, incoming) => {
            let body = incoming.consume().map_or_else(|()| Body::empty(), Body::incoming);
            (head, body)
        }
        Parts::Untouched(_) => {
            return Err(refused(
                "the visitor's request needs a new host: set_authority, and set_scheme".into(),
            ));
        }
    };
    let sink = head.body().map_err(|()| refused("the request takes no body".into()))?;
    let future = wasip2::http::outgoing_handler::handle(head, None)?;
    executor::send_beside(body, sink);
    arrival(&future).await
}

async fn arrival(future: &FutureIncomingResponse) -> Result<Response, FetchError> {
    loop {
        match future.get() {
            Some(Ok(result)) => return Ok(Response::from_incoming(result?)),
            Some(Err(())) => {
                let text = "the response was already taken".to_owned();
                return Err(FetchError { kind: FetchErrorKind::Other, text });
            }
            None => Ready::new(Rc::new(future.subscribe())).await,
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
        FetchError { kind: kind(&code), text: format!("the request failed: {code:?}") }
    }
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
}
