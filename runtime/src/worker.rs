//! One version of a script made ready ([`Worker`]), and one invocation of it from request to [`Outcome`].
//!
//! The guest is driven inside the task of whoever waits for its answer: first by [`Worker::fetch`] until
//! the head of the response is there, then by the response's body. Dropping either cancels the guest,
//! and with it every guest that it waits for. A store is used once and never again.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::StreamExt;
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{BodyExt, StreamBody};
use wasmtime::{Store, Trap, UpdateDeadline};
use wasmtime_wasi::p2::{InputStream, Pollable as _, StreamError};
use wasmtime_wasi_http::WasiHttpView as _;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::HostIncomingBody;
use wasmyard_namespaces::limits::Limits;
use wasmyard_namespaces::name::ScriptName;
use wasmyard_namespaces::script::ScriptKey;

use crate::account::Metered;
use crate::body::{Body, BodyError, Handover};
use crate::grants::Grants;
use crate::memory::Exceeded;
use crate::meter::Meter;
use crate::module::Module;
use crate::outcome::{End, Failure, Outcome};
use crate::seams::{DenyAll, Host, RequestInfo};
use crate::state::{RequestHead, State, Tail};

/// How long a guest may go on after its response is complete.
const AFTER_RESPONSE: Duration = Duration::from_secs(30);

/// One version of a script, ready to be invoked any number of times at once.
pub struct Worker {
    /// Which script it is.
    pub key: ScriptKey,
    /// The version's id.
    pub version: Arc<str>,
    pub(crate) bindings: Grants,
    pub(crate) module: Arc<Module>,
}

/// What one call of [`Worker::fetch`] needs beside the request.
pub struct Invocation {
    /// The limits that apply: already the tightest of all that have a say.
    pub limits: Limits,
    /// How deep in the chain of scripts this one is; 0 for the first.
    pub depth: u32,
    /// Everything that leaves the sandbox.
    pub host: Arc<dyn Host>,
    /// What the guest may know about the request.
    pub info: Arc<RequestInfo>,
}

impl Worker {
    /// Puts a compiled module together with what its version was given.
    pub fn new(key: ScriptKey, version: &str, bindings: Grants, module: Arc<Module>) -> Arc<Self> {
        Arc::new(Self { key, version: Arc::from(version), bindings, module })
    }

    /// Handles one request in a fresh store and returns when the head of the response is there.
    ///
    /// # Errors
    ///
    /// A [`Failure`] when there is no response. What goes wrong after the head is out ends the body early.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future, or the response's body, stops the guest; the [`Outcome`] says `canceled`.
    pub async fn fetch(
        self: &Arc<Self>,
        invocation: Invocation,
        request: Request<Body>,
    ) -> Result<Response<Body>, Failure> {
        let first_byte = invocation.limits.first_byte;
        let mut run = Run::start(Arc::clone(self), invocation, request);
        let head = poll_fn(|cx| run.poll_head(cx));
        match tokio::time::timeout(first_byte, head).await {
            Ok(Ok(response)) => Ok(run.into_response(response)),
            Ok(Err(NoHead { own, shown })) => {
                run.record.ended(End::Failed(own));
                Err(shown)
            }
            Err(_elapsed) => {
                let failure = Failure::TimedOut { limit: first_byte };
                run.record.ended(End::Failed(failure.clone()));
                Err(failure)
            }
        }
    }
}

/// Makes one instance of a module and drops it: proof that its start-up code runs within the limits.
///
/// # Errors
///
/// The [`Failure`] that every invocation of it would end with.
pub async fn start_up(module: &Arc<Module>, limits: &Limits) -> Result<Duration, Failure> {
    let name = ScriptName::try_from("start-up").map_err(Failure::internal)?;
    let worker = Worker::new(ScriptKey::Platform(name), "", Grants::new(&[]), Arc::clone(module));
    let info = Arc::new(RequestInfo {
        ray_id: Arc::from(""),
        client_address: std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
        hostname: Arc::from(""),
        hostname_metadata: None,
    });
    let meter = Arc::new(Meter::default());
    let (_lent, slot) = Handover::new(crate::body::empty());
    let (parts, ()) = Request::new(()).into_parts();
    let state = State::new(
        worker,
        limits,
        Arc::new(DenyAll),
        info,
        RequestHead::of(&parts),
        slot,
        Arc::default(),
        Arc::clone(&meter),
    );
    let limits = *limits;
    let owned = Arc::clone(module);
    let account = Arc::clone(&meter);
    let future = Box::pin(async move {
        let mut store = Store::new(owned.engine(), state);
        store.limiter(|state| &mut state.memory);
        arm(&mut store, account, limits.cpu);
        owned.pre.instantiate_async(&mut store).await.map(|_| ()).map_err(|error| failure_of(&error, &limits))
    });
    let begun = Instant::now();
    match tokio::time::timeout(limits.first_byte, Metered { meter, future }).await {
        Ok(instantiated) => instantiated.map(|()| begun.elapsed()),
        Err(_elapsed) => Err(Failure::TimedOut { limit: limits.first_byte }),
    }
}

