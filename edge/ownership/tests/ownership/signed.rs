//! Answers that are validated: a root zone that is signed, with a name server of its own in this process, and somebody between it
//! and us who changes what it says.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hickory_resolver::proto::dnssec::crypto::EcdsaSigningKey;
use hickory_resolver::proto::dnssec::rdata::DNSKEY;
use hickory_resolver::proto::dnssec::{Algorithm, DnssecSigner, SigningKey as _, TrustAnchors};
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, CNAME, NS, SOA, TXT};
use hickory_resolver::proto::rr::{LowerName, Name, RData, Record as Entry, RecordType};
use hickory_server::Server;
use hickory_server::dnssec::NxProofKind;
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, Catalog, ZoneType};
use tokio::net::UdpSocket;
use wasmyard_model::domain::Domain;
use wasmyard_ownership::dns::{Answer, Dns as _, Question, Record};
use wasmyard_ownership::{Anchors, Dnssec, NameServer};

const PATIENCE: Duration = Duration::from_secs(20);

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn text(text: &str) -> RData {
    RData::TXT(TXT::new(vec![text.to_owned()]))
}

/// A zone with these records, not signed yet.
fn zone(origin: &str, records: &[(&str, RData)]) -> InMemoryZoneHandler {
    let kind = NxProofKind::Nsec;
    let mut zone: InMemoryZoneHandler =
        InMemoryZoneHandler::empty(name(origin), ZoneType::Primary, AxfrPolicy::Deny, Some(kind));
    let soa = SOA::new(name("ns.test."), name("admin.test."), 1, 3_600, 600, 86_400, 60);
    zone.upsert_mut(Entry::from_rdata(name(origin), 60, RData::SOA(soa)), 1);
    zone.upsert_mut(Entry::from_rdata(name(origin), 60, RData::NS(NS(name("ns.test.")))), 1);
    for (owner, data) in records {
        assert!(zone.upsert_mut(Entry::from_rdata(name(owner), 60, data.clone()), 1), "{owner}");
    }
    zone
}

/// A name server with a root zone that is signed, and below it `plain.test` that is not; and the root's key.
async fn signed() -> (SocketAddr, Anchors) {
    let mut root = zone(
        ".",
        &[
            ("ns.test.", RData::A(A(Ipv4Addr::LOCALHOST))),
            ("shop.customer.test.", RData::CNAME(CNAME(name("customers.saas.test.")))),
            ("customers.saas.test.", RData::A(A(Ipv4Addr::new(192, 0, 2, 7)))),
            ("_cf-custom-hostname.shop.customer.test.", text("token")),
            ("plain.test.", RData::NS(NS(name("ns.test.")))),
        ],
    );
    let algorithm = Algorithm::ECDSAP256SHA256;
    let key = EcdsaSigningKey::generate_pkcs8(algorithm).unwrap();
    let key = EcdsaSigningKey::from_pkcs8(&key, algorithm).unwrap();
    let public = key.to_public_key().unwrap();
    let life = Duration::from_secs(86_400);
    let signer = DnssecSigner::new(DNSKEY::from_key(&public), Box::new(key), Name::root(), life);
    root.add_zone_signing_key_mut(signer).unwrap();
    root.secure_zone_mut().unwrap();
    let plain = zone("plain.test.", &[("text.plain.test.", text("unsigned"))]);
    let mut anchors = TrustAnchors::empty();
    anchors.insert(&public);
    let (root, plain) = (serve(Name::root(), root).await, serve(name("plain.test."), plain).await);
    // As whoever resolves for others asks them: what a zone is signed with is said by the one above it.
    let pick = move |asked: &Message| {
        let query = asked.queries.first().unwrap();
        let (below, apex) = (name("plain.test.").zone_of(query.name()), *query.name() == name("plain.test."));
        if below && !(apex && query.query_type() == RecordType::DS) { plain } else { root }
    };
    (passing_on(pick, |_| {}).await, Anchors::from(anchors))
}

