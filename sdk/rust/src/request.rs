//! Owns requests: the visitor's, read from the host piece by piece as it is asked for, and those that a worker
//! makes. It knows whether a visitor's request was changed, which decides how it can be handed over.

use std::cell::OnceCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use wasip2::http::types as wasi;

use crate::bindings::message::{OwnRequest, RequestChanges};
use crate::bindings::{assets as assets_wit, dispatch as dispatch_wit};
use crate::body::Body;
use crate::dispatch::{self, DispatchError};
use crate::error::Error;
use crate::fetch::{self, FetchError};
use crate::headers::{HeaderError, Headers};
use crate::method::{Method, Scheme};
use crate::response::Response;
use crate::url::{self, UrlError};

/// An HTTP request: the visitor's, or one that the worker makes.
///
/// Only what is asked for is read: a worker that looks at the host name alone never sees the headers, and the
/// body of a request that is passed on unread never enters its memory.
///
/// ```no_run
/// # use wasmyard::{Method, Request, Response, Result};
/// # async fn f(visitor: Request) -> Result<()> {
/// // The visitor's request.
/// let page = visitor.query_parameter("page");
/// let agent = visitor.header("user-agent");
/// // A request of the worker's own.
/// let request = Request::new(Method::Put, "https://storage.example/notes/1")?
///     .with_header("content-type", "text/plain")?
///     .with_body("remember the milk");
/// # Ok(()) }
/// ```
pub struct Request {
    incoming: Option<wasi::IncomingRequest>,
    /// How it is sent when it is the worker's own. Behind a pointer, so that a worker that only passes the visitor's
    /// request on is linked without that.
    own: Option<&'static dyn Way>,
    /// `None`: the incoming request's, untouched.
    body: Option<Body>,
    headers: OnceCell<Headers>,
    headers_changed: bool,
    method: OnceCell<Method>,
    scheme: OnceCell<Option<Scheme>>,
    authority: OnceCell<String>,
    path_and_query: OnceCell<String>,
    head_changed: bool,
    /// Whoever reads a body that came in may leave less of it than its `content-length` says.
    body_read: bool,
}

impl Request {
    /// A request of the worker's own, without a body.
    ///
    /// # Errors
    /// When `url` is not an absolute URL.
    pub fn new(method: impl Into<Method>, url: &str) -> Result<Request, UrlError> {
        let url = url::parse(url)?;
        Ok(Request {
            incoming: None,
            own: Some(&Bodiless),
            body: Some(Body::empty()),
            headers: OnceCell::from(Headers::new()),
            headers_changed: true,
            method: OnceCell::from(method.into()),
            scheme: OnceCell::from(Some(url.scheme)),
            authority: OnceCell::from(url.authority),
            path_and_query: OnceCell::from(url.path_and_query),
            head_changed: true,
            body_read: false,
        })
    }

    /// `Request::new(Method::Get, url)`.
    ///
    /// # Errors
    /// When `url` is not an absolute URL.
    pub fn get(url: &str) -> Result<Request, UrlError> {
        Request::new(Method::Get, url)
    }

    /// `Request::new(Method::Post, url)`.
    ///
    /// # Errors
    /// When `url` is not an absolute URL.
    pub fn post(url: &str) -> Result<Request, UrlError> {
        Request::new(Method::Post, url)
    }

    pub(crate) fn from_incoming(incoming: wasi::IncomingRequest) -> Request {
        Request {
            incoming: Some(incoming),
            own: None,
            body: None,
            headers: OnceCell::new(),
            headers_changed: false,
            method: OnceCell::new(),
            scheme: OnceCell::new(),
            authority: OnceCell::new(),
            path_and_query: OnceCell::new(),
            head_changed: false,
            body_read: false,
        }
    }

    /// The method.
    pub fn method(&self) -> &Method {
        self.method.get_or_init(|| self.ask(|incoming| incoming.method().into()))
    }

    /// Sets the method.
    pub fn set_method(&mut self, method: impl Into<Method>) {
        self.method = OnceCell::from(method.into());
        self.head_changed = true;
    }

    /// The scheme the visitor used, where it is known.
    pub fn scheme(&self) -> Option<&Scheme> {
        self.scheme.get_or_init(|| self.ask(|incoming| incoming.scheme().map(Scheme::from))).as_ref()
    }

    /// The whole URL. In an outbound worker it is the one that the script asked for, its host in one spelling: lower
    /// case, no final dot, an address in its usual form, and no port where it is the scheme's own.
    pub fn url(&self) -> String {
        let scheme = self.scheme().map_or("https", Scheme::as_str);
        format!("{scheme}://{}{}", self.authority(), self.path_and_query())
    }

