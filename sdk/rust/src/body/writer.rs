//! Owns bodies that a function writes: the writer hands each chunk to the reader before it goes on.
//!
//! The reader drives the function, so there is no queue, no task and nothing left over when it is dropped.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use wasip2::http::types as wasi;

use super::Source;
use super::outgoing::{self, Answering};
use crate::error::{BodyError, Error};
use crate::headers::Headers;
use crate::response::Head;

/// Takes the chunks of a body made by [`Body::from_writer`](crate::Body::from_writer).
pub struct Writer {
    shared: Rc<RefCell<Shared>>,
}

#[derive(Default)]
struct Shared {
    chunk: Option<Vec<u8>>,
    trailers: Option<Headers>,
}

impl Writer {
    /// Sends a chunk, and returns when the next one can be taken. An empty chunk is not sent.
    ///
    /// # Errors
    /// None so far: a receiver that goes away drops the writing function instead.
    pub async fn write(&mut self, chunk: impl Into<Vec<u8>>) -> Result<(), Error> {
        let mut chunk = Some(chunk.into()).filter(|chunk| !chunk.is_empty());
        poll_fn(|_| {
            // Woken by being polled: the reader polls this function each time it wants a chunk.
            let mut shared = self.shared.borrow_mut();
            match (chunk.take(), &shared.chunk) {
                (Some(chunk), None) => {
                    shared.chunk = Some(chunk);
                    Poll::Pending
                }
                (None, None) => Poll::Ready(()),
                (waiting, Some(_)) => {
                    chunk = waiting;
                    Poll::Pending
                }
            }
        })
        .await;
        Ok(())
    }

    /// Sets the trailers: see [`Body::with_trailers`](crate::Body::with_trailers).
    pub fn set_trailers(&mut self, trailers: Headers) {
        self.shared.borrow_mut().trailers = Some(trailers);
    }
}

type Function = Pin<Box<dyn Future<Output = Result<(), Error>>>>;

/// The reader's end.
pub(super) struct Written {
    shared: Rc<RefCell<Shared>>,
    /// `None` when it has ended.
    function: Option<Function>,
}

impl Written {
    pub(super) fn new<F, Fut>(write: F) -> Written
    where
        F: FnOnce(Writer) -> Fut,
        Fut: Future<Output = Result<(), Error>> + 'static,
    {
        let shared = Rc::new(RefCell::new(Shared::default()));
        let function: Function = Box::pin(write(Writer { shared: shared.clone() }));
        Written { shared, function: Some(function) }
    }
}

impl Source for Written {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Vec<u8>>, BodyError>> {
        let Some(function) = &mut self.function else { return Poll::Ready(Ok(None)) };
        let ended = function.as_mut().poll(cx);
        if ended.is_ready() {
            self.function = None;
        }
        match ended {
            Poll::Ready(Err(error)) => Poll::Ready(Err(BodyError::new(format!("{error:#}")))),
            // A chunk may be in place even where the function has ended.
            Poll::Ready(Ok(())) => Poll::Ready(Ok(self.shared.borrow_mut().chunk.take())),
            Poll::Pending => match self.shared.borrow_mut().chunk.take() {
                Some(chunk) => Poll::Ready(Ok(Some(chunk))),
                None => Poll::Pending,
            },
        }
    }

    fn poll_trailers(&mut self, _: &mut Context<'_>) -> Poll<Result<Option<Headers>, BodyError>> {
        Poll::Ready(Ok(self.shared.borrow_mut().trailers.take()))
    }

    fn answer(self: Box<Self>, head: Head, out: wasi::ResponseOutparam) -> Answering {
        outgoing::answer(self, head, out)
    }
}
