//! `wasmyard:platform/dispatch`: a script calls another one through a binding it was given, be it a whole namespace or
//! one script.
//!
//! Bodies are handed over by ownership; the callee is polled inside the caller's own task, so that
//! dropping the caller cancels the whole chain. Never looks anything up itself: [`crate::Host::call`] does.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Request, Response};
use wasmtime::component::Resource;
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::p2::types::{
    HostIncomingRequest, HostIncomingResponse, HostOutgoingRequest, HostResponseOutparam,
};
use wasmyard_namespaces::limits::LimitSpec;
use wasmyard_namespaces::name::shorten;

use super::dispatch_wit::{
    BindingError, DispatchError, Host, HostFutureResponse, HostNamespace, HostWorker, Options,
};
use super::future::{FromScript, Look};
use super::granted::Grant;
use super::handover::outgoing_request;
use super::message_wit::{OwnRequest, RequestChanges, ResponseChanges};
use super::options::{limit_spec, outbound_values};
use crate::body::{self, Body};
use crate::guest::state::{Last, State, TailCall};
use crate::outcome::Failure;
use crate::seams::{Call, Door, Target};

/// A namespace that the guest opened.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Namespace {
    door: Arc<Door>,
}

/// A script that the guest named.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Worker {
    target: Target,
    limits: LimitSpec,
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
        self.head.handed_over();
        (out.send)(Ok(Response::from_parts(parts, body)));
        Ok(())
    }

    fn respond_with(
        &mut self,
        out: Resource<HostResponseOutparam>,
        changes: ResponseChanges,
        response: Resource<HostIncomingResponse>,
    ) -> wasmtime::Result<Result<(), String>> {
        let (mut head, body) = self.take_response(response)?;
        let out = self.table.delete(out)?;
        let changed = self.change_response(&mut head, changes);
        match &changed {
            Ok(()) => {
                self.head.handed_over();
                (out.send)(Ok(Response::from_parts(head, body)));
            }
            Err(text) => (out.send)(Err(ErrorCode::InternalError(Some(text.clone())))),
        }
        Ok(changed)
    }
}

impl HostNamespace for State {
    fn open(&mut self, binding: String) -> wasmtime::Result<Result<Resource<Namespace>, BindingError>> {
        let pick =
            |grant: &Grant| if let Grant::Namespace(door) = grant { Some(Arc::clone(door)) } else { None };
        match self.version.bindings.find(&binding, pick) {
            Ok(door) => Ok(Ok(self.table.push(Namespace { door })?)),
            Err(other) => Ok(Err(not_there(&binding, other))),
        }
    }

    async fn get(
        &mut self,
        this: Resource<Namespace>,
        script: String,
        options: Options,
    ) -> Answer<Resource<Worker>> {
        let door = Arc::clone(&self.table.get(&this)?.door);
        let limits = match limit_spec(&options.limits, &self.ceiling) {
            Ok(limits) => limits,
            Err(failure) => return Ok(Err(failure.into())),
        };
        let outbound = match outbound_values(options.outbound) {
            Ok(outbound) => outbound,
            Err(failure) => return Ok(Err(failure.into())),
        };
        if !outbound.is_empty() {
            let names = outbound.iter().map(|given| given.name.clone()).collect();
            if let Err(failure) = self.hooks.host().check_outbound(Arc::clone(&door), names).await {
                return Ok(Err(failure.into()));
            }
        }
        let target = Target::Dispatch { door, script, outbound };
        Ok(Ok(self.table.push(Worker { target, limits })?))
    }

