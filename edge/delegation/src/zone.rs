//! From the bytes of a question to those of its answer.
//!
//! Owns what the zone says. Every name below the suffix exists and has nothing but its texts, if it has some: resolvers that
//! shorten what they ask for (RFC 9156) find their way, and nobody learns which hostnames there are. Must never answer with
//! more than the asker has room for, nor keep anything of a question.

use std::sync::Arc;

use hickory_proto::op::{Edns, Message, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{NS, SOA, TXT};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use wasmyard_model::domain::Domain;

/// Who knows which texts there are.
pub trait Texts: Send + Sync + 'static {
    /// The texts that a host waits with, of the zone with this label. Asked for any name, as often as strangers like.
    fn texts(&self, label: &str, host: &str) -> Vec<String>;
}

/// How a question came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// In one datagram, whose sender may be another than it says.
    Udp,
    /// Over a connection.
    Tcp,
}

/// What came of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered with records.
    Answered,
    /// There is nothing of that kind.
    Empty,
    /// It was about another zone, or for something that is not done here.
    Refused,
    /// It was none.
    Malformed,
    /// It was told to come over TCP, because its network asks often.
    Limited,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Outcome; 5] =
        [Outcome::Answered, Outcome::Empty, Outcome::Refused, Outcome::Malformed, Outcome::Limited];

    /// In one word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Outcome::Answered => "answered",
            Outcome::Empty => "empty",
            Outcome::Refused => "refused",
            Outcome::Malformed => "malformed",
            Outcome::Limited => "limited",
        }
    }
}

/// How long resolvers may keep what was said, and that there was nothing: texts come and go within moments.
const KEPT_SECONDS: u32 = 1;
/// How long they may keep who the name server is.
const NAME_SERVER_SECONDS: u32 = 3_600;
/// What fits into a datagram on every way (RFC 9715), and what an asker without EDNS has room for.
const DATAGRAM: u16 = 1_232;
const LEAST_DATAGRAM: u16 = 512;
/// The most texts of a name: two are waited for at a time, and a few more while another zone waits for the same.
const MOST_TEXTS: usize = 16;
/// Bytes of the head of a message.
const HEAD: usize = 12;
/// Types from here on are no records but commands: transfers, and all that there is.
const FIRST_COMMAND: u16 = 128;

/// One zone, and who knows its texts.
#[derive(Clone)]
pub struct DelegatedZone {
    /// With a dot before and behind it.
    below: String,
    apex: Name,
    start: RData,
    server: RData,
    texts: Arc<dyn Texts>,
}

impl std::fmt::Debug for DelegatedZone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DelegatedZone").field("apex", &self.apex).finish_non_exhaustive()
    }
}

impl DelegatedZone {
    /// The zone `suffix`, of which the zone above says that `name_server` has it.
    ///
    /// # Errors
    /// The reason, where one of the names is none in the DNS.
    pub fn new(suffix: &Domain, name_server: &Domain, texts: Arc<dyn Texts>) -> Result<Self, String> {
        let name = |name: &Domain| {
            Name::from_ascii(format!("{}.", name.as_str())).map_err(|error| format!("{name}: {error}"))
        };
        let (apex, server) = (name(suffix)?, name(name_server)?);
        let mailbox = Name::from_ascii("hostmaster").and_then(|local| local.append_domain(&apex));
        let mailbox = mailbox.map_err(|error| format!("{suffix} is too long: {error}"))?;
        // Nobody copies the zone: its number means nothing, and neither do the times of those who would.
        let start = SOA::new(server.clone(), mailbox, 1, 3_600, 600, 86_400, KEPT_SECONDS);
        Ok(Self {
            below: format!(".{}.", suffix.as_str()),
            apex,
            start: RData::SOA(start),
            server: RData::NS(NS(server)),
            texts,
        })
    }

    /// The answer to a question; none where there is to be none, because it is an answer itself or too short to tell.
    #[must_use]
    pub fn answer(&self, question: &[u8], transport: Transport) -> Option<(Vec<u8>, Outcome)> {
        let head = question.first_chunk::<HEAD>()?;
        if is_answer(head) {
            return None;
        }
        if head[2] >> 3 & 0xf != 0 {
            return Some((bare(head, ResponseCode::NotImp), Outcome::Refused));
        }
        // One question, and beside it what says how it is asked: more is not read.
        let counts = [count(head, 4), count(head, 6), count(head, 8)];
        let is_question = counts == [1, 0, 0] && count(head, 10) <= 2;
        let Some(asked) = is_question.then(|| Message::from_vec(question).ok()).flatten() else {
            return Some((bare(head, ResponseCode::FormErr), Outcome::Malformed));
        };
        let (answer, outcome) = self.answered(&asked)?;
        let room = match transport {
            Transport::Udp => asked.edns.as_ref().map_or(LEAST_DATAGRAM, Edns::max_payload),
            Transport::Tcp => u16::MAX,
        };
        let room = if transport == Transport::Udp { room.clamp(LEAST_DATAGRAM, DATAGRAM) } else { room };
        let bytes = answer.to_vec().ok()?;
        if bytes.len() <= usize::from(room) {
            return Some((bytes, outcome));
        }
        Some((cut(&answer)?, outcome))
    }

