//! Owns a body that comes in: its stream, its end, its trailers.

use std::rc::Rc;

use wasip2::http::types as wasi;
use wasip2::io::poll::Pollable;
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

use crate::error::BodyError;
use crate::executor::Ready;
use crate::headers::Headers;

/// How much is asked for at once. A chunk may be smaller; it is never larger.
const CHUNK_BYTES: u64 = 64 * 1024;

/// Children stand before their parents: the host refuses to drop them the other way round.
pub(super) enum Incoming {
    Unread(wasi::IncomingBody),
    Reading {
        pollable: Option<Rc<Pollable>>,
        stream: InputStream,
        body: wasi::IncomingBody,
    },
    Ended(wasi::IncomingBody),
    /// The trailers were taken, or the body broke off.
    Gone,
}

impl Incoming {
    pub(super) fn new(body: wasi::IncomingBody) -> Incoming {
        Incoming::Unread(body)
    }

    pub(super) async fn chunk(&mut self) -> Result<Option<Vec<u8>>, BodyError> {
        self.open()?;
        loop {
            let Incoming::Reading { pollable, stream, .. } = self else { return Ok(None) };
            match stream.read(CHUNK_BYTES) {
                Ok(chunk) if chunk.is_empty() => ready(pollable, stream).await,
                Ok(chunk) => return Ok(Some(chunk)),
                Err(error) => self.end(&error)?,
            }
        }
    }

    /// Moves the rest of the body into `out`, at the host: no byte of it comes here.
    pub(super) async fn splice(&mut self, out: &OutputStream) -> Result<(), BodyError> {
        self.open()?;
        let mut writable = None;
        loop {
            let Incoming::Reading { pollable, stream, .. } = self else { return Ok(()) };
            match out.splice(stream, CHUNK_BYTES) {
                Ok(0) => {}
                Ok(_) => continue,
                // Closed: one of the two streams. The next look at `out` tells which.
                Err(error @ StreamError::Closed) => match out.check_write() {
                    Ok(_) => {
                        self.end(&error)?;
                        continue;
                    }
                    Err(error) => return Err(failed(&error, "the receiver")),
                },
                Err(error @ StreamError::LastOperationFailed(_)) => return Err(failed(&error, "a body")),
            }
            match out.check_write().map_err(|error| failed(&error, "the receiver"))? {
                0 => ready_to_write(&mut writable, out).await,
                _ => ready(pollable, stream).await,
            }
        }
    }

    /// `None` as long as the body has not ended.
    pub(super) async fn trailers(&mut self) -> Result<Option<Headers>, BodyError> {
        let Incoming::Ended(body) = std::mem::replace(self, Incoming::Gone) else { return Ok(None) };
        let future = wasi::IncomingBody::finish(body);
        let result = loop {
            match future.get() {
                Some(result) => break result,
                None => Ready::new(Rc::new(future.subscribe())).await,
            }
        };
        match result {
            Ok(Ok(trailers)) => Ok(trailers.map(Headers::view)),
            Ok(Err(code)) => Err(BodyError::new(format!("no trailers: {code}"))),
            Err(()) => Ok(None),
        }
    }

    fn open(&mut self) -> Result<(), BodyError> {
        if let Incoming::Unread(_) = self {
            let Incoming::Unread(body) = std::mem::replace(self, Incoming::Gone) else { return Ok(()) };
            let stream = body.stream().map_err(|()| BodyError::new("the body was already taken"))?;
            *self = Incoming::Reading { pollable: None, stream, body };
        }
        Ok(())
    }

    fn end(&mut self, error: &StreamError) -> Result<(), BodyError> {
        if let Incoming::Reading { pollable, stream, body } = std::mem::replace(self, Incoming::Gone) {
            drop(pollable);
            drop(stream);
            match error {
                StreamError::Closed => *self = Incoming::Ended(body),
                StreamError::LastOperationFailed(_) => return Err(failed(error, "a body")),
            }
        }
        Ok(())
    }
}

async fn ready(pollable: &mut Option<Rc<Pollable>>, stream: &InputStream) {
    let pollable = pollable.get_or_insert_with(|| Rc::new(stream.subscribe()));
    Ready::new(pollable.clone()).await;
}

/// As [`ready`], for the other direction. The same pollable serves the whole stream.
pub(super) async fn ready_to_write(pollable: &mut Option<Rc<Pollable>>, stream: &OutputStream) {
    let pollable = pollable.get_or_insert_with(|| Rc::new(stream.subscribe()));
    Ready::new(pollable.clone()).await;
}

pub(super) fn failed(error: &StreamError, whose: &str) -> BodyError {
    match error {
        StreamError::Closed => BodyError::new(format!("{whose} went away")),
        StreamError::LastOperationFailed(cause) => {
            BodyError::new(format!("{whose} broke off: {}", cause.to_debug_string()))
        }
    }
}
