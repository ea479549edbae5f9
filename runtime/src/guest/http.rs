//! `wasi:http`'s outgoing side: counts the request, lets it wait for its turn, then hands it to the host. Opens
//! nothing itself.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use http::header::{self, HeaderName};
use tokio::sync::Semaphore;
use wasmtime_wasi_http::{ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpHooks};
use wasmyard_namespaces::limits::Limits;

use crate::body::{Body, BodyError, agreed};
use crate::limits::arriving::{Arriving, BODY_CHUNK_BYTES, BODY_CHUNKS};
use crate::limits::idle::paced;
use crate::limits::meter::Meter;
use crate::limits::pieces::few;
use crate::outcome::Failure;
use crate::seams::{Host, OutboundRequest, ShownCertificate};

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
    /// CPU time that the invocation may use.
    cpu: Duration,
    /// One permit for each subrequest that may wait for its response at the same time. Made when the first is
    /// sent: most invocations send none.
    turns: Option<Arc<Semaphore>>,
    concurrent: u32,
    stream_idle: Duration,
    /// What has arrived for the guest.
    arriving: Arriving,
}

type Io = Box<dyn Future<Output = Result<(), BodyError>> + Send>;
type Sent = Result<(http::Response<WasiBody>, Io), BodyError>;
/// What the hook for a request returns.
pub(crate) type Sending = Box<dyn Future<Output = Sent> + Send>;

impl Hooks {
    pub(crate) fn new(host: Arc<dyn Host>, meter: Arc<Meter>, limits: &Limits, arriving: &Arriving) -> Self {
        let (limit, concurrent) = (limits.subrequests, limits.concurrent_subrequests);
        let (stream_idle, arriving) = (limits.stream_idle, arriving.clone());
        Self { host, meter, limit, cpu: limits.cpu, turns: None, concurrent, stream_idle, arriving }
    }

    /// Lets go of the host, for `nobody` in its place: nothing can be sent any more.
    pub(crate) fn release(&mut self, nobody: Arc<dyn Host>) {
        self.host = nobody;
        self.limit = 0;
    }

    pub(crate) fn host(&self) -> &Arc<dyn Host> {
        &self.host
    }

    /// CPU time that the invocation has left, as its last finished poll said.
    pub(crate) fn cpu_left(&self) -> Duration {
        self.cpu.saturating_sub(self.meter.cpu.used())
    }

    /// Has the invocation pay for what another thread computed for it.
    pub(crate) fn charge_cpu(&self, cpu: Duration) {
        self.meter.cpu.add(cpu);
    }

    /// Takes one subrequest off the budget, before anything is awaited.
    pub(crate) fn count_subrequest(&mut self) -> Result<(), Failure> {
        if self.meter.take_subrequest(self.limit) {
            Ok(())
        } else {
            Err(Failure::ExceededSubrequests { limit: self.limit })
        }
    }

    /// Starts a subrequest when fewer are under way than may be, and keeps its place until its response's head
    /// is there. A place is not kept for a response that is being read, or a script that holds a few of them
    /// unread could not send another one.
    ///
    /// Those that wait are bounded by the budget of subrequests, and their time by the invocation's own.
    pub(crate) fn in_turn<T: Send + 'static, E: Send + 'static>(
        &mut self,
        start: impl FnOnce(Arc<dyn Host>) -> BoxFuture<'static, Result<T, E>> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, E>> {
        let places = usize::try_from(self.concurrent).unwrap_or(1).max(1);
        let turns = Arc::clone(self.turns.get_or_insert_with(|| Arc::new(Semaphore::new(places))));
        let host = Arc::clone(&self.host);
        Box::pin(async move {
            // The semaphore is never closed, so there is always a permit to wait for.
            let _turn = turns.acquire_owned().await.ok();
            start(host).await
        })
    }

    /// A request that may leave: counted, before anything is awaited.
    pub(crate) fn outbound(
        &mut self,
        request: http::Request<Body>,
        options: Option<RequestOptions>,
    ) -> Result<OutboundRequest, BodyError> {
        self.count_subrequest().map_err(|failure| BodyError::InternalError(Some(failure.to_string())))?;
        let idle = self.stream_idle;
        Ok(OutboundRequest {
            shows: None,
            request: agreed(request).map(|body| few(paced(body, idle, BodyError::ConnectionWriteTimeout))),
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
        self.send_showing(request, options, None)
    }

    /// The same, with a certificate that is shown to whoever is asked.
    pub(crate) fn send_showing(
        &mut self,
        request: http::Request<Body>,
        options: Option<RequestOptions>,
        shows: Option<Arc<ShownCertificate>>,
    ) -> BoxFuture<'static, Result<http::Response<Body>, BodyError>> {
        let outbound = match self.outbound(request, options) {
            Ok(outbound) => OutboundRequest { shows, ..outbound },
            Err(error) => return Box::pin(async { Err(error) }),
        };
        // What the guest asks for holds whoever answers: an origin, an outbound worker, another script.
        let idle = outbound.between_bytes_timeout.map_or(self.stream_idle, |own| own.min(self.stream_idle));
        let answered = self.in_turn(move |host| host.outbound(outbound));
        Box::pin(async move {
            let response = answered.await?;
            Ok(response.map(|body| paced(body, idle, BodyError::ConnectionReadTimeout)))
        })
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
    ) -> Sending {
        let response = self.send(request, options);
        let arriving = self.arriving.clone();
        Box::new(async move {
            let io: Io = Box::new(async { Ok(()) });
            Ok((response.await?.map(|body| arriving.counted(body)), io))
        })
    }

    fn p2_outgoing_body_buffer_chunks(&mut self) -> usize {
        BODY_CHUNKS
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_CHUNK_BYTES
    }
}
