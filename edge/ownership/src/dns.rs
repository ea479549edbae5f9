//! Questions to name servers, each asked of one server, so that their answers can be compared.
//!
//! Owns what is asked and in which words a failure is told. CNAMEs are followed by whoever asks, one question a step. Must
//! never hold an answer for the next question: what is asked here is asked because it may have changed.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use async_trait::async_trait;
use wasmyard_model::domain::Domain;

/// What is asked of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Question {
    /// Texts.
    Txt,
    /// The name that stands in its place.
    Cname,
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Who may issue certificates.
    Caa,
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Question::Txt => "TXT",
            Question::Cname => "CNAME",
            Question::A => "A",
            Question::Aaaa => "AAAA",
            Question::Caa => "CAA",
        })
    }
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A text, its pieces put together.
    Txt(String),
    /// Another name.
    Cname(Domain),
    /// An address.
    Address(IpAddr),
    /// A rule for certificates.
    Caa {
        /// What it is about, such as `issue`.
        tag: String,
        /// What it says.
        value: String,
    },
}

/// What a name server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// These records of the type that was asked for, and of the name itself.
    Records(Vec<Record>),
    /// The name is there and has none of that type.
    None,
    /// There is no such name.
    NoName,
    /// It did not say: in time, or at all. The text is for people.
    Failed(String),
    /// What it said is not signed as the domain says that it is. The text is for people.
    Bogus(String),
}

impl Answer {
    /// The records, if there are some.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        match self {
            Answer::Records(records) => records,
            Answer::None | Answer::NoName | Answer::Failed(_) | Answer::Bogus(_) => &[],
        }
    }
}

/// One name server.
#[async_trait]
pub trait Dns: Send + Sync + 'static {
    /// How people know it: its address.
    fn name(&self) -> String;

    /// Asks it. Bounded in time.
    ///
    /// # Cancel safety
    /// Dropping the future ends the question.
    async fn ask(&self, name: &str, question: Question) -> Answer;
}

/// The name servers that this machine is set up with; none where it says nothing of them.
#[must_use]
pub fn of_this_machine() -> Vec<SocketAddr> {
    let Ok((config, _)) = hickory_resolver::system_conf::read_system_conf() else { return Vec::new() };
    let mut servers: Vec<SocketAddr> = Vec::new();
    for server in config.name_servers() {
        let port = server.connections.first().map_or(53, |connection| connection.port);
        let address = SocketAddr::new(server.ip, port);
        if !servers.contains(&address) {
            servers.push(address);
        }
    }
    servers
}
