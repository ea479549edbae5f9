//! Owns responses: those that a worker makes, and those of other scripts and origins that it passes on.
//! It knows whether one was changed, which decides how it can be handed over.

use std::cell::OnceCell;
use std::fmt;

use wasip2::http::types as wasi;

use crate::bindings::dispatch;
use crate::bindings::message::ResponseChanges;
use crate::body::Body;
use crate::error::Error;
use crate::headers::{HeaderError, Headers};

/// An HTTP response.
///
/// One that came from another script or an origin and is returned unread is moved by the platform: its body
/// never enters this worker's memory, also when its status or headers were changed.
///
/// ```
/// # use wasmyard::{Response, Result};
/// # fn f() -> Result<Response> {
/// Ok(Response::text("no such page\n").with_status(404).with_header("cache-control", "no-store")?)
/// # }
/// # assert_eq!(f().unwrap().status(), 404);
/// ```
pub struct Response {
    upstream: Option<Box<dyn Upstream>>,
    /// `None`: the upstream's, untouched.
    body: Option<Body>,
    status: OnceCell<u16>,
    headers: OnceCell<Headers>,
    headers_changed: bool,
    head_changed: bool,
    /// Whoever reads a body that came in may leave less of it than its `content-length` says.
    body_read: bool,
    handover: Option<Handover>,
}

/// Answers in the worker's place, after it has returned.
type Handover = Box<dyn FnOnce(wasi::ResponseOutparam) -> Result<(), Error>>;

/// The head of an answer of the worker's own.
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
}

/// A response that came in. Behind a pointer, so that a worker that never has one imports nothing for it; for one that
/// passes responses on, nothing is here that only those need who read them.
trait Upstream {
    fn status(&self) -> u16;
    fn headers(&self) -> Headers;
    /// The response itself, for whoever reads its body.
    fn response(&self) -> &wasi::IncomingResponse;
    /// Hands it over, under a changed head where there is one.
    fn pass_on(
        self: Box<Self>,
        out: wasi::ResponseOutparam,
        changes: Option<ResponseChanges>,
    ) -> Result<(), String>;
}

impl Upstream for wasi::IncomingResponse {
    fn status(&self) -> u16 {
        wasi::IncomingResponse::status(self)
    }

    fn headers(&self) -> Headers {
        Headers::of(&wasi::IncomingResponse::headers(self))
    }

    fn response(&self) -> &wasi::IncomingResponse {
        self
    }

    fn pass_on(
        self: Box<Self>,
        out: wasi::ResponseOutparam,
        changes: Option<ResponseChanges>,
    ) -> Result<(), String> {
        match changes {
            None => {
                dispatch::respond(out, *self);
                Ok(())
            }
            Some(changes) => dispatch::respond_with(out, &changes, *self),
        }
    }
}

impl Response {
    /// A response with status 200.
    pub fn new(body: impl Into<Body>) -> Response {
        Response {
            upstream: None,
            body: Some(body.into()),
            status: OnceCell::from(200),
            headers: OnceCell::from(Headers::new()),
            headers_changed: true,
            head_changed: true,
            body_read: false,
            handover: None,
        }
    }

    /// A response with status 200 and no body.
    pub fn empty() -> Response {
        Response::new(Body::empty())
    }

    /// Plain text with status 200.
    pub fn text(text: impl Into<String>) -> Response {
        Response::typed("text/plain; charset=utf-8", text.into())
    }

    /// An HTML page with status 200.
    pub fn html(html: impl Into<String>) -> Response {
        Response::typed("text/html; charset=utf-8", html.into())
    }

    /// A value as JSON, with status 200.
    ///
    /// # Errors
    /// When the value cannot be written as JSON.
    #[cfg(feature = "json")]
    pub fn json<T: serde::Serialize + ?Sized>(value: &T) -> Result<Response, Error> {
        Ok(Response::typed("application/json", serde_json::to_vec(value)?))
    }

    /// Sends the visitor elsewhere, with status 302.
    ///
    /// # Errors
    /// When `location` holds what no header may hold.
    pub fn redirect(location: &str) -> Result<Response, HeaderError> {
        Response::empty().with_status(302).with_header("location", location)
    }

    fn typed(content_type: &str, body: impl Into<Body>) -> Response {
        let mut response = Response::new(body);
        // Our own constant: it breaks no rule.
        response.headers_mut().set("content-type", content_type).unwrap_or_default();
        response
    }

    pub(crate) fn from_incoming(response: wasi::IncomingResponse) -> Response {
        Response {
            upstream: Some(Box::new(response)),
            body: None,
            status: OnceCell::new(),
            headers: OnceCell::new(),
            headers_changed: false,
            head_changed: false,
            body_read: false,
            handover: None,
        }
    }

    /// A response that somebody else will give.
    pub(crate) fn handed_over(
        handover: impl FnOnce(wasi::ResponseOutparam) -> Result<(), Error> + 'static,
    ) -> Response {
        Response { handover: Some(Box::new(handover)), ..Response::empty() }
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        *self.status.get_or_init(|| self.upstream.as_ref().map_or(200, |upstream| upstream.status()))
    }

    /// Sets the status code, from 200 to 599. The platform refuses any other, and the visitor gets an error.
    pub fn set_status(&mut self, status: u16) {
        self.status = OnceCell::from(status);
        self.head_changed = true;
    }

