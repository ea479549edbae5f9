//! Looks after custom hostnames: has each checked when its check is due, and says what checks look with.
//!
//! Owns no rule of them. A check is a job: it survives a restart, and one of several nodes makes it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use wasmyard_control::{Control, Lookout};
use wasmyard_hostnames::uploads::Trust;
use wasmyard_namespaces::registry::{Done, HOSTNAME_CHECK, hostname_of_check};
use wasmyard_net::{ExtraRoots, NameServers, Network, NetworkConfig, NetworkFigures, Roots, trusted};
use wasmyard_ownership::dns::{self, Dns};
use wasmyard_ownership::{Anchors, NameServer, Tokens};

use crate::config::HostnamesConfig;

/// How long a name server may take, and how often it is asked.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the checks of a node look with.
///
/// # Errors
/// When TLS cannot be set up, or a figure has its name twice.
pub(crate) fn lookout(config: &HostnamesConfig, figures: &prometheus::Registry) -> Result<Lookout, String> {
    let addresses: Vec<SocketAddr> =
        if config.name_servers.is_empty() { dns::of_this_machine() } else { config.name_servers.clone() };
    let mut servers: Vec<Arc<dyn Dns>> = Vec::with_capacity(addresses.len());
    let anchors = match &config.trust_anchors {
        Some(path) => Anchors::from_file(path).map_err(|error| format!("{}: {error}", path.display()))?,
        None => Anchors::default(),
    };
    for address in &addresses {
        servers.push(Arc::new(NameServer::validating(*address, PATIENCE, config.dnssec, &anchors)?));
    }
    let figures =
        NetworkFigures::new(figures, "wasmyard_hostname_checks").map_err(|error| error.to_string())?;
    let resolver = Arc::new(NameServers::new(&config.name_servers, PATIENCE));
    // Tokens come over plain HTTP: nobody is believed.
    let roots = trusted(Roots::None, &ExtraRoots::default());
    let network = Network::new(network(), resolver, roots, figures).map_err(|error| error.to_string())?;
    let web = Arc::new(Tokens::over(&network, config.allow_private.clone()));
    Ok(Lookout { servers, web, apex: config.apex_addresses.clone() })
}

/// Whose certificates customers may bring: what browsers believe, whatever this machine does, and what the operator names.
pub(crate) fn trust(config: &HostnamesConfig) -> Trust {
    Trust::new(trusted(Roots::Bundled, &config.certificate_roots))
}

fn network() -> NetworkConfig {
    NetworkConfig {
        connect_timeout: Duration::from_secs(5),
        tls_timeout: Duration::from_secs(5),
        pool_idle: Duration::from_secs(1),
        pool_connections: 1,
        max_connections: 32,
        max_connections_per_host: 4,
        max_header_bytes: 16 << 10,
        max_headers: 100,
    }
}

/// Makes the checks that are due, as they come, until it is dropped.
pub(crate) async fn run(control: Control, lookout: Arc<Lookout>) {
    check_blocked(&control).await;
    let registry = control.registry().clone();
    let jobs = registry.jobs().on(HOSTNAME_CHECK, move |job| {
        let (control, lookout) = (control.clone(), Arc::clone(&lookout));
        async move {
            let Some((zone, id)) = hostname_of_check(&job.key) else {
                return Done::Failed(format!("{:?} names no custom hostname", job.key));
            };
            control.check_hostname(&zone, &id, &lookout).await.into()
        }
    });
    jobs.run().await;
}

/// Has names be checked that are served and blocked: what the operator blocked since is served no longer than a check takes.
pub(crate) async fn check_blocked(control: &Control) {
    match control.check_blocked_names().await {
        Ok(0) => {}
        Ok(count) => tracing::warn!(count, "names are served that are blocked; they are checked now"),
        Err(error) => tracing::error!(%error, "whether blocked names are served is not known"),
    }
}
