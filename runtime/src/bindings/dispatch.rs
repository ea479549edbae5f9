//! `wasmyard:platform/dispatch`: a script calls another one through a binding it was given.
//!
//! Bodies are handed over by ownership; the callee is polled inside the caller's own task, so that
//! dropping the caller cancels the whole chain. Never looks anything up itself: [`crate::Host::call`] does.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use http::{HeaderMap, Method, Request, Response, Uri};
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynPollable, Pollable};
use wasmtime_wasi_http::FieldMap;
use wasmtime_wasi_http::WasiHttpView as _;
use wasmtime_wasi_http::p2::bindings::http::types::{HostIncomingRequest as _, Scheme};
use wasmtime_wasi_http::p2::body::HostIncomingBody;
use wasmtime_wasi_http::p2::types::{
    HostIncomingRequest, HostIncomingResponse, HostOutgoingRequest, HostOutgoingResponse,
    HostResponseOutparam,
};
use wasmyard_namespaces::limits::{LimitSpec, Limits as Ceiling};
use wasmyard_namespaces::name::NamespaceName;

use super::dispatch_wit::{
    BindingError, DispatchError, Host, HostFutureResponse, HostNamespace, HostWorker, Limits, Options,
};
use crate::body::{self, Body, Handover};
use crate::outcome::Failure;
use crate::seams::Call;
use crate::state::{State, Tail};

/// Most outbound parameters, and most bytes of them together, that one call may carry.
const MAX_OUTBOUND_PARAMS: usize = 64;
const MAX_OUTBOUND_BYTES: usize = 16 << 10;

/// A namespace that the guest opened.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Namespace {
    namespace: NamespaceName,
}

/// A script that the guest named.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Worker {
    namespace: NamespaceName,
    script: String,
    limits: LimitSpec,
    outbound: Vec<(String, String)>,
}

/// A response that the guest waits for.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub enum FutureResponse {
    /// The callee runs in the guest's own `poll`.
    Waiting(BoxFuture<'static, Result<Response<Body>, Failure>>),
    /// It has answered.
    Ready(Box<Result<Response<Body>, Failure>>),
    /// The guest has taken the answer.
    Taken,
}

#[async_trait::async_trait]
impl Pollable for FutureResponse {
    async fn ready(&mut self) {
        if let Self::Waiting(response) = self {
            *self = Self::Ready(Box::new(response.await));
        }
    }
}

type Answer<T> = wasmtime::Result<Result<T, DispatchError>>;

impl Host for State {
    fn respond(
        &mut self,
        out: Resource<HostResponseOutparam>,
        response: Resource<HostIncomingResponse>,
    ) -> wasmtime::Result<()> {
        let (parts, body) = self.take_response(response)?;
        let out = self.table.delete(out)?;
        (out.send)(Ok(Response::from_parts(parts, body)));
        Ok(())
    }

    fn respond_with(
        &mut self,
        out: Resource<HostResponseOutparam>,
        head: Resource<HostOutgoingResponse>,
        response: Resource<HostIncomingResponse>,
    ) -> wasmtime::Result<()> {
        let (_, body) = self.take_response(response)?;
        let head = self.table.delete(head)?;
        let out = self.table.delete(out)?;
        let mut answer = Response::new(body);
        *answer.status_mut() = head.status;
        *answer.headers_mut() = HeaderMap::from(head.headers);
        (out.send)(Ok(answer));
        Ok(())
    }
}

impl HostNamespace for State {
    fn open(&mut self, binding: String) -> wasmtime::Result<Result<Resource<Namespace>, BindingError>> {
        let namespace = match self.worker.bindings.namespace(&binding) {
            Ok(namespace) => namespace.clone(),
            Err(other) => {
                let text = match other {
                    None => return Ok(Err(BindingError::NotBound(not_bound(&binding)))),
                    Some(kind) => kind.to_owned(),
                };
                return Ok(Err(BindingError::WrongType(text)));
            }
        };
        Ok(Ok(self.table.push(Namespace { namespace })?))
    }