    /// The response with another status code.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Response {
        self.set_status(status);
        self
    }

    /// The header fields.
    pub fn headers(&self) -> &Headers {
        self.headers
            .get_or_init(|| self.upstream.as_ref().map(|upstream| upstream.headers()).unwrap_or_default())
    }

    /// The header fields, to be changed.
    pub fn headers_mut(&mut self) -> &mut Headers {
        self.head_changed = true;
        self.headers_changed = true;
        self.headers();
        self.headers.get_mut().unwrap_or_else(|| unreachable!("they were asked for"))
    }

    /// The first value of a header field, if it is text.
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers().get(name)
    }

    /// Makes this the only value of a header field.
    ///
    /// # Errors
    /// As for [`Headers::set`].
    pub fn set_header(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), HeaderError> {
        self.headers_mut().set(name, value)
    }

    /// The response with this as the only value of a header field.
    ///
    /// # Errors
    /// As for [`Headers::set`].
    pub fn with_header(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Response, HeaderError> {
        self.set_header(name, value)?;
        Ok(self)
    }

    /// The body, to be read. From then on it goes through this worker's memory.
    pub fn body_mut(&mut self) -> &mut Body {
        self.body_read |= self.body.is_none();
        let body = self.take_body();
        self.body.insert(body)
    }

    /// The body.
    pub fn into_body(mut self) -> Body {
        self.take_body()
    }

    /// Puts another body in place of the one that is there. Length and encoding headers of the old one go.
    pub fn set_body(&mut self, body: impl Into<Body>) {
        self.body = Some(body.into());
        self.body_read = false;
        for name in ["content-length", "content-encoding"] {
            if self.headers().contains(name) {
                self.headers_mut().remove(name);
            }
        }
    }

    /// The response with another body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Body>) -> Response {
        self.set_body(body);
        self
    }

    fn take_body(&mut self) -> Body {
        match (self.body.take(), &self.upstream) {
            (Some(body), _) => body,
            (None, Some(upstream)) => {
                upstream.response().consume().map_or_else(|()| Body::empty(), Body::incoming)
            }
            (None, None) => Body::empty(),
        }
    }

    /// Answers with this response, by the cheapest way there is, and returns when its body is sent.
    ///
    /// # Errors
    /// When it is refused, and whoever asked has been told so, or when its body broke off.
    pub(crate) async fn send(mut self, out: wasi::ResponseOutparam) -> Result<(), SendError> {
        if let Some(handover) = self.handover.take() {
            return handover(out).map_err(SendError::Gone);
        }
        match (self.body.take(), self.upstream.take()) {
            // An upstream's, of whose body nobody took anything.
            (None, Some(upstream)) => {
                let changes = self.head_changed.then(|| self.changes());
                upstream.pass_on(out, changes).map_err(SendError::Refused)
            }
            (body, upstream) => {
                if let Some(upstream) = &upstream {
                    self.status.get_or_init(|| upstream.status());
                    self.headers.get_or_init(|| upstream.headers());
                }
                let body = body.unwrap_or_default();
                let head = self.head(&body);
                body.answer(head, out).await
            }
        }
    }

    /// What is other than it came in, or was at least looked at.
    fn changes(&mut self) -> ResponseChanges {
        ResponseChanges {
            status: self.status.get().copied(),
            headers: self.headers.take().filter(|_| self.headers_changed).map(Headers::into_list),
        }
    }

    /// The head for a body of this worker's. A known length spares the visitor's connection the chunks.
    fn head(&mut self, body: &Body) -> Head {
        let status = self.status.get().copied().unwrap_or(200);
        let mut headers = self.headers.take().unwrap_or_default();
        if self.body_read {
            headers.remove("content-length");
        }
        let bodiless = matches!(status, 100..=199 | 204 | 304);
        if let Some(length) = body.known_length().filter(|_| !bodiless) {
            if !headers.contains("content-length") {
                // Digits: they break no rule.
                headers.set("content-length", length.to_string()).unwrap_or_default();
            }
        }
        Head { status, headers }
    }
}

/// Why a response was not sent, or not to its end.
pub(crate) enum SendError {
    /// It breaks a rule. Whoever asked was told.
    Refused(String),
    /// The head is out, or the answer is in other hands.
    Gone(Error),
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({})", self.status())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constructors_set_status_and_type() {
        assert_eq!(Response::text("a").status(), 200);
        assert_eq!(Response::text("a").header("content-type").as_deref(), Some("text/plain; charset=utf-8"));
        assert_eq!(Response::html("a").header("content-type").as_deref(), Some("text/html; charset=utf-8"));
        let redirect = Response::redirect("/elsewhere").unwrap();
        assert_eq!((redirect.status(), redirect.header("location").as_deref()), (302, Some("/elsewhere")));
        assert!(Response::redirect("/a\r\nx: y").is_err());
    }

    #[cfg(feature = "json")]
    #[test]
    fn json_has_its_type() {
        let response = Response::json(&[1, 2]).unwrap();
        assert_eq!(response.header("content-type").as_deref(), Some("application/json"));
    }

    #[test]
    fn the_length_is_added_where_a_body_may_follow_and_the_worker_gave_none() {
        let length = |mut response: Response| {
            let body = response.take_body();
            response.head(&body).headers.get("content-length")
        };
        assert_eq!(length(Response::text("four")).as_deref(), Some("4"));
        assert_eq!(length(Response::empty()).as_deref(), Some("0"));
        assert_eq!(length(Response::empty().with_status(204)), None);
        assert_eq!(length(Response::empty().with_status(304)), None);
        assert_eq!(length(Response::new(Body::from_writer(|_| async { Ok(()) }))), None);
        let own = Response::empty().with_header("content-length", "7").unwrap();
        assert_eq!(length(own).as_deref(), Some("7"), "an answer to HEAD names the length it would have");
    }

    #[test]
    fn a_new_body_takes_the_old_length_with_it() {
        let response = Response::text("a").with_header("content-length", "1").unwrap().with_body("other");
        assert_eq!(response.header("content-length"), None);
    }
}
