//! Owns a body that comes in: its stream, its end, its trailers.

use std::mem;
use std::task::{Context, Poll, ready};

use wasip2::http::types as wasi;
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

use super::Source;
use super::outgoing::{self, Answering};
use crate::error::BodyError;
use crate::executor::Wait;
use crate::headers::Headers;
use crate::response::Head;

/// How much is asked for at once. A chunk may be smaller; it is never larger.
const CHUNK_BYTES: u64 = 64 * 1024;

/// Children stand before their parents, here and where they are dropped by hand: the host refuses to drop them
/// the other way round.
pub(super) enum Incoming {
    /// With its length, where that was said.
    Unread(wasi::IncomingBody, Option<usize>),
    Reading {
        readable: Wait,
        stream: InputStream,
        body: wasi::IncomingBody,
    },
    Ended(wasi::IncomingBody),
    Trailers {
        arrived: Wait,
        future: wasi::FutureTrailers,
    },
    /// The trailers were taken, or the body broke off.
    Gone,
}

impl Incoming {
    pub(super) fn new(body: wasi::IncomingBody, length: Option<usize>) -> Incoming {
        Incoming::Unread(body, length)
    }

    fn open(&mut self) -> Result<(), BodyError> {
        if let Incoming::Unread(body, _) = self {
            let stream = body.stream().map_err(|()| BodyError::new("the body was already taken"))?;
            if let Incoming::Unread(body, _) = mem::replace(self, Incoming::Gone) {
                *self = Incoming::Reading { readable: Wait::default(), stream, body };
            }
        }
        Ok(())
    }

    fn end(&mut self) {
        if let Incoming::Reading { readable, stream, body } = mem::replace(self, Incoming::Gone) {
            drop(readable);
            drop(stream);
            *self = Incoming::Ended(body);
        }
    }
}

impl Source for Incoming {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Vec<u8>>, BodyError>> {
        self.open()?;
        loop {
            let Incoming::Reading { readable, stream, .. } = self else { return Poll::Ready(Ok(None)) };
            match stream.read(CHUNK_BYTES) {
                Ok(chunk) if chunk.is_empty() => ready!(readable.poll(cx, || stream.subscribe())),
                Ok(chunk) => return Poll::Ready(Ok(Some(chunk))),
                Err(StreamError::Closed) => self.end(),
                Err(error @ StreamError::LastOperationFailed(_)) => {
                    return Poll::Ready(Err(failed(&error, "the body")));
                }
            }
        }
    }

    fn poll_trailers(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Headers>, BodyError>> {
        if let Incoming::Ended(_) = self {
            if let Incoming::Ended(body) = mem::replace(self, Incoming::Gone) {
                let future = wasi::IncomingBody::finish(body);
                *self = Incoming::Trailers { arrived: Wait::default(), future };
            }
        }
        let Incoming::Trailers { arrived, future } = self else { return Poll::Ready(Ok(None)) };
        let trailers = loop {
            match future.get() {
                Some(Ok(Ok(trailers))) => break Ok(trailers.map(|fields| Headers::of(&fields))),
                Some(Ok(Err(_))) => break Err(BodyError::new("the body broke off at its trailers")),
                Some(Err(())) => break Ok(None),
                None => ready!(arrived.poll(cx, || future.subscribe())),
            }
        };
        *self = Incoming::Gone;
        Poll::Ready(trailers)
    }

    fn known_length(&self) -> Option<usize> {
        match self {
            Incoming::Unread(_, length) => *length,
            _ => None,
        }
    }

    fn poll_splice(
        &mut self,
        cx: &mut Context<'_>,
        out: &OutputStream,
        writable: &mut Wait,
    ) -> Option<Poll<Result<(), BodyError>>> {
        Some(self.poll_move(cx, out, writable))
    }

    fn answer(self: Box<Self>, head: Head, out: wasi::ResponseOutparam) -> Answering {
        outgoing::answer(self, head, out)
    }
}

impl Incoming {
    fn poll_move(
        &mut self,
        cx: &mut Context<'_>,
        out: &OutputStream,
        writable: &mut Wait,
    ) -> Poll<Result<(), BodyError>> {
        self.open()?;
        loop {
            let Incoming::Reading { readable, stream, .. } = self else { return Poll::Ready(Ok(())) };
            let closed = match out.splice(stream, CHUNK_BYTES) {
                Ok(0) => false,
                Ok(_) => continue,
                Err(StreamError::Closed) => true,
                Err(error @ StreamError::LastOperationFailed(_)) => {
                    return Poll::Ready(Err(failed(&error, "the body")));
                }
            };
            // Nothing moved, or one of the two is closed: a look at `out` tells which of them it was.
            let room = out.check_write().map_err(|error| failed(&error, RECEIVER))?;
            if closed {
                self.end();
            } else if room == 0 {
                ready!(writable.poll(cx, || out.subscribe()));
            } else {
                ready!(readable.poll(cx, || stream.subscribe()));
            }
        }
    }
}

pub(super) const RECEIVER: &str = "the receiver";

pub(super) fn failed(error: &StreamError, whose: &str) -> BodyError {
    match error {
        StreamError::Closed => BodyError::new(format!("{whose} went away")),
        StreamError::LastOperationFailed(cause) => {
            BodyError::new(format!("{whose} broke off: {}", cause.to_debug_string()))
        }
    }
}
