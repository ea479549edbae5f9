//! What goes out and what does not, by rule.

use proptest::prelude::*;

use super::*;

fn rules(texts: &[&str]) -> Vec<HostRule> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn host(text: &str) -> Host {
    Host::parse(text).unwrap()
}

/// Judges a host at an address, as a client would.
fn judged(policy: &Policy, name: &str, address: &str, port: u16) -> Result<IpAddr, Denied> {
    let host = host(name);
    policy.judge_target(&host, port)?;
    policy.judge_address(&host, address.parse().unwrap(), port, |_| false)
}

fn allowed(policy: &Policy, name: &str, address: &str) -> bool {
    judged(policy, name, address, 443).is_ok()
}

#[test]
fn by_default_public_addresses_are_open_and_all_others_are_not() {
    let policy = Policy::default();
    assert!(allowed(&policy, "example.com", "93.184.215.14"));
    assert!(allowed(&policy, "93.184.215.14", "93.184.215.14"));
    for address in
        ["127.0.0.1", "10.0.0.1", "169.254.1.1", "100.64.0.1", "fd00::1", "0.0.0.0", "::", "ff02::1"]
    {
        let denied = judged(&policy, "rebind.example.com", address, 443).unwrap_err();
        assert!(matches!(denied, Denied::Address { .. }), "{address}");
        assert!(matches!(denied.code(), BodyError::DestinationIpProhibited));
    }
}

#[test]
fn a_list_of_allowed_hosts_closes_all_others() {
    let policy = Policy {
        allow_hosts: Some(rules(&["*.example.com", "other.test", "9.0.0.0/8"])),
        ..Policy::default()
    };
    for (name, expected) in [
        ("a.example.com", true),
        ("a.b.example.com", true),
        ("A.Example.Com.", true),
        ("example.com", false),
        ("badexample.com", false),
        ("example.com.evil.test", false),
        ("other.test", true),
        ("sub.other.test", false),
        ("9.9.9.9", true),
        ("0x09090909", true),
        ("8.8.8.8", false),
    ] {
        assert_eq!(policy.judge_target(&host(name), 443).is_ok(), expected, "{name}");
    }
    let nothing = Policy { allow_hosts: Some(Vec::new()), ..Policy::default() };
    let denied = nothing.judge_target(&host("example.com"), 443).unwrap_err();
    assert!(matches!(denied.code(), BodyError::HttpRequestDenied));
}

#[test]
fn a_denied_host_stays_denied_whatever_else_is_allowed() {
    let policy = Policy {
        allow_hosts: Some(rules(&["*"])),
        deny_hosts: rules(&["*.evil.test", "evil.test", "9.9.9.0/24"]),
        allow_private: rules(&["*"]),
        ..Policy::default()
    };
    for name in ["evil.test", "a.evil.test", "9.9.9.9", "0x9090909"] {
        assert!(policy.judge_target(&host(name), 443).is_err(), "{name}");
    }
    // A denied network is closed to names that lead into it, and to its translated form.
    assert!(!allowed(&policy, "innocent.test", "9.9.9.1"));
    assert!(!allowed(&policy, "innocent.test", "::ffff:9.9.9.1"));
    assert!(!allowed(&policy, "innocent.test", "64:ff9b::9.9.9.1"));
    assert!(allowed(&policy, "innocent.test", "9.9.8.1"));
}

#[test]
fn private_networks_are_opened_by_network_or_by_name() {
    let policy = Policy { allow_private: rules(&["10.1.0.0/16", "db.internal"]), ..Policy::default() };
    assert!(allowed(&policy, "10.1.2.3", "10.1.2.3"));
    assert!(allowed(&policy, "any.test", "10.1.2.3"));
    assert!(allowed(&policy, "any.test", "::ffff:10.1.2.3"));
    assert!(!allowed(&policy, "any.test", "10.2.0.1"));
    assert!(!allowed(&policy, "any.test", "64:ff9b::10.1.2.3"), "a translator may lead elsewhere");
    assert!(allowed(&policy, "db.internal", "192.168.7.7"));
    assert!(!allowed(&policy, "other.internal", "192.168.7.7"));
    // What is no machine of the operator's own is not opened by a name.
    for address in ["0.0.0.0", "255.255.255.255", "224.0.0.1", "::", "2002:a00:1::"] {
        assert!(!allowed(&policy, "db.internal", address), "{address}");
    }
}

