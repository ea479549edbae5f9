//! Which proxies in front are believed, and what they say of the client.
//!
//! Nobody else's forwarding fields are looked at: anybody can write them.

use std::net::IpAddr;

use http::header::{self, HeaderMap, HeaderName};
use ipnet::IpNet;

use crate::exchange::Client;

/// More hops than any chain of proxies has. What is further to the left is not looked at.
const MOST_HOPS: usize = 32;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The proxies in front whose word is taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// Their networks. Empty: nobody is believed.
    pub trusted: Vec<IpNet>,
    /// The field that they write. Only this one is read: the other one may be the client's own.
    pub field: ForwardedField,
}

/// The field in which proxies name the client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ForwardedField {
    /// `X-Forwarded-For`, and `X-Forwarded-Proto` for the scheme.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239), whose `proto` is the scheme.
    Forwarded,
}

impl Proxies {
    /// Whether an address is that of a trusted proxy.
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted.iter().any(|network| network.contains(&address))
    }

    /// The client for whom a request was sent: the peer itself, or, if that is a trusted proxy, the nearest address that
    /// is none. What is further away may be anybody's invention.
    #[must_use]
    pub fn client(&self, headers: &HeaderMap, peer: Client) -> Client {
        if self.trusted.is_empty() || !self.trusts(peer.address) {
            return peer;
        }
        let peer = Client { encrypted: None, ..peer };
        match self.field {
            ForwardedField::XForwardedFor => {
                let hops = elements(headers, X_FORWARDED_FOR);
                let secure =
                    elements(headers, X_FORWARDED_PROTO).next().and_then(scheme).unwrap_or(peer.secure);
                let client = self.nearest(peer, hops.map(|hop| Hop { client: address(hop), secure: None }));
                Client { secure, ..client }
            }
            ForwardedField::Forwarded => self.nearest(peer, elements(headers, header::FORWARDED).map(hop)),
        }
    }

    /// Follows hops from the nearest one as far as there are trusted proxies.
    fn nearest(&self, peer: Client, hops: impl Iterator<Item = Hop>) -> Client {
        let mut client = peer;
        for hop in hops.take(MOST_HOPS) {
            // Who is not named is not known, nor is anybody behind them.
            let Some(address) = hop.client else { break };
            client = Client::at(address, hop.secure.unwrap_or(client.secure));
            if !self.trusts(address) {
                break;
            }
        }
        client
    }
}

/// What one proxy said of who sent it a request.
struct Hop {
    client: Option<IpAddr>,
    secure: Option<bool>,
}

/// The elements of a list, the last one first, over all fields of that name. A comma within quotes is one as well: no
/// address has any, and an open quote of the client's own must not swallow what the proxy wrote behind it. For the same
/// reason each element is read for itself: one that is no text names nobody.
fn elements(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    headers.get_all(name).iter().rev().flat_map(|value| {
        let elements = value.as_bytes().rsplit(|byte| *byte == b',');
        elements.map(|element| std::str::from_utf8(element).unwrap_or("?").trim())
    })
}

/// An element of `Forwarded`: `for=192.0.2.60;proto=http;by=203.0.113.43`.
fn hop(element: &str) -> Hop {
    let mut found = Hop { client: None, secure: None };
    for pair in element.split(';') {
        let Some((name, value)) = pair.split_once('=') else { continue };
        let value = unquoted(value.trim());
        if name.trim().eq_ignore_ascii_case("for") {
            found.client = address(value);
        } else if name.trim().eq_ignore_ascii_case("proto") {
            found.secure = scheme(value);
        }
    }
    found
}

fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

/// An address with or without a port, in the spellings that proxies use.
fn address(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    if let Some((inside, port)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let port_fits = port.is_empty() || port.starts_with(':');
        return inside.parse::<IpAddr>().ok().filter(|_| port_fits).map(|address| address.to_canonical());
    }
    let (host, _port) = text.rsplit_once(':')?;
    host.parse::<std::net::Ipv4Addr>().ok().map(IpAddr::V4)
}

