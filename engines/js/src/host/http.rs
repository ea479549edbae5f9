//! Requests and responses: heads as lists, bodies in pieces, and the answer to the event that is handled.

use std::cell::RefCell;

use rquickjs_core::{Array, ArrayBuffer, Ctx, Exception, Function, Object, Result, Value};

use super::{bytes, failure, fields, flat, in_handler, number};
use crate::bindings::wasi::http::outgoing_handler;
use crate::bindings::wasi::http::types::{
    ErrorCode, Fields, IncomingRequest, Method, OutgoingBody, OutgoingRequest, OutgoingResponse,
    ResponseOutparam, Scheme,
};
use crate::bindings::wasi::io::streams::StreamError;
use crate::bindings::wasmyard::platform::{calls, dispatch, message, outgoing};
use crate::table::{self, HandledHead, Resource};

thread_local! {
    /// Where the answer goes, until there is one.
    static OUT: RefCell<Option<ResponseOutparam>> = const { RefCell::new(None) };
}

/// An event begins that has an answer.
pub(crate) fn begin(out: ResponseOutparam) {
    OUT.set(Some(out));
}

/// Ends the event with an error, if it has no answer yet.
pub(crate) fn fail(text: &str) {
    if let Some(out) = OUT.take() {
        message::fail(out, text);
    }
}

pub(super) fn add<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    host.set("requestMethod", Function::new(ctx.clone(), request_method)?)?;
    host.set("requestUrl", Function::new(ctx.clone(), request_url)?)?;
    host.set("requestFields", Function::new(ctx.clone(), request_fields)?)?;
    host.set("requestHasBody", Function::new(ctx.clone(), request_has_body)?)?;
    host.set("responseStatus", Function::new(ctx.clone(), response_status)?)?;
    host.set("responseFields", Function::new(ctx.clone(), response_fields)?)?;
    host.set("isHere", Function::new(ctx.clone(), is_here)?)?;
    host.set("openBody", Function::new(ctx.clone(), open_body)?)?;
    host.set("read", Function::new(ctx.clone(), read)?)?;
    host.set("send", Function::new(ctx.clone(), send)?)?;
    host.set("stream", Function::new(ctx.clone(), stream)?)?;
    host.set("call", Function::new(ctx.clone(), call)?)?;
    host.set("forward", Function::new(ctx.clone(), forward)?)?;
    host.set("take", Function::new(ctx.clone(), take)?)?;
    host.set("answer", Function::new(ctx.clone(), answer)?)?;
    host.set("answerText", Function::new(ctx.clone(), answer_text)?)?;
    host.set("answerWith", Function::new(ctx.clone(), answer_with)?)?;
    host.set("startAnswer", Function::new(ctx.clone(), start_answer)?)?;
    host.set("fail", Function::new(ctx.clone(), |text: String| fail(&text))?)?;
    host.set("space", Function::new(ctx.clone(), space)?)?;
    host.set("write", Function::new(ctx.clone(), write)?)?;
    host.set("finish", Function::new(ctx.clone(), finish)?)?;
    Ok(())
}

/// The request that is handled, as it is or as it was when it was handed on.
fn handled<T>(
    id: u32,
    now: impl FnOnce(&IncomingRequest) -> T,
    then: impl FnOnce(&HandledHead) -> T,
) -> Option<T> {
    table::with(id, |resource| {
        let Resource::Request(handled) = resource else { return None };
        match (&handled.request, &handled.head) {
            (Some(request), _) => Some(now(request)),
            (None, Some(head)) => Some(then(head)),
            (None, None) => None,
        }
    })
    .flatten()
}

/// The method of the request.
fn request_method(id: u32) -> String {
    handled(id, |request| method_name(&request.method()), |head| method_name(&head.method))
        .unwrap_or_default()
}

