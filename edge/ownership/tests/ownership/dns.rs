//! Questions to a real name server: one that answers over UDP what the test says.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, CNAME, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record as Entry, RecordType};
use tokio::net::UdpSocket;
use wasmyard_model::domain::Domain;
use wasmyard_ownership::NameServer;
use wasmyard_ownership::dns::{Answer, Dns as _, Question, Record};

const PATIENCE: Duration = Duration::from_secs(20);

/// What there is: a text in two pieces, a chain of names, an address; nothing else has a name. `broken.test` fails, and
/// nothing is said of `silent.test`.
fn answered(query: &Message) -> Option<Message> {
    let asked = query.queries.first()?.clone();
    let name = asked.name().to_ascii();
    let own = |data| Entry::from_rdata(asked.name().clone(), 60, data);
    let target = |text: &str| CNAME(Name::from_ascii(text).unwrap());
    let mut answers = Vec::new();
    let mut code = ResponseCode::NoError;
    match (name.as_str(), asked.query_type()) {
        ("silent.test.", _) => return None,
        ("broken.test.", _) => code = ResponseCode::ServFail,
        ("text.test.", RecordType::TXT) => {
            answers.push(own(RData::TXT(TXT::new(vec!["one ".to_owned(), "text".to_owned()]))));
        }
        ("shop.test.", RecordType::CNAME) => answers.push(own(RData::CNAME(target("Target.Test.")))),
        // As servers do that resolve for others: the address of the target comes along.
        ("shop.test.", RecordType::A) => {
            answers.push(own(RData::CNAME(target("target.test."))));
            let address = RData::A(A(Ipv4Addr::new(192, 0, 2, 7)));
            answers.push(Entry::from_rdata(Name::from_ascii("target.test.").unwrap(), 60, address));
        }
        ("target.test.", RecordType::A) => answers.push(own(RData::A(A(Ipv4Addr::new(192, 0, 2, 7))))),
        ("text.test." | "shop.test." | "target.test.", _) => {}
        _ => code = ResponseCode::NXDomain,
    }
    let mut message = Message::response(query.metadata.id, query.metadata.op_code);
    message.metadata.message_type = MessageType::Response;
    message.metadata.response_code = code;
    message.metadata.recursion_desired = true;
    message.metadata.recursion_available = true;
    message.queries = vec![asked];
    message.answers = answers;
    Some(message)
}

async fn server() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            let query = Message::from_vec(&buffer[..length]).unwrap();
            if let Some(answer) = answered(&query) {
                socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
            }
        }
    });
    address
}

#[tokio::test]
async fn each_answer_is_told_apart() {
    let address = server().await;
    let dns = NameServer::at(address, PATIENCE).unwrap();
    assert_eq!(dns.name(), address.to_string());
    let address = Record::Address("192.0.2.7".parse().unwrap());
    let target = Record::Cname(Domain::parse("target.test").unwrap());
    for (name, question, answer) in [
        ("text.test", Question::Txt, Answer::Records(vec![Record::Txt("one text".to_owned())])),
        ("text.test", Question::Cname, Answer::None),
        ("shop.test", Question::Cname, Answer::Records(vec![target])),
        // Whoever follows CNAMEs asks for each step.
        ("shop.test", Question::A, Answer::None),
        ("target.test", Question::A, Answer::Records(vec![address])),
        ("target.test", Question::Aaaa, Answer::None),
        ("nobody.test", Question::Cname, Answer::NoName),
    ] {
        assert_eq!(dns.ask(name, question).await, answer, "{question} {name}");
    }
    let broken = dns.ask("broken.test", Question::Txt).await;
    assert!(matches!(&broken, Answer::Failed(why) if !why.is_empty()), "{broken:?}");
    let nonsense = dns.ask("a..b", Question::Txt).await;
    assert!(matches!(&nonsense, Answer::Failed(why) if why.contains("no name")), "{nonsense:?}");
}

#[tokio::test]
async fn a_server_that_says_nothing_has_an_end() {
    let dns = NameServer::at(server().await, Duration::from_millis(50)).unwrap();
    let silent = dns.ask("silent.test", Question::Cname).await;
    assert!(matches!(silent, Answer::Failed(_)), "{silent:?}");
}
