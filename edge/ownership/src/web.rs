//! The customer's web server, asked for a token over plain HTTP.
//!
//! Owns what is sent there, and the bounds on what comes back. What may be reached is judged like everything that strangers
//! name: public addresses, and what the operator opened. Must never follow a redirect: the token of one host shows nothing of
//! another.

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use ipnet::IpNet;
use wasmyard_model::egress::{BadHost, Host};
use wasmyard_net::address::{self, Kind};
use wasmyard_net::{Client, Judge, Network, Waits};

use crate::rules::Web;

/// How it says who asks; customers may let it through by this.
pub const USER_AGENT: &str = "Wasmyard Custom Hostname Verification";
/// A token is short; more than this is none.
const MOST_BYTES: usize = 4 << 10;
const WAITS: Waits = Waits { connect: Duration::from_secs(5), first_byte: Duration::from_secs(5) };
/// For the body, once its head is there.
const BODY: Duration = Duration::from_secs(5);
/// How many are asked at once.
const MOST_CONNECTIONS: usize = 32;

/// What may be reached: public addresses, and the networks that the operator opened.
struct Public {
    opened: Vec<IpNet>,
}

/// Why something may not be reached.
#[derive(Debug, thiserror::Error)]
enum Denied {
    #[error("the host is not understood: {0}")]
    Host(#[from] BadHost),
    #[error("it is at {0}, which is a {1} address")]
    Address(IpAddr, Kind),
}

impl Judge for Public {
    type Denied = Denied;

    fn target(&self, _host: &Host, _port: u16) -> Result<(), Denied> {
        Ok(())
    }

    fn address(
        &self,
        _host: &Host,
        address: IpAddr,
        _port: u16,
        _is_local: impl Fn(IpAddr) -> bool,
    ) -> Result<IpAddr, Denied> {
        let meant = address::meant(address);
        match address::closed(meant, &self.opened) {
            None => Ok(address::undressed(address)),
            Some(kind) => Err(Denied::Address(meant, kind)),
        }
    }
}

/// Asks web servers over a network.
pub struct Tokens {
    client: Client<Public, Empty<Bytes>>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

impl Tokens {
    /// Over this network, to public addresses and to those in `opened`.
    #[must_use]
    pub fn over(network: &Network, opened: Vec<IpNet>) -> Tokens {
        Tokens { client: network.client(Public { opened }, MOST_CONNECTIONS) }
    }
}

#[async_trait]
impl Web for Tokens {
    async fn get(&self, url: &str) -> Result<String, String> {
        let request = Request::get(url)
            .header(header::USER_AGENT, USER_AGENT)
            .header(header::ACCEPT, "text/plain, */*")
            .body(Empty::new())
            .map_err(|error| error.to_string())?;
        let answered = self.client.send(request, WAITS).await.map_err(|error| error.told::<Public>())?;
        let status = answered.response.status();
        if status != http::StatusCode::OK {
            return Err(format!("it answers with {status}, not 200"));
        }
        let body = Limited::new(answered.response.into_body(), MOST_BYTES);
        let body = tokio::time::timeout(BODY, body.collect())
            .await
            .map_err(|_elapsed| "its answer does not end".to_owned())?;
        let body = body.map_err(|error| {
            format!("its answer broke off, or is longer than {MOST_BYTES} bytes: {error}")
        })?;
        Ok(String::from_utf8_lossy(&body.to_bytes()).into_owned())
    }
}