#[test]
fn metadata_is_opened_by_its_very_address_only() {
    let wide = Policy { allow_private: rules(&["0.0.0.0/0", "::/0", "*"]), ..Policy::default() };
    assert!(allowed(&wide, "x.test", "169.254.1.1"));
    for address in ["169.254.169.254", "::ffff:169.254.169.254", "168.63.129.16", "fd00:ec2::254"] {
        assert!(!allowed(&wide, "x.test", address), "{address}");
    }
    for name in ["metadata.google.internal", "METADATA.google.internal.", "metadata"] {
        let denied = wide.judge_target(&host(name), 80).unwrap_err();
        assert!(matches!(denied.code(), BodyError::DestinationIpProhibited), "{name}");
    }
    let exact = Policy { allow_private: rules(&["169.254.169.254"]), ..Policy::default() };
    assert!(allowed(&exact, "169.254.169.254", "169.254.169.254"));
    assert!(!allowed(&exact, "169.254.169.253", "169.254.169.253"));
}

#[test]
fn mail_ports_are_closed_unless_the_operator_lists_them() {
    let policy = Policy::default();
    for port in [25, 465, 587, 2525, 110, 143, 993, 995] {
        assert!(matches!(policy.judge_target(&host("a.test"), port), Err(Denied::Port(..))), "{port}");
    }
    for port in [80, 443, 8080, 65535] {
        assert!(policy.judge_target(&host("a.test"), port).is_ok(), "{port}");
    }
    let listed = Policy { ports: Some(vec![443, 25]), ..Policy::default() };
    assert!(listed.judge_target(&host("a.test"), 25).is_ok());
    assert!(listed.judge_target(&host("a.test"), 80).is_err());
}

#[test]
fn the_platforms_own_listeners_are_closed_on_every_local_address() {
    let mut policy = Policy { own_ports: vec![8787, 8788], ..Policy::default() };
    policy.allow_loopback();
    let judge = |address: &str, port| {
        let local = |ip: IpAddr| ip.is_loopback() || ip.to_string() == "9.1.2.3";
        policy.judge_address(&host("a.test"), address.parse().unwrap(), port, local)
    };
    for address in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "9.1.2.3", "64:ff9b::9.1.2.3"] {
        assert!(matches!(judge(address, 8788), Err(Denied::Own { .. })), "{address}");
        assert!(judge(address, 3000).is_ok(), "{address}");
    }
    assert!(judge("9.1.2.4", 8788).is_ok(), "another machine's port of that number");
}

/// Judges for a namespace with these rules.
fn for_namespace(
    policy: &Policy,
    rules: &EgressRules,
    name: &str,
    address: &str,
    port: u16,
) -> Result<IpAddr, Denied> {
    let judge = GuestJudge::new(Arc::new(policy.clone()), Some(Arc::new(rules.clone())));
    let host = host(name);
    judge.target(&host, port)?;
    judge.address(&host, address.parse().unwrap(), port, |_| false)
}

const PUBLIC: &str = "93.184.215.14";