    fn drop(&mut self, this: Resource<Namespace>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl HostWorker for State {
    fn open(&mut self, binding: String) -> wasmtime::Result<Result<Resource<Worker>, BindingError>> {
        let pick = |grant: &Grant| {
            if let Grant::Service(service) = grant { Some(Arc::clone(service)) } else { None }
        };
        match self.version.bindings.find(&binding, pick) {
            Ok(service) => {
                let target = Target::Service(service);
                Ok(Ok(self.table.push(Worker { target, limits: LimitSpec::default() })?))
            }
            Err(other) => Ok(Err(not_there(&binding, other))),
        }
    }

    fn fetch(
        &mut self,
        this: Resource<Worker>,
        request: Resource<HostOutgoingRequest>,
    ) -> Answer<Resource<FromScript>> {
        let mut request = self.table.delete(request)?;
        // A body that the guest opened may still be written while the callee reads it, so the two must
        // run side by side; without one the callee runs inside the guest's own poll.
        let body_open = request.body.is_some();
        let body = request.body.take().unwrap_or_else(body::empty);
        let request = match outgoing_request(request, body) {
            Ok(request) => request,
            Err(failure) => return Ok(Err(failure.into())),
        };
        self.fetch_from(&this, request, body_open, false)
    }

    async fn send(&mut self, this: Resource<Worker>, request: OwnRequest) -> Answer<Resource<FromScript>> {
        let (request, bytes) = match self.own_request(request) {
            Ok(own) => own,
            Err(failure) => return Ok(Err(failure.into())),
        };
        let response = match self.start(&this, request)? {
            Ok(call) => self.hooks.in_turn(move |host| host.call(call)),
            Err(failure) => return Ok(Err(failure.into())),
        };
        let response = FromScript::begun(response, bytes).await;
        Ok(Ok(self.table.push(response)?))
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
        changes: RequestChanges,
        request: Resource<HostIncomingRequest>,
    ) -> Answer<Resource<HostIncomingResponse>> {
        match self.take_request_with(request, Some(changes))? {
            Ok(request) => self.call(&this, request).await,
            Err(failure) => Ok(Err(failure.into())),
        }
    }

    async fn start_forward(
        &mut self,
        this: Resource<Worker>,
        changes: Option<RequestChanges>,
        request: Resource<HostIncomingRequest>,
    ) -> Answer<Resource<FromScript>> {
        let request = match self.take_request_with(request, changes)? {
            Ok(request) => request,
            Err(failure) => return Ok(Err(failure.into())),
        };
        let response = match self.start(&this, request)? {
            Ok(call) => self.hooks.in_turn(move |host| host.call(call)),
            Err(failure) => return Ok(Err(failure.into())),
        };
        // What is held of the request's body is counted where it arrives: it never was the guest's.
        let response = FromScript::begun(response, 0).await;
        Ok(Ok(self.table.push(response)?))
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
        self.tail = Some(TailCall { last: Last::Call(Box::new(call)), send: out.send });
        Ok(Ok(()))
    }

    fn drop(&mut self, this: Resource<Worker>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl HostFutureResponse for State {
    fn subscribe(&mut self, this: Resource<FromScript>) -> wasmtime::Result<Resource<DynPollable>> {
        wasmtime_wasi::p2::subscribe(&mut self.table, this)
    }

    fn get(
        &mut self,
        this: Resource<FromScript>,
    ) -> wasmtime::Result<Option<Result<Result<Resource<HostIncomingResponse>, DispatchError>, ()>>> {
        match self.table.get_mut(&this)?.look() {
            Look::NotYet => Ok(None),
            Look::Taken => Ok(Some(Err(()))),
            Look::There(answer) => Ok(Some(Ok(self.answer(answer)?))),
        }
    }

    fn drop(&mut self, this: Resource<FromScript>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl State {
    /// Begins a call; the callee runs beside this guest where that may still write the request's body.
    pub(super) fn fetch_from(
        &mut self,
        worker: &Resource<Worker>,
        request: Request<Body>,
        body_open: bool,
        by_call: bool,
    ) -> Answer<Resource<FromScript>> {
        let call = match self.start(worker, request)? {
            Ok(call) => Call { by_call, ..call },
            Err(failure) => return Ok(Err(failure.into())),
        };
        let response = self.hooks.in_turn(move |host| host.call(call));
        let response = if body_open { in_own_task(response, Failure::internal) } else { response };
        Ok(Ok(self.table.push(FromScript::waiting(response))?))
    }

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
        let request = body::agreed(request);
        Ok(Ok(Call { target: worker.target.clone(), limits: worker.limits, by_call: false, request }))
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
}

/// Runs a call in a task of its own, for the same request; dropping the future still cancels it.
pub(super) fn in_own_task<E: Send + 'static>(
    call: BoxFuture<'static, Result<Response<Body>, E>>,
    of_panic: fn(tokio::task::JoinError) -> E,
) -> BoxFuture<'static, Result<Response<Body>, E>> {
    struct Abort<E>(tokio::task::JoinHandle<Result<Response<Body>, E>>, fn(tokio::task::JoinError) -> E);
    impl<E> Drop for Abort<E> {
        fn drop(&mut self) {
            self.0.abort();
        }
    }
    impl<E> Future for Abort<E> {
        type Output = Result<Response<Body>, E>;
        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
            let of_panic = self.1;
            self.0.poll_unpin(cx).map(|joined| joined.unwrap_or_else(|error| Err(of_panic(error))))
        }
    }
    Box::pin(Abort(tokio::spawn(wasmyard_events::carried(call)), of_panic))
}

/// Why a binding cannot be opened: `other` is the type that it has instead.
pub(super) fn not_there(binding: &str, other: Option<&'static str>) -> BindingError {
    match other {
        Some(kind) => BindingError::WrongType(kind.to_owned()),
        None => BindingError::NotBound(format!(
            "no binding named \"{}\"; declare it in this script's `bindings` when uploading",
            shorten(binding)
        )),
    }
}

impl From<Failure> for DispatchError {
    fn from(failure: Failure) -> Self {
        let text = failure.to_string();
        match failure {
            Failure::WorkerNotFound | Failure::Unreachable(_) => Self::WorkerNotFound(text),
            Failure::ExceededCpu { .. } => Self::ExceededCpu(text),
            Failure::ExceededFuel { .. } => Self::ExceededFuel(text),
            Failure::ExceededMemory { .. } => Self::ExceededMemory(text),
            Failure::ExceededSubrequests { .. } => Self::ExceededSubrequests(text),
            Failure::ExceededDepth { .. } => Self::ExceededDepth(text),
            Failure::TimedOut { .. } | Failure::Stalled { .. } => Self::TimedOut(text),
            Failure::Trapped(_) => Self::Trapped(text),
            Failure::NoResponse(_) | Failure::ErrorCode(_) | Failure::NoHandler { .. } => {
                Self::NoResponse(text)
            }
            Failure::Overloaded { .. }
            | Failure::BeingMadeReady { .. }
            | Failure::TooManyInvocations { .. }
            | Failure::ExceededMemoryShare { .. } => Self::Overloaded(text),
            Failure::InvalidArgument(_) => Self::InvalidArgument(text),
            Failure::Internal { .. } => Self::Internal(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use wasmyard_events::{current_ray, within};

    use super::*;

    #[tokio::test]
    async fn a_call_in_a_task_of_its_own_works_for_the_same_request() {
        let call = || Box::pin(async { Err(Failure::NoResponse(format!("{:?}", current_ray()))) });
        let call = within(&Arc::from("mine"), || in_own_task(call(), Failure::internal));
        assert_eq!(call.await.unwrap_err(), Failure::NoResponse(r#"Some("mine")"#.to_owned()));
    }
}
