//! The body of the answer to a visit, on its way to the connection: it notes how much was taken, and how it ended.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Response, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use wasmyard_events::within;
use wasmyard_runtime::{Body, BodyError};

use super::log::{Cut, VisitLog};
use crate::head::clean_trailers;

/// An answer's body, and what must live as long as it.
pub struct Tracked {
    body: Body,
    /// What is still to come of it, where that was said.
    left: Option<u64>,
    sent: u64,
    ended: bool,
    log: Arc<VisitLog>,
}

impl Tracked {
    /// Keeps the visit open until its answer is out, or its visitor gone.
    pub(crate) fn answer(answer: Response<Body>, log: Arc<VisitLog>) -> Response<Self> {
        let left = content_length(answer.headers());
        answer.map(|body| Self { body, left, sent: 0, ended: false, log })
    }
}

impl HttpBody for Tracked {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let mut frame = ready!(within(&this.log.trace.ray_id, || Pin::new(&mut this.body).poll_frame(cx)));
        match &mut frame {
            Some(Ok(frame)) => {
                // A script's are fields like those of its head.
                if let Some(trailers) = frame.trailers_mut() {
                    clean_trailers(trailers);
                }
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                this.sent += bytes as u64;
                this.left = this.left.map(|left| left.saturating_sub(bytes as u64));
            }
            Some(Err(_)) => this.log.cut(Cut::Here),
            None => this.ended = true,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.log.served();
        self.log.sent(self.sent);
        // hyper does not ask for the end of a body when it knows that there is no more.
        if !self.ended && self.left != Some(0) && !self.body.is_end_stream() {
            self.log.cut(Cut::Visitor);
        }
        // What a script logs that is dropped here, or goes on, belongs to the request as well.
        let body = std::mem::replace(&mut self.body, wasmyard_runtime::body::empty());
        within(&self.log.trace.ray_id, || drop(body));
    }
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
