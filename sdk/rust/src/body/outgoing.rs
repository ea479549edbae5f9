//! Owns the sending of a body: at the receiver's pace, one chunk in memory.

use std::future::poll_fn;
use std::task::{Poll, ready};

use wasip2::http::types as wasi;
use wasip2::io::streams::OutputStream;

use super::incoming::{RECEIVER, failed};
use super::{Body, Content};
use crate::error::BodyError;
use crate::executor::Wait;

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
    if let Content::Source(source) = &mut body.content {
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
