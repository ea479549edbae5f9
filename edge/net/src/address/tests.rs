//! Every range by its edges, and laws that hold for all addresses.

use proptest::prelude::*;

use super::*;

fn kind_of(text: &str) -> Kind {
    kind(text.parse().unwrap())
}

#[test]
fn every_special_range_of_ipv4_is_known_from_its_first_to_its_last_address() {
    for (first, last, expected) in [
        ("0.0.0.0", "0.255.255.255", Kind::Unspecified),
        ("10.0.0.0", "10.255.255.255", Kind::Private),
        ("100.64.0.0", "100.127.255.255", Kind::Shared),
        ("127.0.0.0", "127.255.255.255", Kind::Loopback),
        ("169.254.0.0", "169.254.255.255", Kind::LinkLocal),
        ("172.16.0.0", "172.31.255.255", Kind::Private),
        ("192.0.0.0", "192.0.0.255", Kind::Reserved),
        ("192.0.2.0", "192.0.2.255", Kind::Documentation),
        ("192.88.99.0", "192.88.99.255", Kind::Tunnel),
        ("192.168.0.0", "192.168.255.255", Kind::Private),
        ("198.18.0.0", "198.19.255.255", Kind::Benchmarking),
        ("198.51.100.0", "198.51.100.255", Kind::Documentation),
        ("203.0.113.0", "203.0.113.255", Kind::Documentation),
        ("224.0.0.0", "239.255.255.255", Kind::Multicast),
        ("240.0.0.0", "255.255.255.254", Kind::Reserved),
        ("255.255.255.255", "255.255.255.255", Kind::Broadcast),
    ] {
        assert_eq!(kind_of(first), expected, "{first}");
        assert_eq!(kind_of(last), expected, "{last}");
    }
}

#[test]
fn what_lies_beside_the_special_ranges_is_public() {
    for address in [
        "1.0.0.0",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "8.8.8.8",
        "2606:4700::1111",
        "2001:4860:4860::8888",
        "2a00::1",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
    ] {
        assert_eq!(kind_of(address), Kind::Global, "{address}");
    }
}

#[test]
fn every_special_range_of_ipv6_is_known() {
    for (address, expected) in [
        ("::", Kind::Unspecified),
        ("::1", Kind::Loopback),
        ("::2", Kind::Tunnel),
        ("::7f00:1", Kind::Tunnel),
        ("::8.8.8.8", Kind::Tunnel),
        ("::ffff:0:7f00:1", Kind::Tunnel),
        ("::ffff:127.0.0.1", Kind::Loopback),
        ("::ffff:10.0.0.1", Kind::Private),
        ("::ffff:0.0.0.0", Kind::Unspecified),
        ("64:ff9b::10.0.0.1", Kind::Private),
        ("64:ff9b::127.0.0.1", Kind::Loopback),
        ("64:ff9b:1::1", Kind::Tunnel),
        ("100::1", Kind::Reserved),
        ("2001::1", Kind::Tunnel),
        ("2001:2::1", Kind::Benchmarking),
        ("2001:20::1", Kind::Reserved),
        ("2001:1ff:ffff::1", Kind::Reserved),
        ("2001:db8::1", Kind::Documentation),
        ("3fff:fff::1", Kind::Documentation),
        ("2002:7f00:1::", Kind::Tunnel),
        ("2a00:1:2:3:0:5efe:a00:1", Kind::Tunnel),
        ("2a00:1:2:3:200:5efe:808:808", Kind::Tunnel),
        ("2002:808:808::", Kind::Tunnel),
        ("4000::1", Kind::Reserved),
        ("5f00::1", Kind::Reserved),
        ("fc00::1", Kind::UniqueLocal),
        ("fdff:ffff::1", Kind::UniqueLocal),
        ("fe80::1", Kind::LinkLocal),
        ("febf::1", Kind::LinkLocal),
        ("fec0::1", Kind::UniqueLocal),
        ("ff02::1", Kind::Multicast),
    ] {
        assert_eq!(kind_of(address), expected, "{address}");
    }
}