/// The URL of the request, as the URL standard writes it.
fn request_url(ctx: Ctx<'_>, id: u32) -> Result<String> {
    let written = handled(
        id,
        |request| url_of(request.scheme(), request.authority(), request.path_with_query()),
        |head| url_of(head.scheme.clone(), head.authority.clone(), head.path.clone()),
    );
    let written = written.unwrap_or_default();
    match url::Url::parse(&written) {
        Ok(url) => Ok(url.into()),
        Err(_) => Err(Exception::throw_type(&ctx, &format!("Invalid URL: {written}"))),
    }
}

fn url_of(scheme: Option<Scheme>, authority: Option<String>, path: Option<String>) -> String {
    let scheme = match scheme {
        Some(Scheme::Http) => "http".to_owned(),
        Some(Scheme::Other(other)) => other,
        _ => "https".to_owned(),
    };
    format!("{scheme}://{}{}", authority.unwrap_or_default(), path.unwrap_or_default())
}

/// The header fields of the request.
fn request_fields<'js>(ctx: Ctx<'js>, id: u32) -> Result<Array<'js>> {
    let fields = handled(id, |request| request.headers().entries(), |head| head.fields.clone());
    flat(&ctx, &fields.unwrap_or_default())
}

/// Whether the request has a body: it says so, or its method says so (RFC 9110, section 9.3).
fn request_has_body(id: u32) -> bool {
    let says_so = |field: &dyn Fn(&str) -> Option<Vec<u8>>, method: &Method| match field("content-length") {
        Some(length) => length != b"0",
        None => field("transfer-encoding").is_some() || !matches!(method, Method::Get | Method::Head),
    };
    let there = handled(
        id,
        |request| {
            let headers = request.headers();
            says_so(&|name| headers.get(name).into_iter().next(), &request.method())
        },
        |head| {
            let field = |name: &str| head.fields.iter().find(|(known, _)| known == name);
            says_so(&|name| field(name).map(|(_, value)| value.clone()), &head.method)
        },
    );
    there.unwrap_or_default()
}

/// The status of a response.
fn response_status(id: u32) -> u16 {
    let status = table::with(id, |resource| match resource {
        Resource::Response(response) => response.status(),
        Resource::Answered { status, .. } => *status,
        _ => 0,
    });
    status.unwrap_or_default()
}

/// The header fields of a response.
fn response_fields<'js>(ctx: Ctx<'js>, id: u32) -> Result<Array<'js>> {
    let fields = table::with(id, |resource| match resource {
        Resource::Response(response) => response.headers().entries(),
        Resource::Answered { fields, .. } => fields.clone(),
        _ => Vec::new(),
    });
    flat(&ctx, &fields.unwrap_or_default())
}

/// The body of a request or a response, to be read; once.
fn open_body<'js>(ctx: Ctx<'js>, id: u32) -> Result<Value<'js>> {
    let body = table::with(id, |resource| match resource {
        Resource::Request(handled) => handled.request.as_ref().and_then(|request| request.consume().ok()),
        Resource::Response(response) => response.consume().ok(),
        _ => None,
    });
    let Some(body) = body.flatten() else { return Ok(Value::new_null(ctx)) };
    let Ok(stream) = body.stream() else { return Ok(Value::new_null(ctx)) };
    Ok(number(&ctx, table::put(Resource::Source { stream, _body: body })))
}

/// Some bytes; none where nothing is there yet, null at the end.
fn read<'js>(ctx: Ctx<'js>, id: u32, most: u32) -> Result<Value<'js>> {
    let read = table::with(id, |resource| match resource {
        Resource::Source { stream, .. } | Resource::Content(stream) => stream.read(u64::from(most)),
        _ => Err(StreamError::Closed),
    });
    match read {
        Some(Ok(bytes)) if bytes.is_empty() => Ok(Value::new_undefined(ctx)),
        Some(Ok(bytes)) => Ok(ArrayBuffer::new_copy(ctx, bytes)?.into_value()),
        Some(Err(StreamError::LastOperationFailed(error))) => Err(Exception::throw_message(
            &ctx,
            &format!("The body could not be read: {}", error.to_debug_string()),
        )),
        Some(Err(StreamError::Closed)) | None => Ok(Value::new_null(ctx)),
    }
}

