//! The zone by itself: what it says to every kind of question.

use hickory_proto::op::{MessageType, Query};
use proptest::prelude::*;

use super::*;

struct Known;

impl Texts for Known {
    fn texts(&self, label: &str, host: &str) -> Vec<String> {
        match (label, host) {
            ("0123456789abcdef", "shop.customer.test") => vec!["one".to_owned(), "two".to_owned()],
            ("0123456789abcdef", "many.test") => vec!["m".repeat(200); 40],
            _ => Vec::new(),
        }
    }
}

fn zone() -> DelegatedZone {
    let domain = |name| Domain::parse(name).unwrap();
    DelegatedZone::new(&domain("dcv.saas.test"), &domain("ns.saas.test"), Arc::new(Known)).unwrap()
}

fn question(name: &str, kind: RecordType) -> Message {
    let mut message = Message::query();
    message.metadata.id = 7;
    message.metadata.recursion_desired = true;
    message.queries = vec![Query::query(Name::from_ascii(name).unwrap(), kind)];
    message
}

fn asked(message: &Message, transport: Transport) -> (Message, Outcome) {
    let (bytes, outcome) = zone().answer(&message.to_vec().unwrap(), transport).unwrap();
    (Message::from_vec(&bytes).unwrap(), outcome)
}

fn texts(answer: &Message) -> Vec<String> {
    let texts = answer.answers.iter().filter_map(|record| match &record.data {
        RData::TXT(text) => Some(String::from_utf8(text.txt_data.concat()).unwrap()),
        _ => None,
    });
    texts.collect()
}

const SHOP: &str = "shop.customer.test.0123456789abcdef.dcv.saas.test.";

#[test]
fn the_texts_of_a_host_are_said_in_whatever_case_it_is_asked_for() {
    for name in [SHOP, "sHoP.Customer.TEST.0123456789ABCDEF.dcv.saas.test."] {
        let (answer, outcome) = asked(&question(name, RecordType::TXT), Transport::Udp);
        assert_eq!(outcome, Outcome::Answered);
        assert_eq!(texts(&answer), ["one", "two"]);
        let head = answer.metadata;
        assert_eq!((head.id, head.message_type), (7, MessageType::Response));
        assert!(head.authoritative && head.recursion_desired && !head.recursion_available);
        assert_eq!(answer.queries[0].name().to_ascii(), name, "as it was written");
        assert!(answer.answers.iter().all(|record| record.ttl <= 5), "texts come and go");
    }
}

#[test]
fn the_zone_says_who_has_it_and_that_all_below_it_exists() {
    let (answer, _) = asked(&question("dcv.saas.test.", RecordType::NS), Transport::Udp);
    assert!(matches!(&answer.answers[0].data, RData::NS(server) if server.0.to_ascii() == "ns.saas.test."));
    let (answer, _) = asked(&question("dcv.saas.test.", RecordType::SOA), Transport::Udp);
    assert!(matches!(answer.answers[0].data, RData::SOA(_)));
    // A resolver that shortens what it asks for takes "no such name" as said of all below.
    for (name, kind) in [
        ("test.0123456789abcdef.dcv.saas.test.", RecordType::NS),
        ("0123456789abcdef.dcv.saas.test.", RecordType::TXT),
        ("other.test.0123456789abcdef.dcv.saas.test.", RecordType::TXT),
        ("shop.customer.test.fedcba9876543210.dcv.saas.test.", RecordType::TXT),
        (SHOP, RecordType::A),
        ("dcv.saas.test.", RecordType::TXT),
    ] {
        let (answer, outcome) = asked(&question(name, kind), Transport::Udp);
        assert_eq!(
            (answer.metadata.response_code, outcome),
            (ResponseCode::NoError, Outcome::Empty),
            "{name}"
        );
        assert!(answer.answers.is_empty() && matches!(answer.authorities[0].data, RData::SOA(_)));
    }
}

