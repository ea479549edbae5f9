//! TLS towards clients: which certificate and which settings a name is served with, and what is known of a connection
//! that was made so.
//!
//! Owns the handshake and its bounds. Certificates are found behind [`Certificates`]: this module must never read one
//! from anywhere itself, and never ask for one that is not known to be there.

mod accept;
pub(crate) mod certificates;
pub(crate) mod encrypted;
mod groups;
mod stream;
mod tickets;

pub use accept::Tls;
pub use certificates::{Certificates, Found, Keys, NoCertificate};
pub use encrypted::{Encrypted, TlsVersion};
pub use groups::{Groups, LeastVersion, Settings, SettingsError, TooManyGroups};
pub use stream::TlsSocket;
pub use tickets::TicketSecret;

#[cfg(test)]
mod tests;
