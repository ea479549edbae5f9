//! Where guests may send requests: pure judgement of hosts, ports and addresses. Resolves nothing and opens
//! nothing; whoever connects asks here first, and connects to what was judged and to nothing else.
//!
//! The rules, in order: a host must be wanted and not refused, a port must be open, and every address behind
//! the host must be public, unless the operator opened it by name.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use wasmyard_namespaces::Hostname;
use wasmyard_runtime::BodyError;

use super::address::{self, Kind, METADATA_NAMES};
use super::host::{BadHost, Host};

/// What an operator writes to name hosts: `*`, `*.example.com` (one or more labels in front),
/// `example.com`, an address, or a network such as `10.1.0.0/16`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostRule {
    /// Every host.
    Any,
    /// Every host below this one, not itself.
    Below(Hostname),
    /// This name.
    Name(Hostname),
    /// Every address of this network.
    Net(IpNet),
}

/// A text that names no hosts. Safe to show.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostRuleError {
    /// Neither a name nor an address nor a network.
    #[error("{0}")]
    Rule(&'static str),
}

/// Where guests may send requests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// The hosts that requests may go to. None: every host. Some, and empty: nothing goes out.
    pub allow_hosts: Option<Vec<HostRule>>,
    /// Hosts that no request goes to, whatever else is allowed. A network refuses names that lead into it.
    pub deny_hosts: Vec<HostRule>,
    /// Addresses that are not public and may be reached all the same: networks, or names whose addresses may
    /// be the operator's own. Cloud metadata is opened by its very address only.
    pub allow_private: Vec<HostRule>,
    /// The ports that may be reached. None: every port but those of mail.
    pub ports: Option<Vec<u16>>,
    /// The platform's own ports: never reached on an address of this machine.
    pub own_ports: Vec<u16>,
}

/// Why a request does not go out, for the operator's log. Guests get the error code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denied {
    #[error("the host is not understood: {0}")]
    Host(#[from] BadHost),
    #[error("deny_hosts names {0}")]
    RefusedHost(String),
    #[error("allow_hosts does not name {0}")]
    NotAllowedHost(String),
    #[error("port {0} is not open")]
    Port(u16),
    #[error("{0} is a name for cloud metadata")]
    MetadataName(String),
    #[error("{host} is at {address}, which is a {kind} address")]
    Address { host: String, address: IpAddr, kind: Kind },
    #[error("{host} is at {address}, in a network that deny_hosts names")]
    RefusedAddress { host: String, address: IpAddr },
    #[error("{address} port {port} is the platform itself")]
    Own { address: IpAddr, port: u16 },
}

impl Denied {
    /// What the guest is told: which rule, and nothing about networks behind it.
    pub(crate) fn code(&self) -> BodyError {
        match self {
            Self::Host(_) => BodyError::HttpRequestUriInvalid,
            Self::RefusedHost(_) | Self::NotAllowedHost(_) | Self::Port(_) => BodyError::HttpRequestDenied,
            Self::MetadataName(_) | Self::Address { .. } | Self::RefusedAddress { .. } | Self::Own { .. } => {
                BodyError::DestinationIpProhibited
            }
        }
    }
}

impl Policy {
    /// Opens this machine's loopback addresses: for development.
    pub fn allow_loopback(&mut self) {
        self.allow_private.extend(LOOPBACK.map(HostRule::Net));
    }

    /// Judges what can be judged before any name is resolved.
    pub(crate) fn judge_target(&self, host: &Host, port: u16) -> Result<(), Denied> {
        if self.deny_hosts.iter().any(|rule| rule.takes(host)) {
            return Err(Denied::RefusedHost(host.to_string()));
        }
        if let Some(allowed) = &self.allow_hosts
            && !allowed.iter().any(|rule| rule.takes(host))
        {
            return Err(Denied::NotAllowedHost(host.to_string()));
        }
        let open = match &self.ports {
            Some(ports) => ports.contains(&port),
            None => !MAIL_PORTS.contains(&port),
        };
        if !open || port == 0 {
            return Err(Denied::Port(port));
        }
        match host {
            Host::Name(name) if METADATA_NAMES.contains(&name.as_str()) && !self.opens_by_name(name) => {
                Err(Denied::MetadataName(name.clone()))
            }
            Host::Name(_) | Host::Address(_) => Ok(()),
        }
    }

