//! Owns what an upload says: metadata and the component, in any of the shapes that clients send.
//! Must never store anything: what was read is handed to the use case.

use axum::extract::Request;
use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;
use wasmyard_namespaces::CodeKind;
use wasmyard_namespaces::bundle::{self, Bundle, PartKind};
use wasmyard_namespaces::name::shorten;

use crate::body::{self, Bounds};
use crate::error::{ApiError, Code};
use crate::metadata::{self, Declared, Metadata};
use crate::multipart::{self, Part};
use crate::spool;
use crate::state::{Shared, UploadLimits};

const HOW_TO_COMPONENT: &str =
    "Build a component with `cargo build --target wasm32-wasip2`, or with componentize-py for Python";

/// How many parts of a form an error names.
const SHOWN_PARTS: usize = 8;
/// Longest name of a module, in bytes: what is stored with every version and shown with it.
const LONGEST_NAME: usize = 512;

/// An upload that was read whole and not judged yet.
pub(crate) struct Received {
    pub(crate) declared: Declared,
    /// The name under which the component came, or that of the one which is to stay; empty when there is to be none.
    pub(crate) module_name: String,
    /// None: the upload is about assets.
    pub(crate) module: Option<Bytes>,
}

/// An upload that has arrived, whatever is in it.
pub(crate) async fn arrived(shared: &Shared, request: Request) -> Result<Request, ApiError> {
    let limits = &shared.api.limits;
    let bounds = Bounds { bytes: limits.total_bytes, idle: limits.idle, total: limits.upload };
    spool::arrived(shared, request, bounds).await
}

/// Reads an upload in any of the shapes that clients send.
pub(crate) async fn receive(
    shared: &Shared,
    request: Request,
    fallback_name: &str,
) -> Result<Received, ApiError> {
    let limits = &shared.api.limits;
    let (parts, body) = request.into_parts();
    let media_type = body::media_type(&parts.headers);
    let bounds = |bytes| Bounds { bytes, idle: limits.idle, total: limits.upload };
    if let Some(boundary) = multipart::of_headers(&parts.headers) {
        let boundary = boundary.map_err(multipart::unparsable)?;
        let whole = body::read(&parts.headers, body, bounds(limits.total_bytes)).await?;
        let form = multipart::parse(&whole, &boundary, limits.parts).map_err(multipart::unparsable)?;
        return from_form(form, &parts.headers, limits);
    }
    match media_type.as_str() {
        "application/wasm" => {
            let module = body::read(&parts.headers, body, bounds(limits.module_bytes)).await?;
            let declared = Declared { metadata: Metadata::default(), notes: Vec::new() };
            checked(
                Received { declared, module_name: fallback_name.to_owned(), module: Some(module) },
                limits,
            )
        }
        // The SDKs send what has no file in it as JSON, some under the type of a script.
        "application/javascript"
        | "text/javascript"
        | "application/javascript+module"
        | "application/json" => {
            let whole = body::read(&parts.headers, body, bounds(limits.metadata_bytes)).await?;
            match without_files(&whole) {
                Some(metadata) => from_form(vec![metadata], &parts.headers, limits),
                None if media_type == "application/json" => Err(content_type()),
                None => script_alone(whole, &media_type, fallback_name, limits),
            }
        }
        _ => Err(content_type()),
    }
}

fn content_type() -> ApiError {
    ApiError::new(
        Code::ContentType,
        "Content-Type must be one of: multipart/form-data (a part metadata and the component), application/wasm (the component).",
    )
}

/// The metadata of `{"metadata": {...}}`, as the part of a form that has no other.
fn without_files(body: &[u8]) -> Option<Part> {
    let Value::Object(mut fields) = body::parse(body).ok()? else { return None };
    let metadata = fields.remove("metadata").filter(Value::is_object)?;
    // A script of code has a file; these have none.
    metadata.get("assets").or_else(|| metadata.get("keep_assets"))?;
    let content = Bytes::from(metadata.to_string());
    Some(Part { name: "metadata".to_owned(), filename: None, content_type: None, content })
}

