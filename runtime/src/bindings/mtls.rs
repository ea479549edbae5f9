//! `wasmyard:platform/mtls`: requests that show a certificate which the script is bound to.
//!
//! They leave by the same method as every other request of the guest ([`crate::guest::http::Hooks::send_showing`]): the guest never
//! sees the certificate, nor its key.

use std::sync::Arc;

use wasmtime::component::Resource;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::p2::types::{HostIncomingRequest, HostOutgoingRequest};

use super::dispatch::{in_own_task, not_there};
use super::dispatch_wit::BindingError;
use super::future::FromUrl;
use super::granted::Grant;
use super::handover::outgoing_request;
use super::message_wit::{OwnRequest, RequestChanges};
use super::mtls_wit::{Host, HostCertificate};
use super::outgoing::refused;
use crate::body::{self, BodyError};
use crate::guest::state::State;
use crate::seams::ShownCertificate;

/// A certificate that the guest opened.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct OpenCertificate(Arc<ShownCertificate>);

type Begun<E> = wasmtime::Result<Result<Resource<FromUrl>, E>>;

impl Host for State {}

impl HostCertificate for State {
    fn open(&mut self, binding: String) -> wasmtime::Result<Result<Resource<OpenCertificate>, BindingError>> {
        let pick = |grant: &Grant| match grant {
            Grant::Certificate(certificate) => Some(Arc::clone(certificate)),
            _ => None,
        };
        match self.version.bindings.find(&binding, pick) {
            Ok(certificate) => Ok(Ok(self.table.push(OpenCertificate(certificate))?)),
            Err(other) => Ok(Err(not_there(&binding, other))),
        }
    }

    fn fetch(
        &mut self,
        this: Resource<OpenCertificate>,
        request: Resource<HostOutgoingRequest>,
    ) -> Begun<ErrorCode> {
        let shows = Some(Arc::clone(&self.table.get(&this)?.0));
        let mut request = self.table.delete(request)?;
        // A body that the guest opened may still be written while it is sent.
        let body_open = request.body.is_some();
        let body = request.body.take().unwrap_or_else(body::empty);
        let request = match outgoing_request(request, body) {
            Ok(request) => request,
            Err(failure) => return Ok(Err(refused(&failure))),
        };
        let response = self.hooks.send_showing(request, None, shows);
        let of_panic = |error: tokio::task::JoinError| BodyError::InternalError(Some(error.to_string()));
        let response = if body_open { in_own_task(response, of_panic) } else { response };
        Ok(Ok(self.table.push(FromUrl::waiting(response))?))
    }

    async fn send(&mut self, this: Resource<OpenCertificate>, request: OwnRequest) -> Begun<String> {
        let shows = Some(Arc::clone(&self.table.get(&this)?.0));
        if request.authority.is_none() {
            return Ok(Err("request: it has no authority, so that nobody can be asked".to_owned()));
        }
        let (request, bytes) = match self.own_request(request) {
            Ok(own) => own,
            Err(failure) => return Ok(Err(failure.to_string())),
        };
        let response = FromUrl::begun(self.hooks.send_showing(request, None, shows), bytes).await;
        Ok(Ok(self.table.push(response)?))
    }

    async fn start_forward(
        &mut self,
        this: Resource<OpenCertificate>,
        changes: Option<RequestChanges>,
        request: Resource<HostIncomingRequest>,
    ) -> Begun<ErrorCode> {
        let shows = Some(Arc::clone(&self.table.get(&this)?.0));
        let request = match self.take_request_with(request, changes)? {
            Ok(request) => request,
            Err(failure) => return Ok(Err(refused(&failure))),
        };
        let response = FromUrl::begun(self.hooks.send_showing(request, None, shows), 0).await;
        Ok(Ok(self.table.push(response)?))
    }

    fn drop(&mut self, this: Resource<OpenCertificate>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
