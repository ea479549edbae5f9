//! A body that somebody looks at on its way: to count it, to time it, to clean its trailers.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;

use super::{Body, BodyError};

/// A body whose frames somebody looks at as they come, and may change. `look` is given none at the end, and whether the
/// body knows that nothing follows: who knows that does not ask for the end.
pub fn inspected<F>(body: Body, look: F) -> Body
where
    F: FnMut(Option<&mut Result<Frame<Bytes>, BodyError>>, bool) + Send + Unpin + 'static,
{
    Inspected { body, look }.boxed_unsync()
}

struct Inspected<F> {
    body: Body,
    look: F,
}

impl<F> HttpBody for Inspected<F>
where
    F: FnMut(Option<&mut Result<Frame<Bytes>, BodyError>>, bool) + Unpin,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let mut frame = ready!(Pin::new(&mut this.body).poll_frame(cx));
        (this.look)(frame.as_mut(), this.body.is_end_stream());
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