/// Where a request goes: to its URL, or to what a handle names.
fn target(id: i64) -> Option<u32> {
    u32::try_from(id).ok()
}

/// What is on its way, or a word and a text.
type Sent = std::result::Result<Resource, (&'static str, String)>;

/// Calls what a handle names.
fn called(id: u32, call: impl FnOnce(&Resource) -> Sent) -> Sent {
    table::with(id, call).unwrap_or_else(no_target)
}

fn no_target() -> Sent {
    Err(("internal", "this cannot be asked for that".to_owned()))
}

fn by_script(sent: std::result::Result<dispatch::FutureResponse, dispatch::DispatchError>) -> Sent {
    sent.map(Resource::FromScript).map_err(dispatch_failure)
}

fn by_url(sent: std::result::Result<outgoing::FutureResponse, ErrorCode>) -> Sent {
    sent.map(Resource::FromUrl).map_err(outbound_failure)
}

/// A request's head as the prelude hands it over: method, scheme, authority, path with query, then fields.
struct Head {
    method: String,
    scheme: String,
    authority: String,
    path: String,
    fields: Vec<(String, Vec<u8>)>,
}

impl Head {
    fn of(ctx: &Ctx<'_>, list: &[String]) -> Result<Self> {
        let [method, scheme, authority, path, rest @ ..] = list else {
            return Err(Exception::throw_type(ctx, "a head has four parts"));
        };
        let (method, scheme) = (method.clone(), scheme.clone());
        Ok(Self { method, scheme, authority: authority.clone(), path: path.clone(), fields: fields(rest) })
    }
}

/// Sends a request that is there as a whole: a handle of what is on its way, or a failure.
fn send<'js>(
    ctx: Ctx<'js>,
    to: i64,
    head: Vec<String>,
    body: Option<ArrayBuffer<'js>>,
) -> Result<Value<'js>> {
    in_handler(&ctx)?;
    let Head { method, scheme, authority, path, fields } = Head::of(&ctx, &head)?;
    let request = message::OwnRequest {
        method,
        scheme: Some(scheme),
        authority: Some(authority),
        path_with_query: Some(path),
        headers: fields,
        body: body.map(|body| bytes(&ctx, &body)).transpose()?.unwrap_or_default(),
    };
    let sent = match target(to) {
        None => outgoing::send(&request).map(Resource::FromUrl).map_err(|text| ("invalid-argument", text)),
        Some(id) => called(id, |resource| match resource {
            Resource::Worker(worker) => by_script(worker.send(&request)),
            Resource::Files(files) => by_script(files.send(&request)),
            Resource::Certificate(certificate) => {
                certificate.send(&request).map(Resource::FromUrl).map_err(|text| ("invalid-argument", text))
            }
            _ => no_target(),
        }),
    };
    match sent {
        Ok(future) => Ok(number(&ctx, table::put(future))),
        Err((word, text)) => failure(&ctx, word, &text),
    }
}

/// Sends a request whose body is still to come: the handles of what is on its way and of the body, or a failure.
fn stream<'js>(ctx: Ctx<'js>, to: i64, head: Vec<String>) -> Result<Value<'js>> {
    sent(ctx, to, &head, |to, request| match to {
        Resource::Worker(worker) => by_script(worker.fetch(request)),
        Resource::Files(files) => by_script(files.fetch(request)),
        Resource::Certificate(certificate) => by_url(certificate.fetch(request)),
        _ => no_target(),
    })
}

/// The same for calls of methods.
fn call<'js>(ctx: Ctx<'js>, to: u32, head: Vec<String>) -> Result<Value<'js>> {
    sent(ctx, i64::from(to), &head, |to, request| match to {
        Resource::Worker(worker) => by_script(calls::call(worker, request)),
        Resource::Files(files) => by_script(files.fetch(request)),
        _ => no_target(),
    })
}