/// Where the guest's answer appears: filled by the response-outparam during a poll of the guest.
#[derive(Default)]
pub(crate) struct HeadSlot {
    head: Mutex<Option<Result<Response<Body>, ErrorCode>>>,
    callee: Mutex<Option<Failure>>,
}

/// Why there is no head of a response.
struct NoHead {
    /// What goes on this invocation's own account.
    own: Failure,
    /// What its caller, and in the end the visitor, is told.
    shown: Failure,
}

impl From<Failure> for NoHead {
    fn from(failure: Failure) -> Self {
        Self { own: failure.clone(), shown: failure }
    }
}

impl HeadSlot {
    fn put(&self, head: Result<Response<Body>, ErrorCode>) {
        *self.head.lock().unwrap_or_else(PoisonError::into_inner) = Some(head);
    }

    fn take(&self) -> Option<Result<Response<Body>, ErrorCode>> {
        self.head.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Notes the failure of a script that this one called, in case it is not caught.
    pub(crate) fn callee_failed(&self, failure: &Failure) {
        *self.callee.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure.clone());
    }

    /// What an error code in place of a response means. `internal-error` with a text is how a guest says
    /// that it did not catch an error. Where that is the error of a script that it called, the visitor is
    /// told what happened to that one.
    fn no_head(&self, code: ErrorCode) -> NoHead {
        let ErrorCode::InternalError(Some(text)) = code else {
            return Failure::NoResponse(format!("it answered with the error code {code:?}")).into();
        };
        let callee = self.callee.lock().unwrap_or_else(PoisonError::into_inner).take();
        let uncaught = callee.filter(|failure| failure.to_string() == text);
        let own = Failure::Trapped(text);
        NoHead { shown: uncaught.unwrap_or_else(|| own.clone()), own }
    }
}

/// An invocation under way.
struct Run {
    /// The guest; gone when it has run to its end.
    guest: Option<Metered<Result<(), Failure>>>,
    head: Arc<HeadSlot>,
    record: Record,
}

impl Run {
    fn start(worker: Arc<Worker>, invocation: Invocation, request: Request<Body>) -> Self {
        let Invocation { limits, depth, host, info } = invocation;
        let meter = Arc::new(Meter::default());
        let head = Arc::new(HeadSlot::default());
        let record = Record {
            worker: Arc::clone(&worker),
            host: Arc::clone(&host),
            meter: Arc::clone(&meter),
            started: Instant::now(),
            depth,
            status: None,
            end: End::Canceled,
        };
        let guest = run_guest(worker, limits, host, info, request, Arc::clone(&meter), Arc::clone(&head));
        Self { guest: Some(Metered { meter, future: Box::pin(guest) }), head, record }
    }

    /// Drives the guest until it has answered or ended.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response<Body>, NoHead>> {
        let polled = match &mut self.guest {
            Some(guest) => Pin::new(guest).poll(cx),
            None => Poll::Ready(Ok(())),
        };
        if let Poll::Ready(ended) = &polled {
            self.guest = None;
            if let Err(failure) = ended {
                // Whatever was in the slot is of no use: the body behind it will never be complete.
                return Poll::Ready(Err(NoHead::from(failure.clone())));
            }
        }
        match (self.head.take(), polled) {
            (Some(Ok(response)), Poll::Pending) => Poll::Ready(Ok(response)),
            // The guest is done, so its body is as complete as it will ever be: its length is known.
            (Some(Ok(response)), Poll::Ready(_)) => {
                Poll::Ready(Ok(response.map(|body| crate::body::settle(body, cx))))
            }
            (Some(Err(code)), _) => Poll::Ready(Err(self.head.no_head(code))),
            (None, Poll::Ready(_)) => {
                let text = "it returned without setting the response-outparam".to_owned();
                Poll::Ready(Err(NoHead::from(Failure::NoResponse(text))))
            }
            (None, Poll::Pending) => Poll::Pending,
        }
    }

    /// The answer, with a body that drives the guest on as it is read.
    fn into_response(mut self, response: Response<Body>) -> Response<Body> {
        self.record.status = Some(response.status().as_u16());
        response.map(|body| GuestBody { guest: self.guest, body, record: Some(self.record) }.boxed_unsync())
    }
}

