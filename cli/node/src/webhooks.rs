//! Sends notifications: over a network of its own, to what may be reached, and what waits as it is due.
//!
//! Owns the bounds on what is sent and on what comes back, and which addresses may be reached: whoever has a token of the
//! API names them, so that they are judged like everything that strangers name. Must never follow a redirect.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, header};
use http_body_util::Full;
use ipnet::IpNet;
use wasmyard_control::{Control, Courier};
use wasmyard_namespaces::Secret;
use wasmyard_namespaces::egress::{BadHost, Host};
use wasmyard_namespaces::registry::WEBHOOK_DELIVERY;
use wasmyard_net::address::{self, Kind};
use wasmyard_net::{Client, Judge, NameServers, Network, NetworkConfig, NetworkFigures, Waits, trusted};

use crate::config::{ResolvedConfig, WebhooksConfig};

/// The field that carries the secret, under the name that receivers know.
const SECRET: HeaderName = HeaderName::from_static("cf-webhook-auth");
const USER_AGENT: &str = "Wasmyard Webhooks";
const WAITS: Waits = Waits { connect: Duration::from_secs(5), first_byte: Duration::from_secs(10) };
/// How long a name server may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many are sent at once.
const MOST_CONNECTIONS: usize = 16;

/// What may be reached.
struct Destinations {
    ports: Vec<u16>,
    opened: Vec<IpNet>,
    /// The node's own ports: never, on an address of this machine.
    own_ports: Vec<u16>,
}

/// Why a destination may not be reached.
#[derive(Debug, thiserror::Error)]
enum Denied {
    #[error("the host is not understood: {0}")]
    Host(#[from] BadHost),
    #[error("port {0} is not open to webhooks; `ports` under [webhooks] says which are")]
    Port(u16),
    #[error("its address is a {0} one; `allow_private` under [webhooks] opens such")]
    Address(Kind),
    #[error("that is this server itself")]
    Own,
}

impl Judge for Destinations {
    type Denied = Denied;

    fn target(&self, _: &Host, port: u16) -> Result<(), Denied> {
        if self.ports.contains(&port) { Ok(()) } else { Err(Denied::Port(port)) }
    }

    fn address(
        &self,
        _: &Host,
        address: IpAddr,
        port: u16,
        is_local: impl Fn(IpAddr) -> bool,
    ) -> Result<IpAddr, Denied> {
        let meant = address::meant(address);
        if self.own_ports.contains(&port) && is_local(meant) {
            return Err(Denied::Own);
        }
        match address::closed(meant, &self.opened) {
            None => Ok(address::undressed(address)),
            Some(kind) => Err(Denied::Address(kind)),
        }
    }
}

/// Brings notifications to where they go.
pub(crate) struct Webhooks {
    client: Client<Destinations, Full<Bytes>>,
}

impl Webhooks {
    /// Over connections of their own.
    ///
    /// # Errors
    /// When TLS cannot be set up, or a figure has its name twice.
    pub(crate) fn new(
        config: &ResolvedConfig,
        own_ports: Vec<u16>,
        figures: &prometheus::Registry,
    ) -> Result<Webhooks, String> {
        let WebhooksConfig { ports, allow_private } = config.webhooks.clone();
        let egress = &config.egress;
        let figures = NetworkFigures::new(figures, "wasmyard_webhooks").map_err(|error| error.to_string())?;
        let resolver = Arc::new(NameServers::new(&egress.name_servers, PATIENCE));
        let roots = trusted(egress.roots, &egress.extra_roots);
        let network = Network::new(network(), resolver, roots, figures).map_err(|error| error.to_string())?;
        let judge = Destinations { ports, opened: allow_private, own_ports };
        Ok(Webhooks { client: network.client(judge, MOST_CONNECTIONS) })
    }
}

#[async_trait]
impl Courier for Webhooks {
    async fn post(&self, url: &str, secret: Option<&Secret>, body: Bytes) -> Result<(), String> {
        let mut request = Request::post(url)
            .header(header::USER_AGENT, USER_AGENT)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| error.to_string())?;
        if let Some(secret) = secret {
            let mut value = HeaderValue::from_str(secret.expose())
                .map_err(|_| "its secret cannot stand in a header".to_owned())?;
            value.set_sensitive(true);
            request.headers_mut().insert(SECRET, value);
        }
        let answered = self.client.send(request, WAITS).await;
        let answered = answered.map_err(|error| error.told::<Destinations>())?;
        // What else it says matters to nobody, and is not read.
        let status = answered.response.status();
        match (status.is_success(), status.is_redirection()) {
            (true, _) => Ok(()),
            (false, true) => Err(format!("it answers with {status}; redirects are not followed")),
            (false, false) => Err(format!("it answers with {status}")),
        }
    }
}

fn network() -> NetworkConfig {
    NetworkConfig {
        connect_timeout: WAITS.connect,
        tls_timeout: WAITS.connect,
        pool_idle: Duration::from_secs(30),
        pool_connections: 1,
        max_connections: MOST_CONNECTIONS,
        max_connections_per_host: 4,
        max_header_bytes: 16 << 10,
        max_headers: 100,
    }
}

/// Sends what waits as it is due, until it is dropped.
pub(crate) async fn run(control: Control) {
    let registry = control.registry().clone();
    let jobs = registry.jobs().on(WEBHOOK_DELIVERY, move |job| {
        let control = control.clone();
        async move { control.deliver(&job.key).await.into() }
    });
    jobs.run().await;
}
