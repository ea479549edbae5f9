//! The header of the PROXY protocol, versions 1 and 2, in which a proxy that passes bytes on says who connected to it.
//!
//! Owns the grammar. Whose header is believed is not decided here. A parser of its own, because the crates for it parse
//! and build everything that the protocol has, and this listener needs an address and one bit.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The most bytes that a header may have: one of version 2 with a client's certificate among its additions.
pub const MOST: usize = 4 << 10;

/// What version 2 begins with.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// What version 1 begins with.
const TEXT: &[u8] = b"PROXY ";
/// The longest line of version 1, its end included.
const LONGEST_LINE: usize = 107;

/// What was found at the beginning of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parsed {
    /// It may become a header: more bytes are needed.
    Incomplete,
    /// It is none, and will not become one.
    Invalid,
    /// A header.
    Header(Header),
}

/// A whole header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// How many bytes it has. What follows is the connection's own.
    pub length: usize,
    /// Who connected to the proxy; none where the proxy speaks for itself, or does not know.
    pub client: Option<IpAddr>,
    /// Whether the client's connection to the proxy was encrypted; none where the proxy does not say.
    pub secure: Option<bool>,
}

/// Looks for a header at the beginning of some bytes.
#[must_use]
pub fn parse(bytes: &[u8]) -> Parsed {
    if SIGNATURE.starts_with(bytes) || TEXT.starts_with(bytes) {
        return Parsed::Incomplete;
    }
    if let Some(rest) = bytes.strip_prefix(SIGNATURE) {
        return binary(rest);
    }
    if bytes.starts_with(TEXT) { line(bytes) } else { Parsed::Invalid }
}

/// A header of version 1: `PROXY TCP4 192.0.2.1 198.51.100.1 56324 443` and the end of a line.
fn line(bytes: &[u8]) -> Parsed {
    let within = bytes.get(..LONGEST_LINE).unwrap_or(bytes);
    let Some(end) = within.windows(2).position(|pair| pair == b"\r\n") else {
        return if within.len() < LONGEST_LINE { Parsed::Incomplete } else { Parsed::Invalid };
    };
    let Some(Ok(text)) = within.get(TEXT.len()..end).map(std::str::from_utf8) else { return Parsed::Invalid };
    let mut words = text.split(' ');
    let client = match words.next() {
        // Whatever follows says nothing.
        Some("UNKNOWN") => None,
        Some("TCP4") => match endpoints::<Ipv4Addr>(words) {
            Some(client) => Some(IpAddr::V4(client)),
            None => return Parsed::Invalid,
        },
        Some("TCP6") => match endpoints::<Ipv6Addr>(words) {
            Some(client) => Some(IpAddr::V6(client)),
            None => return Parsed::Invalid,
        },
        _ => return Parsed::Invalid,
    };
    Parsed::Header(Header {
        length: end + 2,
        client: client.map(|client| client.to_canonical()),
        secure: None,
    })
}

/// The first of two addresses and two ports, all of which must be there and be nothing else.
fn endpoints<'t, A: std::str::FromStr>(mut words: impl Iterator<Item = &'t str>) -> Option<A> {
    let source = words.next()?.parse().ok()?;
    let _destination: A = words.next()?.parse().ok()?;
    for _port in 0..2 {
        let word = words.next()?;
        let _number: u16 = word.parse().ok().filter(|_| word.bytes().all(|byte| byte.is_ascii_digit()))?;
    }
    words.next().is_none().then_some(source)
}

/// What follows the signature of version 2: version and command, family, length, addresses, additions.
fn binary(rest: &[u8]) -> Parsed {
    const FIXED: usize = 4;
    let Some((&[command, family, high, low], rest)) = rest.split_first_chunk::<FIXED>() else {
        return Parsed::Incomplete;
    };
    let announced = usize::from(u16::from_be_bytes([high, low]));
    let length = SIGNATURE.len() + FIXED + announced;
    let known = matches!(command, 0x20 | 0x21);
    if !known || length > MOST {
        return Parsed::Invalid;
    }
    let Some(content) = rest.get(..announced) else { return Parsed::Incomplete };
    // The proxy itself: to see whether we are there.
    if command == 0x20 {
        return Parsed::Header(Header { length, client: None, secure: None });
    }
    let (client, additions) = match family {
        // TCP over IPv4 and IPv6: two addresses and two ports.
        0x11 => match content.split_first_chunk::<12>() {
            Some((&[a, b, c, d, ..], additions)) => (Some(IpAddr::from([a, b, c, d])), additions),
            None => return Parsed::Invalid,
        },
        0x21 => match content.split_first_chunk::<36>() {
            Some((addresses, additions)) => match addresses.first_chunk::<16>() {
                Some(client) => (Some(IpAddr::from(*client)), additions),
                None => return Parsed::Invalid,
            },
            None => return Parsed::Invalid,
        },
        // Not known to the proxy, or a socket of its machine: then there is nobody to name.
        0x00 | 0x31 => (None, &[][..]),
        _ => return Parsed::Invalid,
    };
    Parsed::Header(Header {
        length,
        client: client.map(|client| client.to_canonical()),
        secure: encrypted(additions),
    })
}