#[test]
fn a_namespace_narrows_what_the_platform_allows_and_never_widens_it() {
    let policy = Policy {
        allow_hosts: Some(rules(&["*.example.com", "9.0.0.0/8"])),
        deny_hosts: rules(&["no.example.com"]),
        ports: Some(vec![443, 8443]),
        ..Policy::default()
    };
    let wide = EgressRules {
        allow_hosts: Some(rules(&["*"])),
        allow_private: rules(&["*", "0.0.0.0/0", "::/0"]),
        ports: Some(vec![443, 80, 25]),
        ..EgressRules::default()
    };
    let judged = |rules: &EgressRules, name, port| for_namespace(&policy, rules, name, PUBLIC, port);
    assert!(judged(&wide, "a.example.com", 443).is_ok());
    assert_eq!(
        judged(&wide, "other.test", 443),
        Err(Denied::NotAllowedHost(Whose::Platform, "other.test".into()))
    );
    assert_eq!(
        judged(&wide, "no.example.com", 443),
        Err(Denied::RefusedHost(Whose::Platform, "no.example.com".into()))
    );
    for port in [80, 25] {
        assert_eq!(judged(&wide, "a.example.com", port), Err(Denied::Port(Whose::Platform, port)));
    }
    assert_eq!(judged(&wide, "a.example.com", 8443), Err(Denied::Port(Whose::Namespace, 8443)));

    let narrow = EgressRules {
        allow_hosts: Some(rules(&["api.example.com", "*.eu.example.com"])),
        deny_hosts: rules(&["x.eu.example.com", "9.9.9.0/24"]),
        ..EgressRules::default()
    };
    for (name, open) in [
        ("api.example.com", true),
        ("a.eu.example.com", true),
        ("x.eu.example.com", false),
        ("eu.example.com", false),
        ("a.example.com", false),
        ("9.1.1.1", false),
    ] {
        assert_eq!(judged(&narrow, name, 443).is_ok(), open, "{name}");
    }
    let behind = for_namespace(&policy, &narrow, "api.example.com", "9.9.9.9", 443).unwrap_err();
    assert!(matches!(behind, Denied::RefusedAddress { whose: Whose::Namespace, .. }), "{behind}");
    let closed = EgressRules { allow_hosts: Some(Vec::new()), ..EgressRules::default() };
    let denied = judged(&closed, "api.example.com", 443).unwrap_err();
    assert!(matches!(denied.code(), BodyError::HttpRequestDenied), "{denied}");
    assert_eq!(denied.to_string(), "allow_hosts of the namespace does not name api.example.com");
}

#[test]
fn a_private_address_is_reached_from_a_namespace_only_where_both_opened_it() {
    let policy = Policy { allow_private: rules(&["10.1.0.0/16", "db.internal"]), ..Policy::default() };
    let opening = |names: &[&str]| EgressRules { allow_private: rules(names), ..EgressRules::default() };
    let open = |own: &EgressRules, name, address| for_namespace(&policy, own, name, address, 443).is_ok();
    assert!(allowed(&policy, "10.1.2.3", "10.1.2.3"), "the platform's own scripts reach it");
    assert!(!open(&EgressRules::default(), "10.1.2.3", "10.1.2.3"), "a namespace that says nothing does not");
    assert!(open(&opening(&["10.1.2.0/24"]), "10.1.2.3", "10.1.2.3"));
    assert!(open(&opening(&["10.0.0.0/8"]), "any.test", "10.1.2.3"));
    assert!(!open(&opening(&["10.1.2.0/24"]), "any.test", "10.1.3.3"), "what it does not name itself");
    assert!(!open(&opening(&["10.0.0.0/8", "*"]), "any.test", "10.2.0.1"), "what the platform did not open");
    assert!(open(&opening(&["db.internal"]), "db.internal", "192.168.7.7"));
    assert!(!open(&opening(&["db.internal"]), "other.internal", "192.168.7.7"));
    assert!(open(&EgressRules::default(), "any.test", PUBLIC), "public addresses need no opening");
    // A network that holds it opens cloud metadata for nobody; the very address must be named by both.
    let metadata = "169.254.169.254";
    let exact = Policy { allow_private: rules(&[metadata]), ..Policy::default() };
    let judged = |own| for_namespace(&exact, &own, metadata, metadata, 80);
    assert!(judged(opening(&["0.0.0.0/0"])).is_err());
    assert!(judged(opening(&[metadata])).is_ok());
    assert_eq!(judged(opening(&[])).unwrap_err().rule(), "metadata");
}

