//! Which hosts require certificates of clients, for whoever answers requests that came without TLS, or from inside.

use std::fmt;
use std::sync::Arc;

use super::certificates::Certificates;
use super::groups::Groups;

/// Which hosts require certificates of clients.
pub struct Asking {
    certificates: Arc<dyn Certificates>,
    groups: Arc<Groups>,
}

impl Asking {
    /// By these certificates and settings.
    #[must_use]
    pub fn new(certificates: Arc<dyn Certificates>, groups: Arc<Groups>) -> Self {
        Self { certificates, groups }
    }

    /// Whether nobody may ask for a host without a certificate. The host is in lower case. Looks into memory alone.
    #[must_use]
    pub fn requires(&self, host: &str) -> bool {
        self.groups.may_ask_clients()
            && self.certificates.find(host).is_some_and(|found| self.groups.require_clients(found.group))
    }
}

impl fmt::Debug for Asking {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Asking")
    }
}
