//! Names to addresses. Bounded in number and time; judges nothing.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures::future::BoxFuture;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;

/// More addresses than this of one name are not looked at.
const MOST_ADDRESSES: usize = 16;

/// Why there are no addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAddress {
    /// There is no such name, or it has no address.
    NotFound,
    /// The name servers did not answer in time.
    Timeout,
    /// They answered with an error, or there are none.
    Failed,
}

/// Finds all addresses of a name.
pub trait Resolve: Send + Sync + 'static {
    /// All addresses, in the order in which they are worth trying.
    fn resolve(&self, name: String) -> BoxFuture<'static, Result<Vec<IpAddr>, NoAddress>>;
}

/// Asks name servers, and the machine's file of hosts before them.
pub struct NameServers {
    resolver: Option<TokioResolver>,
    timeout: Duration,
}

impl NameServers {
    /// Asks these, or, where there are none, those of the machine's configuration. Without one, every look-up
    /// fails; addresses still work.
    #[must_use]
    pub fn new(servers: &[SocketAddr], timeout: Duration) -> Self {
        let builder = if servers.is_empty() {
            TokioResolver::builder_tokio()
        } else {
            let servers = servers.iter().map(named_by).collect();
            let config = ResolverConfig::from_name_servers(servers);
            Ok(TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()))
        };
        let resolver = builder.and_then(|mut builder| {
            let options = builder.options_mut();
            options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
            options.use_hosts_file = ResolveHosts::Always;
            // A name is looked up as it is written: no search domain may turn it into another.
            options.ndots = 0;
            builder.build()
        });
        let resolver = match resolver {
            Ok(resolver) => Some(resolver),
            Err(error) => {
                tracing::warn!(%error, "no name server: only addresses can be reached");
                None
            }
        };
        Self { resolver, timeout }
    }
}

/// A name server that is asked by UDP, and by TCP where an answer is long. Its word that a name is not there is taken.
#[must_use]
pub fn named_by(server: &SocketAddr) -> NameServerConfig {
    let ways = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut way| {
        way.port = server.port();
        way
    });
    NameServerConfig::new(server.ip(), true, ways.into())
}

impl Resolve for NameServers {
    fn resolve(&self, mut name: String) -> BoxFuture<'static, Result<Vec<IpAddr>, NoAddress>> {
        let (resolver, timeout) = (self.resolver.clone(), self.timeout);
        Box::pin(async move {
            let resolver = resolver.ok_or(NoAddress::Failed)?;
            // The dot at the end says that this is the whole name.
            name.push('.');
            match tokio::time::timeout(timeout, resolver.lookup_ip(name)).await {
                Err(_elapsed) => Err(NoAddress::Timeout),
                Ok(Err(error)) if error.is_nx_domain() || error.is_no_records_found() => {
                    Err(NoAddress::NotFound)
                }
                Ok(Err(error)) => {
                    tracing::debug!(%error, "a name could not be resolved");
                    Err(NoAddress::Failed)
                }
                Ok(Ok(found)) => Ok(found.iter().take(MOST_ADDRESSES).collect()),
            }
        })
    }
}
