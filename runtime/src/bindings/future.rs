//! Responses that a guest waits for.
//!
//! Never runs anything beside the guest: whoever answers is driven inside the guest's own calls, first by the one that
//! sends the request. An answer that takes no waiting is there when that call returns.

use std::future::poll_fn;
use std::task::Poll;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::Response;
use wasmtime_wasi::p2::Pollable;

use crate::body::{Body, BodyError};
use crate::limits::arriving::there;
use crate::outcome::Failure;

/// A response that the guest waits for.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct FutureResponse<E> {
    stage: Stage<E>,
    /// What is held of the request until it is answered.
    request_bytes: u64,
}

/// From another script, or a file.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub type FromScript = FutureResponse<Failure>;
/// From wherever a URL leads.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub type FromUrl = FutureResponse<BodyError>;

enum Stage<E> {
    /// The callee runs in the guest's own `poll`.
    Waiting(BoxFuture<'static, Result<Response<Body>, E>>),
    /// It has answered.
    Ready(Box<Result<Response<Body>, E>>),
    /// The guest has taken the answer.
    Taken,
}

/// What a guest is given that asks for the response.
pub(super) enum Look<E> {
    NotYet,
    There(Result<Response<Body>, E>),
    Taken,
}

impl<E> FutureResponse<E> {
    pub(super) fn waiting(response: BoxFuture<'static, Result<Response<Body>, E>>) -> Self {
        Self { stage: Stage::Waiting(response), request_bytes: 0 }
    }

    /// Lets the callee go as far as it can without waiting.
    pub(super) async fn begun(
        mut response: BoxFuture<'static, Result<Response<Body>, E>>,
        request_bytes: u64,
    ) -> Self {
        let polled = poll_fn(|cx| Poll::Ready(response.poll_unpin(cx))).await;
        let stage = match polled {
            Poll::Ready(answer) => Stage::Ready(Box::new(answer)),
            Poll::Pending => Stage::Waiting(response),
        };
        Self { stage, request_bytes }
    }

    pub(super) fn look(&mut self) -> Look<E> {
        match std::mem::replace(&mut self.stage, Stage::Taken) {
            Stage::Ready(answer) => Look::There(*answer),
            Stage::Taken => Look::Taken,
            waiting @ Stage::Waiting(_) => {
                self.stage = waiting;
                Look::NotYet
            }
        }
    }

    /// Bytes that the host holds for it.
    pub(crate) fn held(&self) -> u64 {
        match &self.stage {
            Stage::Waiting(_) => self.request_bytes,
            Stage::Ready(answer) => answer.as_ref().as_ref().map_or(0, |response| there(response.body())),
            Stage::Taken => 0,
        }
    }
}

#[async_trait::async_trait]
impl<E: Send + 'static> Pollable for FutureResponse<E> {
    async fn ready(&mut self) {
        if let Stage::Waiting(response) = &mut self.stage {
            self.stage = Stage::Ready(Box::new(response.await));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body;

    fn answer(text: &'static str) -> Result<Response<Body>, Failure> {
        Ok(Response::new(body::full(text)))
    }

    #[tokio::test]
    async fn an_answer_that_takes_no_waiting_is_there_at_once_and_once() {
        let mut future = FutureResponse::begun(async { answer("there at once") }.boxed(), 7).await;
        assert_eq!(future.held(), 13, "the answer, and nothing of a request that was answered");
        assert!(matches!(future.look(), Look::There(Ok(_))));
        assert!(matches!(future.look(), Look::Taken));
    }

    #[tokio::test]
    async fn an_answer_that_takes_waiting_is_there_when_it_is_ready() {
        let (send, wait) = tokio::sync::oneshot::channel::<()>();
        let answered = async move {
            wait.await.map_err(Failure::internal)?;
            answer("later")
        };
        let mut future = FutureResponse::begun(answered.boxed(), 7).await;
        assert_eq!(future.held(), 7);
        assert!(matches!(future.look(), Look::NotYet));
        assert!(future.ready().now_or_never().is_none());
        send.send(()).unwrap();
        future.ready().await;
        assert_eq!(future.held(), 5, "what was answered");
        assert!(matches!(future.look(), Look::There(Ok(_))));
        assert_eq!(future.held(), 0);
    }
}