/// Finds metadata and component in a form. A module goes by its file name, and without one by its part's name.
fn from_form(form: Vec<Part>, headers: &HeaderMap, limits: &UploadLimits) -> Result<Received, ApiError> {
    let metadata = form.iter().find(|part| part.name == "metadata").ok_or_else(|| {
        ApiError::invalid("could not read content for part metadata: send a part of that name with JSON like {\"main_module\": \"worker.wasm\"}.")
    })?;
    if metadata.content.len() > limits.metadata_bytes {
        let most = limits.metadata_bytes;
        return Err(ApiError::new(Code::TooLarge, format!("The part metadata is larger than {most} bytes.")));
    }
    let declared = metadata::parse(&metadata.content)?;
    let header = headers.get("cf-worker-main-module-part").and_then(|value| value.to_str().ok());
    let modules = || form.iter().filter(|part| part.name != "metadata");
    let Metadata { main_module, body_part, .. } = &declared.metadata;
    if main_module.is_some() && body_part.is_some() {
        return Err(ApiError::invalid(
            "metadata has \"main_module\" and \"body_part\": name a module by the one, or a script that listens for events by the other.",
        ));
    }
    let Some(wanted) = main_module.as_deref().or(body_part.as_deref()).or(header) else {
        if !declared.metadata.has_assets() {
            return Err(ApiError::invalid(
                "metadata lacks \"main_module\": name the part that is the component, like {\"main_module\": \"worker.wasm\"}.",
            ));
        }
        if let Some(part) = modules().find(|part| is_spare(part)) {
            let name = part.filename.as_deref().unwrap_or(&part.name);
            return Err(ApiError::invalid(format_args!(
                "The file \"{}\" would be lost: metadata has no \"main_module\". Name it there if it is the component, or leave it out.",
                shorten(name)
            )));
        }
        return Ok(Received { declared, module_name: String::new(), module: None });
    };
    let wanted = normal(wanted).to_owned();
    if wanted.len() > LONGEST_NAME {
        return Err(ApiError::invalid(format_args!(
            "main_module \"{}\" has {} bytes; at most {LONGEST_NAME} are allowed. Give the part a shorter name.",
            shorten(&wanted),
            wanted.len()
        )));
    }
    let named = |part: &&Part| normal(part.filename.as_deref().unwrap_or(&part.name)) == wanted;
    // Some clients keep the local file's name as file name and call the part by the module's name.
    let found = modules().find(named).or_else(|| modules().find(|part| normal(&part.name) == wanted));
    let Some(main) = found else {
        if declared.metadata.has_assets() && !modules().any(is_spare) {
            return Ok(Received { declared, module_name: wanted, module: None });
        }
        let sent: Vec<String> = modules()
            .take(SHOWN_PARTS)
            .map(|part| format!("\"{}\"", shorten(part.filename.as_deref().unwrap_or(&part.name))))
            .collect();
        return Err(ApiError::invalid(format_args!(
            "main_module is \"{}\" and no part is called that; the parts are {}. Make the two agree.",
            shorten(&wanted),
            sent.join(", ")
        )));
    };
    if is_javascript(main, &wanted) {
        let kind = if declared.metadata.body_part.is_some() { PartKind::Script } else { PartKind::Module };
        let module = files(&form, main, &wanted, kind)?;
        return checked(Received { declared, module_name: wanted, module: Some(module) }, limits);
    }
    let kind = CodeKind::of_upload(&main.content).ok_or_else(|| not_run(&wanted))?;
    let spare = |part: &&Part| is_spare(part) && !std::ptr::eq(*part, main);
    if let Some(part) = modules().find(spare) {
        // A script that looks uploaded and then misses a file is worse than one that is refused.
        let name = shorten(part.filename.as_deref().unwrap_or(&part.name));
        let why = match kind {
            CodeKind::Component => "a component is one file. Leave it out, or compose it into the component.",
            CodeKind::Modules => "a bundle has all of a script's files. Leave it out.",
        };
        return Err(ApiError::invalid(format_args!("The file \"{name}\" would be lost: {why}")));
    }
    let module = main.content.clone();
    checked(Received { declared, module_name: wanted, module: Some(module) }, limits)
}

/// Whether a part is a file that means something to whoever sent it.
fn is_spare(part: &Part) -> bool {
    part.filename.is_some() && !is_source_map(part)
}

/// Whether a part says where another one was written: kept with a script, and nothing that a component is without.
fn is_source_map(part: &Part) -> bool {
    let kind = part.content_type.as_deref().and_then(PartKind::of_media_type);
    kind == Some(PartKind::SourceMap)
}

