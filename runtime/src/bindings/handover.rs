//! Requests and responses that change hands whole: taken from the guest with their bodies, or given to it so that the
//! host can take the body back. Must never copy payload bytes.

use http::{HeaderMap, Method, Request, Response, Uri};
use wasmtime::component::Resource;
use wasmtime_wasi_http::FieldMap;
use wasmtime_wasi_http::WasiHttpView as _;
use wasmtime_wasi_http::p2::bindings::http::types::{HostIncomingRequest as _, Scheme};
use wasmtime_wasi_http::p2::body::HostIncomingBody;
use wasmtime_wasi_http::p2::types::{HostIncomingRequest, HostIncomingResponse, HostOutgoingRequest};

use super::message_wit::RequestChanges;
use crate::body::{self, Body, Handover};
use crate::guest::state::State;
use crate::outcome::Failure;

impl State {
    /// Takes the request being handled away from the guest, with its body, unless that was opened.
    pub(super) fn take_request(
        &mut self,
        resource: Resource<HostIncomingRequest>,
    ) -> wasmtime::Result<Result<Request<Body>, Failure>> {
        let mut http = self.http();
        let headers = http.headers(Resource::new_borrow(resource.rep()))?;
        let request = self.table.delete(resource)?;
        let headers: FieldMap = self.table.delete(headers)?;
        // The guest's end of the body goes with the resource, so the body is taken first.
        let slot = self.request_body.take().filter(|_| request.body.is_some());
        let Some(body) = slot.and_then(|slot| slot.take()) else {
            return Ok(Err(Failure::InvalidArgument(
                "request: its body was opened already; a request can be forwarded only as long as its body \
                 is untouched, afterwards send a new request with `fetch`"
                    .to_owned(),
            )));
        };
        let mut request = Request::new(body);
        *request.method_mut() = self.request.method.clone();
        *request.uri_mut() = self.request.uri.clone();
        *request.headers_mut() = HeaderMap::from(headers);
        Ok(Ok(request))
    }

    /// The same, under a changed head where there are changes.
    pub(super) fn take_request_with(
        &mut self,
        resource: Resource<HostIncomingRequest>,
        changes: Option<RequestChanges>,
    ) -> wasmtime::Result<Result<Request<Body>, Failure>> {
        let taken = self.take_request(resource)?;
        let Some(changes) = changes else { return Ok(taken) };
        Ok(taken.and_then(|mut request| self.change_request(&mut request, changes).map(|()| request)))
    }

    /// Gives the guest a response whose body the host can take back later.
    pub(super) fn push_response(
        &mut self,
        response: Response<Body>,
    ) -> wasmtime::Result<Resource<HostIncomingResponse>> {
        let (parts, body) = response.into_parts();
        let (lent, slot) = Handover::new(body, &self.arriving);
        let body = HostIncomingBody::new(http_body_util::BodyExt::boxed_unsync(lent));
        let headers = FieldMap::new_immutable(&mut self.hooks, parts.headers);
        let response = HostIncomingResponse { status: parts.status.as_u16(), headers, body: Some(body) };
        let resource = self.table.push(response)?;
        // Those that the guest has dropped leave before there are more.
        if self.response_bodies.len() == self.response_bodies.capacity() {
            self.response_bodies.retain(|_, slot| !slot.is_orphaned());
        }
        self.response_bodies.insert(resource.rep(), slot);
        Ok(resource)
    }

    /// Takes a response back from the guest, with its body.
    pub(super) fn take_response(
        &mut self,
        resource: Resource<HostIncomingResponse>,
    ) -> wasmtime::Result<(http::response::Parts, Body)> {
        let slot = self.response_bodies.remove(&resource.rep());
        let response = self.table.delete(resource)?;
        let (mut parts, ()) = Response::new(()).into_parts();
        parts.status = http::StatusCode::from_u16(response.status)?;
        parts.headers = HeaderMap::from(response.headers);
        let Some(lent) = response.body else {
            wasmtime::bail!(
                "respond: the response's body was opened already; write what is left of it to an \
                 outgoing-body instead"
            );
        };
        // Where there is none it came through wasi:http's outgoing-handler: read it the way a guest would.
        let body = slot.and_then(|slot| slot.take()).unwrap_or_else(|| body::body_of(lent));
        Ok((parts, body))
    }
}

/// The request that an outgoing-request resource describes.
pub(super) fn outgoing_request(head: HostOutgoingRequest, body: Body) -> Result<Request<Body>, Failure> {
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
