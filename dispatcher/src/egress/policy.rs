//! Where guests may send requests: pure judgement of hosts, ports and addresses. Resolves nothing and opens
//! nothing; whoever connects asks here first, and connects to what was judged and to nothing else.
//!
//! The rules, in order: a host must be wanted and not refused, a port must be open, and every address behind
//! the host must be public, unless the operator opened it by name. A namespace's rules come after the
//! platform's and can only narrow them.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use wasmyard_namespaces::egress::{BadHost, EgressRules, Host, HostRule};
use wasmyard_net::Judge;
use wasmyard_net::address::{self, Kind, METADATA_NAMES};
use wasmyard_runtime::BodyError;

/// Where guests may send requests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// The hosts that requests may go to. None: every host. Some, and empty: nothing goes out.
    pub allow_hosts: Option<Vec<HostRule>>,
    /// Hosts that no request goes to, whatever else is allowed. A network refuses names that lead into it.
    pub deny_hosts: Vec<HostRule>,
    /// Addresses that are not public and may be reached all the same: networks, or names whose addresses may
    /// be the operator's own. Cloud metadata is opened by its very address only. The platform's own scripts
    /// reach them; those of a namespace if its rules name them, too.
    pub allow_private: Vec<HostRule>,
    /// What of these the scripts of every namespace reach, whatever its rules: for development.
    pub open_to_namespaces: Vec<HostRule>,
    /// The ports that may be reached. None: every port but those of mail.
    pub ports: Option<Vec<u16>>,
    /// The platform's own ports: never reached on an address of this machine.
    pub own_ports: Vec<u16>,
}

/// What holds for one sender: the platform's rules, and, where a namespace's scripts send, the namespace's
/// within those. Whatever either refuses is refused.
pub(crate) struct GuestJudge {
    platform: Arc<Policy>,
    namespace: Option<Arc<EgressRules>>,
}

/// Who made a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    Platform,
    Namespace,
}

/// Why a request does not go out, for the operator's log. Guests get the error code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denied {
    #[error("the host is not understood: {0}")]
    Host(#[from] BadHost),
    #[error("deny_hosts of {0} names {1}")]
    RefusedHost(Whose, String),
    #[error("allow_hosts of {0} does not name {1}")]
    NotAllowedHost(Whose, String),
    #[error("port {1} is not open by the rules of {0}")]
    Port(Whose, u16),
    #[error("{0} is a name for cloud metadata")]
    MetadataName(String),
    #[error("{host} is at {address}, which is a {kind} address that allow_private of {whose} does not open")]
    Address { whose: Whose, host: String, address: IpAddr, kind: Kind },
    #[error("{host} is at {address}, in a network that deny_hosts of {whose} names")]
    RefusedAddress { whose: Whose, host: String, address: IpAddr },
    #[error("{address} port {port} is the platform itself")]
    Own { address: IpAddr, port: u16 },
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Platform => "the platform",
            Self::Namespace => "the namespace",
        })
    }
}

impl Denied {
    /// All that [`Denied::rule`] says.
    pub(crate) const RULES: [&'static str; 6] = ["url", "host", "port", "metadata", "address", "platform"];

    /// Which kind of rule refused, as a label of figures.
    pub(crate) fn rule(&self) -> &'static str {
        match self {
            Self::Host(_) => "url",
            Self::RefusedHost(..) | Self::NotAllowedHost(..) | Self::RefusedAddress { .. } => "host",
            Self::Port(..) => "port",
            Self::MetadataName(_) | Self::Address { kind: Kind::Metadata, .. } => "metadata",
            Self::Address { .. } => "address",
            Self::Own { .. } => "platform",
        }
    }

    /// What the guest is told: which rule, and nothing about networks behind it.
    pub(crate) fn code(&self) -> BodyError {
        match self {
            Self::Host(_) => BodyError::HttpRequestUriInvalid,
            Self::RefusedHost(..) | Self::NotAllowedHost(..) | Self::Port(..) => BodyError::HttpRequestDenied,
            Self::MetadataName(_) | Self::Address { .. } | Self::RefusedAddress { .. } | Self::Own { .. } => {
                BodyError::DestinationIpProhibited
            }
        }
    }
}

impl GuestJudge {
    pub(crate) fn new(platform: Arc<Policy>, namespace: Option<Arc<EgressRules>>) -> Self {
        Self { platform, namespace }
    }
}

impl Judge for GuestJudge {
    type Denied = Denied;

    fn target(&self, host: &Host, port: u16) -> Result<(), Denied> {
        self.platform.judge_target(host, port)?;
        let Some(rules) = &self.namespace else { return Ok(()) };
        hosts(Whose::Namespace, rules.allow_hosts.as_deref(), &rules.deny_hosts, host)?;
        match &rules.ports {
            Some(ports) if !ports.contains(&port) => Err(Denied::Port(Whose::Namespace, port)),
            Some(_) | None => Ok(()),
        }
    }

