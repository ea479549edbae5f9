//! The host of a URL, understood: a name, or an address in whatever spelling.
//!
//! Resolvers and address parsers disagree about `127.1`, `0x7f000001` and `0177.0.0.1`. Here such a text is
//! read once, by the rules of the URL standard (which are those of the C library), and from then on it *is*
//! the address: judged as such and connected to as such. What cannot be read for sure is refused.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The host of a URL.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A name in lower case, without a dot at its end.
    Name(String),
    /// An address.
    Address(IpAddr),
}

/// Why a text is no host. Safe to show to the guest that wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadHost {
    /// User name or password in front of the host.
    #[error("a URL with credentials is not sent: use the Authorization header")]
    Credentials,
    /// No port.
    #[error("the port must be a number from 1 to 65535")]
    Port,
    /// It begins like an address and is none.
    #[error("it ends in a number, and is not an IPv4 address")]
    Ipv4,
    /// No address in the brackets, or one with a zone.
    #[error("what is in brackets must be an IPv6 address without a zone")]
    Ipv6,
    /// Too long, or nothing.
    #[error("a host has 1 to 253 characters and each of its labels 1 to 63")]
    Length,
    /// Something that no host holds.
    #[error("a host holds letters, digits, '-', '_' and '.' only; international names as A-labels")]
    Characters,
}

/// Reads host and port of a URL's authority. No port: none, which means the scheme's own.
///
/// # Errors
/// [`BadHost`] with the rule that it breaks.
pub fn read(text: &str) -> Result<(Host, Option<u16>), BadHost> {
    if text.contains('@') {
        return Err(BadHost::Credentials);
    }
    let end = match text.strip_prefix('[') {
        Some(_) => text.find(']').map(|bracket| bracket + 1).ok_or(BadHost::Ipv6)?,
        None => text.find(':').unwrap_or(text.len()),
    };
    let (host, rest) = text.split_at_checked(end).ok_or(BadHost::Characters)?;
    let port = match rest.strip_prefix(':') {
        None if rest.is_empty() => None,
        None => return Err(BadHost::Characters),
        Some("") => None,
        // `parse` would take a sign.
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(port.parse().ok().filter(|port| *port != 0).ok_or(BadHost::Port)?)
        }
        Some(_) => return Err(BadHost::Port),
    };
    Ok((Host::parse(host)?, port))
}

impl Host {
    /// Reads a host as it stands in a URL: IPv6 in brackets, no port.
    ///
    /// # Errors
    /// [`BadHost`] with the rule that it breaks.
    pub fn parse(text: &str) -> Result<Self, BadHost> {
        if let Some(rest) = text.strip_prefix('[') {
            let inner = rest.strip_suffix(']').ok_or(BadHost::Ipv6)?;
            // The parser of the standard library knows neither zones nor brackets nor percent signs.
            let address: Ipv6Addr = inner.parse().map_err(|_| BadHost::Ipv6)?;
            return Ok(Self::Address(IpAddr::V6(address).to_canonical()));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        if name.is_empty() || name.len() > 253 {
            return Err(BadHost::Length);
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if !name.bytes().all(allowed) {
            return Err(BadHost::Characters);
        }
        if name.split('.').any(|label| label.is_empty() || label.len() > 63) {
            return Err(BadHost::Length);
        }
        let name = name.to_ascii_lowercase();
        // The last label decides: no top-level domain is a number.
        if name.rsplit('.').next().is_some_and(looks_like_a_number) {
            return Ok(Self::Address(IpAddr::V4(ipv4(&name).ok_or(BadHost::Ipv4)?)));
        }
        Ok(Self::Name(name))
    }
}

/// As it stands in a URL and in the `Host` field: one spelling for each address.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

fn looks_like_a_number(label: &str) -> bool {
    let digits = label.bytes().all(|byte| byte.is_ascii_digit());
    let hex = label.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()));
    digits || hex
}

/// One to four numbers, decimal, octal or hexadecimal; the last one fills all bytes that are left.
fn ipv4(text: &str) -> Option<Ipv4Addr> {
    let mut parts = text.split('.').map(number);
    let mut value: u32 = 0;
    let count = text.split('.').count();
    if count > 4 {
        return None;
    }
    for _ in 1..count {
        let byte = u8::try_from(parts.next()??).ok()?;
        value = value << 8 | u32::from(byte);
    }
    let last = parts.next()??;
    let bits = 32 - 8 * (u32::try_from(count).ok()? - 1);
    if u64::from(last) >= 1 << bits {
        return None;
    }
    let high = u64::from(value) << bits;
    u32::try_from(high | u64::from(last)).ok().map(Ipv4Addr::from)
}

fn number(text: &str) -> Option<u32> {
    let (digits, radix) = if let Some(rest) = text.strip_prefix("0x") {
        (rest, 16)
    } else if text.len() > 1 && text.starts_with('0') {
        (text.get(1..)?, 8)
    } else {
        (text, 10)
    };
    // The URL standard reads a bare "0x" as zero.
    if digits.is_empty() && radix == 16 {
        return Some(0);
    }
    // `from_str_radix` would take a sign; the host's characters were checked to hold none.
    u32::from_str_radix(digits, radix).ok()
}

#[cfg(test)]
mod tests;
