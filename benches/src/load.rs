//! Clients that load a server: ours, closed loop ([`busy()`]) and at a fixed rate ([`paced()`]), and `wrk`.

mod busy;
mod paced;
pub mod wrk;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use busy::busy;
pub use paced::{Paced, paced};

use crate::Error;
use crate::line::Line;
use crate::wire;

/// What is asked, and of whom.
#[derive(Clone)]
pub struct Aim {
    /// The server.
    pub address: SocketAddr,
    /// What is sent as `Host`, one after the other and round again.
    pub hosts: Arc<[String]>,
    /// The path.
    pub path: String,
    /// What the body of an answer has to be; none where it does not matter.
    pub expected: Option<&'static str>,
}

impl Aim {
    /// One host's `/`, which greets.
    pub fn at(address: SocketAddr, host: &str) -> Aim {
        Aim { address, hosts: [host.to_owned()].into(), path: "/".into(), expected: Some(GREETING) }
    }

    /// The requests as bytes.
    pub fn requests(&self) -> Vec<Box<[u8]>> {
        self.hosts.iter().map(|host| wire::get(host, &self.path)).collect()
    }

    /// Asks every host once and looks at the whole answer.
    ///
    /// # Errors
    /// When one does not answer with 200 and what is expected.
    pub fn check(&self) -> Result<(), Error> {
        const PATIENCE: Duration = Duration::from_secs(60);
        let mut line = Line::open(self.address)?;
        for (host, request) in self.hosts.iter().zip(self.requests()) {
            let begun = Instant::now();
            line.send(&request)?;
            let answer = loop {
                if let Some(answer) = line.poll()? {
                    break answer;
                }
                if begun.elapsed() > PATIENCE {
                    return Err(format!("{host} does not answer").into());
                }
            };
            let body = String::from_utf8_lossy(line.bytes(answer)).into_owned();
            if answer.status != 200 || self.expected.is_some_and(|expected| expected != body) {
                return Err(format!("{host} answered {}: {body:?}", answer.status).into());
            }
        }
        Ok(())
    }
}

/// What every hello says.
pub const GREETING: &str = "Hello from Wasmyard!\n";