fn sent<'js>(
    ctx: Ctx<'js>,
    to: i64,
    head: &[String],
    call: fn(&Resource, OutgoingRequest) -> Sent,
) -> Result<Value<'js>> {
    in_handler(&ctx)?;
    let Head { method, scheme, authority, path, fields } = Head::of(&ctx, head)?;
    let headers = match Fields::from_list(&fields) {
        Ok(headers) => headers,
        Err(error) => return failure(&ctx, "invalid-argument", &format!("{error:?}")),
    };
    let request = OutgoingRequest::new(headers);
    let scheme = if scheme == "http" { Scheme::Http } else { Scheme::Https };
    let set = request.set_method(&method_of(&method)).is_ok()
        && request.set_scheme(Some(&scheme)).is_ok()
        && request.set_authority(Some(&authority)).is_ok()
        && request.set_path_with_query(Some(&path)).is_ok();
    let body = request.body().ok().filter(|_| set);
    let Some(body) = body else {
        return failure(&ctx, "invalid-argument", "the request's head is not valid");
    };
    let Ok(stream) = body.write() else { return failure(&ctx, "internal", "the body cannot be written") };
    let sent = match target(to) {
        None => outgoing_handler::handle(request, None).map(Resource::FromStream).map_err(outbound_failure),
        Some(id) => called(id, |resource| call(resource, request)),
    };
    match sent {
        Ok(future) => {
            let list = Array::new(ctx)?;
            list.set(0, table::put(future))?;
            list.set(1, table::put(Resource::Sink { stream, body }))?;
            Ok(list.into_value())
        }
        Err((word, text)) => failure(&ctx, word, &text),
    }
}

/// Hands the request that is handled on, with its body; under another head if there is one. A handle of what is on its way,
/// or a failure.
fn forward<'js>(ctx: Ctx<'js>, to: i64, id: u32, head: Option<Vec<String>>) -> Result<Value<'js>> {
    in_handler(&ctx)?;
    let changes = match head {
        None => None,
        Some(head) => {
            let Head { method, scheme, authority, path, fields } = Head::of(&ctx, &head)?;
            Some(message::RequestChanges {
                method: Some(method),
                scheme: Some(scheme),
                authority: Some(authority),
                path_with_query: Some(path),
                headers: Some(fields),
            })
        }
    };
    let request = table::with_mut(id, |resource| match resource {
        Resource::Request(handled) => handled.take(),
        _ => None,
    });
    let Some(request) = request.flatten() else {
        return failure(&ctx, "invalid-argument", "the request was handed on already");
    };
    let sent = match target(to) {
        None => by_url(outgoing::start_forward(changes.as_ref(), request)),
        Some(id) => called(id, |resource| match resource {
            Resource::Worker(worker) => by_script(worker.start_forward(changes.as_ref(), request)),
            Resource::Certificate(certificate) => {
                by_url(certificate.start_forward(changes.as_ref(), request))
            }
            // No body is of any use to files, so that a changed head goes by itself.
            Resource::Files(files) => by_script(match &changes {
                None => files.forward(request),
                Some(changes) => files.send(&message::OwnRequest {
                    method: changes.method.clone().unwrap_or_default(),
                    scheme: changes.scheme.clone(),
                    authority: changes.authority.clone(),
                    path_with_query: changes.path_with_query.clone(),
                    headers: changes.headers.clone().unwrap_or_default(),
                    body: Vec::new(),
                }),
            }),
            _ => no_target(),
        }),
    };
    match sent {
        Ok(future) => Ok(number(&ctx, table::put(future))),
        Err((word, text)) => failure(&ctx, word, &text),
    }
}

/// Whether the request can still be handed on.
fn is_here(id: u32) -> bool {
    let here = table::with(
        id,
        |resource| matches!(resource, Resource::Request(handled) if handled.request.is_some()),
    );
    here.unwrap_or_default()
}