    fn address(
        &self,
        host: &Host,
        address: IpAddr,
        port: u16,
        is_local: impl Fn(IpAddr) -> bool,
    ) -> Result<IpAddr, Denied> {
        let judged = self.platform.judge_address(host, address, port, is_local)?;
        let Some(rules) = &self.namespace else { return Ok(judged) };
        not_refused(Whose::Namespace, &rules.deny_hosts, host, judged)?;
        let kind = address::kind(judged);
        // The platform opened it for whoever may go there, which its own scripts may; others are told apart.
        let opened = |list: &[HostRule]| opens(list, host, judged, kind);
        if kind == Kind::Global || opened(&rules.allow_private) || opened(&self.platform.open_to_namespaces) {
            return Ok(judged);
        }
        Err(Denied::Address { whose: Whose::Namespace, host: host.to_string(), address: judged, kind })
    }
}

impl Policy {
    /// Opens this machine's loopback addresses to everybody: for development.
    pub fn allow_loopback(&mut self) {
        for list in [&mut self.allow_private, &mut self.open_to_namespaces] {
            list.extend(LOOPBACK.map(HostRule::Net));
        }
    }

    pub(crate) fn judge_target(&self, host: &Host, port: u16) -> Result<(), Denied> {
        hosts(Whose::Platform, self.allow_hosts.as_deref(), &self.deny_hosts, host)?;
        let open = match &self.ports {
            Some(ports) => ports.contains(&port),
            None => !MAIL_PORTS.contains(&port),
        };
        if !open || port == 0 {
            return Err(Denied::Port(Whose::Platform, port));
        }
        match host {
            Host::Name(name) if METADATA_NAMES.contains(&name.as_str()) && !self.opens_by_name(name) => {
                Err(Denied::MetadataName(name.clone()))
            }
            Host::Name(_) | Host::Address(_) => Ok(()),
        }
    }

    pub(crate) fn judge_address(
        &self,
        host: &Host,
        address: IpAddr,
        port: u16,
        is_local: impl Fn(IpAddr) -> bool,
    ) -> Result<IpAddr, Denied> {
        let address = address::undressed(address);
        let kind = address::kind(address);
        not_refused(Whose::Platform, &self.deny_hosts, host, address)?;
        if kind != Kind::Global && !opens(&self.allow_private, host, address, kind) {
            return Err(Denied::Address { whose: Whose::Platform, host: host.to_string(), address, kind });
        }
        // A translator on the way out may lead back here.
        let translated = address::translated(address).unwrap_or(address);
        if self.own_ports.contains(&port) && (is_local(address) || is_local(translated)) {
            return Err(Denied::Own { address, port });
        }
        Ok(address)
    }

    fn opens_by_name(&self, name: &str) -> bool {
        self.allow_private
            .iter()
            .any(|rule| matches!(rule, HostRule::Name(allowed) if allowed.as_str() == name))
    }
}

/// Whether a host is wanted, and not refused, by its name or as the address that it is.
fn hosts(whose: Whose, allowed: Option<&[HostRule]>, denied: &[HostRule], host: &Host) -> Result<(), Denied> {
    if denied.iter().any(|rule| rule.takes(host)) {
        return Err(Denied::RefusedHost(whose, host.to_string()));
    }
    match allowed {
        Some(allowed) if !allowed.iter().any(|rule| rule.takes(host)) => {
            Err(Denied::NotAllowedHost(whose, host.to_string()))
        }
        Some(_) | None => Ok(()),
    }
}

/// Whether the address behind a host is in no network that is denied, and leads to none.
fn not_refused(whose: Whose, denied: &[HostRule], host: &Host, address: IpAddr) -> Result<(), Denied> {
    let translated = address::translated(address).unwrap_or(address);
    if denied.iter().any(|rule| rule.holds(address) || rule.holds(translated)) {
        return Err(Denied::RefusedAddress { whose, host: host.to_string(), address });
    }
    Ok(())
}

/// Whether a list opens an address that is not public.
fn opens(list: &[HostRule], host: &Host, address: IpAddr, kind: Kind) -> bool {
    list.iter().any(|rule| match rule {
        HostRule::Net(net) if kind == Kind::Metadata => address::is_exactly(net, address),
        HostRule::Net(_) => rule.holds(address),
        HostRule::Any | HostRule::Below(_) | HostRule::Name(_) => {
            kind.is_a_network_of_ones_own() && rule.takes(host)
        }
    })
}

const LOOPBACK: [IpNet; 2] = [
    IpNet::V4(ipnet::Ipv4Net::new_assert(std::net::Ipv4Addr::new(127, 0, 0, 0), 8)),
    IpNet::V6(ipnet::Ipv6Net::new_assert(std::net::Ipv6Addr::LOCALHOST, 128)),
];

/// Ports on which mail is sent or read: a platform that lets these out is soon on every block list.
const MAIL_PORTS: [u16; 13] = [24, 25, 26, 109, 110, 143, 220, 465, 587, 993, 995, 2525, 4190];

#[cfg(test)]
mod tests;
