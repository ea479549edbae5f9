//! Owns requests that show a client certificate, which the worker is bound to: they go out as `wasmyard::fetch` sends them.

use crate::bindings::mtls as platform;
use crate::dispatch::BindingError;
use crate::executor;
use crate::fetch::{FetchError, arrival, refused};
use crate::request::{Own, Parts, Request};
use crate::response::Response;

/// A certificate that requests show: see [`Env::mtls_certificate`](crate::Env::mtls_certificate).
#[derive(Debug)]
pub struct MtlsCertificate {
    handle: platform::Certificate,
}

impl MtlsCertificate {
    pub(crate) fn open(binding: &str) -> Result<MtlsCertificate, BindingError> {
        Ok(MtlsCertificate { handle: platform::Certificate::open(binding)? })
    }

    /// Sends a request to its URL and waits for the head of the response: as [`fetch`](crate::fetch()). Whoever is asked over
    /// TLS and wants a certificate is shown this one; of an outbound worker it is shown where that sends the request on to the
    /// same host.
    ///
    /// # Errors
    /// See [`FetchError`]. A response of any status is no error.
    pub async fn fetch(&self, request: Request) -> Result<Response, FetchError> {
        let future = match request.into_parts() {
            Parts::Own(own) => return self.send(own).await,
            Parts::Changed(changes, incoming) => self.handle.start_forward(Some(&changes), incoming)?,
            Parts::Untouched(incoming) => self.handle.start_forward(None, incoming)?,
        };
        arrival(&future).await
    }

    async fn send(&self, own: Own) -> Result<Response, FetchError> {
        match own.whole_or_body() {
            Ok(request) => arrival(&self.handle.send(&request).map_err(refused)?).await,
            Err(streamed) => {
                let (head, body) = streamed.map_err(|error| refused(format!("{error:#}")))?;
                let sink = head.body().map_err(|()| refused("the request takes no body"))?;
                let future = self.handle.fetch(head)?;
                executor::send_beside(body, sink);
                arrival(&future).await
            }
        }
    }
}
