//! What kind of place an address stands for: the special ranges of IANA's registries, and the forms in
//! which one address carries another. Pure; knows no policy.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// What an address stands for. Only [`Kind::Global`] is the Internet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An address of the Internet.
    Global,
    /// None, which systems take for themselves.
    Unspecified,
    /// The machine itself.
    Loopback,
    /// A network of one's own (RFC 1918).
    Private,
    /// Between a provider and its customers (RFC 6598).
    Shared,
    /// The wire that the machine is at.
    LinkLocal,
    /// A network of one's own in IPv6.
    UniqueLocal,
    /// Many machines.
    Multicast,
    /// All machines of a network.
    Broadcast,
    /// For examples in texts.
    Documentation,
    /// For measuring.
    Benchmarking,
    /// Carries an IPv4 address in a way that leaves to a relay where it leads.
    Tunnel,
    /// For nothing yet.
    Reserved,
    /// Where clouds hand their machines credentials.
    Metadata,
}

impl Kind {
    /// Whether an operator who opens private addresses to one name means this kind, too: networks of
    /// their own, and no address that stands for something other than a machine.
    #[must_use]
    pub fn is_a_network_of_ones_own(self) -> bool {
        match self {
            Self::Loopback | Self::Private | Self::Shared | Self::LinkLocal | Self::UniqueLocal => true,
            Self::Global
            | Self::Unspecified
            | Self::Multicast
            | Self::Broadcast
            | Self::Documentation
            | Self::Benchmarking
            | Self::Tunnel
            | Self::Reserved
            | Self::Metadata => false,
        }
    }
}

/// The word for operators' logs.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Global => "public",
            Self::Unspecified => "unspecified",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::Shared => "shared (carrier-grade NAT)",
            Self::LinkLocal => "link-local",
            Self::UniqueLocal => "unique-local",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::Documentation => "documentation",
            Self::Benchmarking => "benchmarking",
            Self::Tunnel => "tunnelled",
            Self::Reserved => "reserved",
            Self::Metadata => "cloud metadata",
        })
    }
}