fn scheme(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("https") {
        Some(true)
    } else if text.eq_ignore_ascii_case("http") {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(field: ForwardedField) -> Proxies {
        let trusted = ["127.0.0.1/32", "10.0.0.0/8", "2001:db8:1::/48"];
        Proxies { trusted: trusted.iter().map(|network| network.parse().unwrap()).collect(), field }
    }

    /// Who a request with these fields is from, when it comes from this peer without encryption.
    fn client(proxies: &Proxies, peer: &str, fields: &[(&'static str, &str)]) -> (String, bool) {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        let found = proxies.client(&headers, Client::at(peer.parse().unwrap(), false));
        (found.address.to_string(), found.secure)
    }

    fn by_x(peer: &str, fields: &[(&'static str, &str)]) -> (String, bool) {
        client(&proxies(ForwardedField::XForwardedFor), peer, fields)
    }

    fn seen(address: &str, secure: bool) -> (String, bool) {
        (address.to_owned(), secure)
    }

    #[test]
    fn nobody_is_believed_who_is_not_named() {
        let claims =
            [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-proto", "https"), ("forwarded", "for=6.6.6.6")];
        assert_eq!(by_x("192.0.2.1", &claims), seen("192.0.2.1", false));
        assert_eq!(client(&Proxies::default(), "127.0.0.1", &claims), seen("127.0.0.1", false));
    }

    #[test]
    fn a_trusted_proxy_names_the_client_and_the_scheme() {
        let fields = [("x-forwarded-for", "203.0.113.7"), ("x-forwarded-proto", "https")];
        assert_eq!(by_x("127.0.0.1", &fields), seen("203.0.113.7", true));
        assert_eq!(by_x("::ffff:127.0.0.1", &fields), seen("203.0.113.7", true));
        assert_eq!(by_x("127.0.0.1", &[]), seen("127.0.0.1", false), "it speaks for itself");
    }

    #[test]
    fn the_nearest_address_that_is_no_proxy_is_the_client() {
        let fields = [("x-forwarded-for", "6.6.6.6, 203.0.113.7, 10.1.2.3")];
        assert_eq!(by_x("127.0.0.1", &fields), seen("203.0.113.7", false), "the first one is its own claim");
        let fields = [("x-forwarded-for", "6.6.6.6, 203.0.113.7"), ("x-forwarded-for", "10.1.2.3")];
        assert_eq!(by_x("127.0.0.1", &fields), seen("203.0.113.7", false), "over several fields");
        let fields = [("x-forwarded-for", "10.9.9.9, 10.1.2.3")];
        assert_eq!(by_x("127.0.0.1", &fields), seen("10.9.9.9", false), "somebody inside asked");
    }

    #[test]
    fn what_is_no_address_ends_the_search() {
        for hop in ["unknown", "", "203.0.113", "6.6.6.6 7.7.7.7", "\u{e9}"] {
            let chain = format!("203.0.113.7, {hop}, 10.1.2.3");
            assert_eq!(by_x("127.0.0.1", &[("x-forwarded-for", &chain)]), seen("10.1.2.3", false), "{hop}");
            let hidden = format!("{hop}\", 203.0.113.7");
            assert_eq!(
                by_x("127.0.0.1", &[("x-forwarded-for", &hidden)]),
                seen("203.0.113.7", false),
                "{hop}"
            );
        }
    }

    #[test]
    fn addresses_may_have_ports_and_brackets() {
        for (hop, address) in [
            ("203.0.113.7:4711", "203.0.113.7"),
            ("[2001:db8:2::7]:4711", "2001:db8:2::7"),
            ("[2001:db8:2::7]", "2001:db8:2::7"),
            ("2001:db8:2::7", "2001:db8:2::7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
        ] {
            assert_eq!(by_x("127.0.0.1", &[("x-forwarded-for", hop)]), seen(address, false));
        }
    }

    #[test]
    fn the_nearest_scheme_counts_and_only_one_that_is_known() {
        assert!(!by_x("127.0.0.1", &[("x-forwarded-proto", "https, http")]).1);
        assert!(by_x("127.0.0.1", &[("x-forwarded-proto", "http,HTTPS")]).1);
        assert!(!by_x("127.0.0.1", &[("x-forwarded-proto", "gopher")]).1);
    }

    #[test]
    fn forwarded_is_read_where_it_is_the_field_and_only_there() {
        let proxies = proxies(ForwardedField::Forwarded);
        let by = |value: &str| {
            client(&proxies, "127.0.0.1", &[("forwarded", value), ("x-forwarded-for", "6.6.6.6")])
        };
        assert_eq!(by("for=203.0.113.7;proto=https"), seen("203.0.113.7", true));
        assert_eq!(by(r#"For="[2001:db8:2::7]:4711"; Proto=HTTPS"#), seen("2001:db8:2::7", true));
        assert_eq!(
            by("for=6.6.6.6, for=203.0.113.7;proto=https;by=_x, for=10.1.2.3"),
            seen("203.0.113.7", true)
        );
        assert_eq!(by("for=203.0.113.7, for=_hidden"), seen("127.0.0.1", false));
        assert_eq!(by("nonsense"), seen("127.0.0.1", false));
        assert_eq!(
            by(r#"for="6.6.6.6, for=203.0.113.7"#),
            seen("203.0.113.7", false),
            "an open quote hides nobody"
        );
        let forged = [("forwarded", "for=6.6.6.6;proto=https"), ("x-forwarded-for", "203.0.113.7")];
        assert_eq!(by_x("127.0.0.1", &forged), seen("203.0.113.7", false));
    }

    #[test]
    fn a_chain_without_end_is_followed_for_a_while() {
        let chain = vec!["10.0.0.1"; 10_000].join(",");
        assert_eq!(by_x("127.0.0.1", &[("x-forwarded-for", &chain)]), seen("10.0.0.1", false));
    }
}
