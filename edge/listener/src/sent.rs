//! The body of an answer on its way out. What was handed to a connection counts until the socket took it: as bytes,
//! and as a place of whatever the body holds. A piece counts as what is kept for it beside its bytes, so that many small
//! ones are not more than a few large ones; one without a byte goes nowhere.
//!
//! Over HTTP/1.1 one answer waits at a time, and the socket's own bound on slow readers sees whether it is taken. Over
//! HTTP/2 a client can keep the window of each stream shut, so every stream watches for itself, and an answer of more
//! than a little is only at its end when the socket has all of it: until then its stream can be reset.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::activity::Busy;
use crate::slow::{Kept, Stream};

/// An answer of so many bytes ends with its last piece, although the socket has not taken it yet: that saves a frame.
/// A client that does not take that much loses the connection.
const LITTLE: usize = 16 << 10;

/// What a connection keeps for each piece that waits, beside its bytes: a frame in a list, and the piece itself.
const PIECE: usize = 512;
/// How many pieces without a byte are passed over before others get their turn.
const MOST_EMPTY: usize = 32;
/// Why a body broke off, whoever wrote it.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// An answer's body.
pub(crate) struct Sent<B: Send + 'static> {
    /// None in an answer of the listener's own, which has no content.
    body: Option<B>,
    /// Taken by the first piece.
    busy: Option<Busy>,
    /// The stream of HTTP/2 that it goes out on.
    stream: Option<Arc<Stream>>,
    /// What its pieces share, from the first one on.
    held: Option<Arc<Held<B>>>,
    /// Bytes of all its pieces.
    handed: usize,
    /// Why it breaks off, until that is said.
    broken: Option<BoxError>,
}

/// What stays until the last piece of an answer was taken.
struct Held<B: Send + 'static> {
    unsent: AtomicUsize,
    stream: Option<Arc<Stream>>,
    /// The body, when it is at its end and pieces of it are not taken.
    rest: Mutex<Option<B>>,
    busy: Busy,
}

/// A piece of an answer, which counts until it is dropped.
pub(crate) struct Piece<B: Send + 'static> {
    bytes: Bytes,
    len: usize,
    held: Arc<Held<B>>,
}

impl<B: Send + 'static> Sent<B> {
    /// The body of an answer; `stream` over HTTP/2.
    pub(crate) fn new(body: B, busy: Busy, stream: Option<Arc<Stream>>) -> Self {
        Self { body: Some(body), busy: Some(busy), stream, held: None, handed: 0, broken: None }
    }

    /// No content.
    pub(crate) fn empty() -> Self {
        Self { body: None, busy: None, stream: None, held: None, handed: 0, broken: None }
    }

    fn piece(&mut self, bytes: Bytes) -> Option<Piece<B>> {
        let held = match &self.held {
            Some(held) => held,
            None => {
                let busy = self.busy.take()?;
                let stream = self.stream.clone();
                self.held.insert(Arc::new(Held {
                    unsent: AtomicUsize::new(0),
                    stream,
                    rest: Mutex::default(),
                    busy,
                }))
            }
        };
        let len = bytes.len();
        self.handed = self.handed.saturating_add(len);
        held.handed(len);
        Some(Piece { bytes, len, held: Arc::clone(held) })
    }

    /// Whether the stream has to wait for the socket before it may hand over more: the connection has much to send, and
    /// some of it is this stream's.
    fn must_wait(&self, cx: &Context<'_>) -> bool {
        let (Some(stream), Some(held)) = (&self.stream, &self.held) else { return false };
        held.is_unsent() && held.busy.activity().is_full(cx.waker()) && {
            // Its own piece may go while the connection stays full.
            stream.waits(cx.waker());
            held.is_unsent()
        }
    }

    /// Whether the end has to wait until the socket has everything.
    fn end_waits(&self) -> bool {
        self.stream.is_some()
            && self.handed > LITTLE
            && self.held.as_ref().is_some_and(|held| held.is_unsent())
    }
}

impl<B: Send + 'static> Held<B> {
    fn is_unsent(&self) -> bool {
        self.unsent.load(Ordering::Acquire) > 0
    }

    fn handed(&self, len: usize) {
        self.unsent.fetch_add(len, Ordering::AcqRel);
        self.busy.activity().handed(len, PIECE);
        if let Some(stream) = &self.stream {
            stream.handed(len);
        }
    }
}

impl<B: Send + 'static> Kept for Held<B> {
    fn release(&self) {
        let rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(rest);
    }
}

impl<B: Send + 'static> Drop for Piece<B> {
    fn drop(&mut self) {
        let unsent = self.held.unsent.fetch_sub(self.len, Ordering::AcqRel).saturating_sub(self.len);
        self.held.busy.activity().taken(self.len, PIECE);
        if let Some(stream) = &self.held.stream {
            stream.taken(unsent);
        }
    }
}

impl<B: Send + 'static> Buf for Piece<B> {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }
}

impl<B> HttpBody for Sent<B>
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    type Data = Piece<B>;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece<B>>, BoxError>>> {
        let this = &mut *self;
        if let Some(broken) = this.broken.take() {
            return Poll::Ready(Some(Err(broken)));
        }
        if this.must_wait(cx) {
            return Poll::Pending;
        }
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        let mut empty = 0;
        let frame = loop {
            let polled = std::task::ready!(Pin::new(&mut *body).poll_frame(cx));
            if !matches!(&polled, Some(Ok(frame)) if frame.data_ref().is_some_and(Bytes::is_empty)) {
                break polled;
            }
            empty += 1;
            if empty == MOST_EMPTY {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        };
        let frame = match frame {
            Some(Ok(frame)) => frame,
            // An error drops what is not written yet, the head among it. What is there is written first, so that the
            // client sees an answer that is cut off and not none at all.
            Some(Err(error)) => {
                this.broken = Some(error.into());
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            None => {
                if let Some(stream) = this.stream.as_ref().filter(|_| this.end_waits()) {
                    stream.waits(cx.waker());
                    if this.end_waits() {
                        return Poll::Pending;
                    }
                }
                return Poll::Ready(None);
            }
        };
        let frame = match frame.into_data() {
            Ok(bytes) => this.piece(bytes).map(Frame::data),
            Err(frame) => frame.into_trailers().ok().map(Frame::trailers),
        };
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream) && !self.end_waits()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

/// What is not taken yet keeps the body, and its place with it. The last piece lets it go; over HTTP/2 the stream's task
/// does, because pieces are dropped there while the connection is locked, and a body may hold a part of that connection.
impl<B: Send + 'static> Drop for Sent<B> {
    fn drop(&mut self) {
        let Some(held) = self.held.take().filter(|held| held.is_unsent()) else { return };
        *held.rest.lock().unwrap_or_else(PoisonError::into_inner) = self.body.take();
        if let Some(stream) = &self.stream {
            stream.keeps(Arc::clone(&held) as _);
        }
    }
}