#[test]
fn development_opens_loopback_to_every_namespace() {
    let mut policy = Policy::default();
    policy.allow_loopback();
    let judged = |own: &EgressRules, address| for_namespace(&policy, own, address, address, 3000);
    for address in ["127.0.0.1", "127.9.9.9"] {
        assert!(judged(&EgressRules::default(), address).is_ok(), "{address}");
    }
    assert!(judged(&EgressRules::default(), "10.0.0.1").is_err());
    let closed = EgressRules { allow_hosts: Some(Vec::new()), ..EgressRules::default() };
    assert!(judged(&closed, "127.0.0.1").is_err(), "what a namespace closes stays closed");
}

#[test]
fn every_refusal_has_a_label_of_the_closed_set() {
    let own = Denied::Own { address: IpAddr::from([127, 0, 0, 1]), port: 1 };
    let address = |kind| Denied::Address {
        whose: Whose::Platform,
        host: String::new(),
        address: IpAddr::from([10, 0, 0, 1]),
        kind,
    };
    let all = [
        Denied::Host(BadHost::Port),
        Denied::RefusedHost(Whose::Platform, String::new()),
        Denied::Port(Whose::Platform, 1),
        Denied::MetadataName(String::new()),
        address(Kind::Metadata),
        address(Kind::Private),
        own,
    ];
    let mut seen: Vec<_> = all.iter().map(Denied::rule).collect();
    seen.dedup();
    assert_eq!(seen, Denied::RULES);
}

proptest! {
    /// Nothing but a rule of the operator's opens an address that is not public.
    #[test]
    fn a_default_policy_lets_public_addresses_through_and_no_others(v4: u32, v6: u128) {
        let policy = Policy::default();
        for address in [IpAddr::V4(v4.into()), IpAddr::V6(v6.into())] {
            let judged = policy.judge_address(&Host::Name("a.test".to_owned()), address, 443, |_| false);
            prop_assert_eq!(judged.is_ok(), address::kind(address) == Kind::Global);
        }
    }

    /// Whatever a namespace says, it reaches nothing that the platform's own scripts do not.
    #[test]
    fn no_rules_of_a_namespace_reach_further_than_the_platform(v4: u32, v6: u128, own: u8) {
        let policy = Policy {
            allow_private: rules(&["10.0.0.0/9", "fd00::/9", "169.254.169.254", "*.open.test"]),
            deny_hosts: rules(&["9.0.0.0/8", "shut.open.test"]),
            ..Policy::default()
        };
        let all = ["*", "0.0.0.0/0", "::/0", "10.0.0.0/8", "169.254.169.254", "*.open.test"];
        let chosen: Vec<&str> = all.iter().enumerate().filter(|(n, _)| own & 1 << n != 0).map(|(_, t)| *t).collect();
        let own = EgressRules { allow_private: rules(&chosen), ..EgressRules::default() };
        for name in ["a.open.test", "shut.open.test", "a.test"] {
            for address in [IpAddr::V4(v4.into()), IpAddr::V4((v4 & 0x00ff_ffff | 0x0a00_0000).into()), IpAddr::V6(v6.into())] {
                let address = address.to_string();
                let platform = judged(&policy, name, &address, 443);
                if let Ok(reached) = for_namespace(&policy, &own, name, &address, 443) {
                    prop_assert_eq!(Ok(reached), platform);
                }
            }
        }
    }

    /// What is judged is what is connected to: the result is the address itself, undressed.
    #[test]
    fn a_judged_address_is_the_one_that_was_asked_about(v6: u128) {
        let policy = Policy { allow_private: rules(&["0.0.0.0/0", "::/0"]), ..Policy::default() };
        let address = IpAddr::V6(v6.into());
        if let Ok(judged) = policy.judge_address(&Host::Address(address), address, 443, |_| false) {
            prop_assert_eq!(judged, address.to_canonical());
        }
    }
}
