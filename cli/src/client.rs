//! The v4 API, seen from a client command.
//!
//! Owns the connection and the envelope. It must never send a token that
//! was found on this disk to another machine, never go through a proxy to reach this machine, and never
//! hold an answer without bound in memory.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::multipart::{Form, Part};
use reqwest::{Method, Response, Url};
use serde::Deserialize;
use serde_json::Value;
use wasmyard_node::config::LocalApi;

use crate::args::{ApiArgs, Token};
use crate::output::{Output, Progress};
use address::{is_loopback, local_token, parse_base};

mod account;
mod address;
mod error;
mod objects;
mod socket;
mod zones;

pub use error::{ApiError, ClientError};

/// The account in every path. A Wasmyard serves one account, so that its name carries nothing; this one
/// has the form that every client and server of the v4 API takes.
pub const ACCOUNT: &str = "00000000000000000000000000000000";

/// The most of an answer that is read.
const ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// How long the way to the API may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long the API may be silent: an upload is compiled before it is answered.
const SILENCE: Duration = Duration::from_secs(300);
/// Rows of a list that are asked for at once.
const PER_PAGE: &str = "500";
/// Bytes that go out at once, and so the step of the progress bar.
const UPLOAD_CHUNK: usize = 64 * 1024;

/// A client of one API.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    token: Option<Token>,
    /// Who is told what the API remarks on a success.
    remarks: Option<Output>,
}

/// The v4 envelope, as much of it as matters.
#[derive(Default, Deserialize)]
struct Envelope {
    success: bool,
    #[serde(default)]
    errors: Vec<ApiError>,
    /// Of the same shape: a remark has a code and a text.
    #[serde(default)]
    messages: Vec<ApiError>,
    #[serde(default)]
    result: Value,
    #[serde(default)]
    result_info: ResultInfo,
}

/// What is said of a page.
#[derive(Default, Deserialize)]
struct ResultInfo {
    /// Leads to the next page; empty on the last.
    #[serde(default)]
    cursor: Option<String>,
}

/// The body of a request.
#[derive(Debug, Clone)]
pub enum Body {
    /// None.
    Empty,
    /// A JSON document.
    Json(Value),
}

/// A component on its way up.
#[derive(Debug, Clone)]
pub struct Module {
    /// The file's name, which becomes the name of its part and the main module: of plain characters, since
    /// clients and servers disagree on how to write others.
    pub file_name: String,
    /// The component.
    pub bytes: Bytes,
}

/// A content of an asset on its way up.
#[derive(Debug, Clone)]
pub struct Content {
    /// The hash, which names its part.
    pub name: String,
    /// What it is served as.
    pub content_type: String,
    /// The bytes in Base64.
    pub base64: String,
}

impl Client {
    /// Finds the API and the token, in the order that [`ApiArgs`] documents.
    ///
    /// # Errors
    /// [`ClientError::BadUrl`].
    pub fn find(args: &ApiArgs, local: &LocalApi) -> Result<Self, ClientError> {
        let given = args.api_url.clone().filter(|url| !url.is_empty()).unwrap_or_else(|| local.url());
        let base = parse_base(&given)?;
        let token = match args.api_token.as_ref().filter(|token| !token.is_empty()) {
            Some(token) => Some(token.clone()),
            None if is_loopback(&base) => local_token(&local.data),
            None => None,
        };
        Self::new(base, token)
    }

