//! `wasmyard:platform/outgoing`: requests of the guest's own that are there as a whole, and the one that is being handled,
//! sent on without a byte of it entering the guest.
//!
//! They leave by the same method as every other request of the guest ([`crate::guest::http::Hooks::send`]), so that there is
//! one way out and not two.

use http::{Request, Response};
use wasmtime::component::Resource;
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::p2::types::{HostIncomingRequest, HostIncomingResponse, HostResponseOutparam};

use super::future::{FromUrl, Look};
use super::message_wit::{OwnRequest, RequestChanges};
use super::outgoing_wit::{Host, HostFutureResponse};
use crate::body::{Body, BodyError};
use crate::codes::to_code;
use crate::guest::state::{Last, State, TailCall};
use crate::outcome::Failure;

type Answer<T> = wasmtime::Result<Result<T, ErrorCode>>;

impl HostFutureResponse for State {
    fn subscribe(&mut self, this: Resource<FromUrl>) -> wasmtime::Result<Resource<DynPollable>> {
        wasmtime_wasi::p2::subscribe(&mut self.table, this)
    }

    fn get(
        &mut self,
        this: Resource<FromUrl>,
    ) -> wasmtime::Result<Option<Result<Result<Resource<HostIncomingResponse>, ErrorCode>, ()>>> {
        match self.table.get_mut(&this)?.look() {
            Look::NotYet => Ok(None),
            Look::Taken => Ok(Some(Err(()))),
            Look::There(answer) => Ok(Some(Ok(self.arrived(answer)?))),
        }
    }

    fn drop(&mut self, this: Resource<FromUrl>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl Host for State {
    async fn send(&mut self, request: OwnRequest) -> wasmtime::Result<Result<Resource<FromUrl>, String>> {
        if request.authority.is_none() {
            return Ok(Err("request: it has no authority, so that nobody can be asked".to_owned()));
        }
        let (request, bytes) = match self.own_request(request) {
            Ok(own) => own,
            Err(failure) => return Ok(Err(failure.to_string())),
        };
        let response = FromUrl::begun(self.hooks.send(request, None), bytes).await;
        Ok(Ok(self.table.push(response)?))
    }

    async fn forward(
        &mut self,
        request: Resource<HostIncomingRequest>,
    ) -> Answer<Resource<HostIncomingResponse>> {
        match self.take_request(request)? {
            Ok(request) => self.send_on(request).await,
            Err(failure) => Ok(Err(refused(&failure))),
        }
    }

    async fn forward_with(
        &mut self,
        changes: RequestChanges,
        request: Resource<HostIncomingRequest>,
    ) -> Answer<Resource<HostIncomingResponse>> {
        match self.take_request_with(request, Some(changes))? {
            Ok(request) => self.send_on(request).await,
            Err(failure) => Ok(Err(refused(&failure))),
        }
    }

    async fn start_forward(
        &mut self,
        changes: Option<RequestChanges>,
        request: Resource<HostIncomingRequest>,
    ) -> Answer<Resource<FromUrl>> {
        let request = match self.take_request_with(request, changes)? {
            Ok(request) => request,
            Err(failure) => return Ok(Err(refused(&failure))),
        };
        let response = FromUrl::begun(self.hooks.send(request, None), 0).await;
        Ok(Ok(self.table.push(response)?))
    }

    fn tail(
        &mut self,
        request: Resource<HostIncomingRequest>,
        out: Resource<HostResponseOutparam>,
    ) -> Answer<()> {
        let request = match self.take_request(request)? {
            Ok(request) => request,
            Err(failure) => return Ok(Err(refused(&failure))),
        };
        let request = match self.hooks.outbound(request, None) {
            Ok(request) => request,
            Err(error) => return Ok(Err(to_code(error))),
        };
        let out = self.table.delete(out)?;
        self.tail = Some(TailCall { last: Last::Outbound(Box::new(request)), send: out.send });
        Ok(Ok(()))
    }
}

impl State {
    async fn send_on(&mut self, request: Request<Body>) -> Answer<Resource<HostIncomingResponse>> {
        let answer = self.hooks.send(request, None).await;
        self.arrived(answer)
    }

    /// Gives the guest what came of a request.
    fn arrived(
        &mut self,
        answer: Result<Response<Body>, BodyError>,
    ) -> Answer<Resource<HostIncomingResponse>> {
        match answer {
            Ok(response) => Ok(Ok(self.push_response(response)?)),
            Err(error) => Ok(Err(to_code(error))),
        }
    }
}

pub(super) fn refused(failure: &Failure) -> ErrorCode {
    ErrorCode::InternalError(Some(failure.to_string()))
}
