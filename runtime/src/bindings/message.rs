//! `wasmyard:platform/message`: whole messages in one call, and changes of heads.
//!
//! Owns what of a head a guest may set, where it does not go through `wasi:http/types`: the rules are the same, and so
//! are the bounds. Must never let a head out that those would refuse.

use bytes::Bytes;
use http::uri::Scheme;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::BodyExt as _;
use tokio::sync::mpsc;
use wasmtime::component::Resource;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::p2::types::HostResponseOutparam;
use wasmtime_wasi_http::{FieldMap, FieldMapError};
use wasmyard_namespaces::name::shorten;

use super::message_wit::{Field, Host, OwnRequest, RequestChanges, ResponseChanges};
use crate::body::{self, Body};
use crate::guest::answer::Answering;
use crate::guest::state::State;
use crate::limits::host_memory::{self, HEADER_BYTES};
use crate::outcome::Failure;

impl Host for State {
    fn answer(
        &mut self,
        out: Resource<HostResponseOutparam>,
        status: u16,
        headers: Vec<Field>,
        body: Vec<u8>,
        more: u64,
    ) -> wasmtime::Result<Result<(), String>> {
        let changes = ResponseChanges { status: Some(status), headers: Some(headers) };
        let (mut head, ()) = Response::new(()).into_parts();
        let bytes = (body.len() as u64).saturating_add(more);
        let changed = self.change_response(&mut head, changes).and_then(|()| {
            let bodiless = self.request.method == Method::HEAD
                || (bytes == 0 && matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED));
            check_length(&head.headers, bytes, bodiless)
        });
        if let Err(text) = changed {
            self.fail(out, text.clone())?;
            return Ok(Err(text));
        }
        self.answer_bytes = self.answer_bytes.saturating_add(body.len() as u64);
        let body = match more {
            0 => body::full(body),
            left => {
                let (sender, rest) = mpsc::channel(1);
                self.answering = Some(Answering { sender, left });
                body::counted_parts(Bytes::from(body), rest, left).boxed_unsync()
            }
        };
        (self.table.delete(out)?.send)(Ok(Response::from_parts(head, body)));
        Ok(Ok(()))
    }

    async fn write(&mut self, bytes: Vec<u8>) -> wasmtime::Result<bool> {
        let Some(mut answering) = self.answering.take() else { return Ok(false) };
        let Some(left) = answering.left.checked_sub(bytes.len() as u64) else {
            // Whoever reads is not given more than was announced: the body breaks off.
            return Ok(false);
        };
        let before = self.answer_bytes;
        self.answer_bytes = before.saturating_add(bytes.len() as u64);
        let taken = answering.sender.send(Bytes::from(bytes)).await.is_ok();
        self.answer_bytes = before;
        answering.left = left;
        if taken && left > 0 {
            self.answering = Some(answering);
        }
        Ok(taken)
    }

    fn fail(&mut self, out: Resource<HostResponseOutparam>, text: String) -> wasmtime::Result<()> {
        (self.table.delete(out)?.send)(Err(ErrorCode::InternalError(Some(text))));
        Ok(())
    }
}

impl State {
    /// Changes a response's head. The error says what is refused, for the guest.
    pub(super) fn change_response(
        &mut self,
        head: &mut http::response::Parts,
        changes: ResponseChanges,
    ) -> Result<(), String> {
        if let Some(status) = changes.status {
            head.status = StatusCode::from_u16(status)
                .ok()
                .filter(|_| (200..600).contains(&status))
                .ok_or_else(|| format!("{status} is not a status code to answer with"))?;
        }
        if let Some(headers) = changes.headers {
            head.headers = self.fields(headers)?;
        }
        Ok(())
    }

