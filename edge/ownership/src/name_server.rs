//! One name server that resolves for others, asked over the network.
//!
//! Owns how it is asked, that nothing it says is kept, and whether what it says is believed without signatures. Its answers are
//! validated here (RFC 4035), from the root's key down: a name server on the way there, or one that was broken into, can hold
//! answers back and not make them up. Must never believe an answer whose signatures are missing or wrong.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use hickory_resolver::config::{ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::dnssec::{Proof, TrustAnchors};
use hickory_resolver::proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, Record as Found, RecordType};
use hickory_resolver::{Resolver, TokioResolver};
use tokio::net::UdpSocket;
use tokio::time::Instant;
use wasmyard_model::domain::Domain;
use wasmyard_net::named_by;

use crate::dns::{Answer, Dns, Question, Record};

/// How long it is remembered whether a name server hands signatures out.
const REMEMBERED: Duration = Duration::from_secs(600);

/// What is said of a name server that handed signatures out, and does not any more.
const STOPPED: &str = "DNSSEC: this name server handed out signatures of the root before and does not now, so that it is not believed; if it was \
                       changed on purpose, start again, or set dnssec = \"off\"";

/// Whether answers are validated by their signatures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dnssec {
    /// Never.
    Off,
    /// Where the name server hands out the signatures of the root; one that does not is believed as it is.
    #[default]
    Auto,
    /// Always: a name server that does not hand them out shows nothing.
    On,
}

/// Keys that signatures are believed by. Cheap to clone.
#[derive(Clone, Default)]
pub struct Anchors(Arc<TrustAnchors>);

impl Anchors {
    /// The keys of a file: DNSKEY records of the root, as name servers write them.
    ///
    /// # Errors
    /// Why it cannot be read, or that it has no key.
    pub fn from_file(path: &Path) -> Result<Anchors, String> {
        let anchors = TrustAnchors::from_file(path).map_err(|error| error.to_string())?;
        match anchors.is_empty() {
            true => Err("it has no DNSKEY record of the root".to_owned()),
            false => Ok(Anchors(Arc::new(anchors))),
        }
    }
}

impl From<TrustAnchors> for Anchors {
    fn from(anchors: TrustAnchors) -> Anchors {
        Anchors(Arc::new(anchors))
    }
}

impl std::fmt::Debug for Anchors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Anchors").field("count", &self.0.len()).finish()
    }
}

/// A name server that resolves for others, at an address.
pub struct NameServer {
    address: SocketAddr,
    patience: Duration,
    plain: TokioResolver,
    signed: Option<(Dnssec, TokioResolver)>,
    /// Whether it hands signatures out, and when that was found out.
    hands_out: Mutex<Option<(Instant, bool)>>,
}

impl std::fmt::Debug for NameServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NameServer").field("address", &self.address).finish_non_exhaustive()
    }
}

impl NameServer {
    /// One that is asked by UDP, and by TCP where an answer is long, and believed as it is. Nothing it says is kept.
    ///
    /// # Errors
    /// The reason, when no resolver can be made of it.
    pub fn at(address: SocketAddr, patience: Duration) -> Result<NameServer, String> {
        NameServer::validating(address, patience, Dnssec::Off, &Anchors::default())
    }

    /// The same, whose answers are validated by these keys.
    ///
    /// # Errors
    /// The reason, when no resolver can be made of it.
    pub fn validating(
        address: SocketAddr,
        patience: Duration,
        dnssec: Dnssec,
        anchors: &Anchors,
    ) -> Result<NameServer, String> {
        let made = |anchors: Option<&Anchors>| {
            let mut options = ResolverOpts::default();
            options.timeout = patience;
            options.attempts = 2;
            options.cache_size = 0;
            options.use_hosts_file = ResolveHosts::Never;
            options.preserve_intermediates = true;
            let config = ResolverConfig::from_parts(None, Vec::new(), vec![named_by(&address)]);
            let builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
            let builder = builder.with_options(options);
            let builder = match anchors {
                Some(anchors) => builder.with_trust_anchor(Arc::clone(&anchors.0)),
                None => builder,
            };
            builder.build().map_err(|error| error.to_string())
        };
        let signed = match dnssec {
            Dnssec::Off => None,
            Dnssec::Auto | Dnssec::On => Some((dnssec, made(Some(anchors))?)),
        };
        Ok(NameServer { address, patience, plain: made(None)?, signed, hands_out: Mutex::default() })
    }

