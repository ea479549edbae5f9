//! DNS records, and what is an origin by them.

use super::*;

fn record(kind: &str, name: &str, content: &str, proxied: bool) -> DnsRecordEdit {
    DnsRecordEdit {
        kind: Some(kind.to_owned()),
        name: Some(name.to_owned()),
        content: Some(content.to_owned()),
        proxied: Some(proxied),
        ..DnsRecordEdit::default()
    }
}

#[tokio::test]
async fn records_of_a_zone_agree_with_each_other() {
    let registry = registry().await;
    let made = zone(&registry, "saas.test").await;
    let add = async |edit: DnsRecordEdit| registry.create_dns_record(&made.id, &edit).await;
    let first = add(record("A", "origin", "192.0.2.1", true)).await.unwrap();
    add(record("A", "origin", "192.0.2.2", true)).await.unwrap();
    let again = unwrap_zone_error(add(record("A", "origin.saas.test", "192.0.2.1", false)).await);
    assert_eq!(again.kind(), ErrorKind::Exists);
    let beside = unwrap_zone_error(add(record("CNAME", "origin", "other.test", true)).await);
    assert!(matches!(beside, ZoneError::RecordBesideCname { .. }), "{beside:?}");
    add(record("CNAME", "*.customers", "origin.saas.test", true)).await.unwrap();
    let beside = unwrap_zone_error(add(record("AAAA", "*.customers", "100::", true)).await);
    assert!(matches!(beside, ZoneError::RecordBesideCname { .. }), "{beside:?}");

    let edit = DnsRecordEdit { content: Some("192.0.2.9".to_owned()), ..DnsRecordEdit::default() };
    let edited = registry.update_dns_record(&made.id, &first.id, &edit).await.unwrap();
    assert_eq!((edited.content.to_string().as_str(), edited.proxied), ("192.0.2.9", true));
    assert_eq!((&edited.id, edited.created_on), (&first.id, first.created_on));
    assert_eq!(registry.dns_record(&made.id, &first.id).await.unwrap(), edited);
    let names: Vec<String> =
        registry.dns_records(&made.id).await.unwrap().iter().map(|record| record.name.to_string()).collect();
    assert_eq!(names, ["*.customers.saas.test", "origin.saas.test", "origin.saas.test"]);
    registry.delete_dns_record(&made.id, &first.id).await.unwrap();
    let gone = registry.delete_dns_record(&made.id, &first.id).await;
    assert_eq!(unwrap_zone_error(gone).kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn an_origin_of_a_hostname_is_a_proxied_name_of_its_zone() {
    let registry = registry().await;
    let made = zone(&registry, "saas.test").await;
    for edit in [
        record("A", "proxied", "192.0.2.1", true),
        record("A", "plain", "192.0.2.1", false),
        record("A", "*.wild", "192.0.2.1", true),
    ] {
        registry.create_dns_record(&made.id, &edit).await.unwrap();
    }
    let to = |server: &str| CustomHostnameEdit {
        origin: OriginEdit { server: Some(Some(domain(server))), sni: None },
        ..CustomHostnameEdit::default()
    };
    for bad in ["plain.saas.test", "a.wild.saas.test", "missing.saas.test", "proxied.other.test"] {
        let refused = registry.create_hostname(&made.id, &new("a.customer.test", to(bad))).await;
        let refused = unwrap_zone_error(refused);
        assert!(
            matches!(refused, ZoneError::Hostname(HostnameError::OriginUnknown { .. })),
            "{bad} {refused:?}"
        );
    }
    let hostname =
        registry.create_hostname(&made.id, &new("a.customer.test", to("proxied.saas.test"))).await.unwrap();
    let refused = registry.edit_hostname(&made.id, &hostname.id, &to("plain.saas.test")).await;
    assert!(matches!(unwrap_zone_error(refused), ZoneError::Hostname(HostnameError::OriginUnknown { .. })));
    assert!(registry.is_origin(&made.id, &domain("proxied.saas.test")).await.unwrap());
}
