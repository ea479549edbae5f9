//! Tests of [`super`].

use serde_json::{Value, json};

use super::*;
use crate::tls::TlsVersion;

fn zone() -> Zone {
    let now = Timestamp::now();
    Zone {
        id: ZoneId::parse("0123456789abcdef0123456789abcdef").unwrap(),
        name: Zone::parse_name("saas.test").unwrap(),
        kind: ZoneType::Full,
        status: ZoneStatus::Active,
        paused: false,
        created_on: now,
        modified_on: now,
        activated_on: Some(now),
        settings: ZoneSettings::default(),
        hold: None,
        fallback_origin: None,
        dcv_label: "0123456789abcdef".to_owned(),
        config: None,
    }
}

fn later(seconds: u64) -> Timestamp {
    Timestamp::now().later(std::time::Duration::from_secs(seconds))
}

#[test]
fn a_zone_is_a_name_that_somebody_can_own() {
    assert_eq!(Zone::parse_name("SaaS.test.").unwrap().as_str(), "saas.test");
    assert_eq!(Zone::parse_name("bücher.de").unwrap().as_str(), "xn--bcher-kva.de");
    assert_eq!(Zone::parse_name("eu.saas.co.uk").unwrap().as_str(), "eu.saas.co.uk");
    for bad in ["", "test", "co.uk", "*.saas.test", "127.0.0.1", "saas..test", "github.io"] {
        assert!(Zone::parse_name(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_setting_is_its_default_until_it_is_set() {
    let zone = zone();
    for (id, value) in [
        ("ssl", json!("full")),
        ("min_tls_version", json!("1.0")),
        ("tls_1_3", json!("on")),
        ("ciphers", json!([])),
        ("http2", json!("on")),
        ("http3", json!("on")),
        ("early_hints", json!("off")),
        ("always_use_https", json!("off")),
        ("0rtt", json!("off")),
    ] {
        let id = SettingId::parse(id).unwrap();
        assert_eq!(zone.settings.setting(id).value(), value, "{id}");
        assert_eq!(zone.settings.modified_on(id), None);
        // What is shown can be given back.
        assert_eq!(Setting::parse(id, &value).unwrap().id(), id);
    }
    let setting = Setting::parse(SettingId::MinTlsVersion, &json!("1.2")).unwrap();
    let edit = ZoneEdit { settings: vec![setting], ..ZoneEdit::default() };
    let set = zone.edited(&edit, later(5));
    assert_eq!(set.settings.min_tls_version(), TlsVersion::V1_2);
    assert_eq!(set.settings.modified_on(SettingId::MinTlsVersion), Some(set.modified_on));
    assert_eq!(serde_json::from_value::<Zone>(serde_json::to_value(&set).unwrap()).unwrap(), set);
}

#[test]
fn a_value_that_a_setting_cannot_have_is_refused_with_what_it_takes() {
    for (id, value, takes) in [
        ("ssl", json!("origin_pull"), "off, flexible, full, strict"),
        ("ssl", json!(1), "off, flexible, full, strict"),
        ("min_tls_version", json!(1.2), "1.0, 1.1, 1.2, 1.3"),
        ("tls_1_3", json!("zrt"), "on, off"),
        ("http2", json!(true), "on, off"),
        ("0rtt", json!("on"), "off alone"),
        ("ciphers", json!("AES128-SHA"), "an array"),
        ("ciphers", json!(["NULL-MD5"]), "an array"),
        ("ciphers", json!(["AES128-SHA"]), "served here"),
        ("ciphers", Value::Null, "an array"),
        ("ciphers", json!(vec!["AES128-SHA"; 65]), "an array"),
    ] {
        let error = Setting::parse(SettingId::parse(id).unwrap(), &value).unwrap_err().to_string();
        assert!(error.contains(takes), "{error}");
    }
}

#[test]
fn a_hold_keeps_names_from_its_moment_on() {
    let held = |hold| Zone { hold: Some(hold), ..zone() };
    let below = Domain::parse("a.saas.test").unwrap();
    let name = zone().name;
    let of_the_name = held(ZoneHold { include_subdomains: false, hold_after: None });
    assert!(of_the_name.holds(&name, later(0)) && !of_the_name.holds(&below, later(0)));
    let of_all = held(ZoneHold { include_subdomains: true, hold_after: Some(later(60)) });
    assert!(!of_all.holds(&below, later(0)) && of_all.holds(&below, later(120)));
    assert!(!of_all.holds(&Domain::parse("other.test").unwrap(), later(120)));
}

#[test]
fn a_fallback_origin_keeps_when_it_was_first_set() {
    let set = |zone: &Zone, origin: Option<&str>, now| {
        let origin = origin.map(|origin| Domain::parse(origin).unwrap());
        zone.edited(&ZoneEdit { fallback_origin: Some(origin), ..ZoneEdit::default() }, now)
    };
    let (first, second) = (later(1), later(2));
    let zone = set(&set(&zone(), Some("a.saas.test"), first), Some("b.saas.test"), second);
    let origin = zone.fallback_origin.clone().unwrap();
    assert_eq!(
        (origin.origin.as_str(), origin.created_at, origin.updated_at),
        ("b.saas.test", first, second)
    );
    assert_eq!(set(&zone, None, second).fallback_origin, None);
}

#[test]
fn a_record_is_read_within_its_zone() {
    let name = zone().name;
    let edit = |kind: &str, name: &str, content: &str| DnsRecordEdit {
        kind: Some(kind.to_owned()),
        name: Some(name.to_owned()),
        content: Some(content.to_owned()),
        ..DnsRecordEdit::default()
    };
    for (kind, written, content, whole, says) in [
        ("A", "@", "192.0.2.1", "saas.test", "192.0.2.1"),
        ("AAAA", "service", "100::", "service.saas.test", "100::"),
        ("CNAME", "customers.saas.test", "Proxy.saas.test.", "customers.saas.test", "proxy.saas.test"),
        ("CNAME", "*.customers", "@", "*.customers.saas.test", "saas.test"),
        ("A", "*", "192.0.2.1", "*.saas.test", "192.0.2.1"),
        ("A", "_x.deep.saas.test.", "192.0.2.1", "_x.deep.saas.test", "192.0.2.1"),
    ] {
        let record = edit(kind, written, content).apply(None, &name).unwrap();
        assert_eq!((record.name.as_str(), record.content.to_string().as_str()), (whole, says));
        assert_eq!((record.ttl, record.proxied, record.content.kind().as_str()), (1, false, kind));
    }
    for (kind, written, content, word) in [
        ("TXT", "@", "x", "name server"),
        ("A", "@", "::1", "IPv4"),
        ("AAAA", "@", "192.0.2.1", "IPv6"),
        ("CNAME", "a", "not a name", "no name"),
        ("CNAME", "a", "a.saas.test", "own name"),
        ("A", "other.test.", "192.0.2.1", "not in zone"),
        ("A", "a.*", "192.0.2.1", "labels hold"),
        ("A", "", "192.0.2.1", "characters"),
    ] {
        let error = edit(kind, written, content).apply(None, &name).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
    let bad_ttl = DnsRecordEdit { ttl: Some(5), ..edit("A", "@", "192.0.2.1") };
    assert!(bad_ttl.apply(None, &name).unwrap_err().to_string().contains("30 to 86400"));
}

#[test]
fn a_wildcard_record_covers_what_is_below_it() {
    let zone = zone().name;
    let covers = |record: &str, name: &str| {
        DnsName::parse(record, &zone).unwrap().covers(&Domain::parse(name).unwrap())
    };
    assert!(covers("a", "a.saas.test") && !covers("a", "b.a.saas.test"));
    assert!(covers("*", "a.saas.test") && covers("*", "b.a.saas.test") && !covers("*", "saas.test"));
    assert!(
        !covers("*.a", "xa.saas.test") && !covers("*.a", "a.saas.test") && covers("*.a", "x.a.saas.test")
    );
}
