//! The port on which clients of the S3 protocol are answered, if there is one.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use http::{Request, Response};
use tokio::net::TcpListener;
use wasmyard_listener::{Client, Figures, Handler, ListenerConfig, Places, Plain, Received};
use wasmyard_s3::Gateway;

use crate::error::StartError;
use crate::ports::bind;

/// The open port, and who answers on it.
pub(crate) struct S3Port {
    listener: TcpListener,
    gateway: Gateway,
    figures: Figures,
}

impl S3Port {
    /// Opens the port.
    pub(crate) fn open(
        address: SocketAddr,
        gateway: Gateway,
        registry: &prometheus::Registry,
    ) -> Result<S3Port, StartError> {
        let listener = bind(address, "s3_listen")?;
        let figures = Figures::new(registry, "wasmyard_s3", "clients of the S3 protocol");
        let figures = figures.map_err(|error| StartError::failed(error.to_string()))?;
        Ok(S3Port { listener, gateway, figures })
    }

    /// Where it is.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    /// Answers until `stop`, and drains.
    pub(crate) async fn run(self, config: ListenerConfig, stop: impl Future<Output = ()>) {
        let S3Port { listener, gateway, figures } = self;
        let places = Places::new(&config, 1);
        wasmyard_listener::serve(listener, Plain, Arc::new(Answers(gateway)), config, places, figures, stop)
            .await;
    }
}

struct Answers(Gateway);

impl Handler for Answers {
    type Body = Body;

    async fn answer(&self, request: Request<Received>, client: Client) -> Response<Body> {
        self.0.answer(request.map(Body::new), Some(&client)).await
    }
}
