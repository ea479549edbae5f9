//! Owns the sending of a body: at the receiver's pace, one chunk in memory.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Poll, ready};

use wasip2::http::types as wasi;
use wasip2::io::streams::{OutputStream, StreamError};

use super::incoming::{RECEIVER, failed};
use super::{Body, Content, Source};
use crate::bindings::message;
use crate::error::BodyError;
use crate::executor::Wait;
use crate::response::{Head, SendError};

/// How much of a body is handed over in one call.
pub(super) const MOST_AT_ONCE: usize = 256 << 10;

/// An answer that is being sent.
pub(super) type Answering = Pin<Box<dyn Future<Output = Result<(), SendError>>>>;

/// Answers with a body that is there as a whole.
pub(super) fn answer_whole(bytes: &[u8], head: Head, out: wasi::ResponseOutparam) -> Result<(), SendError> {
    let (first, rest) = bytes.split_at(bytes.len().min(MOST_AT_ONCE));
    let headers = head.headers.into_list();
    message::answer(out, head.status, &headers, first, rest.len() as u64).map_err(SendError::Refused)?;
    if rest.chunks(MOST_AT_ONCE).all(message::write) {
        return Ok(());
    }
    Err(SendError::Gone(failed(&StreamError::Closed, RECEIVER).into()))
}

/// Answers with a body that comes in chunks.
pub(super) fn answer(source: Box<dyn Source>, head: Head, out: wasi::ResponseOutparam) -> Answering {
    Box::pin(async move {
        let refused = |out, text: String| {
            message::fail(out, &text);
            Err(SendError::Refused(text))
        };
        let status = head.status;
        let fields = match head.headers.into_fields() {
            Ok(fields) => fields,
            Err(error) => return refused(out, error.to_string()),
        };
        let head = wasi::OutgoingResponse::new(fields);
        if head.set_status_code(status).is_err() || !(200..600).contains(&status) {
            return refused(out, format!("{status} is not a status code to answer with"));
        }
        let Ok(sink) = head.body() else {
            return refused(out, "the response takes no body".to_owned());
        };
        wasi::ResponseOutparam::set(out, Ok(head));
        let sent = send(Content::Source(source).into(), sink).await;
        sent.map_err(|error| SendError::Gone(error.into()))
    })
}

pub(super) async fn send(mut body: Body, out: wasi::OutgoingBody) -> Result<(), BodyError> {
    if !body.is_empty() {
        let stream = out.write().map_err(|()| BodyError::new("the body was already written"))?;
        // Declared after the stream, so that it is dropped before.
        let mut writable = Wait::default();
        write_all(&mut body, &stream, &mut writable).await?;
    }
    let trailers = match body.trailers().await? {
        Some(trailers) => Some(trailers.into_fields().map_err(|error| BodyError::new(error.to_string()))?),
        None => None,
    };
    wasi::OutgoingBody::finish(out, trailers)
        .map_err(|_| BodyError::new("the body has not the length that its headers say"))
}

async fn write_all(body: &mut Body, out: &OutputStream, writable: &mut Wait) -> Result<(), BodyError> {
    if let Content::Source(source) = &mut body.0 {
        let moved = poll_fn(|cx| match source.poll_splice(cx, out, writable) {
            Some(poll) => poll.map(Some),
            None => Poll::Ready(None),
        });
        if let Some(result) = moved.await {
            return result;
        }
    }
    while let Some(chunk) = body.chunk().await? {
        let mut rest = chunk.as_slice();
        poll_fn(|cx| {
            while !rest.is_empty() {
                let room = out.check_write().map_err(|error| failed(&error, RECEIVER))?;
                if room == 0 {
                    ready!(writable.poll(cx, || out.subscribe()));
                    continue;
                }
                let (now, later) = rest.split_at(usize::try_from(room).unwrap_or(usize::MAX).min(rest.len()));
                out.write(now).map_err(|error| failed(&error, RECEIVER))?;
                rest = later;
            }
            Poll::Ready(Ok(()))
        })
        .await?;
    }
    Ok(())
}
