//! Owns message bodies: what a worker reads, and what it sends.
//!
//! A body that came in and is sent on untouched is moved by the host and never enters the worker's memory.
//! Nothing here may hold more than one chunk of a stream.

mod incoming;
mod outgoing;
mod writer;

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use wasip2::http::types as wasi;
use wasip2::io::streams::OutputStream;

use crate::error::{BodyError, Error};
use crate::executor::Wait;
use crate::headers::Headers;
use crate::response::{Head, SendError};
use incoming::Incoming;
use outgoing::Answering;
pub use writer::Writer;

/// The body of a request or a response.
///
/// ```
/// # use wasmyard::Body;
/// let empty = Body::empty();
/// let text = Body::from("hello");
/// let bytes = Body::from(vec![0, 159, 146, 150]);
/// let stream = Body::from_writer(|mut out| async move {
///     for n in 0..1_000_000 {
///         out.write(format!("line {n}\n")).await?;
///     }
///     Ok(())
/// });
/// ```
pub struct Body(Content);

enum Content {
    /// Nothing, or all there is.
    Bytes(Vec<u8>),
    /// Behind a pointer, so that a worker is linked only with the kinds of body that it makes use of.
    Source(Box<dyn Source>),
}

/// Where chunks come from.
trait Source {
    /// The next chunk, never empty; `None` after the last, and from then on.
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Vec<u8>>, BodyError>>;

    /// The trailers, once, after the last chunk.
    fn poll_trailers(&mut self, _: &mut Context<'_>) -> Poll<Result<Option<Headers>, BodyError>> {
        Poll::Ready(Ok(None))
    }

    /// How many bytes there will be, where that was said and none was read.
    fn known_length(&self) -> Option<usize> {
        None
    }

    /// Moves all that is left into `out` without reading it. `None` where this source cannot do that.
    /// `writable` waits for `out`.
    fn poll_splice(
        &mut self,
        _cx: &mut Context<'_>,
        _out: &OutputStream,
        _writable: &mut Wait,
    ) -> Option<Poll<Result<(), BodyError>>> {
        None
    }

    /// Answers with this as the body: [`outgoing::answer`]. Each source says so itself, so that a worker whose
    /// answers are all bytes is linked without that.
    fn answer(self: Box<Self>, head: Head, out: wasi::ResponseOutparam) -> Answering;
}

impl Body {
    /// No bytes.
    pub fn empty() -> Body {
        Content::Bytes(Vec::new()).into()
    }

    /// Chunks as they come. An error breaks the body off, so that the receiver notices.
    pub fn from_stream(stream: impl Stream<Item = Result<Vec<u8>, Error>> + 'static) -> Body {
        Body::of(Chunks(Box::pin(stream)))
    }

    /// Chunks that a function writes. It runs only as fast as they are read, and is dropped when the receiver
    /// goes away. An error breaks the body off, so that the receiver notices.
    pub fn from_writer<F, Fut>(write: F) -> Body
    where
        F: FnOnce(Writer) -> Fut,
        Fut: Future<Output = Result<(), Error>> + 'static,
    {
        Body::of(writer::Written::new(write))
    }

    /// Adds trailers: fields that are sent after the last chunk. Over HTTP/1.1 only those reach the other side that
    /// the header `trailer` of the message names.
    #[must_use]
    pub fn with_trailers(mut self, trailers: Headers) -> Body {
        self.0 = Content::Source(Box::new(Trailed { content: self.0, trailers: Some(trailers) }));
        self
    }

    pub(crate) fn incoming(body: wasi::IncomingBody) -> Body {
        Body::of(Incoming::new(body, None))
    }

    /// The body of a request, which is as long as its head says.
    pub(crate) fn of_request(body: wasi::IncomingBody, fields: &wasi::Fields) -> Body {
        let said = fields.get("content-length");
        let length = said.first().and_then(|length| std::str::from_utf8(length).ok()?.parse().ok());
        // Trailers need chunks, also where the length is known.
        Body::of(Incoming::new(body, length.filter(|_| !fields.has("trailer"))))
    }

    fn of(source: impl Source + 'static) -> Body {
        Content::Source(Box::new(source)).into()
    }

    /// The next chunk, never empty; `None` after the last.
    ///
    /// # Errors
    /// When the body breaks off.
    pub async fn chunk(&mut self) -> Result<Option<Vec<u8>>, BodyError> {
        poll_fn(|cx| self.0.poll_chunk(cx)).await
    }

    /// The whole body.
    ///
    /// What a stranger sends is only bounded by this worker's memory: see [`bytes_up_to`](Body::bytes_up_to).
    ///
    /// # Errors
    /// When the body breaks off.
    pub async fn bytes(self) -> Result<Vec<u8>, BodyError> {
        self.bytes_up_to(usize::MAX).await
    }