    /// Judges one address behind a host, and returns it in the form to connect to. `is_local` says whether
    /// an address is one of this machine's.
    pub(crate) fn judge_address(
        &self,
        host: &Host,
        address: IpAddr,
        port: u16,
        is_local: impl Fn(IpAddr) -> bool,
    ) -> Result<IpAddr, Denied> {
        let address = address::undressed(address);
        let kind = address::kind(address);
        let translated = address::translated(address).unwrap_or(address);
        if self.deny_hosts.iter().any(|rule| rule.holds(address) || rule.holds(translated)) {
            return Err(Denied::RefusedAddress { host: host.to_string(), address });
        }
        if kind != Kind::Global && !self.opens(host, address, kind) {
            return Err(Denied::Address { host: host.to_string(), address, kind });
        }
        if self.own_ports.contains(&port) && is_local(address) {
            return Err(Denied::Own { address, port });
        }
        Ok(address)
    }

    /// Whether the operator opened an address that is not public.
    fn opens(&self, host: &Host, address: IpAddr, kind: Kind) -> bool {
        self.allow_private.iter().any(|rule| match rule {
            HostRule::Net(net) if kind == Kind::Metadata => address::is_exactly(net, address),
            HostRule::Net(_) => rule.holds(address),
            HostRule::Any | HostRule::Below(_) | HostRule::Name(_) => {
                kind.is_a_network_of_ones_own() && rule.takes(host)
            }
        })
    }

    fn opens_by_name(&self, name: &str) -> bool {
        self.allow_private
            .iter()
            .any(|rule| matches!(rule, HostRule::Name(allowed) if allowed.as_str() == name))
    }
}

impl HostRule {
    /// Whether it names this host as it stands in the URL.
    fn takes(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Any, _) => true,
            (Self::Net(_), Host::Address(address)) => self.holds(*address),
            (Self::Name(wanted), Host::Name(name)) => wanted.as_str() == name,
            (Self::Below(suffix), Host::Name(name)) => name
                .strip_suffix(suffix.as_str())
                .and_then(|front| front.strip_suffix('.'))
                .is_some_and(|front| !front.is_empty()),
            (Self::Net(_), Host::Name(_)) | (Self::Name(_) | Self::Below(_), Host::Address(_)) => false,
        }
    }

    /// Whether it is a network that holds this address.
    fn holds(&self, address: IpAddr) -> bool {
        matches!(self, Self::Net(net) if net.contains(&address))
    }
}

impl FromStr for HostRule {
    type Err = HostRuleError;

    fn from_str(text: &str) -> Result<Self, HostRuleError> {
        let rule = |rule| Err(HostRuleError::Rule(rule));
        if text == "*" {
            return Ok(Self::Any);
        }
        if text.contains('/') && !text.contains("://") {
            return match text.parse::<IpNet>() {
                Ok(net) => Ok(Self::Net(undressed(net.trunc()))),
                Err(_) => rule("a network is written like 10.1.0.0/16 or fd00:1::/32"),
            };
        }
        let (below, name) = match text.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, text),
        };
        if name.contains('*') {
            return rule("'*' may stand alone or as the whole first label, as in *.example.com");
        }
        let Ok(name) = Hostname::parse(name) else {
            return rule("expected a host, *.host, an address or a network, without scheme, port and path");
        };
        match Host::parse(name.as_str()) {
            Ok(Host::Address(_)) if below => rule("an address has no labels for '*' to match"),
            Ok(Host::Address(address)) => Ok(Self::Net(IpNet::from(address))),
            Ok(Host::Name(_)) if below => Ok(Self::Below(name)),
            Ok(Host::Name(_)) => Ok(Self::Name(name)),
            Err(_) => rule("expected a host, *.host, an address or a network"),
        }
    }
}

impl fmt::Display for HostRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Below(suffix) => write!(f, "*.{suffix}"),
            Self::Name(name) => write!(f, "{name}"),
            Self::Net(net) => write!(f, "{net}"),
        }
    }
}

/// Addresses are judged as IPv4 where they are IPv4, so a network of dressed ones is one of IPv4.
fn undressed(net: IpNet) -> IpNet {
    const DRESS_BITS: u8 = 96;
    match (address::undressed(net.addr()), net) {
        (IpAddr::V4(plain), IpNet::V6(dressed)) if dressed.prefix_len() >= DRESS_BITS => {
            ipnet::Ipv4Net::new(plain, dressed.prefix_len() - DRESS_BITS).map_or(net, IpNet::V4)
        }
        _ => net,
    }
}

const LOOPBACK: [IpNet; 2] = [
    IpNet::V4(ipnet::Ipv4Net::new_assert(std::net::Ipv4Addr::new(127, 0, 0, 0), 8)),
    IpNet::V6(ipnet::Ipv6Net::new_assert(std::net::Ipv6Addr::LOCALHOST, 128)),
];

/// Ports on which mail is sent or read: a platform that lets these out is soon on every block list.
const MAIL_PORTS: [u16; 13] = [24, 25, 26, 109, 110, 143, 220, 465, 587, 993, 995, 2525, 4190];

#[cfg(test)]
mod tests;
