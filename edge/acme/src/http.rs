//! Requests to an authority: over the platform's own connections, within its bounds.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::http::{Request, Response, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use wasmyard_model::egress::{BadHost, Host};
use wasmyard_net::{Client, Judge, Network, Waits};

/// A chain has a few kilobytes; a list of challenges less.
const MOST_BYTES: usize = 1 << 20;
const WAITS: Waits = Waits { connect: Duration::from_secs(10), first_byte: Duration::from_secs(30) };
/// For a body, once its head is there.
const BODY: Duration = Duration::from_secs(20);
/// Requests at once.
const MOST_CONNECTIONS: usize = 16;

/// An operator named the authority: it may be anywhere, in the operator's own network as well.
struct Named;

/// Nothing is denied but what is no host.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct NoHost(#[from] BadHost);

impl Judge for Named {
    type Denied = NoHost;

    fn target(&self, _host: &Host, _port: u16) -> Result<(), NoHost> {
        Ok(())
    }

    fn address(
        &self,
        _host: &Host,
        address: IpAddr,
        _port: u16,
        _is_local: impl Fn(IpAddr) -> bool,
    ) -> Result<IpAddr, NoHost> {
        Ok(address)
    }
}

/// Requests over a network.
#[derive(Clone)]
pub(crate) struct Requests {
    client: Arc<Client<Named, Full<Bytes>>>,
    /// How many seconds to wait, as it was said by the last answer that there were too many requests; 0: not said. It is no
    /// part of what the library hands on.
    wait: Arc<AtomicU64>,
}

impl Requests {
    pub(crate) fn over(network: &Network) -> Self {
        Self { client: Arc::new(network.client(Named, MOST_CONNECTIONS)), wait: Arc::default() }
    }

    /// How long the authority said to wait, since this was asked the last time.
    pub(crate) fn told_to_wait(&self) -> Option<Duration> {
        Some(self.wait.swap(0, Ordering::Relaxed)).filter(|seconds| *seconds > 0).map(Duration::from_secs)
    }

    async fn send(&self, request: Request<BodyWrapper<Bytes>>) -> Result<Response<Full<Bytes>>, Error> {
        let (head, body) = request.into_parts();
        let body = match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(never) => match never {},
        };
        self.fetch(Request::from_parts(head, Full::new(body))).await
    }

    /// Sends a request that is not signed.
    pub(crate) async fn fetch(&self, request: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, Error> {
        let answered = self.client.send(request, WAITS).await;
        let answered = answered.map_err(|error| Error::Other(error.told::<Named>().into()))?;
        let (head, body) = answered.response.into_parts();
        if matches!(head.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            let said = head.headers.get(header::RETRY_AFTER).and_then(|said| said.to_str().ok());
            let seconds = said.and_then(|said| said.trim().parse().ok()).unwrap_or_default();
            self.wait.store(seconds, Ordering::Relaxed);
        }
        let body = tokio::time::timeout(BODY, Limited::new(body, MOST_BYTES).collect());
        let body =
            body.await.map_err(|_elapsed| Error::Str("the end of the answer"))?.map_err(Error::Other)?;
        Ok(Response::from_parts(head, Full::new(body.to_bytes())))
    }
}

impl HttpClient for Requests {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let requests = self.clone();
        Box::pin(async move { requests.send(request).await.map(BytesResponse::from) })
    }
}
