//! The sockets, asked by a client of the test over both transports.

use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name, RecordType};
use wasmyard_model::domain::Domain;

use super::*;
use crate::zone::Texts;

struct Known;

impl Texts for Known {
    fn texts(&self, _: &str, host: &str) -> Vec<String> {
        let count = if host == "many.test" { 16 } else { 1 };
        vec!["t".repeat(100); count]
    }
}

async fn start() -> (SocketAddr, DelegationFigures) {
    let ports = Ports::open("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = ports.address().unwrap();
    let domain = |name| Domain::parse(name).unwrap();
    let zone = DelegatedZone::new(&domain("dcv.test"), &domain("ns.test"), Arc::new(Known)).unwrap();
    let figures = DelegationFigures::new(&prometheus::Registry::new()).unwrap();
    tokio::spawn(serve(ports, zone, figures.clone()));
    (address, figures)
}

fn question(name: &str) -> Vec<u8> {
    let mut message = Message::query();
    message.queries = vec![Query::query(Name::from_ascii(name).unwrap(), RecordType::TXT)];
    message.to_vec().unwrap()
}

async fn by_datagram(to: SocketAddr, question: &[u8]) -> Message {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(question, to).await.unwrap();
    let mut buffer = [0; 4_096];
    let (length, _) = socket.recv_from(&mut buffer).await.unwrap();
    Message::from_vec(&buffer[..length]).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a client of this test, not a guest's socket")]
async fn connect(to: SocketAddr) -> TcpStream {
    TcpStream::connect(to).await.unwrap()
}

async fn ask(stream: &mut TcpStream, question: &[u8]) -> io::Result<Message> {
    let length = u16::try_from(question.len()).unwrap();
    stream.write_all(&[&length.to_be_bytes()[..], question].concat()).await?;
    let length = stream.read_u16().await?;
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await?;
    Ok(Message::from_vec(&answer).unwrap())
}

#[tokio::test]
async fn both_transports_answer_on_one_port_and_what_is_long_comes_over_the_second() {
    let (address, figures) = start().await;
    let short = by_datagram(address, &question("shop.test.label.dcv.test.")).await;
    assert_eq!((short.answers.len(), short.metadata.truncation), (1, false));
    let long = question("many.test.label.dcv.test.");
    assert!(by_datagram(address, &long).await.metadata.truncation);
    let mut stream = connect(address).await;
    for _ in 0..2 {
        let whole = ask(&mut stream, &long).await.unwrap();
        assert_eq!((whole.answers.len(), whole.metadata.truncation), (16, false));
    }
    assert_eq!(figures.of(Outcome::Answered), 4);
}

// While time stands still nothing has a timer: the runtime waits for sockets alone.
#[tokio::test(start_paused = true)]
async fn a_network_that_asks_often_is_sent_to_tcp_and_nobody_is_answered_with_more() {
    let (address, figures) = start().await;
    let short = question("shop.test.label.dcv.test.");
    let mut cut = Vec::new();
    for _ in 0..205 {
        let answer = by_datagram(address, &short).await;
        assert_ne!(answer.metadata.truncation, answer.answers.len() == 1);
        cut.push(answer.metadata.truncation);
    }
    assert_eq!(cut, [vec![false; 200], vec![true; 5]].concat());
    assert_eq!(figures.of(Outcome::Limited), 5);
    tokio::time::resume();
    let mut stream = connect(address).await;
    assert_eq!(ask(&mut stream, &short).await.unwrap().answers.len(), 1);
}

#[tokio::test]
async fn connections_have_an_end_and_one_client_has_not_all_of_them() {
    let (address, _) = start().await;
    let short = question("shop.test.label.dcv.test.");
    let mut kept = Vec::new();
    for _ in 0..MOST_PER_CLIENT {
        let mut stream = connect(address).await;
        ask(&mut stream, &short).await.unwrap();
        kept.push(stream);
    }
    let mut one_more = connect(address).await;
    assert!(ask(&mut one_more, &short).await.is_err(), "closed");
    let mut first = kept.remove(0);
    for _ in 1..MOST_QUESTIONS {
        ask(&mut first, &short).await.unwrap();
    }
    assert!(ask(&mut first, &short).await.is_err(), "it had as many as it may");
    let mut long = kept.remove(0);
    long.write_all(&[0xff, 0xff]).await.unwrap();
    assert_eq!(long.read(&mut [0; 16]).await.unwrap(), 0, "closed before it is read");
}
