//! `wasi:http`'s outgoing side: counts the request, then hands it to the host. Opens nothing itself.

use std::future::Future;
use std::sync::Arc;

use futures::future::BoxFuture;
use http::header::{self, HeaderName};
use wasmtime_wasi_http::{ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpHooks};

use crate::body::{Body, BodyError};
use crate::meter::Meter;
use crate::outcome::Failure;
use crate::seams::{Host, OutboundRequest};

/// Fields that no guest sets: `wasi:http` answers `header-error.forbidden`, and guests never see them come in.
/// Each says something about one connection, which is the platform's, or about where a request goes, which the
/// URL says.
const FORBIDDEN_HEADERS: [HeaderName; 11] = [
    // RFC 9110 section 7.6.1: for one hop only; names other such fields.
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    // RFC 9110 sections 7.6.1 and 10.1.4.
    header::TE,
    // RFC 9112 section 6.1: how the body is delimited.
    header::TRANSFER_ENCODING,
    // RFC 9110 section 7.8.
    header::UPGRADE,
    // RFC 7540 section 3.2.1: part of such an upgrade.
    HeaderName::from_static("http2-settings"),
    // RFC 9110 sections 11.7.1 to 11.7.3: between a client and its proxy.
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-authentication-info"),
    // RFC 9110 section 7.2: taken from the URL.
    header::HOST,
];

/// What `wasi:http` calls back into, and the subrequest budget that all ways out share.
pub(crate) struct Hooks {
    host: Arc<dyn Host>,
    meter: Arc<Meter>,
    limit: u32,
}

type Io = Box<dyn Future<Output = Result<(), BodyError>> + Send>;
type Sent = Result<(http::Response<WasiBody>, Io), BodyError>;

impl Hooks {
    pub(crate) fn new(host: Arc<dyn Host>, meter: Arc<Meter>, limit: u32) -> Self {
        Self { host, meter, limit }
    }

    pub(crate) fn host(&self) -> &Arc<dyn Host> {
        &self.host
    }

    /// Takes one subrequest off the budget, before anything is awaited.
    pub(crate) fn count_subrequest(&mut self) -> Result<(), Failure> {
        if self.meter.take_subrequest(self.limit) {
            Ok(())
        } else {
            Err(Failure::ExceededSubrequests { limit: self.limit })
        }
    }

    /// A request that may leave: counted, before anything is awaited.
    pub(crate) fn outbound(
        &mut self,
        request: http::Request<Body>,
        options: Option<RequestOptions>,
    ) -> Result<OutboundRequest, BodyError> {
        self.count_subrequest().map_err(|failure| BodyError::InternalError(Some(failure.to_string())))?;
        Ok(OutboundRequest {
            request,
            connect_timeout: options.as_ref().and_then(|o| o.connect_timeout),
            first_byte_timeout: options.as_ref().and_then(|o| o.first_byte_timeout),
            between_bytes_timeout: options.as_ref().and_then(|o| o.between_bytes_timeout),
        })
    }

    /// Sends a request: the one way out that there is.
    pub(crate) fn send(
        &mut self,
        request: http::Request<Body>,
        options: Option<RequestOptions>,
    ) -> BoxFuture<'static, Result<http::Response<Body>, BodyError>> {
        match self.outbound(request, options) {
            Ok(request) => self.host.outbound(request),
            Err(error) => Box::pin(async { Err(error) }),
        }
    }
}

impl WasiHttpHooks for Hooks {
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        FORBIDDEN_HEADERS.contains(name)
    }

    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(|name| FORBIDDEN_HEADERS.contains(name))
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _done: Box<dyn Future<Output = Result<(), BodyError>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let response = self.send(request, options);
        Box::new(async move {
            let io: Io = Box::new(async { Ok(()) });
            Ok((response.await?, io))
        })
    }
}
