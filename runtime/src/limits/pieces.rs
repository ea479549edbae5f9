//! Small pieces of a body on its way out of a guest. Whoever sends them keeps a record for each until the socket took it,
//! which is more than the piece, and is bounded by bytes: so only few of them may be under way at once, and those without
//! a byte go nowhere.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::task::AtomicWaker;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;

use crate::body::{Body, BodyError};

/// Pieces above this are bounded by their bytes.
const SMALL: usize = 1 << 10;
/// How many small ones may be under way.
const MOST: usize = 64;
/// How many without a byte are passed over before others get their turn.
const MOST_EMPTY: usize = 32;

/// The same body, of which few small pieces are under way at any time.
pub(crate) fn few(body: Body) -> Body {
    if body.is_end_stream() || body.size_hint().exact() == Some(0) {
        return body;
    }
    Few { body, under_way: Arc::default() }.boxed_unsync()
}

struct Few {
    body: Body,
    under_way: Arc<UnderWay>,
}

/// Small pieces that were handed over and are not gone yet.
#[derive(Default)]
struct UnderWay {
    pieces: AtomicUsize,
    waits: AtomicWaker,
}

/// One of them: gone when it is dropped.
struct Small {
    bytes: Bytes,
    under_way: Arc<UnderWay>,
}

impl UnderWay {
    fn are_most(&self) -> bool {
        self.pieces.load(Ordering::Acquire) >= MOST
    }
}

impl AsRef<[u8]> for Small {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        if self.under_way.pieces.fetch_sub(1, Ordering::AcqRel) == MOST {
            self.under_way.waits.wake();
        }
    }
}

impl HttpBody for Few {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if this.under_way.are_most() {
            this.under_way.waits.register(cx.waker());
            // One may have gone before the waker was there.
            if this.under_way.are_most() {
                return Poll::Pending;
            }
        }
        for _ in 0..MOST_EMPTY {
            let frame = std::task::ready!(Pin::new(&mut this.body).poll_frame(cx));
            let bytes = match frame {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => bytes,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                ended => return Poll::Ready(ended),
            };
            if bytes.is_empty() {
                continue;
            }
            // Nothing follows the last one.
            if bytes.len() > SMALL || this.body.is_end_stream() {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            this.under_way.pieces.fetch_add(1, Ordering::AcqRel);
            let small = Small { bytes, under_way: Arc::clone(&this.under_way) };
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_owner(small)))));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use http_body_util::StreamBody;

    use super::*;

    fn of(pieces: impl IntoIterator<Item = &'static [u8], IntoIter: Send + 'static>) -> Body {
        let frames = pieces.into_iter().map(|piece| Ok(Frame::data(Bytes::from_static(piece))));
        few(StreamBody::new(futures::stream::iter(frames)).boxed_unsync())
    }

    #[tokio::test]
    async fn so_many_small_pieces_are_under_way_and_the_next_waits_for_one_to_go() {
        let mut body = of(std::iter::repeat_n(&b"x"[..], MOST + 1));
        let mut under_way = Vec::new();
        while let Some(frame) = body.frame().now_or_never() {
            under_way.push(frame.unwrap().unwrap().into_data().unwrap());
        }
        assert_eq!(under_way.len(), MOST);
        let next = tokio::spawn(async move { body.frame().await.unwrap().unwrap().into_data().unwrap() });
        tokio::task::yield_now().await;
        assert!(!next.is_finished());
        assert_eq!(under_way.pop().unwrap(), "x");
        assert_eq!(next.await.unwrap(), "x");
    }

    #[tokio::test]
    async fn large_pieces_are_as_they_were_and_empty_ones_are_not() {
        static LARGE: [u8; SMALL + 1] = [b'l'; SMALL + 1];
        let empty = std::iter::repeat_n(&b""[..], 1_000);
        let mut body = of(empty.clone().chain([&LARGE[..]; 100]).chain(empty));
        let mut under_way = Vec::new();
        while let Some(frame) = body.frame().await {
            under_way.push(frame.unwrap().into_data().unwrap());
        }
        assert_eq!(under_way.len(), 100);
        assert!(under_way.iter().all(|piece| piece.len() == LARGE.len()));
    }

    #[tokio::test]
    async fn nothing_is_put_around_a_body_without_content_or_around_its_only_piece() {
        assert!(few(crate::body::empty()).is_end_stream());
        let whole = few(crate::body::full("whole"));
        assert_eq!(whole.size_hint().exact(), Some(5));
        assert_eq!(whole.collect().await.unwrap().to_bytes(), "whole");
    }
}