/// The response body of a guest that may still be running: reading it drives the guest on.
struct GuestBody {
    guest: Option<Metered<Result<(), Failure>>>,
    body: Body,
    /// Present until the end is known.
    record: Option<Record>,
}

impl GuestBody {
    fn finish(&mut self, end: End) {
        if let Some(mut record) = self.record.take() {
            record.ended(end);
        }
    }

    /// The response is complete but the guest goes on: let it, for a while, at nobody's expense.
    fn leave_guest_running(&mut self) {
        let (Some(guest), Some(mut record)) = (self.guest.take(), self.record.take()) else { return };
        tokio::spawn(async move {
            record.ended(match tokio::time::timeout(AFTER_RESPONSE, guest).await {
                Ok(Ok(())) => End::Ok,
                Ok(Err(failure)) => End::Failed(failure),
                Err(_elapsed) => End::Failed(Failure::TimedOut { limit: AFTER_RESPONSE }),
            });
        });
    }
}

impl HttpBody for GuestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if let Some(guest) = &mut this.guest
            && let Poll::Ready(ended) = Pin::new(guest).poll(cx)
        {
            this.guest = None;
            if let Err(failure) = ended {
                let text = failure.to_string();
                this.finish(End::Failed(failure));
                this.body = crate::body::empty();
                return Poll::Ready(Some(Err(BodyError::InternalError(Some(text)))));
            }
        }
        let frame = std::task::ready!(Pin::new(&mut this.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let (Some(data), Some(record)) = (frame.data_ref(), &this.record) {
                    record.meter.sent(data.len());
                }
                if this.guest.is_none() && this.body.is_end_stream() {
                    this.finish(End::Ok);
                }
            }
            Some(Err(error)) => {
                let failure = Failure::NoResponse(format!("the body ended early: {error}"));
                this.guest = None;
                this.finish(End::Failed(failure));
            }
            None if this.guest.is_some() => this.leave_guest_running(),
            None => this.finish(End::Ok),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.guest.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for GuestBody {
    fn drop(&mut self) {
        // A complete body that nobody asked for its end: hyper stops at `is_end_stream`.
        if self.guest.is_none() && self.body.is_end_stream() {
            self.finish(End::Ok);
        }
    }
}

/// The invocation's account. Whoever holds it last hands it to the host, however the invocation ends.
struct Record {
    worker: Arc<Worker>,
    host: Arc<dyn Host>,
    meter: Arc<Meter>,
    started: Instant,
    depth: u32,
    status: Option<u16>,
    end: End,
}

impl Record {
    fn ended(&mut self, end: End) {
        self.end = end;
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let (bytes_in, bytes_out) = self.meter.bytes();
        self.host.finished(Outcome {
            script: self.worker.key.clone(),
            version: self.worker.version.as_ref().to_owned(),
            depth: self.depth,
            end: std::mem::replace(&mut self.end, End::Canceled),
            status: self.status,
            cpu: self.meter.cpu.used(),
            wall: self.started.elapsed(),
            instantiation: self.meter.instantiation(),
            peak_memory_bytes: self.meter.peak_memory_bytes(),
            subrequests: self.meter.subrequests(),
            bytes_in,
            bytes_out,
        });
    }
}

/// The whole life of one store. A tail call is made when the store is gone.
async fn run_guest(
    worker: Arc<Worker>,
    limits: Limits,
    host: Arc<dyn Host>,
    info: Arc<RequestInfo>,
    request: Request<Body>,
    meter: Arc<Meter>,
    head: Arc<HeadSlot>,
) -> Result<(), Failure> {
    let tail = run_store(worker, limits, Arc::clone(&host), info, request, meter, head).await?;
    if let Some(Tail { call, send }) = tail {
        send(Ok(host.call(call).await?));
    }
    Ok(())
}

async fn run_store(
    worker: Arc<Worker>,
    limits: Limits,
    host: Arc<dyn Host>,
    info: Arc<RequestInfo>,
    request: Request<Body>,
    meter: Arc<Meter>,
    head: Arc<HeadSlot>,
) -> Result<Option<Tail>, Failure> {
    let (parts, body) = request.into_parts();
    let body = Counted { body, meter: Arc::clone(&meter) }.boxed_unsync();
    let (lent, slot) = Handover::new(body);
    let request_head = RequestHead::of(&parts);
    let state = State::new(
        Arc::clone(&worker),
        &limits,
        host,
        info,
        request_head,
        slot,
        Arc::clone(&head),
        Arc::clone(&meter),
    );
    let mut store = Store::new(worker.module.engine(), state);
    store.limiter(|state| &mut state.memory);
    arm(&mut store, Arc::clone(&meter), limits.cpu);

    let begun = Instant::now();
    let result = async {
        let proxy = worker.module.pre.instantiate_async(&mut store).await?;
        meter.instantiated(begun.elapsed());
        let scheme = match parts.uri.scheme_str() {
            Some("https") => Scheme::Https,
            _ => Scheme::Http,
        };
        let mut http = store.data_mut().http();
        let request = http.new_incoming_request(scheme, Request::from_parts(parts, lent))?;
        let out = http.new_response_outparam_from_callback(move |answer| head.put(answer))?;
        proxy.wasi_http_incoming_handler().call_handle(&mut store, request, out).await
    }
    .await;

    match result {
        Ok(()) => Ok(store.data_mut().tail.take()),
        Err(error) => Err(failure_of(&error, &limits)),
    }
}

/// Sets the epoch callback: the guest is stopped when its budget is spent, and lets others run otherwise.
fn arm(store: &mut Store<State>, meter: Arc<Meter>, budget: Duration) {
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |_| {
        if meter.cpu.used_now() >= budget {
            return Err(Exceeded::Cpu.into());
        }
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
    });
}

