//! What origins may be: public addresses, and what the operator opened, but never the platform itself.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use wasmyard_namespaces::egress::Host;
use wasmyard_net::{Judge, address};

use super::config::OriginsConfig;
use crate::egress::{Denied, Policy};

/// Judges for the zones of this node.
#[derive(Clone)]
pub(super) struct ZoneJudge(Arc<Rules>);

struct Rules {
    policy: Policy,
    own_addresses: Vec<IpNet>,
}

impl ZoneJudge {
    pub(super) fn new(config: &OriginsConfig) -> Self {
        let (policy, own_addresses) = (config.policy.clone(), config.own_addresses.clone());
        Self(Arc::new(Rules { policy, own_addresses }))
    }
}

/// The ports of visitors, whatever they are on this machine.
const VISITED: [u16; 2] = [80, 443];

impl Judge for ZoneJudge {
    type Denied = Denied;

    fn target(&self, host: &Host, port: u16) -> Result<(), Denied> {
        self.0.policy.judge_target(host, port)
    }

    fn address(
        &self,
        host: &Host,
        address: IpAddr,
        port: u16,
        is_local: impl Fn(IpAddr) -> bool,
    ) -> Result<IpAddr, Denied> {
        let Rules { policy, own_addresses } = &*self.0;
        // First, because whoever leads here is told so, whatever else is wrong with it.
        let meant = address::meant(address);
        let is_visited = VISITED.contains(&port) || policy.own_ports.contains(&port);
        if is_visited && own_addresses.iter().any(|own| own.contains(&meant)) {
            return Err(Denied::Own { address, port });
        }
        policy.judge_address(host, address, port, is_local)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(judge: &ZoneJudge, address: &str, port: u16) -> Result<IpAddr, Denied> {
        let host = Host::Name("origin.saas.test".to_owned());
        judge.target(&host, port)?;
        judge.address(&host, address.parse().unwrap(), port, |address| address.is_loopback())
    }

    #[test]
    fn an_origin_is_public_or_opened_and_never_the_platform() {
        let mut config = OriginsConfig {
            own_addresses: vec!["198.18.7.0/28".parse().unwrap(), "8.8.8.0/24".parse().unwrap()],
            ..OriginsConfig::default()
        };
        config.policy.own_ports = vec![8787];
        let closed = ZoneJudge::new(&config);
        assert!(judged(&closed, "1.1.1.1", 443).is_ok());
        for private in ["10.0.0.1", "127.0.0.1", "169.254.169.254", "::1", "fd00::1", "::ffff:10.0.0.1"] {
            assert!(matches!(judged(&closed, private, 80), Err(Denied::Address { .. })), "{private}");
        }
        for (address, port) in
            [("8.8.8.8", 443), ("8.8.8.8", 80), ("::ffff:8.8.8.8", 8787), ("64:ff9b::808:808", 80)]
        {
            assert!(matches!(judged(&closed, address, port), Err(Denied::Own { .. })), "{address} {port}");
        }
        assert!(judged(&closed, "8.8.8.8", 8443).is_ok(), "something else on the same machine");
        config.policy.allow_private = vec!["127.0.0.0/8".parse().unwrap()];
        let open = ZoneJudge::new(&config);
        assert!(judged(&open, "127.0.0.1", 80).is_ok());
        assert!(matches!(judged(&open, "127.0.0.1", 8787), Err(Denied::Own { .. })));
    }
}
