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

use futures_core::Stream;
use wasip2::http::types as wasi;

use crate::error::{BodyError, Error};
use crate::headers::Headers;
use incoming::Incoming;
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
pub struct Body {
    content: Content,
    trailers: Option<Headers>,
}

enum Content {
    Empty,
    Bytes(Vec<u8>),
    Incoming(Incoming),
    Stream(Pin<Box<dyn Stream<Item = Result<Vec<u8>, Error>>>>),
    Written(writer::Written),
}

impl Body {
    /// No bytes.
    pub fn empty() -> Body {
        Content::Empty.into()
    }

    /// Chunks as they come. An error breaks the body off, so that the receiver notices.
    pub fn from_stream(stream: impl Stream<Item = Result<Vec<u8>, Error>> + 'static) -> Body {
        Content::Stream(Box::pin(stream)).into()
    }

    /// Chunks that a function writes. It runs only as fast as they are read, and is dropped when the receiver
    /// goes away. An error breaks the body off, so that the receiver notices.
    pub fn from_writer<F, Fut>(write: F) -> Body
    where
        F: FnOnce(Writer) -> Fut,
        Fut: Future<Output = Result<(), Error>> + 'static,
    {
        Content::Written(writer::Written::new(write)).into()
    }

    /// Adds trailers: fields that are sent after the last chunk.
    #[must_use]
    pub fn with_trailers(mut self, trailers: Headers) -> Body {
        self.trailers = Some(trailers);
        self
    }

    pub(crate) fn incoming(body: wasi::IncomingBody) -> Body {
        Content::Incoming(Incoming::new(body)).into()
    }

    /// The next chunk, never empty; `None` after the last.
    ///
    /// # Errors
    /// When the body breaks off.
    pub async fn chunk(&mut self) -> Result<Option<Vec<u8>>, BodyError> {
        match &mut self.content {
            Content::Empty => Ok(None),
            Content::Bytes(bytes) => {
                let bytes = std::mem::take(bytes);
                self.content = Content::Empty;
                Ok(Some(bytes).filter(|bytes| !bytes.is_empty()))
            }
            Content::Incoming(incoming) => incoming.chunk().await,
            Content::Stream(stream) => loop {
                match poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
                    Some(Ok(chunk)) if chunk.is_empty() => {}
                    Some(Ok(chunk)) => return Ok(Some(chunk)),
                    Some(Err(error)) => return Err(BodyError::new(format!("{error:#}"))),
                    None => return Ok(None),
                }
            },
            Content::Written(written) => {
                written.chunk().await.map_err(|error| BodyError::new(format!("{error:#}")))
            }
        }
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
        if self.trailers.is_some() {
            return Ok(self.trailers.take());
        }
        match &mut self.content {
            Content::Incoming(incoming) => incoming.trailers().await,
            Content::Written(written) => Ok(written.trailers()),
            Content::Empty | Content::Bytes(_) | Content::Stream(_) => Ok(None),
        }
    }

    /// How many bytes there will be, where that is known without reading.
    pub(crate) fn known_length(&self) -> Option<usize> {
        match &self.content {
            _ if self.trailers.is_some() => None,
            Content::Empty => Some(0),
            Content::Bytes(bytes) => Some(bytes.len()),
            Content::Incoming(_) | Content::Stream(_) | Content::Written(_) => None,
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
        Body { content, trailers: None }
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Body {
        if bytes.is_empty() { Body::empty() } else { Content::Bytes(bytes).into() }
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
        let content = match &self.content {
            Content::Empty => "Empty",
            Content::Bytes(_) => "Bytes",
            Content::Incoming(_) => "Incoming",
            Content::Stream(_) => "Stream",
            Content::Written(_) => "Written",
        };
        write!(f, "Body::{content}")
    }
}

#[cfg(test)]
mod tests;
