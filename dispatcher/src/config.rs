//! What the data plane is made from: typed values with their units. Where they come from is not its concern.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use wasmyard_listener::tls::Asking;
use wasmyard_namespaces::limits::Limits;
use wasmyard_runtime::Services;

use crate::admission::AdmissionConfig;
use crate::answer::origin::OriginsConfig;
use crate::broken::Broken;
use crate::https::HttpsConfig;
use crate::remote::Remote;

/// Sizes and limits of the dispatcher.
#[derive(Debug, Clone)]
pub struct DispatcherConfig {
    /// What holds for every invocation unless something tighter applies.
    pub limits: Limits,
    /// How many invocations may be under way at once.
    pub admission: AdmissionConfig,
    /// How many versions of scripts are kept ready; each is small beside its compiled code.
    pub ready_workers: u64,
    /// How long a request waits for code that is being compiled, before it is told to come again.
    pub ready_wait: Duration,
    /// How much memory static files may take; as much again may be taken by what is known of them.
    pub asset_memory_bytes: u64,
    /// The longest pause of a visitor's request body.
    pub body_idle: Duration,
    /// How requests go to servers outside that visitors ask for by names of zones.
    pub origins: OriginsConfig,
    /// What connections have to be.
    pub https: HttpsConfig,
    /// Which hosts require certificates of clients; none where visitors are not served over TLS.
    pub asking: Option<Arc<Asking>>,
    /// The ports that visitors reach the platform by, beside 80 and 443. A script's request to a host of the
    /// platform goes inside on these; on another port it is meant for something else, and goes to egress.
    pub served_ports: Vec<u16>,
    /// What stands behind the bindings of scripts on this node.
    pub services: Services,
    /// Who is told of versions that break the rule of their deployment; none where nobody would roll them back.
    pub broken: Option<mpsc::Sender<Broken>>,
    /// Where bindings lead whose namespaces are another server's; none: all are here.
    pub remote: Option<Arc<dyn Remote>>,
}

impl Default for DispatcherConfig {
    fn default() -> Self {
        Self {
            limits: Limits::DEFAULT,
            admission: AdmissionConfig::for_invocations(1_000),
            ready_workers: 100_000,
            ready_wait: Duration::from_millis(500),
            asset_memory_bytes: 64 << 20,
            body_idle: Duration::from_secs(30),
            origins: OriginsConfig::default(),
            https: HttpsConfig::default(),
            asking: None,
            served_ports: Vec::new(),
            services: Services::default(),
            broken: None,
            remote: None,
        }
    }
}
