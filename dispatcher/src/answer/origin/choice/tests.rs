//! Which way a visit goes, over a registry in memory.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use serde_json::json;
use wasmyard_namespaces::Domain;
use wasmyard_namespaces::hostname::{
    CustomHostname, CustomHostnameEdit, CustomName, HostnameStatus, NewCustomHostname, OriginEdit, OriginSni,
};
use wasmyard_namespaces::registry::{HostMatch, Registry};
use wasmyard_namespaces::zone::{
    DnsRecordEdit, NewZone, Setting, SettingId, SslMode, Zone, ZoneEdit, ZoneType,
};

use super::*;
use crate::zone::sought;

struct Saas {
    registry: Registry,
    zone: Arc<Zone>,
}

fn domain(name: &str) -> Domain {
    Domain::parse(name).unwrap()
}

impl Saas {
    /// A zone with a fallback origin, and one of another kind.
    async fn new() -> Saas {
        let registry = Registry::in_memory().await.unwrap();
        let new = NewZone { name: domain("saas.test"), kind: ZoneType::Full };
        let zone = registry.create_zone(new).await.unwrap();
        for (name, kind, content) in
            [("fallback", "A", "192.0.2.1"), ("own", "CNAME", "machine.provider.test")]
        {
            let record = DnsRecordEdit {
                kind: Some(kind.to_owned()),
                name: Some(name.to_owned()),
                content: Some(content.to_owned()),
                proxied: Some(true),
                ..DnsRecordEdit::default()
            };
            registry.create_dns_record(&zone.id, &record).await.unwrap();
        }
        let edit =
            ZoneEdit { fallback_origin: Some(Some(domain("fallback.saas.test"))), ..ZoneEdit::default() };
        let zone = registry.update_zone(&zone.id, edit).await.unwrap();
        Saas { registry, zone }
    }

    async fn edit(&self, edit: ZoneEdit) {
        self.registry.update_zone(&self.zone.id, edit).await.unwrap();
    }

    async fn ssl(&self, mode: SslMode) {
        let setting = Setting::parse(SettingId::Ssl, &json!(mode)).unwrap();
        self.edit(ZoneEdit { settings: vec![setting], ..ZoneEdit::default() }).await;
    }

    /// An active custom hostname.
    async fn hostname(&self, name: &str, origin: OriginEdit) {
        let edit = CustomHostnameEdit { origin, ..CustomHostnameEdit::default() };
        let new = NewCustomHostname { name: CustomName::parse(name).unwrap(), edit };
        let made = self.registry.create_hostname(&self.zone.id, &new).await.unwrap();
        let active = |before: &CustomHostname, _| {
            Ok(Some(CustomHostname { status: HostnameStatus::Active, ..before.clone() }))
        };
        self.registry.change_hostname(&self.zone.id, &made.id, active).await.unwrap();
    }

    async fn found(&self, host: &str) -> HostMatch {
        self.registry.host(host).await.unwrap().unwrap()
    }

    /// The way of a host.
    async fn way(&self, host: &str) -> Way {
        let sought = sought(&self.found(host).await, host).unwrap().unwrap();
        let place = self.registry.origin_place(&self.zone.id, sought.name.as_str(), sought.own).await;
        let config = OriginsConfig { http_port: 8080, https_port: 8443, ..OriginsConfig::default() };
        super::way(&sought, host, place.unwrap().unwrap(), &config).unwrap()
    }

    /// The name that is asked for in the handshake, and whether it is verified.
    async fn asked(&self, host: &str) -> Option<(String, bool)> {
        let handshake = self.way(host).await.handshake?;
        Some((handshake.name.to_str().into_owned(), handshake.verified))
    }
}

fn to(server: &str, sni: Option<&str>) -> OriginEdit {
    let sni = sni.map(|sni| Some(OriginSni::parse(sni).unwrap()));
    OriginEdit { server: Some(Some(domain(server))), sni }
}

#[tokio::test]
async fn the_setting_of_the_zone_says_whether_origins_are_asked_over_tls() {
    let saas = Saas::new().await;
    saas.hostname("shop.customer.test", OriginEdit::default()).await;
    for (mode, port, verified) in [
        (SslMode::Off, 8080, None),
        (SslMode::Flexible, 8080, None),
        (SslMode::Full, 8443, Some(false)),
        (SslMode::Strict, 8443, Some(true)),
    ] {
        saas.ssl(mode).await;
        for host in ["shop.customer.test", "fallback.saas.test"] {
            let way = saas.way(host).await;
            let name = ServerName::try_from(host.to_owned()).unwrap();
            assert_eq!(way.handshake, verified.map(|verified| Handshake { name, verified }), "{mode:?}");
            assert_eq!(way.port, port);
            assert_eq!(way.host, Host::Name("fallback.saas.test".to_owned()));
            assert_eq!(way.addresses.as_deref(), Some([IpAddr::from([192, 0, 2, 1])].as_slice()));
        }
    }
}

#[tokio::test]
async fn a_custom_origin_is_asked_for_by_its_name_or_as_was_set() {
    let saas = Saas::new().await;
    saas.ssl(SslMode::Strict).await;
    saas.hostname("a.customer.test", to("own.saas.test", None)).await;
    saas.hostname("b.customer.test", to("own.saas.test", Some(":request_host_header:"))).await;
    saas.hostname("c.customer.test", to("own.saas.test", Some("www.c.customer.test"))).await;
    saas.hostname("*.wild.test", to("own.saas.test", Some(":request_host_header:"))).await;
    saas.hostname("*.fallen.test", OriginEdit::default()).await;
    for (host, name) in [
        ("a.customer.test", "own.saas.test"),
        ("b.customer.test", "b.customer.test"),
        ("c.customer.test", "www.c.customer.test"),
        ("a.wild.test", "own.saas.test"),
        ("a.fallen.test", "a.fallen.test"),
    ] {
        assert_eq!(saas.asked(host).await, Some((name.to_owned(), true)), "{host}");
    }
    let way = saas.way("a.customer.test").await;
    assert_eq!((way.host, way.addresses), (Host::Name("machine.provider.test".to_owned()), None));
}

#[tokio::test]
async fn without_an_origin_or_in_a_paused_zone_there_is_no_way() {
    let saas = Saas::new().await;
    saas.hostname("shop.customer.test", OriginEdit::default()).await;
    saas.hostname("own.customer.test", to("own.saas.test", None)).await;
    saas.edit(ZoneEdit { fallback_origin: Some(None), ..ZoneEdit::default() }).await;
    let shop = saas.found("shop.customer.test").await;
    assert_eq!(sought(&shop, "shop.customer.test"), Err(OriginFault::Dns));
    assert_eq!(saas.way("own.customer.test").await.port, 8443, "full is the default");
    let found = saas.found("own.saas.test").await;
    assert!(sought(&found, "own.saas.test").unwrap().is_some_and(|sought| sought.own));
    saas.edit(ZoneEdit { paused: Some(true), ..ZoneEdit::default() }).await;
    let paused = saas.found("own.saas.test").await;
    assert_eq!(sought(&paused, "own.saas.test"), Err(OriginFault::Dns));
}
