//! The one body type that every hop speaks, and the ways a body changes hands.
//!
//! Owns: [`Body`], bodies that are complete already, and lengths that heads and bodies agree on. Must never copy payload
//! bytes.

mod handover;
mod inspected;
mod lengths;

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::StreamExt as _;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use tokio::sync::mpsc;
use wasmtime_wasi::p2::{InputStream as _, Pollable as _, StreamError};
use wasmtime_wasi_http::p2::body::{HostFutureTrailers, HostIncomingBody};

pub(crate) use handover::{Handover, HandoverSlot};
pub use inspected::inspected;
pub(crate) use lengths::{agreed, framed, held, too_short};

/// Why a body ended early. The same type that the `wasi:http` implementation speaks, so that a body
/// passes between guests and sockets without being wrapped again.
pub type BodyError = wasmtime_wasi_http::Error;

/// A streaming HTTP body.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

/// A body without content.
pub fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A body that is there as a whole; its length is known.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A body of which a part is there and the rest, so many bytes, is on its way. It breaks off where less comes.
pub(crate) fn counted_parts(
    first: Bytes,
    rest: mpsc::Receiver<Bytes>,
    left: u64,
) -> impl HttpBody<Data = Bytes, Error = BodyError> {
    CountedParts { first: Some(first).filter(|first| !first.is_empty()), rest, left }
}

struct CountedParts {
    first: Option<Bytes>,
    rest: mpsc::Receiver<Bytes>,
    /// Of the rest.
    left: u64,
}

impl HttpBody for CountedParts {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        if self.left == 0 {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(match std::task::ready!(self.rest.poll_recv(cx)) {
            Some(bytes) => {
                self.left = self.left.saturating_sub(bytes.len() as u64);
                Ok(Frame::data(bytes))
            }
            None => {
                self.left = 0;
                Err(too_short())
            }
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        let first = self.first.as_ref().map_or(0, Bytes::len) as u64;
        SizeHint::with_exact(first.saturating_add(self.left))
    }
}

/// How many frames [`settle`] looks at: more than a small answer has, fewer than a stream.
const SETTLED_FRAMES: usize = 16;

/// Reads what is there of a body without waiting. A body that turns out to be complete has a known
/// length afterwards, and is sent with `content-length` instead of in chunks.
pub(crate) fn settle(mut body: Body, cx: &mut Context<'_>) -> Body {
    if body.size_hint().exact().is_some() {
        return body;
    }
    let mut ready = VecDeque::new();
    while ready.len() < SETTLED_FRAMES {
        match Pin::new(&mut body).poll_frame(cx) {
            Poll::Ready(None) => {
                return match (ready.pop_front(), ready.is_empty()) {
                    (None, _) => empty(),
                    (Some(Ok(frame)), true) => match Frame::into_data(frame) {
                        Ok(data) => full(data),
                        Err(trailers) => Settled { ready: [Ok(trailers)].into(), rest: None }.boxed_unsync(),
                    },
                    (Some(first), _) => {
                        ready.push_front(first);
                        Settled { ready, rest: None }.boxed_unsync()
                    }
                };
            }
            Poll::Ready(Some(frame)) => ready.push_back(frame),
            Poll::Pending => break,
        }
    }
    Settled { ready, rest: Some(body) }.boxed_unsync()
}

/// What is there of a body whose writer is gone; none where it was not finished.
pub(crate) fn finished(body: Body, cx: &mut Context<'_>) -> Option<Body> {
    let known = body.size_hint().exact().is_some_and(|left| left == 0) || body.is_end_stream();
    if known {
        return Some(body);
    }
    let mut body = body;
    let mut ready = VecDeque::new();
    while ready.len() < SETTLED_FRAMES {
        match Pin::new(&mut body).poll_frame(cx) {
            Poll::Ready(None) => return Some(Settled { ready, rest: None }.boxed_unsync()),
            Poll::Ready(Some(Ok(frame))) => ready.push_back(Ok(frame)),
            Poll::Ready(Some(Err(_))) | Poll::Pending => return None,
        }
    }
    None
}

/// Frames that were read ahead, then the rest of the body.
struct Settled {
    ready: VecDeque<Result<Frame<Bytes>, BodyError>>,
    rest: Option<Body>,
}

impl HttpBody for Settled {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(frame) = self.ready.pop_front() {
            return Poll::Ready(Some(frame));
        }
        match &mut self.rest {
            Some(rest) => Pin::new(rest).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ready.is_empty() && self.rest.as_ref().is_none_or(|rest| rest.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        if self.rest.is_some() {
            return SizeHint::new();
        }
        let complete = self.ready.iter().all(|frame| frame.as_ref().is_ok_and(Frame::is_data));
        let bytes: usize = self.ready.iter().flatten().filter_map(Frame::data_ref).map(Bytes::len).sum();
        // Trailers need chunks, an error must not look like a complete body.
        if complete { SizeHint::with_exact(bytes as u64) } else { SizeHint::new() }
    }
}

/// Reads a body that is inside a `wasi:http` resource.
pub(crate) fn body_of(mut body: HostIncomingBody) -> Body {
    /// How much is asked for at once.
    const CHUNK: usize = 64 << 10;
    let Some(stream) = body.take_stream() else { return crate::body::empty() };
    let chunks = futures::stream::unfold(Some((stream, body)), |open| async move {
        let (mut stream, body) = open?;
        loop {
            stream.ready().await;
            match stream.read(CHUNK) {
                Ok(bytes) if bytes.is_empty() => {}
                Ok(bytes) => return Some((Ok(Frame::data(bytes)), Some((stream, body)))),
                Err(StreamError::Closed) => {
                    drop(stream);
                    let mut trailers = body.into_future_trailers();
                    trailers.ready().await;
                    return match trailers {
                        HostFutureTrailers::Done(Ok(Some(map))) => Some((Ok(Frame::trailers(map)), None)),
                        _ => None,
                    };
                }
                Err(error) => {
                    let error = BodyError::InternalError(Some(error.to_string()));
                    return Some((Err(error), None));
                }
            }
        }
    });
    StreamBody::new(chunks.boxed()).boxed_unsync()
}
