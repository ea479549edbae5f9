//! `wasmyard:platform/calls`: a script calls methods of another one.
//!
//! What the two say to each other is in the bodies, and never looked at here: to the platform it is a request like any
//! other, with its counts and its limits, but for the door by which it comes in.

use wasmtime::component::Resource;
use wasmtime_wasi_http::p2::types::HostOutgoingRequest;

use super::calls_wit::{DispatchError, Host};
use super::dispatch::Worker;
use super::future::FromScript;
use super::handover::outgoing_request;
use crate::body;
use crate::guest::state::State;

impl Host for State {
    fn call(
        &mut self,
        to: Resource<Worker>,
        request: Resource<HostOutgoingRequest>,
    ) -> wasmtime::Result<Result<Resource<FromScript>, DispatchError>> {
        let mut request = self.table.delete(request)?;
        let body_open = request.body.is_some();
        let body = request.body.take().unwrap_or_else(body::empty);
        match outgoing_request(request, body) {
            Ok(request) => self.fetch_from(&to, request, body_open, true),
            Err(failure) => Ok(Err(failure.into())),
        }
    }
}