    fn get(
        &mut self,
        this: Resource<Namespace>,
        script: String,
        options: Options,
    ) -> Answer<Resource<Worker>> {
        let namespace = self.table.get(&this)?.namespace.clone();
        let limits = match limit_spec(&options.limits, &self.ceiling) {
            Ok(limits) => limits,
            Err(failure) => return Ok(Err(failure.into())),
        };
        if let Err(failure) = check_outbound(&options.outbound) {
            return Ok(Err(failure.into()));
        }
        let worker = Worker { namespace, script, limits, outbound: options.outbound };
        Ok(Ok(self.table.push(worker)?))
    }

    fn drop(&mut self, this: Resource<Namespace>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl HostWorker for State {
    fn fetch(
        &mut self,
        this: Resource<Worker>,
        request: Resource<HostOutgoingRequest>,
    ) -> Answer<Resource<FutureResponse>> {
        let mut request = self.table.delete(request)?;
        // A body that the guest opened may still be written while the callee reads it, so the two must
        // run side by side; without one the callee runs inside the guest's own poll.
        let body_open = request.body.is_some();
        let body = request.body.take().unwrap_or_else(body::empty);
        let request = match outgoing_request(request, body) {
            Ok(request) => request,
            Err(failure) => return Ok(Err(failure.into())),
        };
        let response = match self.start(&this, request)? {
            Ok(call) => self.hooks.in_turn(move |host| host.call(call)),
            Err(failure) => return Ok(Err(failure.into())),
        };
        let response = if body_open { in_own_task(response) } else { response };
        Ok(Ok(self.table.push(FutureResponse::Waiting(response))?))
    }

    async fn forward(
        &mut self,
        this: Resource<Worker>,
        request: Resource<HostIncomingRequest>,
    ) -> Answer<Resource<HostIncomingResponse>> {
        match self.take_request(request)? {
            Ok(request) => self.call(&this, request).await,
            Err(failure) => Ok(Err(failure.into())),
        }
    }

    async fn forward_with(
        &mut self,
        this: Resource<Worker>,
        head: Resource<HostOutgoingRequest>,
        request: Resource<HostIncomingRequest>,
    ) -> Answer<Resource<HostIncomingResponse>> {
        let head = self.table.delete(head)?;
        let body = match self.take_request(request)? {
            Ok(request) => request.into_body(),
            Err(failure) => return Ok(Err(failure.into())),
        };
        match outgoing_request(head, body) {
            Ok(request) => self.call(&this, request).await,
            Err(failure) => Ok(Err(failure.into())),
        }
    }

    fn tail(
        &mut self,
        this: Resource<Worker>,
        request: Resource<HostIncomingRequest>,
        out: Resource<HostResponseOutparam>,
    ) -> Answer<()> {
        let request = match self.take_request(request)? {
            Ok(request) => request,
            Err(failure) => return Ok(Err(failure.into())),
        };
        let call = match self.start(&this, request)? {
            Ok(call) => call,
            Err(failure) => return Ok(Err(failure.into())),
        };
        let out = self.table.delete(out)?;
        self.tail = Some(Tail { call, send: out.send });
        Ok(Ok(()))
    }

    fn drop(&mut self, this: Resource<Worker>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl HostFutureResponse for State {
    fn subscribe(&mut self, this: Resource<FutureResponse>) -> wasmtime::Result<Resource<DynPollable>> {
        wasmtime_wasi::p2::subscribe(&mut self.table, this)
    }

    fn get(
        &mut self,
        this: Resource<FutureResponse>,
    ) -> wasmtime::Result<Option<Result<Result<Resource<HostIncomingResponse>, DispatchError>, ()>>> {
        let future = self.table.get_mut(&this)?;
        match std::mem::replace(future, FutureResponse::Taken) {
            FutureResponse::Waiting(waiting) => {
                *future = FutureResponse::Waiting(waiting);
                Ok(None)
            }
            FutureResponse::Taken => Ok(Some(Err(()))),
            FutureResponse::Ready(answer) => Ok(Some(Ok(self.answer(*answer)?))),
        }
    }

    fn drop(&mut self, this: Resource<FutureResponse>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl State {
    /// Counts the call and says what it is.
    fn start(
        &mut self,
        worker: &Resource<Worker>,
        request: Request<Body>,
    ) -> wasmtime::Result<Result<Call, Failure>> {
        let worker = self.table.get(worker)?;
        if let Err(failure) = self.hooks.count_subrequest() {
            return Ok(Err(failure));
        }
        Ok(Ok(Call {
            namespace: worker.namespace.clone(),
            script: worker.script.clone(),
            limits: worker.limits,
            outbound: worker.outbound.clone(),
            request,
        }))
    }

    async fn call(
        &mut self,
        worker: &Resource<Worker>,
        request: Request<Body>,
    ) -> Answer<Resource<HostIncomingResponse>> {
        let answer = match self.start(worker, request)? {
            Ok(call) => self.hooks.host().call(call).await,
            Err(failure) => Err(failure),
        };
        self.answer(answer)
    }

    /// Gives the guest what came of a call.
    fn answer(&mut self, answer: Result<Response<Body>, Failure>) -> Answer<Resource<HostIncomingResponse>> {
        match answer {
            Ok(response) => Ok(Ok(self.push_response(response)?)),
            Err(failure) => {
                self.head.callee_failed(&failure);
                Ok(Err(failure.into()))
            }
        }
    }

    /// Takes the request being handled away from the guest, with its body, unless that was opened.
    fn take_request(
        &mut self,
        resource: Resource<HostIncomingRequest>,
    ) -> wasmtime::Result<Result<Request<Body>, Failure>> {
        let mut http = self.http();
        let headers = http.headers(Resource::new_borrow(resource.rep()))?;
        let request = self.table.delete(resource)?;
        let headers: FieldMap = self.table.delete(headers)?;
        let untouched = request.body.is_some();
        drop(request);
        let Some(slot) = self.request_body.take().filter(|_| untouched) else {
            return Ok(Err(Failure::InvalidArgument(
                "request: its body was opened already; a request can be forwarded only as long as its body \
                 is untouched, afterwards send a new request with `fetch`"
                    .to_owned(),
            )));
        };
        let mut request = Request::new(slot.take());
        *request.method_mut() = self.request.method.clone();
        *request.uri_mut() = self.request.uri.clone();
        *request.headers_mut() = HeaderMap::from(headers);
        Ok(Ok(request))
    }

    /// Gives the guest a response whose body the host can take back later.
    fn push_response(
        &mut self,
        response: Response<Body>,
    ) -> wasmtime::Result<Resource<HostIncomingResponse>> {
        let (parts, body) = response.into_parts();
        let (lent, slot) = Handover::new(body);
        let body = HostIncomingBody::new(http_body_util::BodyExt::boxed_unsync(lent));
        let headers = FieldMap::new_immutable(&mut self.hooks, parts.headers);
        let response = HostIncomingResponse { status: parts.status.as_u16(), headers, body: Some(body) };
        let resource = self.table.push(response)?;
        self.response_bodies.insert(resource.rep(), slot);
        Ok(resource)
    }

    /// Takes a response back from the guest, with its body.
    fn take_response(
        &mut self,
        resource: Resource<HostIncomingResponse>,
    ) -> wasmtime::Result<(http::response::Parts, Body)> {
        let slot = self.response_bodies.remove(&resource.rep()).filter(|slot| !slot.is_orphaned());
        let response = self.table.delete(resource)?;
        let (mut parts, ()) = Response::new(()).into_parts();
        parts.status = http::StatusCode::from_u16(response.status)?;
        parts.headers = HeaderMap::from(response.headers);
        let body = match (response.body, slot) {
            (None, _) => wasmtime::bail!(
                "respond: the response's body was opened already; write what is left of it to an \
                 outgoing-body instead"
            ),
            (Some(_lent), Some(slot)) => slot.take(),
            // It came through wasi:http's outgoing-handler: read it the way a guest would.
            (Some(body), None) => body::body_of(body),
        };
        Ok((parts, body))
    }
}

/// Runs a call in a task of its own; dropping the future still cancels it.
fn in_own_task(
    call: BoxFuture<'static, Result<Response<Body>, Failure>>,
) -> BoxFuture<'static, Result<Response<Body>, Failure>> {
    struct Abort(tokio::task::JoinHandle<Result<Response<Body>, Failure>>);
    impl Drop for Abort {
        fn drop(&mut self) {
            self.0.abort();
        }
    }
    impl Future for Abort {
        type Output = Result<Response<Body>, Failure>;
        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
            self.0.poll_unpin(cx).map(|joined| joined.unwrap_or_else(|error| Err(Failure::internal(error))))
        }
    }
    Box::pin(Abort(tokio::spawn(call)))
}

/// The request that an outgoing-request resource describes.
fn outgoing_request(head: HostOutgoingRequest, body: Body) -> Result<Request<Body>, Failure> {
    let invalid = |what: &str, error: &dyn std::fmt::Display| {
        Failure::InvalidArgument(format!("request: {what} is not valid: {error}"))
    };
    let method: Method = head.method.try_into().map_err(|error| invalid("the method", &error))?;
    let scheme = match head.scheme {
        None | Some(Scheme::Https) => http::uri::Scheme::HTTPS,
        Some(Scheme::Http) => http::uri::Scheme::HTTP,
        Some(Scheme::Other(other)) => {
            return Err(Failure::InvalidArgument(format!(
                "request: the scheme {other:?} is not supported; use http or https"
            )));
        }
    };
    let uri = Uri::builder()
        .scheme(scheme)
        .authority(head.authority.as_deref().unwrap_or("localhost"))
        .path_and_query(head.path_with_query.as_deref().unwrap_or("/"))
        .build()
        .map_err(|error| invalid("the URL", &error))?;
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = HeaderMap::from(head.headers);
    Ok(request)
}

fn limit_spec(limits: &Limits, ceiling: &Ceiling) -> Result<LimitSpec, Failure> {
    let spec = LimitSpec {
        cpu_ms: limits.cpu_ms,
        fuel: limits.fuel,
        subrequests: limits.subrequests,
        memory_bytes: limits.memory_bytes,
        ..LimitSpec::default()
    };
    spec.validate(ceiling).map_err(|error| Failure::InvalidArgument(error.to_string()))?;
    Ok(spec)
}

fn check_outbound(params: &[(String, String)]) -> Result<(), Failure> {
    let bytes: usize = params.iter().map(|(name, value)| name.len() + value.len()).sum();
    if params.len() > MAX_OUTBOUND_PARAMS || bytes > MAX_OUTBOUND_BYTES {
        return Err(Failure::InvalidArgument(format!(
            "outbound: {} parameters of {bytes} bytes together; at most {MAX_OUTBOUND_PARAMS} of \
             {MAX_OUTBOUND_BYTES} bytes are allowed",
            params.len()
        )));
    }
    Ok(())
}

fn not_bound(binding: &str) -> String {
    let name: String = binding.chars().take(64).collect();
    format!("no binding named {name:?}; declare it in this script's `bindings` when uploading")
}

impl From<Failure> for DispatchError {
    fn from(failure: Failure) -> Self {
        let text = failure.to_string();
        match failure {
            Failure::WorkerNotFound => Self::WorkerNotFound(text),
            Failure::ExceededCpu { .. } => Self::ExceededCpu(text),
            Failure::ExceededFuel { .. } => Self::ExceededFuel(text),
            Failure::ExceededMemory { .. } => Self::ExceededMemory(text),
            Failure::ExceededSubrequests { .. } => Self::ExceededSubrequests(text),
            Failure::ExceededDepth { .. } => Self::ExceededDepth(text),
            Failure::TimedOut { .. } | Failure::Stalled { .. } => Self::TimedOut(text),
            Failure::Trapped(_) => Self::Trapped(text),
            Failure::NoResponse(_) => Self::NoResponse(text),
            Failure::Overloaded { .. } | Failure::TooManyInvocations { .. } => Self::Overloaded(text),
            Failure::InvalidArgument(_) => Self::InvalidArgument(text),
            Failure::Internal { .. } => Self::Internal(text),
        }
    }
}
