//! Owns one invocation, from the platform's call to the last byte of the answer. What a worker returns is
//! always answered: an error becomes a line in its log and a 500 that tells the visitor nothing.

use std::fmt;
use std::future::Future;

use wasip2::http::types as wasi;

use crate::env::Env;
use crate::executor;
use crate::request::Request;
use crate::response::{Response, SendError};

/// What a worker's function may return: a response, or a result of one with any error that can be printed.
pub trait Answer {
    /// The response, or the text for the log.
    fn into_response(self) -> Result<Response, String>;
}

impl Answer for Response {
    fn into_response(self) -> Result<Response, String> {
        Ok(self)
    }
}

impl<E: fmt::Display> Answer for Result<Response, E> {
    fn into_response(self) -> Result<Response, String> {
        // The alternate form: errors that know their causes print them all.
        self.map_err(|error| format!("{error:#}"))
    }
}

/// Calls the worker's function and answers. Returns when the answer is sent and all tasks have ended.
pub fn serve<F>(
    incoming: wasi::IncomingRequest,
    out: wasi::ResponseOutparam,
    worker: impl FnOnce(Request, Env) -> F + 'static,
) where
    F: Future<Output: Answer> + 'static,
{
    executor::run(async move {
        let answer = worker(Request::from_incoming(incoming), Env::new()).await.into_response();
        let response = answer.unwrap_or_else(|text| failure(&text));
        match response.send(out).await {
            Ok(()) => {}
            // A response of our own: there is nothing about it to refuse.
            Err(SendError::Unanswered(out, error)) => match failure(&format!("{error:#}")).send(out).await {
                Ok(()) => {}
                Err(SendError::Unanswered(_, error) | SendError::Gone(error)) => log(&format!("{error:#}")),
            },
            Err(SendError::Gone(error)) => log(&format!("the answer was cut short: {error:#}")),
        }
    });
}

/// Checks a worker's signature where there is no platform to call it.
///
/// ```
/// #[wasmyard::main]
/// fn neither_async_nor_a_result(_: wasmyard::Request, _: wasmyard::Env) -> wasmyard::Response {
///     wasmyard::Response::text("hello")
/// }
/// ```
/// What does not fit is refused when it is compiled:
/// ```compile_fail
/// #[wasmyard::main]
/// async fn no_response(_: wasmyard::Request, _: wasmyard::Env) {}
/// ```
/// ```compile_fail
/// #[wasmyard::main]
/// async fn no_environment(_: wasmyard::Request) -> wasmyard::Response {
///     wasmyard::Response::empty()
/// }
/// ```
/// ```compile_fail
/// #[wasmyard::main]
/// struct NoFunction;
/// ```
/// ```compile_fail
/// #[wasmyard::main(flavor = "current_thread")]
/// async fn arguments(_: wasmyard::Request, _: wasmyard::Env) -> wasmyard::Response {
///     wasmyard::Response::empty()
/// }
/// ```
pub fn check<F>(request: Request, env: Env, worker: impl FnOnce(Request, Env) -> F + 'static)
where
    F: Future<Output: Answer> + 'static,
{
    drop(worker(request, env));
}

fn failure(text: &str) -> Response {
    log(text);
    Response::text("The worker failed.\n").with_status(500)
}

/// The worker's standard error is its log.
fn log(text: &str) {
    eprintln!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, Result};

    #[test]
    fn what_went_wrong_is_not_told_to_the_visitor() {
        let answer: Result<Response> = Err(Error::msg("the password is 1234"));
        let text = answer.into_response().unwrap_err();
        assert_eq!(text, "the password is 1234");
        let response = failure(&text);
        assert_eq!(response.status(), 500);
        let body = std::rc::Rc::new(std::cell::Cell::new(None));
        let out = body.clone();
        executor::run(async move { out.set(response.into_body().text().await.ok()) });
        assert_eq!(body.take().as_deref(), Some("The worker failed.\n"));
    }

    #[test]
    fn a_bare_response_is_an_answer_too() {
        assert_eq!(Response::empty().with_status(204).into_response().unwrap().status(), 204);
    }
}