    /// That the question is to come over TCP; none where it is none, or one that is refused: nobody has to be told that.
    #[must_use]
    pub fn over_tcp(&self, question: &[u8]) -> Option<Vec<u8>> {
        let head = question.first_chunk::<HEAD>()?;
        if is_answer(head) || count(head, 4) != 1 || count(head, 6) != 0 || count(head, 8) != 0 {
            return None;
        }
        let asked = Message::from_vec(question).ok()?;
        let (answer, outcome) = self.answered(&asked)?;
        if outcome == Outcome::Refused { None } else { cut(&answer) }
    }

    fn answered(&self, asked: &Message) -> Option<(Message, Outcome)> {
        let query = asked.queries.first()?;
        let mut answer = Message::response(asked.metadata.id, OpCode::Query);
        answer.metadata.recursion_desired = asked.metadata.recursion_desired;
        // As it was written: some tell answers to their questions from others by that.
        answer.queries = vec![query.clone()];
        if let Some(edns) = &asked.edns {
            let mut own = Edns::new();
            own.set_max_payload(DATAGRAM);
            answer.edns = Some(own);
            if edns.version() != 0 {
                answer.metadata.response_code = ResponseCode::BADVERS;
                return Some((answer, Outcome::Refused));
            }
        }
        let name = query.name().to_ascii().to_ascii_lowercase();
        let is_apex = self.below.strip_prefix('.') == Some(name.as_str());
        let below = name.strip_suffix(self.below.as_str());
        let is_record = u16::from(query.query_type()) < FIRST_COMMAND;
        if !(is_apex || below.is_some()) || !is_record || query.query_class() != DNSClass::IN {
            answer.metadata.response_code = ResponseCode::Refused;
            return Some((answer, Outcome::Refused));
        }
        answer.metadata.authoritative = true;
        let record = |seconds, data| Record::from_rdata(query.name().clone(), seconds, data);
        answer.answers = match (below, query.query_type()) {
            (None, RecordType::SOA) => vec![record(NAME_SERVER_SECONDS, self.start.clone())],
            (None, RecordType::NS) => vec![record(NAME_SERVER_SECONDS, self.server.clone())],
            (Some(below), RecordType::TXT) => {
                let texts = below.rsplit_once('.').map(|(host, label)| self.texts.texts(label, host));
                let texts = texts.into_iter().flatten().filter(|text| text.len() <= 255).take(MOST_TEXTS);
                texts.map(|text| record(KEPT_SECONDS, RData::TXT(TXT::new(vec![text])))).collect()
            }
            _ => Vec::new(),
        };
        if answer.answers.is_empty() {
            answer.authorities =
                vec![Record::from_rdata(self.apex.clone(), KEPT_SECONDS, self.start.clone())];
            return Some((answer, Outcome::Empty));
        }
        Some((answer, Outcome::Answered))
    }
}

/// Whether it says of itself that it is an answer: two that answer each other never end.
fn is_answer(head: &[u8; HEAD]) -> bool {
    head[2] & 0x80 != 0
}

fn count(head: &[u8; HEAD], at: usize) -> u16 {
    let byte = |at: usize| head.get(at).copied().unwrap_or_default();
    u16::from_be_bytes([byte(at), byte(at + 1)])
}

/// A head alone, for what cannot be read further.
fn bare(head: &[u8; HEAD], code: ResponseCode) -> Vec<u8> {
    // An answer with the same command, and whether recursion was wished for.
    let mut answer = vec![head[0], head[1], 0x80 | head[2] & 0x79, code.low()];
    answer.resize(HEAD, 0);
    answer
}

/// The same without what it says, so that it is asked for over TCP.
fn cut(answer: &Message) -> Option<Vec<u8>> {
    let mut short = answer.clone();
    short.answers.clear();
    short.authorities.clear();
    short.metadata.truncation = true;
    short.to_vec().ok()
}

#[cfg(test)]
mod tests;
