//! `wasi:http`'s outgoing side: counts the request, then hands it to the host. Opens nothing itself.

use std::future::Future;
use std::sync::Arc;

use futures::future::BoxFuture;
use wasmtime_wasi_http::{RequestOptions, WasiBody, WasiHttpHooks};

use crate::body::{Body, BodyError};
use crate::meter::Meter;
use crate::outcome::Failure;
use crate::seams::{Host, OutboundRequest};

/// What `wasi:http` calls back into, and the subrequest budget that all ways out share.
pub(crate) struct Hooks {
    host: Arc<dyn Host>,
    meter: Arc<Meter>,
    limit: u32,
}

type Io = Box<dyn Future<Output = Result<(), BodyError>> + Send>;
type Sent = Result<(http::Response<WasiBody>, Io), BodyError>;

impl Hooks {
    pub(crate) fn new(host: Arc<dyn Host>, meter: Arc<Meter>, limit: u32) -> Self {
        Self { host, meter, limit }
    }

    pub(crate) fn host(&self) -> &Arc<dyn Host> {
        &self.host
    }

    /// Takes one subrequest off the budget, before anything is awaited.
    pub(crate) fn count_subrequest(&mut self) -> Result<(), Failure> {
        if self.meter.take_subrequest(self.limit) {
            Ok(())
        } else {
            Err(Failure::ExceededSubrequests { limit: self.limit })
        }
    }

    fn send(
        &mut self,
        request: http::Request<Body>,
        options: Option<RequestOptions>,
    ) -> BoxFuture<'static, Result<http::Response<Body>, BodyError>> {
        if let Err(failure) = self.count_subrequest() {
            return Box::pin(async move { Err(BodyError::InternalError(Some(failure.to_string()))) });
        }
        self.host.outbound(OutboundRequest {
            request,
            connect_timeout: options.as_ref().and_then(|o| o.connect_timeout),
            first_byte_timeout: options.as_ref().and_then(|o| o.first_byte_timeout),
            between_bytes_timeout: options.as_ref().and_then(|o| o.between_bytes_timeout),
        })
    }
}

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _done: Box<dyn Future<Output = Result<(), BodyError>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let response = self.send(request, options);
        Box::new(async move {
            let io: Io = Box::new(async { Ok(()) });
            Ok((response.await?, io))
        })
    }
}
