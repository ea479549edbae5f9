//! Owns one invocation, from the platform's call to the last byte of the answer. What a worker returns is
//! always answered: an error becomes a line in its log and an error code, of which the visitor is told nothing.

use std::fmt;
use std::future::Future;

use wasip2::http::types as wasi;

use crate::bindings::message;
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
        let response = match answer {
            Ok(response) => response,
            Err(text) => return fail(out, text),
        };
        match response.send(out).await {
            Ok(()) => {}
            Err(SendError::Refused(text)) => log(&text),
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

/// Ends the invocation with an error that the worker did not catch. The calling script can tell it apart;
/// a visitor is shown the platform's page. The error of a script that this one called is recognized by its
/// text, so that the page says what happened there.
fn fail(out: wasi::ResponseOutparam, text: String) {
    log(&text);
    match crate::fetch::answer_for(&text) {
        Some(answer) => answer(out),
        None => message::fail(out, &text),
    }
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
    fn an_errors_text_is_kept_for_the_log_and_the_caller() {
        let answer: Result<Response> = Err(Error::msg("the password is 1234"));
        let text = answer.into_response().unwrap_err();
        assert_eq!(text, "the password is 1234");
    }

    #[test]
    fn a_bare_response_is_an_answer_too() {
        assert_eq!(Response::empty().with_status(204).into_response().unwrap().status(), 204);
    }
}