    /// Who is asked, and whether its answers are validated. An error is an answer as well: that it cannot be told.
    async fn asked(&self) -> Result<(&TokioResolver, bool), Answer> {
        let Some((dnssec, signed)) = &self.signed else { return Ok((&self.plain, false)) };
        if *dnssec == Dnssec::On {
            return Ok((signed, true));
        }
        let known = *self.hands_out.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, hands_out)) = known.filter(|(at, _)| at.elapsed() < REMEMBERED) {
            return Ok(if hands_out { (signed, true) } else { (&self.plain, false) });
        }
        let hands_out = match signed.lookup(Name::root(), RecordType::DNSKEY).await {
            Ok(found) => found.answers().iter().any(|key| key.proof == Proof::Secure),
            // Whether it would is not known: whoever keeps answers back must not be believed for that.
            Err(error) if is_silence(&error) => return Err(Answer::Failed(error.to_string())),
            Err(_) => false,
        };
        // Who hands them out does not stop by itself. Somebody on the way who takes them off would be believed.
        let was_handing_out = known.is_some_and(|(_, hands_out)| hands_out);
        if was_handing_out && !hands_out {
            return Err(Answer::Failed(STOPPED.to_owned()));
        }
        *self.hands_out.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), hands_out));
        Ok(if hands_out { (signed, true) } else { (&self.plain, false) })
    }

    /// Whether it has an answer where it is told to check nothing: then it failed for what it checks, which is signatures.
    async fn answers_unchecked(&self, name: &Name, kind: RecordType) -> bool {
        let asking = async {
            let local: SocketAddr = match self.address.ip() {
                IpAddr::V4(_) => SocketAddr::from(([0, 0, 0, 0], 0)),
                IpAddr::V6(_) => SocketAddr::from(([0; 16], 0)),
            };
            let socket = UdpSocket::bind(local).await.ok()?;
            socket.connect(self.address).await.ok()?;
            let id = u16::try_from(uuid_part()).unwrap_or_default();
            let mut message = Message::new(id, MessageType::Query, OpCode::Query);
            message.metadata.recursion_desired = true;
            message.metadata.checking_disabled = true;
            message.queries = vec![Query::query(name.clone(), kind)];
            socket.send(&message.to_vec().ok()?).await.ok()?;
            let mut buffer = [0; 4_096];
            loop {
                let length = socket.recv(&mut buffer).await.ok()?;
                let answer = Message::from_vec(buffer.get(..length)?).ok()?;
                if answer.metadata.id == id {
                    return Some(answer.metadata.response_code);
                }
            }
        };
        let code = tokio::time::timeout(self.patience, asking).await;
        matches!(code, Ok(Some(ResponseCode::NoError | ResponseCode::NXDomain)))
    }
}

/// A number that nobody can guess.
fn uuid_part() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(0) & 0xffff
}

/// Whether nothing was answered at all.
fn is_silence(error: &NetError) -> bool {
    matches!(error, NetError::Timeout | NetError::Io(_) | NetError::NoConnections | NetError::Busy)
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
        let (resolver, validated) = match self.asked().await {
            Ok(asked) => asked,
            Err(answer) => return answer,
        };
        match resolver.lookup(asked.clone(), kind).await {
            Ok(found) => {
                let own = found.answers().iter().filter(|record| record.name.eq_ignore_root_case(&asked));
                let own: Vec<&Found> = own.filter(|record| record.record_type() == kind).collect();
                if validated && own.iter().any(|record| is_doubtful(record.proof)) {
                    return bogus();
                }
                let records: Vec<Record> = own.into_iter().filter_map(|record| read(&record.data)).collect();
                if records.is_empty() { Answer::None } else { Answer::Records(records) }
            }
            Err(error) if error.is_nx_domain() => Answer::NoName,
            Err(error) if error.is_no_records_found() => Answer::None,
            Err(NetError::Dns(DnsError::DnssecBogus)) => bogus(),
            // That there is nothing, in a zone that is not signed.
            Err(NetError::Dns(DnsError::Nsec { response, proof: Proof::Insecure, .. })) => {
                match response.metadata.response_code {
                    ResponseCode::NXDomain => Answer::NoName,
                    _ => Answer::None,
                }
            }
            Err(NetError::Dns(DnsError::Nsec { .. })) => bogus(),
            Err(error) => {
                let is_refusal =
                    matches!(error, NetError::Dns(DnsError::ResponseCode(ResponseCode::ServFail)));
                if is_refusal && self.answers_unchecked(&asked, kind).await {
                    return bogus();
                }
                Answer::Failed(error.to_string())
            }
        }
    }
}

/// Whether a record is one of a zone that is signed, and its signature does not show that.
fn is_doubtful(proof: Proof) -> bool {
    matches!(proof, Proof::Bogus | Proof::Indeterminate)
}

fn bogus() -> Answer {
    let text = "DNSSEC: the answer is not signed as the domain says that it is; signatures that expired, or a DS record of \
                another key, are the usual causes";
    Answer::Bogus(text.to_owned())
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