/// Whether the additions say that the client's connection was encrypted.
fn encrypted(mut additions: &[u8]) -> Option<bool> {
    const SSL: u8 = 0x20;
    const ENCRYPTED: u8 = 1;
    loop {
        let (&[kind, high, low], rest) = additions.split_first_chunk::<3>()?;
        let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
        if kind == SSL {
            return value.first().map(|client| client & ENCRYPTED != 0);
        }
        additions = rest;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(bytes: &[u8]) -> Header {
        match parse(bytes) {
            Parsed::Header(header) => header,
            other => panic!("{other:?}: {bytes:?}"),
        }
    }

    fn version2(command: u8, family: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend([command, family]);
        bytes.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
        bytes.extend(content);
        bytes
    }

    #[test]
    fn a_line_names_the_client() {
        let bytes = b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\nGET / HTTP/1.1\r\n";
        let found = header(bytes);
        assert_eq!(found.client, Some("192.0.2.7".parse().unwrap()));
        assert_eq!(&bytes[found.length..], b"GET / HTTP/1.1\r\n");
        let found = header(b"PROXY TCP6 2001:db8::7 ::1 1 65535\r\n");
        assert_eq!(found.client, Some("2001:db8::7".parse().unwrap()));
        let found = header(b"PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n");
        assert_eq!(found.client, Some("192.0.2.7".parse().unwrap()), "one spelling for one address");
        assert_eq!(header(b"PROXY UNKNOWN\r\n").client, None);
        assert_eq!(header(b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n").client, None);
    }

    #[test]
    fn a_line_that_breaks_the_grammar_is_none() {
        for line in [
            "PROXY TCP4 192.0.2.7 198.51.100.1 56324\r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443 1\r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 56324 65536\r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 +1 443\r\n",
            "PROXY TCP4  192.0.2.7 198.51.100.1 1 443\r\n",
            "PROXY TCP4 ::1 ::1 1 443\r\n",
            "PROXY TCP4 192.0.2.256 198.51.100.1 1 443\r\n",
            "PROXY UDP4 192.0.2.7 198.51.100.1 1 443\r\n",
            "PROXY \r\n",
            "GET / HTTP/1.1\r\n",
            "PROXx",
        ] {
            assert_eq!(parse(line.as_bytes()), Parsed::Invalid, "{line:?}");
        }
        let endless = format!("PROXY TCP4 {}", "1".repeat(200));
        assert_eq!(parse(endless.as_bytes()), Parsed::Invalid);
    }

    #[test]
    fn version_2_names_the_client_and_may_say_that_it_came_over_tls() {
        let four = [192, 0, 2, 7, 198, 51, 100, 1, 0, 1, 1, 187];
        let found = header(&version2(0x21, 0x11, &four));
        assert_eq!((found.client, found.secure), (Some("192.0.2.7".parse().unwrap()), None));
        let mut six = "2001:db8::7".parse::<Ipv6Addr>().unwrap().octets().to_vec();
        six.extend([0; 20]);
        assert_eq!(header(&version2(0x21, 0x21, &six)).client, Some("2001:db8::7".parse().unwrap()));
        let tls = [&four[..], &[1, 0, 2, b'h', b'2'], &[0x20, 0, 5, 1, 0, 0, 0, 0]].concat();
        assert_eq!(header(&version2(0x21, 0x11, &tls)).secure, Some(true));
        let plain = [&four[..], &[0x20, 0, 5, 0, 0, 0, 0, 0]].concat();
        assert_eq!(header(&version2(0x21, 0x11, &plain)).secure, Some(false));
        let cut = [&four[..], &[0x20, 0, 5, 1]].concat();
        assert_eq!(header(&version2(0x21, 0x11, &cut)).secure, None);
    }

    #[test]
    fn a_proxy_may_speak_for_itself() {
        assert_eq!(header(&version2(0x20, 0x00, &[])).client, None);
        assert_eq!(header(&version2(0x20, 0x11, &[9; 12])).client, None);
        assert_eq!(header(&version2(0x21, 0x00, &[1, 2, 3])).client, None);
    }

    #[test]
    fn version_2_with_what_cannot_be_is_none() {
        for (command, family, content) in [
            (0x11, 0x11, &[0; 12][..]),
            (0x22, 0x11, &[0; 12]),
            (0x21, 0x12, &[0; 12]),
            (0x21, 0x11, &[0; 11]),
            (0x21, 0x21, &[0; 35]),
            (0x21, 0x11, &[0; MOST]),
        ] {
            let bytes = version2(command, family, content);
            assert_eq!(parse(&bytes), Parsed::Invalid, "{command:#x} {family:#x} {}", content.len());
        }
    }

    proptest! {
        #[test]
        fn every_beginning_of_a_header_is_incomplete(cut in 0usize..1000, binary: bool) {
            let whole = if binary {
                version2(0x21, 0x11, &[7; 60])
            } else {
                b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n".to_vec()
            };
            let cut = cut % whole.len();
            prop_assert_eq!(parse(&whole[..cut]), Parsed::Incomplete);
        }

        #[test]
        fn no_bytes_are_taken_for_a_header_longer_than_they_are(bytes: Vec<u8>, signed: bool) {
            let bytes = if signed { [SIGNATURE, &bytes].concat() } else { [TEXT, &bytes].concat() };
            if let Parsed::Header(header) = parse(&bytes) {
                prop_assert!(header.length <= bytes.len() && header.length <= MOST);
            }
        }
    }
}
