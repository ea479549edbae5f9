//! How a name is served, as data.

use super::client_auth::ClientAuth;

/// A client chooses among as many suites of TLS 1.2 as there are, which are fewer.
const MOST_SUITES: usize = 32;

/// How bytes begin that ask nothing of clients.
const ALONE: u8 = 1;
/// How bytes begin that do.
const WITH_CLIENTS: u8 = 2;

/// In the byte of the least version: 1.3 is not spoken.
const WITHOUT_TLS13: u8 = 0x80;

/// The least version that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LeastVersion {
    /// 1.2, and 1.3 to whoever can. What is older is not spoken at all.
    #[default]
    Tls12,
    /// 1.3 alone.
    Tls13,
}

/// How a name is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The least version.
    pub least_version: LeastVersion,
    /// Whether 1.3 is spoken where 1.2 is. Where it is the least version, it is the only one.
    pub tls13: bool,
    /// Which suites of TLS 1.2 there are, by their numbers; none says all that are safe. Those of 1.3 are always there.
    pub suites: Option<Vec<u16>>,
    /// Whether HTTP/2 is offered beside HTTP/1.1.
    pub http2: bool,
    /// What clients are asked for; none: nothing.
    pub clients: Option<ClientAuth>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { least_version: LeastVersion::default(), tls13: true, suites: None, http2: true, clients: None }
    }
}

impl Settings {
    /// The settings as bytes: the same for the same settings, other ones for others.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let least = match self.least_version {
            LeastVersion::Tls12 => 12,
            LeastVersion::Tls13 => 13,
        };
        let least = if self.tls13 { least } else { least | WITHOUT_TLS13 };
        let version = if self.clients.is_some() { WITH_CLIENTS } else { ALONE };
        let mut bytes = vec![version, least, u8::from(self.http2), u8::from(self.suites.is_some())];
        if self.clients.is_some() {
            let count = self.suites.as_ref().map_or(0, Vec::len);
            bytes.push(u8::try_from(count).unwrap_or(u8::MAX));
        }
        for suite in self.suites.iter().flatten() {
            bytes.extend(suite.to_be_bytes());
        }
        if let Some(clients) = &self.clients {
            clients.write(&mut bytes);
        }
        bytes
    }

    /// Reads what [`Settings::to_bytes`] wrote; none for anything else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&[version, least, http2, chosen], rest) = bytes.split_first_chunk::<4>()?;
        let (suites, clients) = match version {
            ALONE => (rest, None),
            WITH_CLIENTS => {
                let (count, rest) = rest.split_first()?;
                let (suites, clients) = rest.split_at_checked(usize::from(*count) * 2)?;
                (suites, Some(ClientAuth::read(clients)?))
            }
            _ => return None,
        };
        let tls13 = least & WITHOUT_TLS13 == 0;
        let least_version = match least & !WITHOUT_TLS13 {
            12 => LeastVersion::Tls12,
            13 => LeastVersion::Tls13,
            _ => return None,
        };
        let (suites, odd) = suites.as_chunks::<2>();
        if http2 > 1 || chosen > 1 || !odd.is_empty() || suites.len() > MOST_SUITES {
            return None;
        }
        let suites: Vec<u16> = suites.iter().map(|bytes| u16::from_be_bytes(*bytes)).collect();
        let suites = match (chosen, suites.is_empty()) {
            (1, _) => Some(suites),
            (_, true) => None,
            (_, false) => return None,
        };
        Some(Self { least_version, tls13, suites, http2: http2 == 1, clients })
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

    use super::*;

    fn authority() -> ClientAuth {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        ClientAuth::new(vec![made.der().clone()], true).unwrap()
    }

    #[test]
    fn settings_come_back_from_their_bytes() {
        let clients = authority();
        for suites in [None, Some(vec![]), Some(vec![0xc02b, 0xc02f])] {
            for http2 in [false, true] {
                for (least_version, tls13) in
                    [(LeastVersion::Tls12, true), (LeastVersion::Tls13, true), (LeastVersion::Tls12, false)]
                {
                    for clients in [None, Some(clients.clone())] {
                        let suites = suites.clone();
                        let settings = Settings { least_version, tls13, suites, http2, clients };
                        assert_eq!(Settings::from_bytes(&settings.to_bytes()), Some(settings));
                    }
                }
            }
        }
        for bytes in [
            &b""[..],
            &[1, 12, 1],
            &[3, 12, 1, 0],
            &[2, 12, 1, 0],
            &[2, 12, 1, 0, 0],
            &[2, 12, 1, 0, 0, 1, 0],
            &[2, 12, 1, 0, 9, 1, 0],
            &[1, 11, 1, 0],
            &[1, 12, 2, 0],
            &[1, 12, 1, 0, 1, 1],
            &[1, 12, 1, 1, 7],
        ] {
            assert_eq!(Settings::from_bytes(bytes), None, "{bytes:?}");
        }
    }
    #[test]
    fn what_was_cut_or_changed_asks_nothing_of_clients() {
        let whole = Settings { clients: Some(authority()), ..Settings::default() }.to_bytes();
        for length in 0..whole.len() {
            assert_eq!(Settings::from_bytes(&whole[..length]), None, "{length}");
        }
        assert_eq!(Settings::from_bytes(&[whole.as_slice(), &[0]].concat()), None);
    }
}
