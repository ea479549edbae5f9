//! Owns the assets binding: fetching the static files of this worker's own version.

use std::rc::Rc;

use crate::bindings::assets as platform;
use crate::dispatch::{self, BindingError, DispatchError};
use crate::request::{Parts, Request};
use crate::response::Response;

/// The static files that this worker was uploaded with: see [`Env::assets`](crate::Env::assets).
#[derive(Debug, Clone)]
pub struct Assets {
    handle: Rc<platform::Files>,
}

impl Assets {
    pub(crate) fn open(binding: &str) -> Result<Assets, BindingError> {
        let handle = platform::Files::open(binding).map_err(BindingError::from)?;
        Ok(Assets { handle: Rc::new(handle) })
    }

    /// Asks for a file, as a visitor would: redirects, 304, ranges and the page for what is missing come as they
    /// are configured. The host of the URL does not matter. Nothing reaches the network, and this worker is never
    /// called by it. A body of the request is not read.
    ///
    /// The response can be returned as it is, or under a changed head: the file's bytes do not enter this worker's
    /// memory. Fetches can run at the same time (see [`join`](crate::join)).
    ///
    /// # Errors
    /// See [`DispatchError`]. A file that is not there is a response with status 404 and no error.
    pub async fn fetch(&self, request: Request) -> Result<Response, DispatchError> {
        match request.own_if_changed().into_parts() {
            Parts::Own(own) => own.assets(&self.handle).await,
            // Changed, it would be the worker's own by now.
            Parts::Untouched(incoming) | Parts::Changed(_, incoming) => {
                dispatch::arrival(&self.handle.forward(incoming)?).await
            }
        }
    }

    /// Asks for the file at a path such as `/index.html`.
    ///
    /// ```no_run
    /// # use wasmyard::{Env, Request, Response, Result};
    /// # async fn fetch(_req: Request, env: Env) -> Result<Response> {
    /// Ok(env.assets()?.get("/maintenance").await?.with_status(503))
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Assets::fetch`], and when the path is not one.
    pub async fn get(&self, path: &str) -> Result<Response, DispatchError> {
        let request = Request::get(&format!("http://assets.local/{}", path.trim_start_matches('/')));
        self.fetch(request.map_err(|error| DispatchError::invalid_argument(error.to_string()))?).await
    }
}
