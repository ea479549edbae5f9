//! A name server on this machine that says what a test tells it. Must never ask another.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;

type Records = HashMap<(String, RecordType), Vec<RData>>;

/// One that runs until its test ends.
#[derive(Clone)]
pub struct NameServer {
    /// Where it is asked, over UDP.
    pub address: SocketAddr,
    records: Arc<Mutex<Records>>,
    delegated: Arc<Mutex<HashMap<String, SocketAddr>>>,
}

impl NameServer {
    /// Starts one that knows no name.
    pub async fn start() -> NameServer {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let records = Arc::<Mutex<Records>>::default();
        let server = NameServer { address, records, delegated: Arc::default() };
        let answering = server.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let query = Message::from_vec(&buffer[..length]).unwrap();
                let answer = answering.resolved(&query).await;
                socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
            }
        });
        server
    }

    /// From now on another server is asked for names below this one.
    pub fn delegate(&self, suffix: &str, server: SocketAddr) {
        self.delegated.lock().unwrap().insert(whole(suffix), server);
    }

    /// What it says, with what servers say that it delegated names to, also where a CNAME leads there.
    async fn resolved(&self, query: &Message) -> Message {
        let asked = query.queries[0].clone();
        let name = asked.name().to_ascii().to_ascii_lowercase();
        if let Some(server) = self.delegate_of(&name) {
            return ask(server, query).await;
        }
        let mut answer = answered(&self.records.lock().unwrap(), query);
        let target =
            self.records.lock().unwrap().get(&(name, RecordType::CNAME)).cloned().unwrap_or_default();
        if let [RData::CNAME(target)] = target.as_slice()
            && asked.query_type() != RecordType::CNAME
            && let Some(server) = self.delegate_of(&whole(target.0.to_ascii().trim_end_matches('.')))
        {
            let mut behind = query.clone();
            behind.queries[0].set_name(target.0.clone());
            answer.answers = vec![Record::from_rdata(asked.name().clone(), 60, RData::CNAME(target.clone()))];
            answer.answers.extend(ask(server, &behind).await.answers);
        }
        answer
    }

    fn delegate_of(&self, name: &str) -> Option<SocketAddr> {
        let delegated = self.delegated.lock().unwrap();
        delegated.iter().find(|(suffix, _)| name.ends_with(suffix.as_str())).map(|(_, server)| *server)
    }

    /// From now on a name is another one. `*.` in front of a name stands for all below it that have no record.
    pub fn cname(&self, name: &str, target: &str) {
        self.put(name, RecordType::CNAME, RData::CNAME(CNAME(Name::from_ascii(target).unwrap())));
    }

    /// From now on a name has this text.
    pub fn text(&self, name: &str, text: &str) {
        self.put(name, RecordType::TXT, RData::TXT(TXT::new(vec![text.to_owned()])));
    }

    /// From now on a name has these texts.
    pub fn texts(&self, name: &str, texts: &[&str]) {
        let data = texts.iter().map(|text| RData::TXT(TXT::new(vec![(*text).to_owned()]))).collect();
        self.records.lock().unwrap().insert((whole(name), RecordType::TXT), data);
    }

    /// From now on a name has this address.
    pub fn address_of(&self, name: &str, address: IpAddr) {
        match address {
            IpAddr::V4(address) => self.put(name, RecordType::A, RData::A(A(address))),
            IpAddr::V6(address) => self.put(name, RecordType::AAAA, RData::AAAA(AAAA(address))),
        }
    }

    /// From now on there is no such name.
    pub fn forget(&self, name: &str) {
        self.records.lock().unwrap().retain(|(known, _), _| known != &whole(name));
    }

    fn put(&self, name: &str, kind: RecordType, data: RData) {
        self.records.lock().unwrap().insert((whole(name), kind), vec![data]);
    }
}

/// One question to another server; what does not answer says nothing.
async fn ask(server: SocketAddr, query: &Message) -> Message {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(&query.to_vec().unwrap(), server).await.unwrap();
    let mut buffer = [0; 4096];
    let answered = tokio::time::timeout(Duration::from_secs(2), socket.recv_from(&mut buffer)).await;
    let failed = || Message::error_msg(query.metadata.id, query.metadata.op_code, ResponseCode::ServFail);
    match answered {
        Ok(Ok((length, _))) => Message::from_vec(&buffer[..length]).unwrap(),
        _ => failed(),
    }
}

fn whole(name: &str) -> String {
    format!("{}.", name.to_ascii_lowercase())
}

/// The name that has records where this one is asked for: itself, or the wildcard next to it (RFC 4592).
fn written(known: &Records, name: String) -> String {
    let exists = |name: &str| known.keys().any(|(known, _)| known == name);
    if exists(&name) {
        return name;
    }
    let above = std::iter::successors(name.split_once('.'), |(_, parent)| parent.split_once('.'));
    let mut wildcards = above.map(|(_, parent)| format!("*.{parent}"));
    let found = wildcards.find(|wildcard| exists(wildcard));
    found.unwrap_or(name)
}

fn answered(known: &Records, query: &Message) -> Message {
    let asked = query.queries[0].clone();
    let name = asked.name().to_ascii().to_ascii_lowercase();
    let name = written(known, name);
    let found = known.get(&(name.clone(), asked.query_type())).cloned().unwrap_or_default();
    let exists = known.keys().any(|(known, _)| *known == name);
    let mut message = Message::response(query.metadata.id, query.metadata.op_code);
    message.metadata.message_type = MessageType::Response;
    message.metadata.response_code = if exists { ResponseCode::NoError } else { ResponseCode::NXDomain };
    message.metadata.recursion_available = true;
    message.answers =
        found.into_iter().map(|data| Record::from_rdata(asked.name().clone(), 60, data)).collect();
    message.queries = vec![asked];
    message
}
