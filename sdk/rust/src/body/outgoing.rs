//! Owns the sending of a body: at the receiver's pace, one chunk in memory.

use std::rc::Rc;

use wasip2::http::types as wasi;
use wasip2::io::poll::Pollable;
use wasip2::io::streams::OutputStream;

use super::incoming::{failed, ready_to_write};
use super::{Body, Content};
use crate::error::BodyError;

pub(super) async fn send(mut body: Body, out: wasi::OutgoingBody) -> Result<(), BodyError> {
    if !matches!(body.content, Content::Empty) {
        let stream = out.write().map_err(|()| BodyError::new("the body was already written"))?;
        // The pollable is the stream's child, and the stream is the body's.
        let mut sink = Sink { writable: None, stream: &stream };
        match &mut body.content {
            Content::Incoming(incoming) => incoming.splice(&stream).await?,
            _ => {
                while let Some(chunk) = body.chunk().await? {
                    sink.write(&chunk).await?;
                }
            }
        }
        drop(sink);
        drop(stream);
    }
    let trailers = match body.trailers().await? {
        Some(trailers) => Some(trailers.into_fields().map_err(|error| BodyError::new(error.to_string()))?),
        None => None,
    };
    wasi::OutgoingBody::finish(out, trailers)
        .map_err(|code| BodyError::new(format!("the body cannot be finished: {code}")))
}

struct Sink<'a> {
    writable: Option<Rc<Pollable>>,
    stream: &'a OutputStream,
}

impl Sink<'_> {
    async fn write(&mut self, mut bytes: &[u8]) -> Result<(), BodyError> {
        while !bytes.is_empty() {
            let room = self.stream.check_write().map_err(|error| failed(&error, "the receiver"))?;
            if room == 0 {
                ready_to_write(&mut self.writable, self.stream).await;
                continue;
            }
            let now = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
            let (first, rest) = bytes.split_at(now);
            self.stream.write(first).map_err(|error| failed(&error, "the receiver"))?;
            bytes = rest;
        }
        Ok(())
    }
}
