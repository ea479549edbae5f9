//! Names as real name servers may answer for them: a server of the test's own on loopback, asked by the resolver
//! that egress ships with.

use std::collections::HashMap;
use std::net::Ipv6Addr;
use std::sync::Mutex;
use std::time::Instant;

use tokio::net::UdpSocket;

use super::*;

/// What a name server says to a question for addresses.
#[derive(Clone)]
enum Says {
    Nothing,
    /// A code of failure.
    Code(u8),
    Records(Vec<Record>),
    /// Bytes that are no answer.
    Noise,
}

#[derive(Clone, Copy)]
enum Record {
    Address(IpAddr),
    /// This other name, and its addresses follow.
    Alias(&'static str),
}

const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;

/// Answers questions for A records by name and by how often the name was asked for; no other questions.
async fn name_server(
    answer: impl Fn(&str, usize) -> Says + Send + 'static,
) -> (SocketAddr, Arc<AtomicUsize>) {
    let socket = UdpSocket::bind((LOOPBACK, 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    let questions = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&questions);
    tokio::spawn(async move {
        let asked: Mutex<HashMap<String, usize>> = Mutex::default();
        let mut packet = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut packet).await {
            let question = &packet[..length];
            let (name, kind, end) = read_question(question);
            let says = if kind == A {
                counted.fetch_add(1, Ordering::SeqCst);
                let mut asked = asked.lock().unwrap();
                let times = asked.entry(name.clone()).or_default();
                *times += 1;
                answer(&name, *times)
            } else {
                // IPv6 addresses, where the test has any, are the same every time.
                answer(&name, 1)
            };
            let text = match says {
                Says::Nothing => continue,
                Says::Noise => question[..2].iter().copied().chain([0xff; 40]).collect(),
                Says::Code(code) => written(&question[..end], kind, code, &[]),
                Says::Records(records) => written(&question[..end], kind, 0, &records),
            };
            socket.send_to(&text, from).await.unwrap();
        }
    });
    (address, questions)
}

/// The name that is asked for, the type, and where the question ends.
fn read_question(packet: &[u8]) -> (String, u16, usize) {
    let (mut labels, mut at) = (Vec::new(), 12);
    while packet[at] != 0 {
        let length = usize::from(packet[at]);
        labels.push(String::from_utf8_lossy(&packet[at + 1..=at + length]).to_ascii_lowercase());
        at += length + 1;
    }
    (labels.join("."), u16::from_be_bytes([packet[at + 1], packet[at + 2]]), at + 5)
}

fn written(question: &[u8], kind: u16, code: u8, records: &[Record]) -> Vec<u8> {
    let fits = |record: &&Record| match record {
        Record::Alias(_) => true,
        Record::Address(IpAddr::V4(_)) => kind == A,
        Record::Address(IpAddr::V6(_)) => kind == AAAA,
    };
    let records: Vec<_> = records.iter().filter(fits).collect();
    let mut packet = question[..2].to_vec();
    packet.extend([0x81, 0x80 | code, 0, 1, 0, u8::try_from(records.len()).unwrap(), 0, 0, 0, 0]);
    packet.extend(&question[12..]);
    // The name in question, by reference.
    let mut owner = vec![0xc0, 12];
    for record in records {
        let (kind, data) = match record {
            Record::Address(IpAddr::V4(address)) => (A, address.octets().to_vec()),
            Record::Address(IpAddr::V6(address)) => (AAAA, address.octets().to_vec()),
            Record::Alias(name) => (CNAME, spelled(name)),
        };
        packet.extend(&owner);
        packet.extend(kind.to_be_bytes());
        // Of the Internet, and not to be kept.
        packet.extend([0, 1, 0, 0, 0, 0]);
        packet.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        packet.extend(&data);
        if kind == CNAME {
            owner = data;
        }
    }
    packet
}

fn spelled(name: &str) -> Vec<u8> {
    let mut data = Vec::new();
    for label in name.split('.') {
        data.push(u8::try_from(label.len()).unwrap());
        data.extend(label.as_bytes());
    }
    data.push(0);
    data
}

/// An egress that asks this name server, and may reach 127.0.0.1 as if it were public.
fn asking(server: SocketAddr, patience: Duration) -> NetworkEgress {
    let policy = Policy { allow_private: vec!["127.0.0.1".parse().unwrap()], ..Policy::default() };
    let resolver = Arc::new(NameServers::new(&[server], patience));
    let config = EgressConfig { policy, dns_timeout: patience, ..EgressConfig::default() };
    egress_from(config, resolver, RootCertStore::empty())
}

const LONG: Duration = Duration::from_secs(30);

fn v4(a: u8, b: u8, c: u8, d: u8) -> Record {
    Record::Address(IpAddr::from([a, b, c, d]))
}

fn at(record: Record) -> Says {
    Says::Records(vec![record])
}

#[tokio::test]
async fn a_name_that_is_public_first_and_private_second_is_not_followed_inside() {
    let (address, connections) = origin(|mut stream| async move {
        head(&mut stream).await;
        let last = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
        stream.write_all(last).await.unwrap();
    })
    .await;
    let (server, questions) = name_server(|_, times| match times {
        1 => at(v4(127, 0, 0, 1)),
        2 => at(v4(169, 254, 169, 254)),
        _ => at(v4(127, 0, 0, 2)),
    })
    .await;
    let egress = asking(server, LONG);
    let url = format!("http://rebind.test:{}/", address.port());
    let response = egress.send(Sender::Platform, get(&url)).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "ok");
    assert_eq!(questions.load(Ordering::SeqCst), 1, "what was judged is what was connected to");
    for _ in 0..2 {
        assert_eq!(code(&egress, get(&url)).await, "DestinationIpProhibited");
    }
    assert_eq!((questions.load(Ordering::SeqCst), connections.load(Ordering::SeqCst)), (3, 1));
}

