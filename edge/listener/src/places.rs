//! How many connections there may be, in all and of one client. Several ports of the same visitors share them: who has
//! as many as one may have gets no more by asking at another door.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::clients::{ClientPermit, Clients};
use crate::config::ListenerConfig;
use crate::figures::{Figures, Refused};

/// The places of one or several listeners.
#[derive(Debug, Clone)]
pub struct Places {
    pub(crate) connections: Arc<Semaphore>,
    pub(crate) clients: Arc<Clients>,
}

impl Places {
    /// As many as a configuration says, for so many ports. A port that waits for its next connection has a place for it
    /// in hand: it is no place less for the others.
    #[must_use]
    pub fn new(config: &ListenerConfig, ports: usize) -> Self {
        let in_hand = ports.saturating_sub(1);
        Self {
            connections: Arc::new(Semaphore::new(config.max_connections.saturating_add(in_hand))),
            clients: Clients::new(config.max_connections_per_client),
        }
    }
}

/// An open connection: counted, and one of the places that there are.
pub(crate) struct Place {
    figures: Figures,
    _permit: OwnedSemaphorePermit,
    client: Option<ClientPermit>,
}

impl Place {
    pub(crate) fn new(figures: &Figures, permit: OwnedSemaphorePermit) -> Self {
        figures.open.inc();
        figures.accepted.inc();
        Self { figures: figures.clone(), _permit: permit, client: None }
    }

    /// Counts the connection among those of a client, and no longer among those of a proxy, if the client may have one more.
    pub(crate) fn enter(&mut self, clients: &Arc<Clients>, client: IpAddr) -> bool {
        if let Some(permit) = clients.enter(client) {
            self.client = Some(permit);
            return true;
        }
        self.figures.refused(Refused::Client);
        if let Some(most) = clients.is_to_be_told(Instant::now()) {
            tracing::warn!(
                %client,
                most,
                "a client has as many connections as one may have, and more are closed; if it is a proxy in front \
                 of this node, name it in `trusted_proxies`"
            );
        }
        false
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.figures.open.dec();
    }
}