#[test]
fn metadata_is_known_in_every_dress() {
    for address in [
        "169.254.169.254",
        "168.63.129.16",
        "100.100.100.200",
        "::ffff:169.254.169.254",
        "64:ff9b::169.254.169.254",
        "fd00:ec2::254",
    ] {
        assert_eq!(kind_of(address), Kind::Metadata, "{address}");
    }
}

proptest! {
    /// The standard library's own predicates are a second opinion: what one of them calls special, we do.
    #[test]
    fn what_the_standard_library_calls_special_is_never_public(bits: u32) {
        let address = Ipv4Addr::from(bits);
        let special = address.is_private() || address.is_loopback() || address.is_link_local()
            || address.is_broadcast() || address.is_documentation() || address.is_multicast()
            || address.is_unspecified();
        prop_assert!(!special || kind(IpAddr::V4(address)) != Kind::Global);
    }

    #[test]
    fn an_ipv4_address_is_judged_alike_in_every_form_that_leads_to_it(bits: u32) {
        let address = Ipv4Addr::from(bits);
        let plain = kind(IpAddr::V4(address));
        prop_assert_eq!(kind(IpAddr::V6(address.to_ipv6_mapped())), plain);
        let [a, b] = [(bits >> 16) as u16, bits as u16];
        let nat64 = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, a, b);
        prop_assert_eq!(kind(IpAddr::V6(nat64)), plain);
    }

    /// Forms that hand the choice of the way to a relay lead nowhere, whatever they carry.
    #[test]
    fn tunnelled_forms_are_never_public(bits: u32, rest: u64) {
        let [a, b] = [(bits >> 16) as u16, bits as u16];
        let rest = [rest as u16, (rest >> 16) as u16, (rest >> 32) as u16, (rest >> 48) as u16];
        for form in [
            Ipv6Addr::new(0x2002, a, b, rest[0], rest[1], rest[2], rest[3], 1),
            Ipv6Addr::new(0x2001, 0, rest[0], rest[1], rest[2], rest[3], !a, !b),
            Ipv6Addr::new(0, 0, 0, 0, 0, 0, a, b),
            Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, a, b),
            Ipv6Addr::new(0x2a00, rest[0], rest[1], rest[2], 0, 0x5efe, a, b),
        ] {
            prop_assert_ne!(kind(IpAddr::V6(form)), Kind::Global, "{}", form);
        }
    }

    #[test]
    fn outside_of_2000_slash_3_nothing_is_public_but_translations(bits: u128) {
        let address = Ipv6Addr::from(bits);
        let inside = bits >> 125 == 1;
        let carries = address.to_ipv4_mapped().is_some() || NAT64.contains(&address);
        prop_assert!(inside || carries || kind(IpAddr::V6(address)) != Kind::Global);
    }
}

#[test]
fn what_is_opened_is_opened_and_credentials_by_their_very_address_alone() {
    let nets = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpNet>>();
    let closed_by = |address: &str, opened: &[&str]| closed(meant(address.parse().unwrap()), &nets(opened));
    assert_eq!(closed_by("1.1.1.1", &[]), None);
    assert_eq!(closed_by("127.0.0.1", &[]), Some(Kind::Loopback));
    for dressed in ["127.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"] {
        assert_eq!(closed_by(dressed, &["127.0.0.0/8"]), None, "{dressed}");
        assert_eq!(closed_by(dressed, &["10.0.0.0/8"]), Some(Kind::Loopback), "{dressed}");
    }
    assert_eq!(closed_by("169.254.169.254", &["169.254.0.0/16"]), Some(Kind::Metadata));
    assert_eq!(closed_by("169.254.169.254", &["169.254.169.254/32"]), None);
}
