//! Spellings of addresses, names, and what is neither.

use proptest::prelude::*;

use super::*;

fn parsed(text: &str) -> Result<String, BadHost> {
    Host::parse(text).map(|host| match host {
        Host::Name(name) => format!("name {name}"),
        Host::Address(address) => format!("address {address}"),
    })
}

#[test]
fn every_spelling_of_an_address_is_that_address() {
    for (text, address) in [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("127.0.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("017700000001", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0X7F000001", "127.0.0.1"),
        ("0x7f.0.0.1", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("0177.0x0.0.01", "127.0.0.1"),
        ("0", "0.0.0.0"),
        ("0x", "0.0.0.0"),
        ("00", "0.0.0.0"),
        ("0x0", "0.0.0.0"),
        ("0xa9fea9fe", "169.254.169.254"),
        ("2852039166", "169.254.169.254"),
        ("169.254.43518", "169.254.169.254"),
        ("0251.0376.0251.0376", "169.254.169.254"),
        ("4294967295", "255.255.255.255"),
        ("010.0.0.1", "8.0.0.1"),
        ("[::1]", "::1"),
        ("[0:0:0:0:0:0:0:1]", "::1"),
        ("[0000::0001]", "::1"),
        ("[::ffff:127.0.0.1]", "127.0.0.1"),
        ("[::ffff:7f00:1]", "127.0.0.1"),
        ("[FE80::1]", "fe80::1"),
    ] {
        assert_eq!(parsed(text), Ok(format!("address {address}")), "{text}");
    }
}

#[test]
fn what_might_be_an_address_and_cannot_be_read_as_one_is_refused() {
    for text in [
        "256.0.0.1",
        "1.2.3.4.5",
        "4294967296",
        "0x100000000",
        "127.0.0.08",
        "1.2.3.256",
        "a.1",
        "example.0x1g",
    ] {
        // The last one is a name: `0x1g` is no number.
        let expected =
            if text.ends_with('g') { Ok("name example.0x1g".to_owned()) } else { Err(BadHost::Ipv4) };
        assert_eq!(parsed(text), expected, "{text}");
    }
    for text in ["[::1%25eth0]", "[fe80::1%lo]", "[::1", "[]", "[127.0.0.1]", "[v1.x]", "[::1]x", "[[::1]]"] {
        assert_eq!(parsed(text), Err(BadHost::Ipv6), "{text}");
    }
}

#[test]
fn names_are_lower_case_without_a_final_dot() {
    assert_eq!(parsed("Api.Example.COM."), Ok("name api.example.com".to_owned()));
    assert_eq!(parsed("localhost"), Ok("name localhost".to_owned()));
    assert_eq!(parsed("a_b.1a"), Ok("name a_b.1a".to_owned()));
    for text in ["", ".", "a..b", ".a", "a..", &"a".repeat(64), &"a.".repeat(130)] {
        assert_eq!(parsed(text), Err(BadHost::Length), "{text:?}");
    }
    for text in ["a b", "a%2eb", "①②⑦.0.0.1", "127。0。0。1", "a\0b", "a/b", "exämple.test"] {
        assert_eq!(parsed(text), Err(BadHost::Characters), "{text:?}");
    }
}

#[test]
fn an_authority_holds_a_host_and_a_port_and_nothing_else() {
    let name = || Host::Name("a.test".to_owned());
    assert_eq!(read("a.test"), Ok((name(), None)));
    assert_eq!(read("a.test:"), Ok((name(), None)));
    assert_eq!(read("a.test:8080"), Ok((name(), Some(8080))));
    assert_eq!(read("a.test:080"), Ok((name(), Some(80))));
    assert_eq!(read("[::1]:443"), Ok((Host::Address(IpAddr::V6(Ipv6Addr::LOCALHOST)), Some(443))));
    for authority in ["u@a.test", "u:p@a.test", "a.test@127.0.0.1"] {
        assert_eq!(read(authority), Err(BadHost::Credentials), "{authority}");
    }
    for authority in ["a.test:0", "a.test:65536", "a.test:99999", "a.test:+80", "a.test:8a"] {
        assert_eq!(read(authority), Err(BadHost::Port), "{authority}");
    }
}

/// Each of these writes the same number differently.
fn spelled(value: u32, radix: u8) -> String {
    match radix {
        0 => format!("{value}"),
        1 => format!("0{value:o}"),
        2 => format!("0x{value:x}"),
        _ => format!("0X{value:08X}"),
    }
}

proptest! {
    #[test]
    fn an_address_is_itself_in_every_radix_and_every_length(
        bits: u32,
        radixes in prop::array::uniform4(0_u8..4),
        parts in 1_usize..=4,
        dot: bool,
    ) {
        let bytes = bits.to_be_bytes();
        let mut text = String::new();
        for index in 0..parts - 1 {
            text += &spelled(bytes[index].into(), radixes[index]);
            text.push('.');
        }
        let rest = bytes[parts - 1..].iter().fold(0_u32, |rest, byte| rest << 8 | u32::from(*byte));
        text += &spelled(rest, radixes[3]);
        if dot {
            text.push('.');
        }
        prop_assert_eq!(Host::parse(&text), Ok(Host::Address(IpAddr::V4(bits.into()))), "{}", text);
    }

    #[test]
    fn what_is_read_once_reads_the_same_again(text in ".{0,40}|[0-9a-fx.:\\[\\]-]{1,40}") {
        if let Ok(host) = Host::parse(&text) {
            prop_assert_eq!(Host::parse(&host.to_string()), Ok(host));
        }
    }

    /// Whatever the parser of the standard library takes for an address is never taken for a name here.
    #[test]
    fn nothing_that_parses_as_an_address_is_a_name(text in "[0-9a-fx.]{1,20}") {
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            prop_assert_eq!(Host::parse(&text), Ok(Host::Address(IpAddr::V4(address))));
        }
    }
}
