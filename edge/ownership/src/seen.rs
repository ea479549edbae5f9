//! What a check judges by and what it may find: the words that all of its steps share.
//!
//! Owns no step of it.

use std::net::IpAddr;

use async_trait::async_trait;
use ipnet::IpNet;
use wasmyard_model::domain::Domain;
use wasmyard_model::hostname::CustomHostname;
use wasmyard_model::zone::{DnsRecord, Zone};

/// Most CNAMEs that are followed from a name.
pub const MOST_STEPS: usize = 8;
/// The longest sentence that is kept of a check, in bytes.
pub const LONGEST_NOTE: usize = 400;

/// What a hostname is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'e> {
    /// The hostname.
    pub hostname: &'e CustomHostname,
    /// Its zone.
    pub zone: &'e Zone,
    /// The records of the zone: customers' CNAMEs lead to those whose requests come through the platform.
    pub records: &'e [DnsRecord],
    /// Addresses at which this platform takes the zone's requests, for names that can have no CNAME.
    pub apex: &'e [IpNet],
    /// Whether another zone holds the name.
    pub held: bool,
    /// Whether the operator lets nobody have the name.
    pub blocked: bool,
    /// Whether another zone is served under the name, or was last, or has it as one of its own. What all zones share says
    /// nothing then: neither an address of the platform, nor a web server that may be the platform itself.
    pub contested: bool,
}

/// How a name was shown to be its customer's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A TXT record has the token.
    Txt,
    /// The customer's web server gives the token out.
    Http,
    /// The name is a CNAME that leads to this name of the zone.
    Cname(Domain),
    /// The name itself has this address, which is the platform's, and no other zone has to do with it.
    Address(IpAddr),
}

/// Where requests for a name go, as its DNS says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leads {
    /// To this zone.
    Here,
    /// Not to this zone.
    Elsewhere,
    /// Too few name servers said.
    Unknown,
}

/// The customer's own web server.
#[async_trait]
pub trait Web: Send + Sync + 'static {
    /// What it answers to a GET with status 200, bounded in length and time; or why that failed.
    async fn get(&self, url: &str) -> Result<String, NoToken>;
}

/// Why a web server did not give a token out. For people: a URL stands before it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoToken {
    /// Its name has no address, or none that may be asked.
    #[error("{0}")]
    NoAddress(String),
    /// Nobody is there, or nobody answers in time.
    #[error("{0}")]
    Closed(String),
    /// It sends whoever asks elsewhere.
    #[error("it answers with {status}, not 200: it redirects to {to}, and redirects are not followed")]
    Redirects {
        /// How it says so.
        status: u16,
        /// Where to, shortened.
        to: String,
    },
    /// It has something else to say than that it is there.
    #[error("it answers with {0}, not 200")]
    Status(http::StatusCode),
    /// It gives something else out.
    #[error("it answers with something else than the token")]
    Other,
    /// What it gives out cannot be read.
    #[error("{0}")]
    Broken(String),
}

/// Shortens a sentence to what is kept of one.
pub(crate) fn cut(note: &mut String) {
    if note.len() > LONGEST_NOTE {
        note.truncate(note.floor_char_boundary(LONGEST_NOTE));
        note.push_str("...");
    }
}