/// What came of something sent: undefined while it is on its way, then a response's handle, or a failure.
fn take<'js>(ctx: Ctx<'js>, id: u32) -> Result<Value<'js>> {
    let gone = || ("internal", "the response was taken already".to_owned());
    let taken = table::with(id, |resource| match resource {
        Resource::FromScript(future) => future
            .get()
            .map(|once| once.map_err(|()| gone()).and_then(|answer| answer.map_err(dispatch_failure))),
        Resource::FromUrl(future) => future
            .get()
            .map(|once| once.map_err(|()| gone()).and_then(|answer| answer.map_err(outbound_failure))),
        Resource::FromStream(future) => future
            .get()
            .map(|once| once.map_err(|()| gone()).and_then(|answer| answer.map_err(outbound_failure))),
        _ => Some(Err(gone())),
    });
    match taken.unwrap_or_else(|| Some(Err(gone()))) {
        None => Ok(Value::new_undefined(ctx)),
        Some(answer) => {
            drop(table::take(id));
            match answer {
                Ok(response) => Ok(number(&ctx, table::put(Resource::Response(response)))),
                Err((word, text)) => failure(&ctx, word, &text),
            }
        }
    }
}

/// The answer, as a whole. A text says what of it is refused.
fn answer(status: u16, head: Vec<String>, body: Option<ArrayBuffer<'_>>) -> Option<String> {
    // SAFETY: no JavaScript runs while the bytes are borrowed.
    answered(status, &head, body.as_ref().and_then(|body| unsafe { body.as_bytes() }).unwrap_or_default())
}

/// The answer, whose body is a text.
fn answer_text(status: u16, head: Vec<String>, text: String) -> Option<String> {
    answered(status, &head, text.as_bytes())
}

fn answered(status: u16, head: &[String], bytes: &[u8]) -> Option<String> {
    let out = OUT.take()?;
    let fields = fields(head);
    // One call takes up to a mebibyte, fields included.
    let most = (1_usize << 20).saturating_sub(64 << 10);
    let (first, mut rest) = bytes.split_at(bytes.len().min(most));
    let refused = message::answer(out, status, &fields, first, rest.len() as u64).err();
    while refused.is_none() && !rest.is_empty() {
        let (part, more) = rest.split_at(rest.len().min(most));
        if !message::write(part) {
            break;
        }
        rest = more;
    }
    refused
}

/// The answer is another's, with its body as it is.
fn answer_with(
    ctx: Ctx<'_>,
    response: u32,
    status: u16,
    head: Option<Vec<String>>,
) -> Result<Option<String>> {
    let Some(out) = OUT.take() else { return Ok(None) };
    let taken = table::with_mut(response, |resource| {
        let Resource::Response(response) = resource else { return None };
        // The script may go on, and read it.
        let answered = Resource::Answered { status: response.status(), fields: response.headers().entries() };
        match std::mem::replace(resource, answered) {
            Resource::Response(response) => Some(response),
            _ => None,
        }
    });
    let Some(response) = taken.flatten() else {
        return Err(Exception::throw_type(&ctx, "the response was taken already"));
    };
    match head {
        None => {
            dispatch::respond(out, response);
            Ok(None)
        }
        Some(head) => {
            let changes = message::ResponseChanges { status: Some(status), headers: Some(fields(&head)) };
            Ok(dispatch::respond_with(out, &changes, response).err())
        }
    }
}

