//! Where certificates come from, as the handshake sees it: a question to memory, and one that may take time.

use std::sync::Arc;

use futures::future::BoxFuture;
use rustls::server::ResolvesServerCert;

/// What a name is served with, as far as memory tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Which certificate, for whoever found it.
    pub certificate: u64,
    /// Which of the [`super::Groups`] of settings.
    pub group: u16,
}

/// Why a name that was found has no certificate after all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoCertificate {
    /// What was found is another name's.
    Unknown,
    /// It cannot be read, or what is kept of it is damaged.
    Unavailable,
}

/// Keys and chains to sign handshakes with.
pub type Keys = Arc<dyn ResolvesServerCert>;

/// Where the certificates of names are.
pub trait Certificates: Send + Sync + 'static {
    /// What a name is served with; none for a name that is not served. Anybody may ask for any name as often as they
    /// like, so that this looks into memory and nowhere else. The name is in lower case and has no dot at its end.
    fn find(&self, name: &str) -> Option<Found>;

    /// What clients are served with that name no host, and under which of its names it is kept; none where they are
    /// refused.
    fn nameless(&self) -> Option<(Box<str>, Found)> {
        None
    }

    /// The keys of what was found, from wherever they are.
    fn keys<'a>(&'a self, name: &'a str, found: Found) -> BoxFuture<'a, Result<Keys, NoCertificate>>;
}