/// What an error out of Wasm means. Texts name the kind of trap and nothing of the host.
fn failure_of(error: &wasmtime::Error, limits: &Limits) -> Failure {
    if let Some(exceeded) = error.downcast_ref::<Exceeded>() {
        return match exceeded {
            Exceeded::Memory => Failure::ExceededMemory { limit: limits.memory_bytes },
            Exceeded::Cpu => Failure::ExceededCpu { limit: limits.cpu },
        };
    }
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return match trap {
            Trap::Interrupt | Trap::OutOfFuel => Failure::ExceededCpu { limit: limits.cpu },
            other => Failure::Trapped(other.to_string()),
        };
    }
    if let Some(exit) = error.downcast_ref::<wasmtime_wasi::I32Exit>() {
        return Failure::Trapped(format!("it called exit({})", exit.0));
    }
    if error.downcast_ref::<wasmtime::PoolConcurrencyLimitError>().is_some() {
        return Failure::Overloaded { retry_after: Duration::from_secs(1) };
    }
    // What is left are host calls that the guest used wrongly (a resource it does not have, a body
    // taken twice): its own mistake, in words that the host functions chose.
    Failure::Trapped(error.root_cause().to_string())
}

/// Counts the bytes that a guest was sent.
struct Counted {
    body: Body,
    meter: Arc<Meter>,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            self.meter.received(data.len());
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Reads a body that is inside a `wasi:http` resource.
pub(crate) fn body_of(mut body: HostIncomingBody) -> Body {
    /// How much is asked for at once.
    const CHUNK: usize = 64 << 10;
    let Some(stream) = body.take_stream() else { return crate::body::empty() };
    let chunks = futures::stream::unfold(Some((stream, body)), |open| async move {
        let (mut stream, body) = open?;
        loop {
            stream.ready().await;
            match stream.read(CHUNK) {
                Ok(bytes) if bytes.is_empty() => {}
                Ok(bytes) => return Some((Ok(Frame::data(bytes)), Some((stream, body)))),
                Err(StreamError::Closed) => {
                    drop(stream);
                    let mut trailers = body.into_future_trailers();
                    trailers.ready().await;
                    return match trailers {
                        wasmtime_wasi_http::p2::body::HostFutureTrailers::Done(Ok(Some(map))) => {
                            Some((Ok(Frame::trailers(map)), None))
                        }
                        _ => None,
                    };
                }
                Err(error) => {
                    let error = BodyError::InternalError(Some(error.to_string()));
                    return Some((Err(error), None));
                }
            }
        }
    });
    StreamBody::new(chunks.boxed()).boxed_unsync()
}