/// One zone on a port of its own.
async fn serve(origin: Name, zone: InMemoryZoneHandler) -> SocketAddr {
    let mut catalog = Catalog::new();
    catalog.upsert(LowerName::from(origin), vec![Arc::new(zone)]);
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let mut server = Server::new(catalog);
    server.register_socket(socket);
    tokio::spawn(async move { server.block_until_done().await });
    address
}

/// Somebody on the way to a name server, who changes its answers.
async fn between(server: SocketAddr, change: fn(&mut Message)) -> SocketAddr {
    passing_on(move |_| server, change).await
}

/// Passes questions on, each to whom it is for, and changes the answers.
async fn passing_on(
    pick: impl Fn(&Message) -> SocketAddr + Send + 'static,
    change: fn(&mut Message),
) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 4_096];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            let server = pick(&Message::from_vec(&buffer[..length]).unwrap());
            let onwards = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            onwards.send_to(&buffer[..length], server).await.unwrap();
            let mut answer = [0; 4_096];
            let (length, _) = onwards.recv_from(&mut answer).await.unwrap();
            let mut message = Message::from_vec(&answer[..length]).unwrap();
            change(&mut message);
            socket.send_to(&message.to_vec().unwrap(), from).await.unwrap();
        }
    });
    address
}

/// Says that the name leads elsewhere, and leaves the signatures as they are.
fn lies(message: &mut Message) {
    for record in &mut message.answers {
        if record.record_type() == RecordType::CNAME {
            record.data = RData::CNAME(CNAME(name("rival.test.")));
        }
        if record.record_type() == RecordType::TXT {
            record.data = text("another token");
        }
    }
}

/// Takes all signatures away, as old servers do that know none.
fn strips(message: &mut Message) {
    let is_signature = |record: &Entry| {
        matches!(record.record_type(), RecordType::RRSIG | RecordType::NSEC | RecordType::DNSKEY)
    };
    message.answers.retain(|record| !is_signature(record));
    message.authorities.retain(|record| !is_signature(record));
}

/// Whether signatures are taken away by now.
static BROKEN_INTO: AtomicBool = AtomicBool::new(false);

/// Takes all signatures away from some moment on, and lies.
fn strips_later(message: &mut Message) {
    if BROKEN_INTO.load(Ordering::Acquire) {
        strips(message);
        lies(message);
    }
}

/// Lies, and lets the root's own key through.
fn lies_below(message: &mut Message) {
    if message.queries.iter().all(|query| !query.name().is_root()) {
        lies(message);
    }
}

/// Fails what it would have to check, as servers do that validate by themselves.
fn refuses(message: &mut Message) {
    let is_checked = !message.metadata.checking_disabled;
    let is_shop = message.queries.iter().any(|query| query.name().to_ascii().contains("shop"));
    if is_checked && is_shop {
        message.metadata.response_code = ResponseCode::ServFail;
        message.answers.clear();
        message.authorities.clear();
    }
}

fn at(address: SocketAddr, dnssec: Dnssec, anchors: &Anchors) -> NameServer {
    NameServer::validating(address, PATIENCE, dnssec, anchors).unwrap()
}

fn leads_to(target: &str) -> Answer {
    Answer::Records(vec![Record::Cname(Domain::parse(target).unwrap())])
}

