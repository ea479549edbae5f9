//! Bodies that have arrived for a guest and that it has not read: the host holds what is there of them, and that counts as
//! the guest's memory.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;

use crate::body::{Body, BodyError};

/// How many bytes a guest may write to a body at once.
pub(crate) const BODY_CHUNK_BYTES: usize = 64 << 10;
/// How many such chunks may wait for whoever reads the body, beside the one that is being read.
pub(crate) const BODY_CHUNKS: usize = 1;

/// A body up to this length may be there as a whole: as long as one call of a guest can make it.
const WHOLE_BYTES: u64 = 1 << 20;
/// What is there at most of one that is longer: what a connection lets an origin send ahead.
const AHEAD_BYTES: u64 = 256 << 10;
/// What is there of one whose length is not known: what another guest can write ahead.
const WRITTEN_BYTES: u64 = ((BODY_CHUNKS + 1) * BODY_CHUNK_BYTES) as u64;

/// How much of a body may be there, estimated from above.
pub(crate) fn there(body: &Body) -> u64 {
    if body.is_end_stream() {
        return 0;
    }
    match body.size_hint().exact() {
        Some(bytes) if bytes <= WHOLE_BYTES => bytes,
        Some(_) => AHEAD_BYTES,
        None => WRITTEN_BYTES,
    }
}

/// What has arrived for one guest.
#[derive(Debug, Clone, Default)]
pub(crate) struct Arriving(Arc<AtomicU64>);

impl Arriving {
    /// Bytes of all the bodies together.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts a body until this is dropped.
    pub(crate) fn share(&self, body: &Body) -> Share {
        let bytes = there(body);
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Share { bytes, all: self.clone() }
    }

    /// Counts so many bytes until this is dropped.
    pub(crate) fn hold(&self, bytes: u64) -> Share {
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Share { bytes, all: self.clone() }
    }

    /// Counts a body as long as it is there.
    pub(crate) fn counted(&self, body: Body) -> Body {
        let share = self.share(&body);
        if share.bytes == 0 { body } else { Counted { body, share }.boxed_unsync() }
    }
}

/// What one body has in it.
#[derive(Debug)]
pub(crate) struct Share {
    bytes: u64,
    all: Arriving,
}

impl Share {
    /// Counts so many bytes more.
    pub(crate) fn grow(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.all.0.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Notes what was read. More may have arrived in its place, where the length is not known or was more than is there.
    pub(crate) fn read(&mut self, left: u64) {
        let less = self.bytes.saturating_sub(left);
        self.bytes -= less;
        self.all.0.fetch_sub(less, Ordering::Relaxed);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.all.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

struct Counted {
    body: Body,
    share: Share,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        this.share.read(there(&this.body));
        polled
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
    use http_body_util::StreamBody;

    use super::*;

    #[tokio::test]
    async fn a_body_counts_until_it_was_read_or_dropped() {
        let arriving = Arriving::default();
        let mut one = arriving.counted(crate::body::full(vec![0; 1_000]));
        let two = arriving.counted(crate::body::full(vec![0; 500]));
        let endless = StreamBody::new(futures::stream::pending()).boxed_unsync();
        let endless = arriving.counted(endless);
        assert_eq!(arriving.bytes(), 1_500 + WRITTEN_BYTES);
        assert!(one.frame().await.unwrap().is_ok());
        assert_eq!(arriving.bytes(), 500 + WRITTEN_BYTES);
        let ended = StreamBody::new(futures::stream::empty()).boxed_unsync();
        assert_eq!(there(&ended), WRITTEN_BYTES, "nobody knows that it is at its end");
        assert_eq!(there(&crate::body::empty()), 0);
        drop((two, endless));
        assert_eq!(arriving.bytes(), 0);
        assert!(one.frame().await.is_none());
    }

    #[tokio::test]
    async fn of_a_long_body_a_part_is_there() {
        struct Long(u64);
        impl HttpBody for Long {
            type Data = Bytes;
            type Error = BodyError;
            fn poll_frame(
                mut self: Pin<&mut Self>,
                _: &mut Context<'_>,
            ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
                self.0 -= 1 << 20;
                Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![0; 1 << 20])))))
            }
            fn size_hint(&self) -> SizeHint {
                SizeHint::with_exact(self.0)
            }
        }
        let arriving = Arriving::default();
        let mut long = arriving.counted(Long((3 << 20) + 7).boxed_unsync());
        for left in [AHEAD_BYTES, AHEAD_BYTES, AHEAD_BYTES, 7] {
            assert_eq!(arriving.bytes(), left);
            if left == AHEAD_BYTES {
                long.frame().await.unwrap().unwrap();
            }
        }
    }
}