    /// Sets the scheme.
    pub fn set_scheme(&mut self, scheme: Scheme) {
        self.scheme = OnceCell::from(Some(scheme));
        self.head_changed = true;
    }

    /// Host, and the port where the client sent one. Empty where it is not known.
    pub fn authority(&self) -> &str {
        self.authority.get_or_init(|| self.ask(|incoming| incoming.authority().unwrap_or_default()))
    }

    /// Sets the host, and the port where there is one.
    pub fn set_authority(&mut self, authority: impl Into<String>) {
        self.authority = OnceCell::from(authority.into());
        self.head_changed = true;
    }

    /// The host without a port, as the client wrote it.
    pub fn host(&self) -> &str {
        let authority = self.authority();
        match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority,
        }
    }

    /// The path, as the client wrote it: it begins with `/` and is still percent-encoded.
    pub fn path(&self) -> &str {
        let whole = self.path_and_query();
        whole.split_once('?').map_or(whole, |(path, _)| path)
    }

    /// What follows the first `?`, still percent-encoded.
    pub fn query(&self) -> Option<&str> {
        self.path_and_query().split_once('?').map(|(_, query)| query)
    }

    /// The value of the first query parameter of that name, percent-decoded.
    pub fn query_parameter(&self, name: &str) -> Option<String> {
        query_parameter(self.query()?, name)
    }

    /// Path and query together.
    pub fn path_and_query(&self) -> &str {
        self.path_and_query.get_or_init(|| {
            let path = self.ask(wasi::IncomingRequest::path_with_query);
            path.unwrap_or_else(|| "/".to_owned())
        })
    }

    /// Sets path and query.
    pub fn set_path_and_query(&mut self, path_and_query: impl Into<String>) {
        self.path_and_query = OnceCell::from(path_and_query.into());
        self.head_changed = true;
    }

    /// The header fields.
    pub fn headers(&self) -> &Headers {
        self.headers.get_or_init(|| self.ask(|incoming| Headers::of(&incoming.headers())))
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

    /// The request with this as the only value of a header field.
    ///
    /// # Errors
    /// As for [`Headers::set`].
    pub fn with_header(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Request, HeaderError> {
        self.set_header(name, value)?;
        Ok(self)
    }

    /// The body, to be read. From then on the request can only be passed on through this worker's memory.
    pub fn body_mut(&mut self) -> &mut Body {
        self.make_own(&Bodied);
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
        self.make_own(&Bodied);
        self.body = Some(body.into());
        self.body_read = false;
        for name in ["content-length", "content-encoding"] {
            if self.headers().contains(name) {
                self.headers_mut().remove(name);
            }
        }
    }

    /// The request with another body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Body>) -> Request {
        self.set_body(body);
        self
    }

    fn take_body(&mut self) -> Body {
        match (self.body.take(), &self.incoming) {
            (Some(body), _) => body,
            (None, Some(incoming)) => match incoming.consume() {
                Ok(body) => Body::of_request(body, &incoming.headers()),
                Err(()) => Body::empty(),
            },
            (None, None) => Body::empty(),
        }
    }

    /// Reads a part of the head that was not set, so that it can only be the incoming request's.
    fn ask<T: Default>(&self, read: impl FnOnce(&wasi::IncomingRequest) -> T) -> T {
        self.incoming.as_ref().map(read).unwrap_or_default()
    }

    /// From here on the request is the worker's own: its head is known, whatever becomes of what came in.
    fn make_own(&mut self, way: &'static dyn Way) {
        if self.own.replace(way).is_none() {
            let _known =
                (self.method(), self.scheme(), self.authority(), self.path_and_query(), self.headers());
        }
    }

    /// The request as the worker's own, unless it is the one that came in, as it came.
    pub(crate) fn own_if_changed(mut self) -> Request {
        if self.head_changed && self.own.is_none() {
            self.make_own(&Bodiless);
        }
        self
    }

    /// Takes the request apart by the cheapest way in which it can be passed on.
    pub(crate) fn into_parts(mut self) -> Parts {
        match (self.own, self.incoming.take()) {
            (None, Some(incoming)) if self.head_changed => Parts::Changed(self.changes(), incoming),
            (None, Some(incoming)) => Parts::Untouched(incoming),
            (Some(way), incoming) => {
                self.incoming = incoming;
                Parts::Own(Own { way, request: self })
            }
            (None, None) => unreachable!("a request came in, or was made here"),
        }
    }

    /// What is other than it came in, or was at least looked at.
    fn changes(&mut self) -> RequestChanges {
        RequestChanges {
            method: self.method.get().map(|method| method.as_str().to_owned()),
            scheme: self.scheme.get().cloned().flatten().map(|scheme| scheme.as_str().to_owned()),
            authority: self.authority.take().filter(|authority| !authority.is_empty()),
            path_with_query: self.path_and_query.take(),
            headers: self.headers.take().filter(|_| self.headers_changed).map(Headers::into_list),
        }
    }

    /// A request of the worker's own, with all of its body.
    fn whole(mut self, body: Vec<u8>) -> OwnRequest {
        let mut headers = self.headers.take().unwrap_or_default();
        self.fit_length(&mut headers, Some(body.len()));
        OwnRequest {
            method: self.method.get().map_or("GET", Method::as_str).to_owned(),
            scheme: self.scheme.take().flatten().map(|scheme| scheme.as_str().to_owned()),
            authority: self.authority.take().filter(|authority| !authority.is_empty()),
            path_with_query: self.path_and_query.take(),
            headers: headers.into_list(),
            body,
        }
    }

    /// A request of the worker's own whose body is written while it is answered.
    fn streamed(mut self, body: &Body) -> Result<wasi::OutgoingRequest, Error> {
        let refused = |part: &str, value: &str| {
            Error::msg(format!("the request cannot be sent: {part} `{}` is refused", url::excerpt(value)))
        };
        let mut headers = self.headers.take().unwrap_or_default();
        self.fit_length(&mut headers, body.known_length());
        let head = wasi::OutgoingRequest::new(headers.into_fields()?);
        if let Some(method) = self.method.get() {
            head.set_method(&method.into()).map_err(|()| refused("method", method.as_str()))?;
        }
        let path = self.path_and_query.take();
        head.set_path_with_query(path.as_deref()).map_err(|()| refused("path", &path.unwrap_or_default()))?;
        let scheme = self.scheme.take().flatten();
        head.set_scheme(scheme.as_ref().map(wasi::Scheme::from).as_ref())
            .map_err(|()| refused("scheme", ""))?;
        if let Some(authority) = self.authority.take().filter(|authority| !authority.is_empty()) {
            head.set_authority(Some(&authority)).map_err(|()| refused("host", &authority))?;
        }
        Ok(head)
    }

    /// Whoever reads a body may leave less of it than was announced; a known length spares the chunks. That there is
    /// no body is said where one would be expected (RFC 9110 section 8.6).
    fn fit_length(&self, headers: &mut Headers, known: Option<usize>) {
        if self.body_read {
            headers.remove("content-length");
        }
        let expected = matches!(self.method.get(), Some(Method::Post | Method::Put | Method::Patch));
        if let Some(length) = known.filter(|length| *length > 0 || expected) {
            if !headers.contains("content-length") {
                // Digits: they break no rule.
                headers.set("content-length", length.to_string()).unwrap_or_default();
            }
        }
    }
}

