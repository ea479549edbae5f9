//! A name server on this machine that says what a test tells it. Must never ask another.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

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
}

impl NameServer {
    /// Starts one that knows no name.
    pub async fn start() -> NameServer {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let records = Arc::<Mutex<Records>>::default();
        let known = Arc::clone(&records);
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let query = Message::from_vec(&buffer[..length]).unwrap();
                let answer = answered(&known.lock().unwrap(), &query);
                socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
            }
        });
        NameServer { address, records }
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