#[tokio::test]
async fn answers_that_are_signed_are_believed_and_so_are_those_of_zones_that_are_not() {
    let (address, anchors) = signed().await;
    for dnssec in [Dnssec::On, Dnssec::Auto] {
        let dns = at(address, dnssec, &anchors);
        for (asked, question, answer) in [
            ("shop.customer.test", Question::Cname, leads_to("customers.saas.test")),
            (
                "customers.saas.test",
                Question::A,
                Answer::Records(vec![Record::Address(IpAddr::from([192, 0, 2, 7]))]),
            ),
            (
                "_cf-custom-hostname.shop.customer.test",
                Question::Txt,
                Answer::Records(vec![Record::Txt("token".to_owned())]),
            ),
            ("customers.saas.test", Question::Txt, Answer::None),
            ("nobody.customer.test", Question::Cname, Answer::NoName),
            ("text.plain.test", Question::Txt, Answer::Records(vec![Record::Txt("unsigned".to_owned())])),
            ("text.plain.test", Question::A, Answer::None),
            ("nobody.plain.test", Question::A, Answer::NoName),
        ] {
            assert_eq!(dns.ask(asked, question).await, answer, "{dnssec:?}: {question} {asked}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_was_changed_on_its_way_is_none() {
    let (address, anchors) = signed().await;
    let liar = between(address, lies_below).await;
    assert_eq!(
        at(liar, Dnssec::Off, &anchors).ask("shop.customer.test", Question::Cname).await,
        leads_to("rival.test"),
        "it does lie"
    );
    for dnssec in [Dnssec::On, Dnssec::Auto] {
        let dns = at(liar, dnssec, &anchors);
        for (asked, question) in [
            ("shop.customer.test", Question::Cname),
            ("_cf-custom-hostname.shop.customer.test", Question::Txt),
        ] {
            let answer = dns.ask(asked, question).await;
            assert!(
                matches!(&answer, Answer::Bogus(why) if why.contains("DNSSEC")),
                "{dnssec:?}: {answer:?}"
            );
        }
    }
    // The keys of another root.
    let (_, others) = signed().await;
    let answer = at(address, Dnssec::On, &others).ask("shop.customer.test", Question::Cname).await;
    assert!(matches!(answer, Answer::Bogus(_)), "{answer:?}");
}

#[tokio::test]
async fn a_server_without_signatures_is_believed_only_where_that_is_left_to_it() {
    let (address, anchors) = signed().await;
    let old = between(address, strips).await;
    let asked = ("shop.customer.test", Question::Cname);
    assert_eq!(at(old, Dnssec::Auto, &anchors).ask(asked.0, asked.1).await, leads_to("customers.saas.test"));
    let answer = at(old, Dnssec::On, &anchors).ask(asked.0, asked.1).await;
    assert!(matches!(answer, Answer::Bogus(_)), "{answer:?}");
}

#[tokio::test]
async fn a_server_that_handed_signatures_out_is_not_believed_without_them_later() {
    let (address, anchors) = signed().await;
    let way = between(address, strips_later).await;
    let dns = at(way, Dnssec::Auto, &anchors);
    let asked = ("shop.customer.test", Question::Cname);
    assert_eq!(dns.ask(asked.0, asked.1).await, leads_to("customers.saas.test"));
    BROKEN_INTO.store(true, Ordering::Release);
    // What it was known for is looked at again.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(601)).await;
    tokio::time::resume();
    for _ in 0..2 {
        let answer = dns.ask(asked.0, asked.1).await;
        assert!(matches!(&answer, Answer::Failed(why) if why.contains("handed out")), "{answer:?}");
    }
    BROKEN_INTO.store(false, Ordering::Release);
    assert_eq!(dns.ask(asked.0, asked.1).await, leads_to("customers.saas.test"));
    BROKEN_INTO.store(true, Ordering::Release);
    assert_eq!(
        at(way, Dnssec::Auto, &anchors).ask(asked.0, asked.1).await,
        leads_to("rival.test"),
        "from the start on"
    );
}

#[tokio::test]
async fn a_server_that_validates_by_itself_is_asked_what_it_refused() {
    let (address, anchors) = signed().await;
    let strict = between(address, refuses).await;
    for dnssec in [Dnssec::Off, Dnssec::Auto, Dnssec::On] {
        let answer = at(strict, dnssec, &anchors).ask("shop.customer.test", Question::Cname).await;
        assert!(matches!(answer, Answer::Bogus(_)), "{dnssec:?}: {answer:?}");
    }
}
