//! Owns responses: those that a worker makes, and those of other scripts and origins that it passes on.
//! It knows whether one was changed, which decides how it can be handed over.

use std::cell::OnceCell;
use std::fmt;

use wasip2::http::types as wasi;

use crate::bindings::dispatch;
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
    // The fields are dropped in this order, and the host wants headers to go before their response.
    /// What came in.
    view: OnceCell<Headers>,
    /// What the worker made: counts instead of the view.
    changed_headers: Option<Headers>,
    upstream: Option<Box<dyn Upstream>>,
    /// `None`: the upstream's, untouched.
    body: Option<Body>,
    status: OnceCell<u16>,
    head_changed: bool,
    /// Whoever reads a body that came in may leave less of it than its `content-length` says.
    body_read: bool,
    handover: Option<Handover>,
}

/// Answers in the worker's place, after it has returned.
type Handover = Box<dyn FnOnce(wasi::ResponseOutparam) -> Result<(), Error>>;

/// A response that came in. Behind a pointer, so that a worker that never has one imports nothing for it.
trait Upstream {
    fn status(&self) -> u16;
    fn headers(&self) -> Headers;
    fn body(&self) -> Body;
    /// Hands it over, under another head where there is one.
    fn pass_on(self: Box<Self>, out: wasi::ResponseOutparam, head: Option<wasi::OutgoingResponse>);
}

impl Upstream for wasi::IncomingResponse {
    fn status(&self) -> u16 {
        wasi::IncomingResponse::status(self)
    }

    fn headers(&self) -> Headers {
        Headers::view(wasi::IncomingResponse::headers(self))
    }

    fn body(&self) -> Body {
        self.consume().map_or_else(|()| Body::empty(), Body::incoming)
    }

    fn pass_on(self: Box<Self>, out: wasi::ResponseOutparam, head: Option<wasi::OutgoingResponse>) {
        match head {
            None => dispatch::respond(out, *self),
            Some(head) => dispatch::respond_with(out, head, *self),
        }
    }
}

impl Response {
    /// A response with status 200.
    pub fn new(body: impl Into<Body>) -> Response {
        Response {
            view: OnceCell::new(),
            changed_headers: Some(Headers::new()),
            upstream: None,
            body: Some(body.into()),
            status: OnceCell::from(200),
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
            view: OnceCell::new(),
            changed_headers: None,
            upstream: Some(Box::new(response)),
            body: None,
            status: OnceCell::new(),
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
        match &self.changed_headers {
            Some(headers) => headers,
            None => self.view.get_or_init(|| self.upstream_headers()),
        }
    }

    /// The header fields, to be changed.
    pub fn headers_mut(&mut self) -> &mut Headers {
        self.head_changed = true;
        let headers = self.take_headers();
        self.changed_headers.insert(headers)
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

    fn upstream_headers(&self) -> Headers {
        self.upstream.as_ref().map(|upstream| upstream.headers()).unwrap_or_default()
    }

    fn take_headers(&mut self) -> Headers {
        self.changed_headers.take().or_else(|| self.view.take()).unwrap_or_else(|| self.upstream_headers())
    }

    fn take_body(&mut self) -> Body {
        match (self.body.take(), &self.upstream) {
            (Some(body), _) => body,
            (None, Some(upstream)) => upstream.body(),
            (None, None) => Body::empty(),
        }
    }

    /// Answers with this response, by the cheapest way there is, and returns when its body is sent.
    ///
    /// # Errors
    /// Before anything was sent, gives `out` back where it still can be answered.
    pub(crate) async fn send(mut self, out: wasi::ResponseOutparam) -> Result<(), SendError> {
        if let Some(handover) = self.handover.take() {
            return handover(out).map_err(SendError::Gone);
        }
        // `None`: an upstream's, which nobody looked at.
        let own = (self.body.is_some() || self.upstream.is_none()).then(|| self.take_body());
        let head = match self.head(own.as_ref()) {
            Ok(head) => head,
            Err(error) => return Err(SendError::Unanswered(out, error)),
        };
        drop(self.view.take());
        match (own, self.upstream.take(), head) {
            (None, Some(upstream), head) => {
                upstream.pass_on(out, head);
                Ok(())
            }
            (body, _, Some(head)) => match head.body() {
                Ok(sink) => {
                    wasi::ResponseOutparam::set(out, Ok(head));
                    body.unwrap_or_default().send(sink).await.map_err(|error| SendError::Gone(error.into()))
                }
                Err(()) => Err(SendError::Unanswered(out, Error::msg("the response takes no body"))),
            },
            (_, _, None) => Err(SendError::Unanswered(out, Error::msg("the response has no head"))),
        }
    }

    /// A known length spares the visitor's connection the chunks.
    fn add_length(&mut self, body: &Body) -> Result<(), Error> {
        let bodiless = matches!(self.status(), 100..=199 | 204 | 304);
        if let Some(length) = body.known_length().filter(|_| !bodiless) {
            if !self.headers().contains("content-length") {
                self.headers_mut().set("content-length", length.to_string())?;
            }
        }
        Ok(())
    }

    /// The head as a handle that can be sent; `None` where an upstream's can go as it is. Leaves the response
    /// without headers.
    fn head(&mut self, own: Option<&Body>) -> Result<Option<wasi::OutgoingResponse>, Error> {
        match own {
            Some(body) => {
                if self.body_read {
                    self.headers_mut().remove("content-length");
                }
                self.add_length(body)?;
            }
            None if !self.head_changed => return Ok(None),
            None => {}
        }
        let status = self.status();
        let head = wasi::OutgoingResponse::new(self.take_headers().into_fields()?);
        if status != 200 {
            head.set_status_code(status)
                .map_err(|()| Error::msg(format!("{status} is not a status code to answer with")))?;
        }
        Ok(Some(head))
    }
}

/// Why a response was not sent, or not to its end.
pub(crate) enum SendError {
    /// Nothing was sent: another response can still be given.
    Unanswered(wasi::ResponseOutparam, Error),
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
            response.add_length(&body).unwrap();
            response.header("content-length")
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
