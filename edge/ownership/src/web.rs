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
use wasmyard_net::{Client, Judge, Network, NoAnswer, NoConnection, Waits};

use crate::seen::{NoToken, Web};

/// How it says who asks; customers may let it through by this.
pub const USER_AGENT: &str = "Wasmyard Custom Hostname Verification";
/// A token is short; more than this is none.
const MOST_BYTES: usize = 4 << 10;
const WAITS: Waits = Waits { connect: Duration::from_secs(3), first_byte: Duration::from_secs(4) };
/// For the body, once its head is there.
const BODY: Duration = Duration::from_secs(2);
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

/// Why there was no answer.
fn not_answered(failed: &NoAnswer) -> NoToken {
    let told = failed.told::<Public>();
    match failed.no_connection::<Public>() {
        Some(NoConnection::Denied(_) | NoConnection::NoAddress(_)) => NoToken::NoAddress(told),
        Some(_) => NoToken::Closed(told),
        None => match failed {
            NoAnswer::ConnectTimeout | NoAnswer::ResponseTimeout => NoToken::Closed(told),
            NoAnswer::Failed(_) => NoToken::Broken(told),
        },
    }
}

/// The longest target of a redirect that is shown.
const LONGEST_TARGET: usize = 200;

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
    async fn get(&self, url: &str) -> Result<String, NoToken> {
        let broken = |why: String| NoToken::Broken(why);
        let request = Request::get(url)
            .header(header::USER_AGENT, USER_AGENT)
            .header(header::ACCEPT, "text/plain, */*")
            .body(Empty::new())
            .map_err(|error| broken(error.to_string()))?;
        let answered = self.client.send(request, WAITS).await.map_err(|failed| not_answered(&failed))?;
        let status = answered.response.status();
        if status.is_redirection() {
            let to = answered.response.headers().get(header::LOCATION);
            let to: String = to.map(|to| String::from_utf8_lossy(to.as_bytes())).unwrap_or_default().into();
            let to = to.chars().take(LONGEST_TARGET).collect();
            return Err(NoToken::Redirects { status: status.as_u16(), to });
        }
        if status != http::StatusCode::OK {
            return Err(NoToken::Status(status));
        }
        let body = Limited::new(answered.response.into_body(), MOST_BYTES);
        let body = tokio::time::timeout(BODY, body.collect())
            .await
            .map_err(|_elapsed| broken("its answer does not end".to_owned()))?;
        let body = body.map_err(|error| {
            broken(format!("its answer broke off, or is longer than {MOST_BYTES} bytes: {error}"))
        })?;
        Ok(String::from_utf8_lossy(&body.to_bytes()).into_owned())
    }
}