    /// Changes a request's head.
    pub(super) fn change_request(
        &mut self,
        request: &mut Request<Body>,
        changes: RequestChanges,
    ) -> Result<(), Failure> {
        let refused = |what: &str, value: &str| {
            Failure::InvalidArgument(format!("request: the {what} \"{}\" is not valid", shorten(value)))
        };
        let RequestChanges { method, scheme, authority, path_with_query, headers } = changes;
        if let Some(method) = method {
            *request.method_mut() =
                Method::from_bytes(method.as_bytes()).map_err(|_| refused("method", &method))?;
        }
        if scheme.is_some() || authority.is_some() || path_with_query.is_some() {
            let mut uri = std::mem::take(request.uri_mut()).into_parts();
            match scheme.as_deref() {
                None => {}
                Some("http") => uri.scheme = Some(Scheme::HTTP),
                Some("https") => uri.scheme = Some(Scheme::HTTPS),
                Some(other) => return Err(refused("scheme", other)),
            }
            if let Some(authority) = authority {
                uri.authority = Some(authority.parse().map_err(|_| refused("authority", &authority))?);
            }
            if let Some(path) = path_with_query {
                uri.path_and_query = Some(path.parse().map_err(|_| refused("path", &path))?);
            }
            *request.uri_mut() = Uri::from_parts(uri).map_err(|error| {
                Failure::InvalidArgument(format!("request: the URL is not valid: {error}"))
            })?;
        }
        if let Some(headers) = headers {
            let fields = self.fields(headers);
            *request.headers_mut() =
                fields.map_err(|text| Failure::InvalidArgument(format!("request: {text}")))?;
        }
        Ok(())
    }

    /// Header fields by the rules of `wasi:http/types`.
    fn fields(&mut self, fields: Vec<Field>) -> Result<HeaderMap, String> {
        let mut map = FieldMap::new_mutable(HEADER_BYTES);
        for (name, value) in fields {
            // Which one it was is needed by an error alone, and nearly no field is one: a copy costs a twentieth of a text
            // that can be shown.
            let kept = name.clone();
            map.append(&mut self.hooks, name, value).map_err(|error| {
                let rule = match error {
                    FieldMapError::Forbidden => "it belongs to the connection and is set by the platform",
                    FieldMapError::TotalSizeTooBig | FieldMapError::TooManyFields => {
                        "there is no room for all these fields"
                    }
                    _ => "name or value break the rules of HTTP",
                };
                format!("header `{}` cannot be set: {rule}", shorten(&kept))
            })?;
        }
        Ok(HeaderMap::from(map))
    }

    /// A request of the guest's own, and how many bytes it holds.
    pub(super) fn own_request(&mut self, own: OwnRequest) -> Result<(Request<Body>, u64), Failure> {
        let OwnRequest { method, scheme, authority, path_with_query, headers, body } = own;
        let bytes = body.len() as u64;
        let mut request = Request::new(body::full(body));
        *request.uri_mut() = Uri::from_static("https://localhost/");
        let changes = RequestChanges {
            method: Some(method).filter(|method| method != Method::GET.as_str()),
            scheme,
            authority,
            path_with_query,
            headers: Some(headers).filter(|headers| !headers.is_empty()),
        };
        self.change_request(&mut request, changes)?;
        check_length(request.headers(), bytes, false)
            .map_err(|text| Failure::InvalidArgument(format!("request: {text}")))?;
        let head = host_memory::head(request.uri(), request.headers());
        Ok((request, head.saturating_add(bytes)))
    }
}

/// A length that is not the body's would break the connection off. Where there is no body, it may be that of the
/// one that there would be.
fn check_length(headers: &HeaderMap, bytes: u64, bodiless: bool) -> Result<(), String> {
    let Some(said) = headers.get(header::CONTENT_LENGTH) else { return Ok(()) };
    let said = said.to_str().unwrap_or_default();
    if said.parse() == Ok(bytes) || (bodiless && said.parse::<u64>().is_ok()) {
        return Ok(());
    }
    Err(format!("header `content-length` says \"{}\", but the body has {bytes} bytes", shorten(said)))
}
