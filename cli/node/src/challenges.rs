//! What authorities of certificates are shown in handshakes: what the record says that a name waits with, as a certificate.

use std::fmt;

use wasmyard_acme::handshake;
use wasmyard_listener::tls::{Challenges, Keys};
use wasmyard_namespaces::Registry;

/// By the record of custom hostnames.
pub(crate) struct Recorded(pub(crate) Registry);

impl Challenges for Recorded {
    fn shown(&self, name: &str) -> Option<Keys> {
        handshake::shown(name, &self.0.challenge_in_handshake(name)?)
    }
}

impl fmt::Debug for Recorded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Recorded")
    }
}
