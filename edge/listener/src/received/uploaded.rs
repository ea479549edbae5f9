//! The body of a request over HTTP/2 on its way in.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, RecvStream};
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::error::ReceiveError;

/// A request's body. That it is as long as it says is seen to by `h2`.
pub(crate) struct Uploaded {
    stream: RecvStream,
    left: Option<u64>,
    is_read: bool,
}

impl Uploaded {
    pub(crate) fn new(stream: RecvStream, headers: &HeaderMap) -> Self {
        let left = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        Self { stream, left, is_read: false }
    }
}

/// What becomes of a body whose stream failed. A reset without an error says that no more is wanted, and breaks nothing (RFC
/// 9113 section 8.1).
fn failed<T>(error: h2::Error) -> Option<Result<T, ReceiveError>> {
    (error.reason() != Some(Reason::NO_ERROR)).then(|| Err(ReceiveError::Http2(error)))
}

impl HttpBody for Uploaded {
    type Data = Bytes;
    type Error = ReceiveError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ReceiveError>>> {
        let this = &mut *self;
        if !this.is_read {
            match ready!(this.stream.poll_data(cx)) {
                Some(Ok(bytes)) => {
                    // A stream that has ended needs no more room.
                    let _room = this.stream.flow_control().release_capacity(bytes.len());
                    this.left = this.left.map(|left| left.saturating_sub(bytes.len() as u64));
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Some(Err(error)) => return Poll::Ready(failed(error)),
                None => this.is_read = true,
            }
        }
        Poll::Ready(match ready!(this.stream.poll_trailers(cx)) {
            Ok(trailers) => trailers.map(|trailers| Ok(Frame::trailers(trailers))),
            Err(error) => failed(error),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
