//! Questions to name servers, each asked of one server, so that their answers can be compared.
//!
//! Owns what is asked and in which words a failure is told. CNAMEs are followed by whoever asks, one question a step. Must
//! never hold an answer for the next question: what is asked here is asked because it may have changed.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
use hickory_resolver::config::{ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{Resolver, TokioResolver};
use wasmyard_model::domain::Domain;
use wasmyard_net::named_by;

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
}

impl Answer {
    /// The records, if there are some.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        match self {
            Answer::Records(records) => records,
            Answer::None | Answer::NoName | Answer::Failed(_) => &[],
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

/// A name server that resolves for others, at an address.
pub struct NameServer {
    address: SocketAddr,
    resolver: TokioResolver,
}

impl fmt::Debug for NameServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NameServer").field("address", &self.address).finish_non_exhaustive()
    }
}

impl NameServer {
    /// One that is asked by UDP, and by TCP where an answer is long. Nothing it says is kept.
    ///
    /// # Errors
    /// The reason, when no resolver can be made of it.
    pub fn at(address: SocketAddr, patience: Duration) -> Result<NameServer, String> {
        let mut options = ResolverOpts::default();
        options.timeout = patience;
        options.attempts = 2;
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        options.preserve_intermediates = true;
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![named_by(&address)]);
        let resolver = Resolver::builder_with_config(config, TokioRuntimeProvider::default())
            .with_options(options)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(NameServer { address, resolver })
    }
}

#[async_trait]
impl Dns for NameServer {
    fn name(&self) -> String {
        self.address.to_string()
    }

    async fn ask(&self, name: &str, question: Question) -> Answer {
        // With its dot, so that no search domain of this machine is put behind it.
        let Ok(asked) = Name::from_ascii(format!("{name}.")) else {
            return Answer::Failed(format!("{name} is no name in the DNS"));
        };
        let kind = match question {
            Question::Txt => RecordType::TXT,
            Question::Cname => RecordType::CNAME,
            Question::A => RecordType::A,
            Question::Aaaa => RecordType::AAAA,
            Question::Caa => RecordType::CAA,
        };
        match self.resolver.lookup(asked.clone(), kind).await {
            Ok(found) => {
                let own = found.answers().iter().filter(|record| record.name.eq_ignore_root_case(&asked));
                let records: Vec<Record> = own
                    .filter(|record| record.record_type() == kind)
                    .filter_map(|record| read(&record.data))
                    .collect();
                if records.is_empty() { Answer::None } else { Answer::Records(records) }
            }
            Err(error) if error.is_nx_domain() => Answer::NoName,
            Err(error) if error.is_no_records_found() => Answer::None,
            Err(error) => Answer::Failed(error.to_string()),
        }
    }
}

/// What a record says, if it is of a type that is asked for.
fn read(data: &RData) -> Option<Record> {
    match data {
        RData::TXT(text) => {
            let pieces: Vec<u8> = text.txt_data.iter().flat_map(|piece| piece.iter().copied()).collect();
            Some(Record::Txt(String::from_utf8_lossy(&pieces).into_owned()))
        }
        RData::CNAME(target) => {
            let target = target.0.to_ascii().to_ascii_lowercase();
            Domain::parse(target.trim_end_matches('.')).ok().map(Record::Cname)
        }
        RData::A(address) => Some(Record::Address(IpAddr::V4(address.0))),
        RData::AAAA(address) => Some(Record::Address(IpAddr::V6(address.0))),
        RData::CAA(rule) => Some(Record::Caa {
            tag: rule.tag.to_ascii_lowercase(),
            value: String::from_utf8_lossy(&rule.value).into_owned(),
        }),
        _ => None,
    }
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
