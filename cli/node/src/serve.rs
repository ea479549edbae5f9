//! A node in production: it serves what is in its data directory and in its configuration.

use std::net::SocketAddr;
use std::pin::Pin;

use tokio::signal::unix::SignalKind;
use wasmyard_namespaces::Health;

use crate::config::ResolvedConfig;
use crate::error::StartError;
use crate::node::{Node, Readiness};
use crate::stop::{self, Stop};
use crate::storage::{Kept, Storage};
use crate::{apply, node, reload, tls};

/// A node that has all that it is to serve, and whose ports are open.
pub struct Serving {
    node: Node,
    kept: Kept,
    stop: Stop,
    reloading: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Serving {
    /// Opens the ports, and brings what the configuration declares into the registry. Signals are caught when it
    /// returns: SIGTERM and SIGINT to stop, SIGHUP to take a changed file over.
    ///
    /// # Errors
    /// Why it cannot serve, or cannot take the configuration over.
    pub async fn start(storage: Storage, config: ResolvedConfig) -> Result<Self, StartError> {
        let Storage { registry, kept, key, .. } = storage;
        let (capacity, warnings) = node::capacity(&config)?;
        tracing::info!(guest_memory_bytes = capacity.guest_memory, "{}", capacity.shown);
        warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        let (certificates, encrypting) = tls::certificates(&config, key).await?.unzip();
        let egress = config.egress.clone();
        let node = Node::start(&config, &capacity, registry, kept.clone(), egress, encrypting, None)?;
        warn_of_open_api(config.server.api_listen);
        let refused = apply::everything(&node.control, &config).await;
        if node.control.registry().health() == Health::NoSpace {
            // What cannot be applied for lack of room does not keep a start from serving what is there.
            refused
                .iter()
                .for_each(|refusal| tracing::error!("{refusal}; what was deployed before is served"));
        } else if !refused.is_empty() {
            return Err(StartError::failed(refused.join("\n")));
        }
        // Before anybody knows where it listens: whoever does may stop it at once, and it ends cleanly all the same.
        let stop = stop::at([SignalKind::terminate(), SignalKind::interrupt()]);
        let reloading =
            Box::pin(reload::on_hangup(node.control.clone(), certificates, config.source, config.server));
        Ok(Self { node, kept, stop, reloading })
    }

    /// Where it listens, by the name of each port.
    pub fn addresses(&self) -> Vec<(&'static str, SocketAddr)> {
        self.node.addresses()
    }

    /// Serves until it is told to stop.
    pub async fn run(self) {
        let registry = self.node.control.registry().clone();
        let reloading = tokio::spawn(self.reloading);
        self.node.run(self.stop, Readiness::AtOnce).await;
        reloading.abort();
        registry.close().await;
        self.kept.close().await;
    }
}

/// The API has no TLS of its own, and its figures ask for no token.
fn warn_of_open_api(listen: SocketAddr) {
    if !listen.ip().is_loopback() {
        tracing::warn!(
            %listen,
            "the API can be reached from other machines in clear text, tokens among it, and /metrics without a token: have a \
             proxy that ends TLS in front of it and `api_listen` on 127.0.0.1, or let nobody else reach that port"
        );
    }
}