/// A request, by the way in which it can be passed on.
pub(crate) enum Parts {
    /// The visitor's, as it came.
    Untouched(wasi::IncomingRequest),
    /// The visitor's with another head; its body was not touched.
    Changed(RequestChanges, wasi::IncomingRequest),
    /// All else.
    Own(Own),
}

/// A request that this worker made.
pub(crate) struct Own {
    way: &'static dyn Way,
    request: Request,
}

impl Own {
    /// To a script.
    pub(crate) async fn call(self, worker: &dispatch_wit::Worker) -> Result<Response, DispatchError> {
        self.way.call(self.request, worker).await
    }

    /// To its URL.
    pub(crate) async fn fetch(self) -> Result<Response, FetchError> {
        self.way.fetch(self.request).await
    }

    /// As a whole where its body is there as one; otherwise its head, and the body that is written meanwhile.
    pub(crate) fn whole_or_body(self) -> Result<OwnRequest, Result<(wasi::OutgoingRequest, Body), Error>> {
        let mut request = self.request;
        match request.body.take().unwrap_or_default().into_whole() {
            Ok(bytes) => Ok(request.whole(bytes)),
            Err(body) => Err(request.streamed(&body).map(|head| (head, body))),
        }
    }

    /// To this worker's static files, which read no body.
    pub(crate) async fn assets(self, files: &assets_wit::Files) -> Result<Response, DispatchError> {
        let mut request = self.request;
        if let Some(headers) = request.headers.get_mut() {
            headers.remove("content-length");
        }
        dispatch::arrival(&files.send(&request.whole(Vec::new()))?).await
    }
}

type Answer<'a, E> = Pin<Box<dyn Future<Output = Result<Response, E>> + 'a>>;

