//! Tests of [`super`].

use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::domain::DomainError;
use crate::tls::{Cipher, Switch, TlsVersion};

fn now() -> Timestamp {
    "2026-11-28T03:00:00Z".parse().unwrap()
}

fn later() -> Timestamp {
    now().later(Duration::from_secs(60))
}

fn pack(digit: char) -> CertificatePackId {
    CertificatePackId::parse(&format!("198d3c94-cd7b-46e6-9a49-d44dab59dfb{digit}")).unwrap()
}

fn made(name: &str, edit: CustomHostnameEdit) -> Result<CustomHostname, HostnameError> {
    let name = CustomName::for_customer(name, true).map_err(HostnameError::Name)?;
    let made_up = MadeUp {
        id: CustomHostnameId::parse("1d74f419-c24c-4619-9ff2-489751b61d27").unwrap(),
        ownership_token: "29625d98-cb2e-4ec0-94d1-4f562ac2fec2".to_owned(),
        pack: pack('5'),
    };
    let zone = ZoneId::parse("0123456789abcdef0123456789abcdef").unwrap();
    CustomHostname::new(zone, &NewCustomHostname { name, edit }, made_up, now())
}

fn txt() -> SslEdit {
    SslEdit { method: Some(ValidationMethod::Txt), kind: Some(CertificateType::Dv), ..SslEdit::default() }
}

fn with_ssl(ssl: SslEdit) -> CustomHostnameEdit {
    CustomHostnameEdit { ssl: Some(ssl), ..CustomHostnameEdit::default() }
}

fn edit(hostname: &CustomHostname, edit: CustomHostnameEdit) -> Result<CustomHostname, HostnameError> {
    hostname.edited(&edit, pack('6'), later())
}

#[test]
fn names_of_customers_have_one_spelling_and_an_owner() {
    for (text, name) in
        [("Shop.Customer.TEST", "shop.customer.test"), ("*.Customer.test.", "*.customer.test")]
    {
        assert_eq!(CustomName::for_customer(text, true).unwrap().as_str(), name);
    }
    let error = |text: &str, reserved| CustomName::for_customer(text, reserved).unwrap_err();
    for bad in ["", "*", "*.", "a.*.test", "**.a.test", "*a.customer.test", "127.0.0.1", "a b.customer.test"]
    {
        assert!(matches!(error(bad, true), DomainError::Grammar { .. }), "{bad}");
    }
    assert!(matches!(error("*.co.uk", false), DomainError::Suffix(_)));
    assert!(matches!(error("shop.customer.test", false), DomainError::Reserved { .. }));
    assert!(matches!(error("*.example.com", false), DomainError::Documentation { .. }));
    let long = format!("*.{}customer.dev", "abcdefghi.".repeat(24));
    assert!(matches!(error(&long, false), DomainError::Grammar { .. }));
}

#[test]
fn a_new_hostname_waits_and_makes_nothing_up() {
    let hostname = made("shop.customer.test", CustomHostnameEdit::default()).unwrap();
    assert_eq!((hostname.status, hostname.ssl.clone()), (HostnameStatus::Pending, None));
    assert_eq!(hostname.ownership_txt_name(), "_cf-custom-hostname.shop.customer.test");
    assert_eq!(
        hostname.ownership_http_url(),
        "http://shop.customer.test/.well-known/cf-custom-hostname-challenge/1d74f419-c24c-4619-9ff2-489751b61d27"
    );
    let record = serde_json::to_value(&hostname).unwrap();
    assert_eq!(serde_json::from_value::<CustomHostname>(record).unwrap(), hostname);
    let empty = made("shop.customer.test", with_ssl(SslEdit::default())).unwrap().ssl.unwrap();
    assert_eq!((empty.config, empty.status), (SslConfig::default(), SslStatus::PendingValidation));
}

#[test]
fn a_name_stays() {
    let hostname = made("shop.customer.test", CustomHostnameEdit::default()).unwrap();
    let named = |name: &str| CustomHostnameEdit {
        name: Some(CustomName::parse(name).unwrap()),
        ..CustomHostnameEdit::default()
    };
    assert!(edit(&hostname, named("SHOP.customer.test")).is_ok());
    assert_eq!(edit(&hostname, named("other.customer.test")).unwrap_err(), HostnameError::Rename);
}