#[tokio::test]
async fn one_bad_address_among_good_ones_refuses_the_name() {
    let (_, connections) = saying("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let (server, _) = name_server(|name, _| match name {
        "mixed.test" => Says::Records(vec![v4(127, 0, 0, 1), v4(10, 0, 0, 1)]),
        "other-family.test" => {
            Says::Records(vec![v4(127, 0, 0, 1), Record::Address(IpAddr::V6(Ipv6Addr::LOCALHOST))])
        }
        "mapped.test" => at(Record::Address(IpAddr::V6(Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped()))),
        "translated.test" => at(Record::Address("64:ff9b::10.0.0.1".parse().unwrap())),
        _ => Says::Code(3),
    })
    .await;
    let egress = asking(server, LONG);
    for name in ["mixed.test", "other-family.test", "mapped.test", "translated.test"] {
        let refused = code(&egress, get(&format!("http://{name}/"))).await;
        assert_eq!(refused, "DestinationIpProhibited", "{name}");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_alias_leads_to_an_address_that_is_judged_like_any_other() {
    let (address, _) = saying("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let (server, _) = name_server(|name, _| match name {
        "good.test" => Says::Records(vec![Record::Alias("origin.example.test"), v4(127, 0, 0, 1)]),
        "inside.test" => Says::Records(vec![Record::Alias("db.internal"), v4(10, 0, 0, 5)]),
        "metadata.test" => {
            Says::Records(vec![Record::Alias("metadata.google.internal"), v4(169, 254, 169, 254)])
        }
        _ => Says::Code(3),
    })
    .await;
    let egress = asking(server, LONG);
    let good = egress.send(Sender::Platform, get(&format!("http://good.test:{}/", address.port()))).await;
    assert_eq!(good.unwrap().status(), 200);
    for name in ["inside.test", "metadata.test"] {
        let refused = code(&egress, get(&format!("http://{name}/"))).await;
        assert_eq!(refused, "DestinationIpProhibited", "{name}");
    }
}

#[tokio::test]
async fn names_that_nobody_knows_and_servers_that_fail_have_their_codes_soon() {
    let (server, _) = name_server(|name, _| match name {
        "failing.test" => Says::Code(2),
        "refused.test" => Says::Code(5),
        "empty.test" => Says::Records(Vec::new()),
        "noise.test" => Says::Noise,
        "silent.test" => Says::Nothing,
        "circle.test" => Says::Records(vec![Record::Alias("circle.test")]),
        _ => Says::Code(3),
    })
    .await;
    let egress = asking(server, Duration::from_millis(500));
    let began = Instant::now();
    for (name, codes) in [
        ("nobody.test", ["DnsError { rcode: Some(\"NXDOMAIN\"), info_code: None }", ""]),
        ("empty.test", ["DnsError { rcode: Some(\"NXDOMAIN\"), info_code: None }", ""]),
        ("failing.test", ["DnsError { rcode: None, info_code: None }", "DnsTimeout"]),
        ("refused.test", ["DnsError { rcode: None, info_code: None }", "DnsTimeout"]),
        ("noise.test", ["DnsError { rcode: None, info_code: None }", "DnsTimeout"]),
        (
            "circle.test",
            [
                "DnsError { rcode: Some(\"NXDOMAIN\"), info_code: None }",
                "DnsError { rcode: None, info_code: None }",
            ],
        ),
        ("silent.test", ["DnsTimeout", ""]),
    ] {
        let told = code(&egress, get(&format!("http://{name}/"))).await;
        assert!(codes.contains(&told.as_str()), "{name}: {told}");
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[tokio::test]
async fn an_address_in_any_spelling_is_no_question_for_a_name_server() {
    let (server, questions) = name_server(|_, _| at(v4(127, 0, 0, 1))).await;
    let egress = asking(server, LONG);
    for host in ["10.1", "0xa9fea9fe", "0251.0376.0251.0376", "2852039166", "169.254.169.254.", "[fe80::1]"] {
        let refused = code(&egress, get(&format!("http://{host}/"))).await;
        assert_eq!(refused, "DestinationIpProhibited", "{host}");
    }
    assert_eq!(code(&egress, get("http://metadata.google.internal./")).await, "DestinationIpProhibited");
    assert_eq!(questions.load(Ordering::SeqCst), 0);
}