    fn new(base: Url, token: Option<Token>) -> Result<Self, ClientError> {
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("wasmyard/", env!("CARGO_PKG_VERSION")));
        if is_loopback(&base) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|_| ClientError::BadUrl {
            url: base.to_string(),
            reason: "no HTTP client can be made for it",
        })?;
        Ok(Self { http, base, token, remarks: None })
    }

    /// The same client, which shows what the API remarks on a success.
    #[must_use]
    pub fn telling(self, output: &Output) -> Self {
        Self { remarks: Some(output.clone()), ..self }
    }

    /// The address of the API, as it was given.
    pub fn address(&self) -> String {
        self.base.as_str().trim_end_matches("/client/v4/").to_owned()
    }

    /// Sends one request below the account and returns the envelope's `result`.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn call(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Body,
    ) -> Result<Value, ClientError> {
        let request = self.request(method, path, query);
        self.send(with_body(request, body)).await
    }

    /// All rows of a list, asked for page by page: no answer is larger than a page.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn list(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Value, ClientError> {
        self.all_pages(query, |page| self.request(Method::GET, path, page)).await
    }

    async fn all_pages(
        &self,
        query: &[(&str, &str)],
        request: impl Fn(&[(&str, &str)]) -> reqwest::RequestBuilder,
    ) -> Result<Value, ClientError> {
        let (mut rows, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = [query, &[("per_page", PER_PAGE), ("cursor", &cursor)]].concat();
            let answer = self.answer(request(&page)).await?;
            let Value::Array(found) = answer.result else { return Ok(answer.result) };
            rows.extend(found);
            match answer.result_info.cursor {
                Some(next) if !next.is_empty() && next != cursor => cursor = next,
                Some(_) | None => return Ok(Value::Array(rows)),
            }
        }
    }

    /// Sends any request below `/client/v4`, and returns what comes: the whole envelope, or content that is in none.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn any(
        &self,
        method: Method,
        path: &str,
        query: &[(String, String)],
        body: Option<(&str, Bytes)>,
    ) -> Result<Whole, ClientError> {
        let mut url = self.base.clone();
        // The host stays what it is, whatever is typed: the token goes nowhere else.
        url.set_path(&format!("{}/{}", self.base.path().trim_end_matches('/'), path.trim_start_matches('/')));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.authorized(self.http.request(method, url));
        let request = match body {
            Some((kind, bytes)) => request.header(reqwest::header::CONTENT_TYPE, kind).body(bytes),
            None => request,
        };
        let response = request.send().await.map_err(|error| self.failed(&error))?;
        let status = response.status();
        let bytes = self.read(response).await?;
        let envelope = serde_json::from_slice::<Envelope>(&bytes).ok();
        match envelope {
            Some(envelope) if !status.is_success() => {
                Err(ClientError::Refused { status, errors: envelope.errors })
            }
            None if !status.is_success() => Err(ClientError::NotTheApi { url: self.address(), status }),
            Some(_) => Ok(Whole::Json(serde_json::from_slice(&bytes).unwrap_or_default())),
            None => Ok(Whole::Content(bytes)),
        }
    }

    /// Uploads a script: `metadata`, and the component as a part named after its file.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn upload(
        &self,
        method: Method,
        path: &[&str],
        metadata: &Value,
        module: Option<Module>,
        progress: &Progress,
    ) -> Result<Value, ClientError> {
        let form = Form::new().text("metadata", metadata.to_string());
        let Some(module) = module else {
            return self.send(self.request(method, path, &[]).multipart(form)).await;
        };
        let length = module.bytes.len() as u64;
        let body = reqwest::Body::wrap_stream(chunks(module.bytes, progress.clone()));
        let part = Part::stream_with_length(body, length).file_name(module.file_name.clone());
        let part = part.mime_str("application/wasm").map_err(|error| self.failed(&error))?;
        self.send(self.request(method, path, &[]).multipart(form.part(module.file_name, part))).await
    }

    /// Uploads contents of assets with the token of their session.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn upload_contents(&self, session: &str, contents: Vec<Content>) -> Result<Value, ClientError> {
        let mut form = Form::new();
        for content in contents {
            let part = Part::text(content.base64).file_name(content.name.clone());
            let part = part.mime_str(&content.content_type).map_err(|error| self.failed(&error))?;
            form = form.part(content.name, part);
        }
        let request = self.bare_request(Method::POST, &["assets", "upload"], &[("base64", "true")]);
        self.send(request.bearer_auth(session).multipart(form)).await
    }

    fn request(&self, method: Method, path: &[&str], query: &[(&str, &str)]) -> reqwest::RequestBuilder {
        self.authorized(self.bare_request(method, path, query))
    }

    fn authorized(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match &self.token {
            Some(token) => request.bearer_auth(token.expose()),
            None => request,
        }
    }

    /// A request about scripts, without a token.
    fn bare_request(&self, method: Method, path: &[&str], query: &[(&str, &str)]) -> reqwest::RequestBuilder {
        self.below(method, &["accounts", ACCOUNT, "workers"], path, query)
    }

    /// A request for `path` below `start`, without a token.
    fn below(
        &self,
        method: Method,
        start: &[&str],
        path: &[&str],
        query: &[(&str, &str)],
    ) -> reqwest::RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(start).extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.http.request(method, url)
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Value, ClientError> {
        Ok(self.answer(request).await?.result)
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Result<Envelope, ClientError> {
        let response = request.send().await.map_err(|error| self.failed(&error))?;
        let status = response.status();
        let bytes = self.read(response).await?;
        if bytes.is_empty() && status.is_success() {
            return Ok(Envelope { success: true, ..Envelope::default() });
        }
        let Ok(envelope) = serde_json::from_slice::<Envelope>(&bytes) else {
            return Err(ClientError::NotTheApi { url: self.address(), status });
        };
        if envelope.success && status.is_success() {
            if let Some(output) = &self.remarks {
                for remark in &envelope.messages {
                    output.note(&format!("note: {}", remark.message));
                }
            }
            Ok(envelope)
        } else {
            Err(ClientError::Refused { status, errors: envelope.errors })
        }
    }

    async fn read(&self, mut response: Response) -> Result<Bytes, ClientError> {
        let mut bytes = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failed(&error))? {
            if bytes.len() + chunk.len() > ANSWER_BYTES {
                return Err(ClientError::NotTheApi { url: self.address(), status: response.status() });
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.freeze())
    }

    fn failed(&self, error: &reqwest::Error) -> ClientError {
        let (url, reason) = (self.address(), innermost(error));
        if error.is_connect() {
            ClientError::Unreachable { url, reason }
        } else {
            ClientError::Interrupted { url, reason }
        }
    }
}

/// What any call is answered with.
#[derive(Debug)]
pub enum Whole {
    /// An envelope.
    Json(Value),
    /// Something else.
    Content(Bytes),
}

fn with_body(request: reqwest::RequestBuilder, body: Body) -> reqwest::RequestBuilder {
    match body {
        Body::Empty => request,
        Body::Json(json) => request.json(&json),
    }
}

/// The last cause, which says what the system said; the outer ones repeat the address.
fn innermost(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

fn chunks(
    bytes: Bytes,
    progress: Progress,
) -> impl futures::Stream<Item = Result<Bytes, std::convert::Infallible>> + Send + 'static {
    futures::stream::unfold(bytes, move |mut rest| {
        let progress = progress.clone();
        async move {
            if rest.is_empty() {
                progress.wait("the platform checks and compiles");
                return None;
            }
            let chunk = rest.split_to(rest.len().min(UPLOAD_CHUNK));
            progress.add(chunk.len() as u64);
            Some((Ok(chunk), rest))
        }
    })
}

#[cfg(test)]
mod tests;
