//! Where requests for one custom hostname go, and under which name.
//!
//! Owns what may be set and how a change of it is read. Whether such an origin exists is judged by whoever has the
//! zone's records.

use serde::{Deserialize, Serialize};

use super::HostnameError;
use crate::domain::{Domain, DomainError};

/// An origin of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomOrigin {
    /// A name in the zone, with a proxied record.
    pub server: Domain,
    /// Which name is asked for in the handshake with it; none: the server's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sni: Option<OriginSni>,
}

/// Which name is asked for in the handshake with an origin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OriginSni {
    /// The request's host.
    RequestHost,
    /// This name.
    Name(Domain),
}

/// What is to change about an origin; what is none stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OriginEdit {
    /// Another server, or (`Some(None)`) the zone's fallback origin.
    pub server: Option<Option<Domain>>,
    /// Another name for the handshake, or (`Some(None)`) the server's own.
    pub sni: Option<Option<OriginSni>>,
}

/// How a caller says that the request's host is asked for.
const REQUEST_HOST: &str = ":request_host_header:";

impl OriginSni {
    /// Reads a name, or `:request_host_header:`.
    ///
    /// # Errors
    /// [`HostnameError::Origin`].
    pub fn parse(text: &str) -> Result<OriginSni, HostnameError> {
        if text == REQUEST_HOST {
            return Ok(OriginSni::RequestHost);
        }
        Domain::parse(text).map(OriginSni::Name).map_err(HostnameError::Origin)
    }

    /// The text, as callers write it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            OriginSni::RequestHost => REQUEST_HOST,
            OriginSni::Name(name) => name.as_str(),
        }
    }
}

impl OriginEdit {
    /// Reads the name of an origin: somebody can own it, and, where reserved names are not allowed, it is none.
    ///
    /// # Errors
    /// [`HostnameError::Origin`], [`HostnameError::OriginWildcard`].
    pub fn parse_server(text: &str, allow_reserved: bool) -> Result<Domain, HostnameError> {
        if text.contains('*') {
            return Err(HostnameError::OriginWildcard);
        }
        let read = || -> Result<Domain, DomainError> {
            let server = Domain::parse(text)?;
            if !allow_reserved {
                server.refuse_reserved()?;
            }
            server.registrable()?;
            Ok(server)
        };
        read().map_err(HostnameError::Origin)
    }

    /// The origin that comes out of this. Without a server there is no name for its handshake either.
    pub(super) fn apply(&self, before: Option<&CustomOrigin>) -> Result<Option<CustomOrigin>, HostnameError> {
        let server = match &self.server {
            Some(server) => server.clone(),
            None => before.map(|before| before.server.clone()),
        };
        let sni = match &self.sni {
            Some(sni) => sni.clone(),
            None => before.and_then(|before| before.sni.clone()),
        };
        match (server, sni) {
            (Some(server), sni) => Ok(Some(CustomOrigin { server, sni })),
            (None, Some(_)) if matches!(self.sni, Some(Some(_))) => Err(HostnameError::SniWithoutOrigin),
            (None, _) => Ok(None),
        }
    }
}