#[test]
fn metadata_is_replaced_whole_and_bounded() {
    let take = |value| HostnameMetadata::take(&value);
    let set =
        |value| CustomHostnameEdit { metadata: Some(take(value).unwrap()), ..CustomHostnameEdit::default() };
    let first = made("shop.customer.test", set(json!({"plan": "gold", "redirect": true}))).unwrap();
    assert_eq!(&**first.metadata.clone().unwrap().as_json(), r#"{"plan":"gold","redirect":true}"#);
    let second = edit(&first, set(json!({"n": {"deep": [1, 2.5]}}))).unwrap();
    assert_eq!(
        serde_json::Value::from(second.metadata.clone().unwrap().to_object()),
        json!({"n": {"deep": [1, 2.5]}})
    );
    assert_eq!(edit(&second, CustomHostnameEdit::default()).unwrap().metadata, second.metadata);
    for none in [json!({}), json!(null)] {
        assert_eq!(edit(&second, set(none)).unwrap().metadata, None);
    }
    // {"k":"..."} has eight characters around the text.
    assert!(take(json!({"k": "x".repeat(4_096 - 8)})).is_ok());
    for bad in [json!({"k": "x".repeat(4_096 - 7)}), json!([1]), json!("text"), json!(7)] {
        assert!(matches!(take(bad), Err(HostnameError::Metadata(_))));
    }
    assert_eq!(made("*.customer.test", set(json!({"a": 1}))).unwrap_err(), HostnameError::MetadataOfWildcard);
}

#[test]
fn an_origin_goes_with_the_name_for_its_handshake() {
    let origin = |server: Option<Option<&str>>, sni: Option<Option<&str>>| CustomHostnameEdit {
        origin: OriginEdit {
            server: server.map(|server| server.map(|server| Domain::parse(server).unwrap())),
            sni: sni.map(|sni| sni.map(|sni| OriginSni::parse(sni).unwrap())),
        },
        ..CustomHostnameEdit::default()
    };
    let both = origin(Some(Some("o.saas.test")), Some(Some(":request_host_header:")));
    let hostname = made("shop.customer.test", both).unwrap();
    assert_eq!(hostname.origin.clone().unwrap().sni, Some(OriginSni::RequestHost));
    let named = edit(&hostname, origin(None, Some(Some("sni.saas.test")))).unwrap().origin.unwrap();
    assert_eq!((named.server.as_str(), named.sni.unwrap().as_str()), ("o.saas.test", "sni.saas.test"));
    assert_eq!(edit(&hostname, origin(None, Some(None))).unwrap().origin.unwrap().sni, None);
    assert_eq!(edit(&hostname, origin(Some(None), None)).unwrap().origin, None);
    let alone = made("shop.customer.test", origin(None, Some(Some("sni.saas.test"))));
    assert_eq!(alone.unwrap_err(), HostnameError::SniWithoutOrigin);
    assert!(matches!(OriginEdit::parse_server("o.saas.test", false), Err(HostnameError::Origin(_))));
    assert_eq!(OriginEdit::parse_server("*.saas.dev", false), Err(HostnameError::OriginWildcard));
    assert!(matches!(OriginEdit::parse_server("192.0.2.1", false), Err(HostnameError::Origin(_))));
}

#[test]
fn a_certificate_is_as_it_was_asked_for() {
    let refused = |name: &str, ssl| made(name, with_ssl(ssl)).unwrap_err();
    let shop = "shop.customer.test";
    assert_eq!(
        refused(shop, SslEdit { method: Some(ValidationMethod::Txt), ..SslEdit::default() }),
        HostnameError::MethodAndType
    );
    assert_eq!(
        refused(shop, SslEdit { kind: Some(CertificateType::Dv), ..SslEdit::default() }),
        HostnameError::MethodAndType
    );
    assert_eq!(refused("*.customer.test", txt()), HostnameError::ManagedWildcard);
    let over_http = SslEdit { method: Some(ValidationMethod::Http), wildcard: Some(true), ..txt() };
    assert!(matches!(refused(shop, over_http), HostnameError::Ssl(_)));
    let long = format!("{}.customer.test", "a".repeat(60));
    assert_eq!(refused(&long, txt()), HostnameError::Branding);
    assert!(made(&long, with_ssl(SslEdit { branding: Some(true), ..txt() })).is_ok());
}

#[test]
fn settings_are_replaced_whole_and_must_agree() {
    let settings = |settings| with_ssl(SslEdit { settings: Some(settings), ..SslEdit::default() });
    let first = TlsSettings {
        http2: Some(Switch::Off),
        min_tls_version: Some(TlsVersion::V1_2),
        ciphers: Some(vec![Cipher::EcdheRsaAes128Gcm, Cipher::Aes128Sha]),
        ..TlsSettings::default()
    };
    assert_eq!(first.not_served().collect::<Vec<_>>(), [Cipher::Aes128Sha]);
    let hostname = made("shop.customer.test", settings(first)).unwrap();
    let second = TlsSettings { early_hints: Some(Switch::On), ..TlsSettings::default() };
    let hostname = edit(&hostname, settings(second.clone())).unwrap();
    let now = hostname.ssl.clone().unwrap().config.settings.unwrap();
    assert_eq!(now, second);
    assert_eq!(now.oldest_version(), TlsVersion::V1_0);
    assert!(now.speaks_http2() && now.speaks_tls_1_3() && now.sends_early_hints());
    let with_13 = TlsSettings {
        min_tls_version: Some(TlsVersion::V1_3),
        ciphers: Some(vec![Cipher::EcdheRsaAes128Gcm]),
        ..TlsSettings::default()
    };
    assert_eq!(edit(&hostname, settings(with_13)).unwrap_err(), HostnameError::CiphersOfTls13);
    let none_served = TlsSettings { ciphers: Some(vec![Cipher::DesCbc3Sha]), ..TlsSettings::default() };
    assert!(matches!(edit(&hostname, settings(none_served)), Err(HostnameError::Ciphers { .. })));
    let only_12 = TlsSettings { tls_1_2_only: Some(Switch::On), ..TlsSettings::default() };
    assert!(!only_12.speaks_tls_1_3() && only_12.oldest_version() == TlsVersion::V1_2);
}

#[test]
fn the_same_again_starts_the_checks_and_orders_nothing_twice() {
    let mut hostname = made("shop.customer.test", with_ssl(txt())).unwrap();
    for status in [HostnameStatus::Moved, HostnameStatus::Deleted, HostnameStatus::Blocked] {
        hostname.status = status;
        hostname.checks.tries = 75;
        hostname.verification_errors = vec!["custom hostname does not CNAME to this zone.".to_owned()];
        hostname.ssl.as_mut().unwrap().status = SslStatus::ValidationTimedOut;
        let again = edit(&hostname, with_ssl(txt())).unwrap();
        assert_eq!((again.status, again.checks), (HostnameStatus::Pending, Checks::from(later())));
        assert!(again.verification_errors.is_empty());
        assert_eq!(again.ssl.unwrap().status, SslStatus::PendingValidation);
        // Anything else leaves them as they are.
        let other =
            edit(&hostname, with_ssl(SslEdit { wildcard: Some(false), ..SslEdit::default() })).unwrap();
        assert_eq!((other.status, other.checks.tries), (status, 75));
        assert_eq!(other.ssl.unwrap().status, SslStatus::ValidationTimedOut);
    }
    hostname.status = HostnameStatus::Active;
    hostname.ssl.as_mut().unwrap().status = SslStatus::Active;
    let again = edit(&hostname, with_ssl(txt())).unwrap();
    assert_eq!((again.status, again.ssl.unwrap().status), (HostnameStatus::Active, SslStatus::Active));
    for another in [
        SslEdit { method: Some(ValidationMethod::Http), ..txt() },
        SslEdit { certificate_authority: Some(Some(CertificateAuthority::Google)), ..SslEdit::default() },
        SslEdit { wildcard: Some(true), ..SslEdit::default() },
    ] {
        let changed = edit(&hostname, with_ssl(another)).unwrap();
        assert_eq!(changed.status, HostnameStatus::Active);
        assert_eq!(changed.ssl.unwrap().status, SslStatus::PendingValidation);
    }
}

#[test]
fn a_hostname_takes_what_is_below_only_where_it_was_asked_to() {
    let names = |name: &str, ssl: Option<SslEdit>| {
        let edit = CustomHostnameEdit { ssl, ..CustomHostnameEdit::default() };
        made(name, edit).unwrap().served_names().map(|name| name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names("shop.customer.test", None), ["shop.customer.test"]);
    let wildcard = SslEdit { wildcard: Some(true), ..txt() };
    assert_eq!(names("shop.customer.test", Some(wildcard)), ["shop.customer.test", "*.shop.customer.test"]);
    assert_eq!(names("*.customer.test", None), ["*.customer.test"]);
}

#[test]
fn the_words_are_those_of_clients() {
    assert_eq!((HostnameStatus::ALL.len(), SslStatus::ALL.len()), (16, 21));
    for status in HostnameStatus::ALL {
        assert_eq!(HostnameStatus::parse(status.as_str()), Some(*status));
        assert_eq!(json!(status), json!(status.as_str()));
    }
    let served: Vec<_> = HostnameStatus::ALL.iter().filter(|status| status.is_served()).collect();
    assert_eq!(served, [&HostnameStatus::Active, &HostnameStatus::ActiveRedeploying]);
}

proptest! {
    #[test]
    fn no_text_makes_a_name_panic(text in "[a-z.*-]{0,40}|.{0,300}") {
        if let Ok(name) = CustomName::parse(&text) {
            prop_assert_eq!(&CustomName::parse(name.as_str()).unwrap(), &name);
            prop_assert!(name.as_str().len() <= 253);
            if let Some(below) = name.below() {
                prop_assert_eq!(&CustomName::parse(below.as_str()).unwrap(), &below);
            }
        }
    }
}