/// How a request of the worker's own is sent. A worker that never gives one a body is linked with the short way alone.
trait Way {
    fn call<'a>(&self, request: Request, worker: &'a dispatch_wit::Worker) -> Answer<'a, DispatchError>;
    fn fetch(&self, request: Request) -> Answer<'static, FetchError>;
}

/// In one call.
struct Bodiless;

impl Way for Bodiless {
    fn call<'a>(&self, request: Request, worker: &'a dispatch_wit::Worker) -> Answer<'a, DispatchError> {
        Box::pin(dispatch::call_whole(worker, request.whole(Vec::new())))
    }

    fn fetch(&self, request: Request) -> Answer<'static, FetchError> {
        Box::pin(fetch::fetch_whole(request.whole(Vec::new())))
    }
}

/// In one call where the body is there as a whole and small; otherwise it is written while the request is answered.
struct Bodied;

impl Way for Bodied {
    fn call<'a>(&self, mut request: Request, worker: &'a dispatch_wit::Worker) -> Answer<'a, DispatchError> {
        match request.body.take().unwrap_or_default().into_whole() {
            Ok(bytes) => Box::pin(dispatch::call_whole(worker, request.whole(bytes))),
            Err(body) => Box::pin(async move {
                let head = request.streamed(&body).map_err(|error| dispatch::refused(&error))?;
                dispatch::call_streamed(worker, head, body).await
            }),
        }
    }

    fn fetch(&self, mut request: Request) -> Answer<'static, FetchError> {
        match request.body.take().unwrap_or_default().into_whole() {
            Ok(bytes) => Box::pin(fetch::fetch_whole(request.whole(bytes))),
            Err(body) => Box::pin(async move {
                let head = request.streamed(&body).map_err(|error| fetch::refused(format!("{error:#}")))?;
                fetch::fetch_streamed(head, body).await
            }),
        }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the query and not the header values: both may hold secrets.
        write!(f, "Request({} {}{})", self.method(), self.authority(), self.path())
    }
}

fn query_parameter(query: &str, name: &str) -> Option<String> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (percent_decode(key) == name).then(|| percent_decode(value))
    })
}

/// Decodes `%41` and `+`. What is not a valid escape stays as it is; what is not UTF-8 is replaced.
fn percent_decode(text: &str) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => decoded.push(b' '),
            b'%' => {
                let mut ahead = bytes.clone();
                match (ahead.next().and_then(hex), ahead.next().and_then(hex)) {
                    (Some(high), Some(low)) => {
                        decoded.push(high << 4 | low);
                        bytes = ahead;
                    }
                    _ => decoded.push(b'%'),
                }
            }
            _ => decoded.push(byte),
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_of_its_own_has_the_parts_of_its_url() {
        let request = Request::new("PURGE", "https://[::1]:8443/a/b?c=d&e").unwrap();
        assert_eq!(request.method().as_str(), "PURGE");
        assert_eq!(request.scheme(), Some(&Scheme::Https));
        assert_eq!(request.authority(), "[::1]:8443");
        assert_eq!(request.host(), "[::1]");
        assert_eq!(request.url(), "https://[::1]:8443/a/b?c=d&e");
        assert_eq!(request.path(), "/a/b");
        assert_eq!(request.query(), Some("c=d&e"));
    }

    #[test]
    fn a_host_without_a_port_is_given_whole() {
        assert_eq!(Request::get("http://example.com").unwrap().host(), "example.com");
        assert_eq!(Request::get("http://example.com:80").unwrap().host(), "example.com");
    }

    #[test]
    fn query_parameters_are_decoded() {
        let request = Request::get("http://a/?q=a%20b+c&q=2&empty&bad=%zz%4&%6b=v&u=%C3%A4").unwrap();
        let get = |name| request.query_parameter(name);
        assert_eq!(get("q").as_deref(), Some("a b c"));
        assert_eq!(get("empty").as_deref(), Some(""));
        assert_eq!(get("bad").as_deref(), Some("%zz%4"));
        assert_eq!(get("k").as_deref(), Some("v"));
        assert_eq!(get("u").as_deref(), Some("ä"));
        assert_eq!(get("missing"), None);
        assert_eq!(Request::get("http://a/").unwrap().query_parameter("q"), None);
    }

    #[test]
    fn a_new_body_takes_the_old_length_with_it() {
        let request = Request::post("http://a/").unwrap().with_header("content-length", "3").unwrap();
        assert!(!request.with_body("other").headers().contains("content-length"));
    }

    #[test]
    fn debug_output_holds_no_query_and_no_header_value() {
        let request =
            Request::get("http://a/path?token=1").unwrap().with_header("authorization", "Bearer 2").unwrap();
        assert_eq!(format!("{request:?}"), "Request(GET a/path)");
    }
}
