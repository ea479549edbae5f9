//! TLS towards clients: which certificate and which settings a name is served with, and what is known of a connection
//! that was made so.
//!
//! Owns the handshake and its bounds. Certificates are found behind [`Certificates`]: this module must never read one
//! from anywhere itself, and never ask for one that is not known to be there.

pub(crate) mod accept;
mod asking;
pub(crate) mod certificates;
mod client_auth;
pub(crate) mod encrypted;
mod groups;
pub(crate) mod quic;
mod settings;
mod shown;
mod stream;
mod tickets;
mod validation;

pub use accept::Tls;
pub use asking::Asking;
pub use certificates::{Certificates, Found, Keys, NoCertificate};
pub use client_auth::{ClientAuth, ClientAuthError, MOST_CLIENT_AUTHORITIES};
pub use encrypted::{Encrypted, TlsVersion};
pub use groups::{Groups, SettingsError, TooManyGroups};
pub use settings::{LeastVersion, Settings};
pub use shown::ClientCertificate;
pub use stream::TlsSocket;
pub use tickets::TicketSecret;
pub use validation::Challenges;

#[cfg(test)]
mod tests;