#[test]
fn everything_else_is_refused() {
    let refused = |message: &Message| {
        let (answer, outcome) = asked(message, Transport::Udp);
        assert_eq!((answer.metadata.response_code, outcome), (ResponseCode::Refused, Outcome::Refused));
        assert!(answer.answers.is_empty() && answer.authorities.is_empty() && !answer.metadata.authoritative);
    };
    for name in ["saas.test.", "example.com.", ".", "xdcv.saas.test.", "dcv.saas.test.evil."] {
        refused(&question(name, RecordType::TXT));
    }
    for kind in [RecordType::ANY, RecordType::AXFR, RecordType::IXFR] {
        refused(&question("dcv.saas.test.", kind));
    }
    let mut chaos = question(SHOP, RecordType::TXT);
    chaos.queries[0].set_query_class(DNSClass::CH);
    refused(&chaos);
    let mut update = question(SHOP, RecordType::TXT);
    update.metadata.op_code = OpCode::Update;
    assert_eq!(asked(&update, Transport::Udp).0.metadata.response_code, ResponseCode::NotImp);
    let mut later = question(SHOP, RecordType::TXT);
    let mut edns = Edns::new();
    edns.set_version(1);
    later.edns = Some(edns);
    let code = asked(&later, Transport::Udp).0.metadata.response_code;
    assert_eq!(u16::from(code), 16, "no such version");
}

#[test]
fn what_is_no_question_costs_a_head_or_nothing() {
    let zone = zone();
    assert_eq!(zone.answer(&[0; 11], Transport::Udp), None);
    let mut answer = question(SHOP, RecordType::TXT);
    answer.metadata.message_type = MessageType::Response;
    let bytes = answer.to_vec().unwrap();
    assert_eq!(zone.answer(&bytes, Transport::Udp), None, "two that answer each other never end");
    assert_eq!(zone.over_tcp(&bytes), None);
    let mut two = question(SHOP, RecordType::TXT);
    two.queries.push(two.queries[0].clone());
    let mut cut_off = question(SHOP, RecordType::TXT).to_vec().unwrap();
    cut_off.truncate(20);
    for bytes in [two.to_vec().unwrap(), cut_off, [&[0, 1, 0, 0, 0, 1][..], &[0; 6]].concat()] {
        let (answer, outcome) = zone.answer(&bytes, Transport::Udp).unwrap();
        assert_eq!((answer.len(), outcome), (12, Outcome::Malformed));
        assert_eq!((&answer[..2], answer[2] & 0x80, answer[3]), (&bytes[..2], 0x80, 1));
    }
}

#[test]
fn more_than_fits_is_asked_for_over_tcp() {
    const MANY: &str = "many.test.0123456789abcdef.dcv.saas.test.";
    let plain = question(MANY, RecordType::TXT);
    let mut roomy = plain.clone();
    let mut edns = Edns::new();
    edns.set_max_payload(65_000);
    roomy.edns = Some(edns);
    for asked_for in [&plain, &roomy] {
        let bytes = asked_for.to_vec().unwrap();
        let (answer, _) = zone().answer(&bytes, Transport::Udp).unwrap();
        assert!(answer.len() <= bytes.len() + 11, "never more than was asked with, beside what EDNS says");
        let answer = Message::from_vec(&answer).unwrap();
        assert!(answer.metadata.truncation && answer.answers.is_empty());
    }
    let (whole, _) = asked(&plain, Transport::Tcp);
    assert_eq!((texts(&whole).len(), whole.metadata.truncation), (MOST_TEXTS, false));
    let limited = Message::from_vec(&zone().over_tcp(&plain.to_vec().unwrap()).unwrap()).unwrap();
    assert!(limited.metadata.truncation && limited.answers.is_empty());
    let elsewhere = question("example.com.", RecordType::TXT).to_vec().unwrap();
    assert_eq!(zone().over_tcp(&elsewhere), None);
}

proptest! {
    #[test]
    fn no_bytes_end_it_and_no_datagram_is_answered_with_more_than_fits(
        bytes in prop::collection::vec(any::<u8>(), 0..600),
        as_question in any::<bool>(),
    ) {
        let mut bytes = bytes;
        if as_question && bytes.len() >= 12 {
            bytes[2..12].copy_from_slice(&[0, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
        }
        if let Some((answer, _)) = zone().answer(&bytes, Transport::Udp) {
            prop_assert!(answer.len() <= 1_232);
            prop_assert_eq!(&answer[..2], &bytes[..2]);
        }
        prop_assert!(zone().over_tcp(&bytes).is_none_or(|answer| answer.len() <= 512));
    }
}
