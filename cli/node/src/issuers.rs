//! Certificates of authorities: whom they are asked of, and the jobs that bring them.
//!
//! Owns no rule of them. A step of an order is a job: it survives a restart, and one of several nodes makes it.

use std::sync::Arc;
use std::time::Duration;

use wasmyard_acme::{Authorities, Authority};
use wasmyard_control::{Control, Issuers, Lookout};
use wasmyard_hostnames::certificates::CertificateStore;
use wasmyard_namespaces::registry::{CERTIFICATE_ORDER, Done, hostname_of_check};
use wasmyard_net::{NameServers, Network, NetworkConfig, NetworkFigures, Roots, trusted};

use crate::config::ResolvedConfig;
use crate::error::StartError;

/// How long a name server may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The authorities of a configuration; none where it names none.
///
/// # Errors
/// When TLS cannot be set up, or a figure has its name twice.
fn of(
    config: &ResolvedConfig,
    store: &Arc<CertificateStore>,
    figures: &prometheus::Registry,
) -> Result<Option<Issuers>, String> {
    if config.certificates.authorities.is_empty() {
        return Ok(None);
    }
    let figures = NetworkFigures::new(figures, "wasmyard_authorities").map_err(|error| error.to_string())?;
    let resolver = Arc::new(NameServers::new(&config.egress.name_servers, PATIENCE));
    let mut issuers: Vec<(_, Arc<dyn Authorities>)> = Vec::new();
    for (name, authority, roots) in &config.certificates.authorities {
        let roots = trusted(Roots::System, roots);
        let network = Network::new(network(), Arc::clone(&resolver) as _, roots, figures.clone());
        let network = network.map_err(|error| error.to_string())?;
        let authority = Authority::new(authority.clone(), &network, Arc::clone(store));
        issuers.push((*name, Arc::new(authority)));
    }
    let paces = config.certificates.orders_per_hour.iter();
    let issuers =
        paces.fold(Issuers::new(issuers), |issuers, (name, most)| issuers.with_orders_per_hour(*name, *most));
    Ok(Some(issuers.in_handshakes(config.certificates.in_handshakes)))
}

/// The use cases over a store of certificates, with the authorities of a configuration, and the names that it blocks.
pub(crate) fn with_certificates(
    control: Control,
    store: Option<Arc<CertificateStore>>,
    config: &ResolvedConfig,
    figures: &prometheus::Registry,
) -> Result<Control, StartError> {
    let control = control.with_blocked_names(config.hostnames.blocked.clone());
    let Some(store) = store else { return Ok(control) };
    let issuers = of(config, &store, figures).map_err(StartError::failed)?;
    let control = control.with_certificates(store).with_trust(crate::hostnames::trust(&config.hostnames));
    Ok(match issuers {
        Some(issuers) => {
            control.with_issuers(issuers).with_certificates_per_minute(config.certificates.per_minute)
        }
        None => control,
    })
}

fn network() -> NetworkConfig {
    NetworkConfig {
        connect_timeout: Duration::from_secs(10),
        tls_timeout: Duration::from_secs(10),
        pool_idle: Duration::from_secs(30),
        pool_connections: 4,
        max_connections: 32,
        max_connections_per_host: 16,
        max_header_bytes: 16 << 10,
        max_headers: 100,
    }
}

/// Makes the steps that are due, as they come, until it is dropped.
pub(crate) async fn run(control: Control, lookout: Arc<Lookout>) {
    let registry = control.registry().clone();
    let jobs = registry.jobs().on(CERTIFICATE_ORDER, move |job| {
        let (control, lookout) = (control.clone(), Arc::clone(&lookout));
        async move {
            let Some((zone, id)) = hostname_of_check(&job.key) else { return Done::Finished };
            control.issue(&zone, &id, &lookout).await.into()
        }
    });
    jobs.run().await;
}
