//! How many connections there may be, in all and of one client. Several ports of the same visitors share them: who has
//! as many as one may have gets no more by asking at another door.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::clients::Clients;
use crate::config::ListenerConfig;

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
