//! Owns calls to other scripts: opening a namespace and naming a script of it, or opening a service binding, and
//! calling by the cheapest way there is.

mod error;
mod limits;

use std::rc::Rc;

use wasip2::http::types::OutgoingRequest;

use crate::bindings::dispatch as platform;
use crate::bindings::message::OwnRequest;
use crate::body::Body;
use crate::error::Error;
use crate::executor::{self, Ready};
use crate::request::{Parts, Request};
use crate::response::Response;
pub use error::{BindingError, DispatchError};
pub use limits::Limits;

/// A dispatch namespace that this worker is bound to: see [`Env::namespace`](crate::Env::namespace).
#[derive(Debug)]
pub struct Namespace {
    handle: Rc<platform::Namespace>,
}

impl Namespace {
    pub(crate) fn open(binding: &str) -> Result<Namespace, BindingError> {
        let handle = platform::Namespace::open(binding).map_err(BindingError::from)?;
        Ok(Namespace { handle: Rc::new(handle) })
    }

    /// Names a script of the namespace. Nothing is looked up yet: that a script does not exist shows when it
    /// is called, as [`DispatchError::WorkerNotFound`].
    pub fn get(&self, script: impl Into<String>) -> Worker {
        Worker {
            namespace: self.handle.clone(),
            script: script.into(),
            limits: Limits::new(),
            outbound: Vec::new(),
        }
    }
}

/// A script that can be called, and how it is to be called.
#[derive(Debug, Clone)]
pub struct Worker {
    namespace: Rc<platform::Namespace>,
    script: String,
    limits: Limits,
    outbound: Vec<(String, String)>,
}

impl Worker {
    /// Sets ceilings for this call. They can only be tighter than those of platform, namespace and script.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Worker {
        self.limits = limits;
        self
    }

    /// Passes a text to the outbound worker, which reads it with [`Env::var`](crate::Env::var). The binding must
    /// declare a parameter of that name, or the namespace where the binding names no outbound worker.
    #[must_use]
    pub fn outbound(self, name: impl Into<String>, text: &str) -> Worker {
        let json = quoted(text);
        self.outbound_json(name, json)
    }

    /// As [`outbound`](Worker::outbound), for any value, written as JSON. All values of a call together may have
    /// 16 KiB.
    #[must_use]
    pub fn outbound_json(mut self, name: impl Into<String>, json: impl Into<String>) -> Worker {
        self.outbound.push((name.into(), json.into()));
        self
    }

    /// Calls the script and waits for the head of its response.
    ///
    /// The visitor's request, unread, is handed over whole; so is the visitor's body under a changed head.
    /// Any other body is streamed to the script while it runs.
    ///
    /// Calls of requests that this worker made can run at the same time (see [`join`](crate::join)); a
    /// visitor's request is handed over in one step, which nothing else of this worker can overlap.
    ///
    /// # Errors
    /// See [`DispatchError`].
    pub async fn fetch(&self, request: Request) -> Result<Response, DispatchError> {
        call(&self.resolve()?, request).await
    }

    /// Leaves request and answer to the script: it is called after this worker has returned and its memory is
    /// gone. Return the response that this gives.
    ///
    /// ```no_run
    /// # use wasmyard::{Env, Request, Response, Result};
    /// # async fn fetch(req: Request, env: Env) -> Result<Response> {
    /// Ok(env.namespace("DISPATCHER")?.get("customer-a").tail(req)?)
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the request is not the visitor's, or was changed or read: only what came in can be left to another.
    pub fn tail(&self, request: Request) -> Result<Response, DispatchError> {
        tail(self.resolve()?, request)
    }

    fn resolve(&self) -> Result<platform::Worker, DispatchError> {
        let options = platform::Options { limits: self.limits.into(), outbound: self.outbound.clone() };
        Ok(self.namespace.get(&self.script, &options)?)
    }
}

/// One script that this worker is bound to: see [`Env::service`](crate::Env::service).
#[derive(Debug)]
pub struct Service {
    worker: platform::Worker,
}

impl Service {
    pub(crate) fn open(binding: &str) -> Result<Service, BindingError> {
        Ok(Service { worker: platform::Worker::open(binding)? })
    }

    /// Calls the script and waits for the head of its response: as [`Worker::fetch`]. No network is involved; host
    /// and path of the URL are the script's to read.
    ///
    /// # Errors
    /// See [`DispatchError`]. [`DispatchError::WorkerNotFound`] names the binding and says why it leads to nobody.
    pub async fn fetch(&self, request: Request) -> Result<Response, DispatchError> {
        call(&self.worker, request).await
    }

    /// Leaves request and answer to the script: as [`Worker::tail`].
    ///
    /// # Errors
    /// When the request is not the visitor's, or was changed or read: only what came in can be left to another.
    pub fn tail(self, request: Request) -> Result<Response, DispatchError> {
        tail(self.worker, request)
    }
}

async fn call(worker: &platform::Worker, request: Request) -> Result<Response, DispatchError> {
    let response = match request.into_parts() {
        Parts::Untouched(incoming) => worker.forward(incoming),
        Parts::Changed(changes, incoming) => worker.forward_with(&changes, incoming),
        Parts::Own(own) => return own.call(worker).await,
    };
    Ok(Response::from_incoming(response?))
}

/// Calls a script with a request of the worker's own.
pub(crate) async fn call_whole(
    worker: &platform::Worker,
    request: OwnRequest,
) -> Result<Response, DispatchError> {
    arrival(&worker.send(&request)?).await
}

/// The same, with a body that is written meanwhile.
pub(crate) async fn call_streamed(
    worker: &platform::Worker,
    head: OutgoingRequest,
    body: Body,
) -> Result<Response, DispatchError> {
    let sink = head.body().map_err(|()| DispatchError::internal("the request takes no body"))?;
    let future = worker.fetch(head)?;
    executor::send_beside(body, sink);
    arrival(&future).await
}

fn tail(worker: platform::Worker, request: Request) -> Result<Response, DispatchError> {
    let Parts::Untouched(incoming) = request.into_parts() else {
        return Err(DispatchError::invalid_argument(
            "tail takes the visitor's request as it came: for one that was made or changed, use fetch",
        ));
    };
    Ok(Response::handed_over(move |out| Ok(worker.tail(incoming, out).map_err(DispatchError::from)?)))
}

pub(crate) async fn arrival(future: &platform::FutureResponse) -> Result<Response, DispatchError> {
    loop {
        match future.get() {
            Some(Ok(Ok(response))) => return Ok(Response::from_incoming(response)),
            Some(Ok(Err(error))) => return Err(error.into()),
            Some(Err(())) => return Err(DispatchError::internal("the response was already taken")),
            None => Ready::new(Rc::new(future.subscribe())).await,
        }
    }
}

pub(crate) fn refused(error: &Error) -> DispatchError {
    DispatchError::invalid_argument(format!("{error:#}"))
}

/// A text as a JSON string.
fn quoted(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            control if control < ' ' => json.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => json.push(other),
        }
    }
    json.push('"');
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_json_strings() {
        assert_eq!(quoted("a"), r#""a""#);
        assert_eq!(quoted("say \"hi\"\\\n\u{1}ä"), r#""say \"hi\"\\\n\u0001ä""#);
    }
}
