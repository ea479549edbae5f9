//! Owns the shape of every answer under `/client/v4`: `success`, `errors`, `messages`, `result`.
//! Must never be bypassed by a handler, save for raw content downloads.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::error::ApiError;

/// A success on its way to the client.
#[derive(Debug)]
pub(crate) struct Reply<T> {
    status: StatusCode,
    result: T,
    notes: Vec<String>,
    info: Option<PageInfo>,
}

/// What a handler returns.
pub(crate) type Answer<T> = Result<Reply<T>, ApiError>;

/// `result_info` of a list that is always whole: one page, as clients that count pages expect it.
#[derive(Debug, Serialize)]
struct PageInfo {
    page: u32,
    per_page: usize,
    count: usize,
    total_count: usize,
    total_pages: u32,
}

/// `errors[]` and `messages[]` have entries of this shape.
#[derive(Serialize)]
struct Entry<'a> {
    code: u32,
    message: &'a str,
    /// What lies behind the message, where that is a fixed text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    error_chain: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Envelope<'a, T> {
    success: bool,
    errors: Vec<Entry<'a>>,
    messages: Vec<Entry<'a>>,
    result: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result_info: Option<&'a PageInfo>,
}

fn entry(code: u32, message: &str) -> Entry<'_> {
    Entry { code, message, error_chain: Vec::new() }
}

/// The code of `messages[]` entries: a remark on a call that succeeded.
const NOTE: u32 = 90000;

impl<T> Reply<T> {
    /// 200 with this result.
    pub(crate) fn ok(result: T) -> Self {
        Self { status: StatusCode::OK, result, notes: Vec::new(), info: None }
    }

    /// The same with another status of success.
    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The same with remarks that a person should see; clients print them as warnings.
    pub(crate) fn with_notes(mut self, notes: Vec<String>) -> Self {
        self.notes.extend(notes);
        self
    }
}

impl<T> Reply<Vec<T>> {
    /// A list which has all its rows on its first page. Clients ask for page after page until an empty one comes,
    /// whatever the totals say: any later page must therefore be empty.
    pub(crate) fn list(rows: Vec<T>, page: u32) -> Self {
        let total = rows.len();
        let rows = if page <= 1 { rows } else { Vec::new() };
        let info = PageInfo {
            page,
            per_page: total.max(20),
            count: rows.len(),
            total_count: total,
            total_pages: u32::from(total > 0),
        };
        Self { status: StatusCode::OK, result: rows, notes: Vec::new(), info: Some(info) }
    }
}

impl<T: Serialize> IntoResponse for Reply<T> {
    fn into_response(self) -> Response {
        let messages = self.notes.iter().map(|note| entry(NOTE, note)).collect();
        let envelope = Envelope {
            success: true,
            errors: Vec::new(),
            messages,
            result: Some(&self.result),
            result_info: self.info.as_ref(),
        };
        match serde_json::to_vec(&envelope) {
            Ok(body) => json(self.status, body),
            Err(error) => ApiError::internal(error).into_response(),
        }
    }
}

/// The reply of an error.
pub(crate) fn failure(error: &ApiError) -> Response {
    let number = error.code().number();
    let error_chain = error.detail().map(|detail| entry(number, detail)).into_iter().collect();
    let entry = Entry { error_chain, ..entry(number, error.message()) };
    let envelope: Envelope<'_, ()> = Envelope {
        success: false,
        errors: vec![entry],
        messages: Vec::new(),
        result: None,
        result_info: None,
    };
    // Numbers and strings always serialise; should that ever change, an empty object is still JSON.
    let body = serde_json::to_vec(&envelope).unwrap_or_else(|_| b"{}".to_vec());
    let mut response = json(error.code().status(), body);
    if error.code().status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(seconds) = error.retry_after() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// A page of a list, with what there is to say of it.
pub(crate) fn page<T: Serialize, I: Serialize>(rows: &[T], info: &I) -> Response {
    with_info(&rows, info)
}

/// A result that is a part of something longer, with what there is to say of it.
pub(crate) fn with_info<T: Serialize, I: Serialize>(result: &T, info: &I) -> Response {
    #[derive(Serialize)]
    struct Page<'a, T, I> {
        success: bool,
        errors: [(); 0],
        messages: [(); 0],
        result: &'a T,
        result_info: &'a I,
    }
    let page = Page { success: true, errors: [], messages: [], result, result_info: info };
    match serde_json::to_vec(&page) {
        Ok(body) => json(StatusCode::OK, body),
        Err(error) => ApiError::internal(error).into_response(),
    }
}

/// The answer to a deletion whose `id` clients read beside the envelope's own fields as well.
pub(crate) fn deleted(id: &str, notes: &[String]) -> Response {
    let messages: Vec<Entry<'_>> = notes.iter().map(|note| entry(NOTE, note)).collect();
    let body = serde_json::json!({
        "id": id, "success": true, "errors": [], "messages": messages, "result": { "id": id },
    });
    json(StatusCode::OK, body.to_string())
}

/// A JSON response that no cache may keep: answers change with every deploy, and some are for one token only.
pub(crate) fn json(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
