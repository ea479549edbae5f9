//! `wasmyard:platform/outgoing`: the request that is being handled, sent on without a byte of it entering the guest.
//!
//! It leaves by the same method as every other request of the guest ([`crate::http::Hooks::send`]), so that there is
//! one way out and not two.

use http::Request;
use wasmtime::component::Resource;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::p2::types::{HostIncomingRequest, HostIncomingResponse, HostResponseOutparam};

use super::message_wit::RequestChanges;
use super::outgoing_wit::Host;
use crate::body::Body;
use crate::codes::to_code;
use crate::outcome::Failure;
use crate::state::{Last, State, Tail};

type Answer<T> = wasmtime::Result<Result<T, ErrorCode>>;

impl Host for State {
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
        match self.take_changed_request(request, changes)? {
            Ok(request) => self.send_on(request).await,
            Err(failure) => Ok(Err(refused(&failure))),
        }
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
        self.tail = Some(Tail { last: Last::Outbound(Box::new(request)), send: out.send });
        Ok(Ok(()))
    }
}

impl State {
    async fn send_on(&mut self, request: Request<Body>) -> Answer<Resource<HostIncomingResponse>> {
        match self.hooks.send(request, None).await {
            Ok(response) => Ok(Ok(self.push_response(response)?)),
            Err(error) => Ok(Err(to_code(error))),
        }
    }
}

fn refused(failure: &Failure) -> ErrorCode {
    ErrorCode::InternalError(Some(failure.to_string()))
}