/// The answer's head, with a body to come: its handle, or a failure.
fn start_answer<'js>(ctx: Ctx<'js>, status: u16, head: Vec<String>) -> Result<Value<'js>> {
    let Some(out) = OUT.take() else { return Ok(Value::new_null(ctx)) };
    let response =
        Fields::from_list(&fields(&head)).map_err(|error| format!("{error:?}")).and_then(|headers| {
            let response = OutgoingResponse::new(headers);
            match response.set_status_code(status) {
                Ok(()) => Ok(response),
                Err(()) => Err(format!("{status} is no status")),
            }
        });
    let response = match response {
        Ok(response) => response,
        Err(text) => {
            message::fail(out, &text);
            return failure(&ctx, "invalid-argument", &text);
        }
    };
    let body =
        response.body().ok().and_then(|body: OutgoingBody| body.write().ok().map(|stream| (body, stream)));
    ResponseOutparam::set(out, Ok(response));
    match body {
        Some((body, stream)) => Ok(number(&ctx, table::put(Resource::Sink { stream, body }))),
        None => failure(&ctx, "internal", "the body cannot be written"),
    }
}

/// How many bytes a body takes now; negative when nobody reads it any more.
fn space(id: u32) -> f64 {
    let space = table::with(id, |resource| match resource {
        Resource::Sink { stream, .. } | Resource::Writer { stream, .. } => stream.check_write().ok(),
        _ => None,
    });
    space.flatten().map_or(-1.0, |space| space as f64)
}

/// Writes a part of a buffer, no longer than there is space. False when nobody reads it any more.
fn write(id: u32, buffer: ArrayBuffer<'_>, offset: usize, length: usize) -> bool {
    // SAFETY: no JavaScript runs while the bytes are borrowed.
    let part = unsafe { buffer.as_bytes() }.and_then(|all| all.get(offset..offset.checked_add(length)?));
    let Some(part) = part else { return false };
    let written = table::with(id, |resource| match resource {
        Resource::Sink { stream, .. } | Resource::Writer { stream, .. } => {
            stream.write(part).and_then(|()| stream.flush()).is_ok()
        }
        _ => false,
    });
    written.unwrap_or_default()
}

/// The body is complete, or ends early.
fn finish(id: u32, complete: bool) -> bool {
    crate::turns::forget(id);
    let Some(Resource::Sink { stream, body }) = table::take(id) else { return false };
    drop(stream);
    if !complete {
        drop(body);
        return false;
    }
    OutgoingBody::finish(body, None).is_ok()
}

fn method_name(method: &Method) -> String {
    match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Connect => "CONNECT",
        Method::Options => "OPTIONS",
        Method::Trace => "TRACE",
        Method::Patch => "PATCH",
        Method::Other(other) => other,
    }
    .to_owned()
}

fn method_of(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "CONNECT" => Method::Connect,
        "OPTIONS" => Method::Options,
        "TRACE" => Method::Trace,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}

/// Why a call to another script gave no response: a word and a text.
pub(super) fn dispatch_failure(error: dispatch::DispatchError) -> (&'static str, String) {
    use dispatch::DispatchError as E;
    match error {
        E::WorkerNotFound(text) => ("worker-not-found", text),
        E::ExceededCpu(text) => ("exceeded-cpu", text),
        E::ExceededMemory(text) => ("exceeded-memory", text),
        E::ExceededSubrequests(text) => ("exceeded-subrequests", text),
        E::ExceededDepth(text) => ("exceeded-depth", text),
        E::TimedOut(text) => ("timed-out", text),
        E::Trapped(text) => ("trapped", text),
        E::NoResponse(text) => ("no-response", text),
        E::Overloaded(text) => ("overloaded", text),
        E::InvalidArgument(text) => ("invalid-argument", text),
        E::Internal(text) => ("internal", text),
        E::ExceededFuel(text) => ("exceeded-fuel", text),
    }
}

/// Why a request to the outside has no answer. Where the platform says it in words, those are the text.
fn outbound_failure(code: ErrorCode) -> (&'static str, String) {
    if let ErrorCode::InternalError(Some(text)) = code {
        return ("internal", text);
    }
    let text = format!("{code:?}");
    let name = text.strip_prefix("ErrorCode::").unwrap_or(&text);
    ("outbound", name.split('(').next().unwrap_or(name).to_owned())
}
