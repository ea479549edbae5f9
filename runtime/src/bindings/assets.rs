//! `wasmyard:platform/assets`: a script fetches the files of its own version.
//!
//! Never looks at a file itself: the [`Files`] that the version was granted do. No body of a request is read, and no byte of a file
//! enters the guest's memory unless the guest opens the response's body.

use std::sync::Arc;

use futures::future::BoxFuture;
use http::{Request, Response};
use wasmtime::component::Resource;
use wasmtime_wasi_http::p2::types::{HostIncomingRequest, HostOutgoingRequest};

use super::assets_wit::{Host, HostFiles};
use super::dispatch::not_there;
use super::dispatch_wit::{BindingError, DispatchError};
use super::future::FromScript;
use super::granted::{Files, Grant};
use super::handover::outgoing_request;
use super::message_wit::OwnRequest;
use crate::body::{self, Body};
use crate::guest::state::State;
use crate::outcome::Failure;

/// The files that the guest opened: those of its own version, whatever it does.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct OpenFiles(Arc<dyn Files>);

type Answer<T> = wasmtime::Result<Result<T, DispatchError>>;

impl Host for State {}

impl HostFiles for State {
    fn open(&mut self, binding: String) -> wasmtime::Result<Result<Resource<OpenFiles>, BindingError>> {
        let pick =
            |grant: &Grant| if let Grant::Files(files) = grant { Some(Arc::clone(files)) } else { None };
        match self.version.bindings.find(&binding, pick) {
            Ok(files) => Ok(Ok(self.table.push(OpenFiles(files))?)),
            Err(other) => Ok(Err(not_there(&binding, other))),
        }
    }

    fn fetch(
        &mut self,
        this: Resource<OpenFiles>,
        request: Resource<HostOutgoingRequest>,
    ) -> Answer<Resource<FromScript>> {
        let files = Arc::clone(&self.table.get(&this)?.0);
        let mut request = self.table.delete(request)?;
        // Files answer GET and HEAD only: whatever is written to a body is not for anybody.
        drop(request.body.take());
        match outgoing_request(request, body::empty()) {
            Ok(request) => self.ask(files, request),
            Err(failure) => Ok(Err(failure.into())),
        }
    }

    async fn send(&mut self, this: Resource<OpenFiles>, request: OwnRequest) -> Answer<Resource<FromScript>> {
        let files = Arc::clone(&self.table.get(&this)?.0);
        let (request, bytes) = match self.own_request(request) {
            Ok(own) => own,
            Err(failure) => return Ok(Err(failure.into())),
        };
        match self.file(files, request) {
            Ok(response) => {
                let response = FromScript::begun(response, bytes).await;
                Ok(Ok(self.table.push(response)?))
            }
            Err(failure) => Ok(Err(failure.into())),
        }
    }

    fn forward(
        &mut self,
        this: Resource<OpenFiles>,
        request: Resource<HostIncomingRequest>,
    ) -> Answer<Resource<FromScript>> {
        let files = Arc::clone(&self.table.get(&this)?.0);
        match self.take_request(request)? {
            Ok(request) => self.ask(files, request),
            Err(failure) => Ok(Err(failure.into())),
        }
    }

    fn drop(&mut self, this: Resource<OpenFiles>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl State {
    fn ask(&mut self, files: Arc<dyn Files>, request: Request<Body>) -> Answer<Resource<FromScript>> {
        match self.file(files, request) {
            Ok(response) => Ok(Ok(self.table.push(FromScript::waiting(response))?)),
            Err(failure) => Ok(Err(failure.into())),
        }
    }

    /// Counts the request and asks for the file.
    fn file(
        &mut self,
        files: Arc<dyn Files>,
        request: Request<Body>,
    ) -> Result<BoxFuture<'static, Result<Response<Body>, Failure>>, Failure> {
        self.hooks.count_subrequest()?;
        let (head, _body) = request.into_parts();
        Ok(self.hooks.in_turn(move |_| files.answer(head)))
    }
}