    /// The whole body, if it has no more than so many bytes.
    ///
    /// # Errors
    /// When the body is longer, or breaks off.
    pub async fn bytes_up_to(mut self, limit: usize) -> Result<Vec<u8>, BodyError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if chunk.len() > limit.saturating_sub(bytes.len()) {
                return Err(BodyError::new(format!("the body is longer than {limit} bytes")));
            }
            if bytes.is_empty() {
                bytes = chunk;
            } else {
                bytes.extend_from_slice(&chunk);
            }
        }
        Ok(bytes)
    }

    /// The whole body as text.
    ///
    /// # Errors
    /// When the body is not UTF-8, or breaks off.
    pub async fn text(self) -> Result<String, BodyError> {
        String::from_utf8(self.bytes().await?)
            .map_err(|error| BodyError::new(format!("the body is not UTF-8: {}", error.utf8_error())))
    }

    /// The whole body, read as JSON.
    ///
    /// # Errors
    /// When the body is not JSON of that shape, or breaks off.
    #[cfg(feature = "json")]
    pub async fn json<T: serde::de::DeserializeOwned>(self) -> Result<T, Error> {
        Ok(serde_json::from_slice(&self.bytes().await?)?)
    }

    /// The trailers, where there are any. Chunks that were not read yet are skipped.
    ///
    /// # Errors
    /// When the body breaks off.
    pub async fn trailers(&mut self) -> Result<Option<Headers>, BodyError> {
        while self.chunk().await?.is_some() {}
        match &mut self.0 {
            Content::Bytes(_) => Ok(None),
            Content::Source(source) => poll_fn(|cx| source.poll_trailers(cx)).await,
        }
    }

    fn is_empty(&self) -> bool {
        matches!(&self.0, Content::Bytes(bytes) if bytes.is_empty())
    }

    /// How many bytes there will be, where that is known without reading.
    pub(crate) fn known_length(&self) -> Option<usize> {
        match &self.0 {
            Content::Bytes(bytes) => Some(bytes.len()),
            Content::Source(source) => source.known_length(),
        }
    }

    /// The bytes, where all are there and few enough to be handed over in one call.
    pub(crate) fn into_whole(self) -> Result<Vec<u8>, Body> {
        match self.0 {
            Content::Bytes(bytes) if bytes.len() <= outgoing::MOST_AT_ONCE => Ok(bytes),
            Content::Source(source) if source.known_length() == Some(0) => Ok(Vec::new()),
            content => Err(content.into()),
        }
    }

    /// Answers with this body, and returns when it is sent.
    pub(crate) async fn answer(self, head: Head, out: wasi::ResponseOutparam) -> Result<(), SendError> {
        match self.0 {
            Content::Bytes(bytes) => outgoing::answer_whole(&bytes, head, out),
            Content::Source(source) => source.answer(head, out).await,
        }
    }

    /// Sends the body and its trailers. `out` is dropped unfinished on an error, which the receiver sees as a
    /// body that broke off.
    pub(crate) async fn send(self, out: wasi::OutgoingBody) -> Result<(), BodyError> {
        outgoing::send(self, out).await
    }
}

impl Default for Body {
    fn default() -> Body {
        Body::empty()
    }
}

impl From<Content> for Body {
    fn from(content: Content) -> Body {
        Body(content)
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Body {
        Content::Bytes(bytes).into()
    }
}

impl From<&[u8]> for Body {
    fn from(bytes: &[u8]) -> Body {
        bytes.to_vec().into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Body {
        text.into_bytes().into()
    }
}

impl From<&str> for Body {
    fn from(text: &str) -> Body {
        text.as_bytes().into()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Content::Bytes(bytes) => write!(f, "Body({} bytes)", bytes.len()),
            Content::Source(_) => f.write_str("Body(stream)"),
        }
    }
}

impl Content {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Vec<u8>>, BodyError>> {
        match self {
            Content::Bytes(bytes) => {
                Poll::Ready(Ok(Some(std::mem::take(bytes)).filter(|bytes| !bytes.is_empty())))
            }
            Content::Source(source) => source.poll_chunk(cx),
        }
    }
}

/// A body with trailers of the worker's own.
struct Trailed {
    content: Content,
    trailers: Option<Headers>,
}

impl Source for Trailed {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Vec<u8>>, BodyError>> {
        self.content.poll_chunk(cx)
    }

    fn poll_trailers(&mut self, _: &mut Context<'_>) -> Poll<Result<Option<Headers>, BodyError>> {
        Poll::Ready(Ok(self.trailers.take()))
    }

    fn poll_splice(
        &mut self,
        cx: &mut Context<'_>,
        out: &OutputStream,
        writable: &mut Wait,
    ) -> Option<Poll<Result<(), BodyError>>> {
        match &mut self.content {
            Content::Bytes(_) => None,
            Content::Source(source) => source.poll_splice(cx, out, writable),
        }
    }

    fn answer(self: Box<Self>, head: Head, out: wasi::ResponseOutparam) -> Answering {
        outgoing::answer(self, head, out)
    }
}

/// Chunks of a stream that a worker brought along.
struct Chunks(Pin<Box<dyn Stream<Item = Result<Vec<u8>, Error>>>>);

impl Source for Chunks {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Vec<u8>>, BodyError>> {
        loop {
            return Poll::Ready(match ready!(self.0.as_mut().poll_next(cx)) {
                Some(Ok(chunk)) if chunk.is_empty() => continue,
                Some(Ok(chunk)) => Ok(Some(chunk)),
                Some(Err(error)) => Err(BodyError::new(format!("{error:#}"))),
                None => Ok(None),
            });
        }
    }

    fn answer(self: Box<Self>, head: Head, out: wasi::ResponseOutparam) -> Answering {
        outgoing::answer(self, head, out)
    }
}

#[cfg(test)]
mod tests;