/// IPv4 in its IPv6 dress (`::ffff:a.b.c.d`) is IPv4: the system connects to the one when asked for the other.
#[must_use]
pub fn undressed(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// What an address stands for.
#[must_use]
pub fn kind(address: IpAddr) -> Kind {
    let address = undressed(address);
    if METADATA.contains(&address) {
        return Kind::Metadata;
    }
    match address {
        IpAddr::V4(address) => kind_v4(address),
        IpAddr::V6(address) => kind_v6(address),
    }
}

/// Where a translator on the way out (NAT64, RFC 6052) leads: the last 32 bits are an IPv4 address.
#[must_use]
pub fn translated(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V6(address) if NAT64.contains(&address) => {
            let [.., a, b, c, d] = address.octets();
            Some(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
        }
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

/// The address that is reached by way of this one: behind a translator, or without its dress.
#[must_use]
pub fn meant(address: IpAddr) -> IpAddr {
    translated(address).unwrap_or_else(|| undressed(address))
}

/// What keeps an address that is meant from being reached, where public ones may be and those that were opened; none where
/// nothing does. Credentials of the machine are opened by their very address alone.
#[must_use]
pub fn closed(meant: IpAddr, opened: &[IpNet]) -> Option<Kind> {
    let kind = kind(meant);
    let opens = |net: &IpNet| match kind {
        Kind::Metadata => is_exactly(net, meant),
        _ => net.contains(&meant),
    };
    (kind != Kind::Global && !opened.iter().any(opens)).then_some(kind)
}

fn kind_v4(address: Ipv4Addr) -> Kind {
    V4.iter().find(|(net, _)| net.contains(&address)).map_or(Kind::Global, |(_, kind)| *kind)
}

fn kind_v6(address: Ipv6Addr) -> Kind {
    // ISATAP (RFC 5214): the last 32 bits are an IPv4 address, whatever network stands in front of it.
    if let [_, _, _, _, 0 | 0x200, 0x5efe, _, _] = address.segments() {
        return Kind::Tunnel;
    }
    if let Some((_, kind)) = V6.iter().find(|(net, _)| net.contains(&address)) {
        return *kind;
    }
    if let Some(destination) = translated(IpAddr::V6(address)) {
        return kind(destination);
    }
    if GLOBAL_UNICAST.contains(&address) { Kind::Global } else { Kind::Reserved }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

/// From the first three groups; no range below needs more.
const fn v6(a: u16, b: u16, c: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

/// The registry of special-purpose IPv4 addresses. The first that matches counts.
const V4: [(Ipv4Net, Kind); 17] = [
    (v4(0, 0, 0, 0, 8), Kind::Unspecified),
    (v4(10, 0, 0, 0, 8), Kind::Private),
    (v4(100, 64, 0, 0, 10), Kind::Shared),
    (v4(127, 0, 0, 0, 8), Kind::Loopback),
    (v4(169, 254, 0, 0, 16), Kind::LinkLocal),
    (v4(172, 16, 0, 0, 12), Kind::Private),
    (v4(192, 0, 0, 0, 24), Kind::Reserved),
    (v4(192, 0, 2, 0, 24), Kind::Documentation),
    (v4(192, 88, 99, 0, 24), Kind::Tunnel),
    (v4(192, 168, 0, 0, 16), Kind::Private),
    (v4(198, 18, 0, 0, 15), Kind::Benchmarking),
    (v4(198, 51, 100, 0, 24), Kind::Documentation),
    (v4(203, 0, 113, 0, 24), Kind::Documentation),
    (v4(233, 252, 0, 0, 24), Kind::Documentation),
    (v4(224, 0, 0, 0, 4), Kind::Multicast),
    (v4(255, 255, 255, 255, 32), Kind::Broadcast),
    (v4(240, 0, 0, 0, 4), Kind::Reserved),
];

/// The same for IPv6. What is neither here nor in 2000::/3 is reserved.
const V6: [(Ipv6Net, Kind); 15] = [
    (v6(0, 0, 0, 128), Kind::Unspecified),
    (Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128), Kind::Loopback),
    // IPv4-compatible, and translated (RFC 2765): forms that nothing needs any more.
    (v6(0, 0, 0, 96), Kind::Tunnel),
    (Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, 0, 0), 96), Kind::Tunnel),
    // NAT64 of a network of its own, in whatever form that network chose.
    (v6(0x64, 0xff9b, 1, 48), Kind::Tunnel),
    (v6(0x2001, 0xdb8, 0, 32), Kind::Documentation),
    (v6(0x3fff, 0, 0, 20), Kind::Documentation),
    (v6(0x2001, 2, 0, 48), Kind::Benchmarking),
    // Teredo and 6to4: a relay decides where they lead.
    (v6(0x2001, 0, 0, 32), Kind::Tunnel),
    (v6(0x2002, 0, 0, 16), Kind::Tunnel),
    // Protocols' own assignments.
    (v6(0x2001, 0, 0, 23), Kind::Reserved),
    (v6(0xfc00, 0, 0, 7), Kind::UniqueLocal),
    (v6(0xfe80, 0, 0, 10), Kind::LinkLocal),
    // Site-local: deprecated, and still private where it is in use.
    (v6(0xfec0, 0, 0, 10), Kind::UniqueLocal),
    (v6(0xff00, 0, 0, 8), Kind::Multicast),
];

const NAT64: Ipv6Net = v6(0x64, 0xff9b, 0, 96);
const GLOBAL_UNICAST: Ipv6Net = v6(0x2000, 0, 0, 3);

/// Where clouds keep credentials of the machine. Some are in ranges that are refused anyway; they are
/// named so that opening such a range does not open them, and one is in the midst of public addresses.
const METADATA: [IpAddr; 11] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 42, 42)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42)),
];

/// Names that lead to such addresses; some work through the search list of the machine only.
pub const METADATA_NAMES: [&str; 9] = [
    "metadata",
    "metadata.google.internal",
    "metadata.goog",
    "metadata.azure.internal",
    "metadata.azure.com",
    "metadata.packet.net",
    "metadata.tencentyun.com",
    "instance-data",
    "instance-data.ec2.internal",
];

/// Whether a network consists of this address alone.
#[must_use]
pub fn is_exactly(net: &IpNet, address: IpAddr) -> bool {
    net.prefix_len() == net.max_prefix_len() && undressed(net.addr()) == undressed(address)
}

#[cfg(test)]
mod tests;