/// What can be told of a module without an engine.
fn checked(received: Received, limits: &UploadLimits) -> Result<Received, ApiError> {
    let module = received.module.as_deref().unwrap_or_default();
    let (size, most) = (module.len(), limits.module_bytes);
    if size > most {
        return Err(ApiError::new(
            Code::TooLarge,
            format!(
                "The component has {size} bytes, more than the {most} that are allowed. Build it for release and strip it."
            ),
        ));
    }
    match CodeKind::of_upload(module) {
        Some(CodeKind::Component | CodeKind::Modules) => Ok(received),
        None => Err(not_run(&received.module_name)),
    }
}

/// Whether the main file is a script: by its type, and where that says nothing by its name. What begins as a component, or
/// as a bundle, is one, whatever it is called.
fn is_javascript(main: &Part, name: &str) -> bool {
    if CodeKind::of_upload(&main.content).is_some() {
        return false;
    }
    let declared = main.content_type.as_deref().unwrap_or("application/octet-stream");
    match PartKind::of_media_type(declared) {
        Some(PartKind::Module | PartKind::Script) => true,
        Some(PartKind::Data) => bundle::is_javascript(name),
        _ => false,
    }
}

/// The files of a script in JavaScript, as one blob: the main one first, the others as they came. Who names a main module means
/// a module, whatever the client calls it.
fn files(form: &[Part], main: &Part, wanted: &str, kind: PartKind) -> Result<Bytes, ApiError> {
    let belongs = |part: &&Part| part.name != "metadata" && (is_spare(part) || is_source_map(part));
    let others = form.iter().filter(belongs).filter(|part| !std::ptr::eq(*part, main));
    let mut parts = vec![bundle::Part { name: wanted.to_owned(), kind, bytes: main.content.clone() }];
    for part in others {
        let name = normal(part.filename.as_deref().unwrap_or(&part.name));
        if kind == PartKind::Script && !is_source_map(part) {
            return Err(ApiError::invalid(format_args!(
                "The file \"{}\" would be lost: a script that listens for events imports nothing. Make it a module, and name it with main_module.",
                shorten(name)
            )));
        }
        parts.push(file(part, name)?);
    }
    Bundle::new(parts)
        .map(|bundle| bundle.written())
        .map_err(|error| ApiError::invalid(format_args!("{error}.")))
}

/// One file: what it is goes by its type, and without one by its name.
fn file(part: &Part, name: &str) -> Result<bundle::Part, ApiError> {
    let declared = part.content_type.as_deref();
    let kind = match declared {
        Some(declared) => PartKind::of_media_type(declared),
        None if bundle::is_javascript(name) => Some(PartKind::Module),
        None if name.ends_with(".json") => Some(PartKind::Json),
        None if name.ends_with(".wasm") => Some(PartKind::Wasm),
        None => Some(PartKind::Data),
    };
    let kind = kind.ok_or_else(|| {
        ApiError::invalid(format_args!(
            "The file \"{}\" is of the type {:?}. A script's files are of the types {}.",
            shorten(name),
            shorten(declared.unwrap_or_default()),
            [PartKind::Module, PartKind::Text, PartKind::Data, PartKind::Json, PartKind::Wasm]
                .map(PartKind::media_type)
                .join(", ")
        ))
    })?;
    Ok(bundle::Part { name: name.to_owned(), kind, bytes: part.content.clone() })
}

/// A script that came by itself, without a form: in the older syntax, where its type does not say that it is a module.
fn script_alone(
    content: Bytes,
    media_type: &str,
    fallback_name: &str,
    limits: &UploadLimits,
) -> Result<Received, ApiError> {
    let name = if fallback_name.is_empty() { "worker.js" } else { fallback_name };
    let kind = PartKind::of_media_type(media_type).unwrap_or(PartKind::Script);
    let part = bundle::Part { name: name.to_owned(), kind, bytes: content };
    let module =
        Bundle::new(vec![part]).map_err(|error| ApiError::invalid(format_args!("{error}.")))?.written();
    let declared = Declared { metadata: Metadata::default(), notes: Vec::new() };
    checked(Received { declared, module_name: name.to_owned(), module: Some(module) }, limits)
}

fn not_run(name: &str) -> ApiError {
    let name: String = name.chars().take(100).collect();
    ApiError::invalid(format_args!(
        "main_module {name:?} is neither WebAssembly (it does not begin with \\0asm) nor JavaScript. {HOW_TO_COMPONENT}."
    ))
}

/// `./worker.wasm` and `worker.wasm` are one module.
fn normal(name: &str) -> &str {
    name.strip_prefix("./").unwrap_or(name)
}
