//! Owns the download and the replacement of a script's component alone.
//! Must never change bindings, tags or limits.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, header};
use wasmyard_namespaces::bundle::{self, Bundle, PartKind};
use wasmyard_namespaces::{Code, Component};

use crate::envelope::{Answer, Reply};
use crate::error::ApiError;
use crate::resources::scripts;
use crate::state::SharedState;
use crate::target::Target;
use crate::upload;
use crate::views::script::{View, view};

/// The component: by itself for who asks for `application/wasm`, else as the form that v4 clients expect.
pub(crate) async fn download(
    State(shared): SharedState,
    Target(key): Target,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let script = shared.control.existing(&key).await?;
    let code = match &script.version.code {
        Code::Component(code) | Code::Modules(code) => code,
        Code::None => {
            return Err(ApiError::invalid(format_args!("The script \"{key}\" has no component.")));
        }
    };
    let component = shared.registry().component(&code.digest).await?;
    let bare =
        headers.get_all(header::ACCEPT).iter().any(|value| value.as_bytes().starts_with(b"application/wasm"));
    let is_component = matches!(script.version.code, Code::Component(_));
    let (content_type, body) = if bare && is_component {
        (HeaderValue::from_static("application/wasm"), component)
    } else if is_component {
        let mut parts = vec![Part::component(code, component)];
        if let Some(beside) = &code.beside {
            let files = shared.registry().component(&beside.digest).await?;
            let files = Bundle::read_files(&files).map_err(ApiError::internal)?;
            parts.extend(files.parts.into_iter().map(Part::from));
        }
        // Stable: the others stay as they came.
        parts.sort_by_key(|part| part.name != code.main_module);
        form(&script.version.id, &parts)?
    } else {
        let bundle = Bundle::read(&component).map_err(ApiError::internal)?;
        // Maps are for the platform: whoever downloads a script wants what runs.
        let shown = bundle.parts.into_iter().filter(|part| part.kind != PartKind::SourceMap);
        form(&script.version.id, &shown.map(Part::from).collect::<Vec<_>>())?
    };
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    if let Ok(etag) = HeaderValue::from_str(&format!("\"{}\"", script.version.etag)) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    if let Ok(main) = HeaderValue::from_str(&code.main_module) {
        response.headers_mut().insert("cf-entrypoint", main);
    }
    Ok(response)
}

/// A file as it is sent.
struct Part {
    name: String,
    media_type: &'static str,
    bytes: Bytes,
}

impl Part {
    fn component(code: &Component, bytes: Bytes) -> Part {
        let name = code.beside.as_ref().map_or(&code.main_module, |beside| &beside.component);
        Part { name: name.clone(), media_type: "application/wasm", bytes }
    }
}

impl From<bundle::Part> for Part {
    fn from(part: bundle::Part) -> Part {
        Part { name: part.name, media_type: part.kind.media_type(), bytes: part.bytes }
    }
}

/// The files, each named as it was uploaded. The version's id makes a boundary that none of them can hold: it was drawn
/// after they had been made.
fn form(version: &str, parts: &[Part]) -> Result<(HeaderValue, Bytes), ApiError> {
    let boundary = format!("wasmyard-{version}");
    let mut body = BytesMut::with_capacity(parts.iter().map(|part| part.bytes.len() + 512).sum());
    for Part { name, media_type, bytes } in parts {
        let name: String = name.chars().filter(|c| !c.is_control() && !"\"\\".contains(*c)).collect();
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{name}\"\r\nContent-Type: {media_type}\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    let content_type = format!("multipart/form-data; boundary={boundary}");
    Ok((HeaderValue::from_str(&content_type).map_err(ApiError::internal)?, body.freeze()))
}

/// A new version with another component and everything else as it was.
pub(crate) async fn replace(
    State(shared): SharedState,
    Target(key): Target,
    request: Request,
) -> Answer<View> {
    let before = shared.control.existing(&key).await?;
    let only_over = scripts::if_match(request.headers());
    let request = upload::arrived(&shared, request).await?;
    let _permit = shared.upload_permit().await?;
    let received = upload::receive(&shared, request, before.version.code.main_module()).await?;
    let code = received.code.ok_or_else(|| {
        ApiError::invalid("There is no component in the form; to change only assets, upload the script.")
    })?;
    let done = shared.control.replace_component(&key, code, only_over.as_deref()).await?;
    let mut notes = received.declared.notes;
    notes.extend(done.remarks);
    Ok(Reply::ok(view(&done.result)).with_notes(notes))
}
