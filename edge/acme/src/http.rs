//! Requests to an authority: over the platform's own connections, within its bounds.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ::http::{Request, Response};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use wasmyard_model::egress::{BadHost, Host};
use wasmyard_net::{Client, Judge, Network, Waits};

use crate::waits;

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
}

impl Requests {
    pub(crate) fn over(network: &Network) -> Self {
        Self { client: Arc::new(network.client(Named, MOST_CONNECTIONS)) }
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
        let (mut head, body) = answered.response.into_parts();
        waits::hear(&mut head.headers, SystemTime::now());
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
