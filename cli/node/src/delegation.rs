//! The name server of delegated validation: what it knows, and that it runs.

use std::net::SocketAddr;
use std::sync::Arc;

use wasmyard_delegation::{DelegatedZone, DelegationFigures, Ports, Texts, serve};
use wasmyard_namespaces::Registry;

use crate::config::DcvConfig;
use crate::error::StartError;

/// What hostnames wait with.
struct Waiting(Registry);

impl Texts for Waiting {
    fn texts(&self, label: &str, host: &str) -> Vec<String> {
        self.0.delegated_texts(label, host)
    }
}

/// One whose ports are open and not yet served.
pub(crate) struct Delegation {
    ports: Ports,
    zone: DelegatedZone,
    figures: DelegationFigures,
}

impl Delegation {
    /// Opens the ports.
    pub(crate) fn open(
        config: &DcvConfig,
        registry: Registry,
        figures: &prometheus::Registry,
    ) -> Result<Delegation, StartError> {
        let failed = StartError::failed;
        let zone = DelegatedZone::new(&config.suffix, &config.name_server, Arc::new(Waiting(registry)));
        let figures = DelegationFigures::new(figures).map_err(|error| failed(error.to_string()))?;
        let ports = Ports::open(config.listen).map_err(|error| {
            StartError::with_remedy(
                format!("cannot listen on {} (dcv.listen): {error}", config.listen),
                "choose another address with `listen` under [dcv]; what forwards port 53 to it will do, and so will an address \
                 of its own where the machine's resolver has port 53 on 127.0.0.53",
            )
        })?;
        Ok(Delegation { ports, zone: zone.map_err(failed)?, figures })
    }

    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.ports.address().ok()
    }

    /// Answers until it is dropped.
    pub(crate) async fn run(self) {
        serve(self.ports, self.zone, self.figures).await;
    }
}
