//! Zones: their records, their custom hostnames, and whose a host is.

use super::*;
use crate::zone_error::ZoneError;
use crate::zones::HostnameNames;
use wasmyard_model::domain::Domain;
use wasmyard_model::hostname::{
    CertificateType, CustomHostname, CustomHostnameEdit, CustomName, HostnameError, HostnameMetadata,
    HostnameStatus, NewCustomHostname, OriginEdit, SslEdit, ValidationMethod,
};
use wasmyard_model::ids::ZoneId;
use wasmyard_model::zone::{DnsRecordEdit, NewZone, Zone, ZoneEdit, ZoneHold, ZoneType};

mod client_ca;
mod contest;
mod dns;
mod hosts;
mod origins;
mod texts;

fn domain(name: &str) -> Domain {
    Domain::parse(name).unwrap()
}

fn unwrap_zone_error<T: std::fmt::Debug>(refused: Result<T>) -> ZoneError {
    match refused.unwrap_err() {
        RegistryError::Zone(error) => error,
        other => panic!("{other:?}"),
    }
}

async fn zone(registry: &Registry, name: &str) -> Arc<Zone> {
    registry.create_zone(NewZone { name: domain(name), kind: ZoneType::Full }).await.unwrap()
}

fn new(name: &str, edit: CustomHostnameEdit) -> NewCustomHostname {
    NewCustomHostname { name: CustomName::parse(name).unwrap(), edit }
}

async fn hostname(registry: &Registry, zone: &Zone, name: &str) -> Arc<CustomHostname> {
    registry.create_hostname(&zone.id, &new(name, CustomHostnameEdit::default())).await.unwrap()
}

fn below_too() -> CustomHostnameEdit {
    let ssl = SslEdit {
        method: Some(ValidationMethod::Txt),
        kind: Some(CertificateType::Dv),
        wildcard: Some(true),
        ..SslEdit::default()
    };
    CustomHostnameEdit { ssl: Some(ssl), ..CustomHostnameEdit::default() }
}

/// What the checks do when they have found out something.
async fn set_status(
    registry: &Registry,
    hostname: &CustomHostname,
    status: HostnameStatus,
) -> Arc<CustomHostname> {
    let decide = |before: &CustomHostname, _| Ok(Some(CustomHostname { status, ..before.clone() }));
    registry.change_hostname(&hostname.zone, &hostname.id, decide).await.unwrap()
}

#[tokio::test]
async fn a_zone_has_its_name_alone_and_keeps_what_is_set() {
    let registry = registry().await;
    let made = zone(&registry, "saas.test").await;
    let again = registry.create_zone(NewZone { name: domain("saas.test"), kind: ZoneType::Full }).await;
    assert_eq!(unwrap_zone_error(again), ZoneError::Exists(domain("saas.test")));
    let edit = ZoneEdit { fallback_origin: Some(Some(domain("o.saas.test"))), ..ZoneEdit::default() };
    let changed = registry.update_zone(&made.id, edit).await.unwrap();
    assert_eq!(registry.zone(&made.id), Some(Arc::clone(&changed)));
    assert_eq!(registry.zone_named(&domain("saas.test")), Some(changed));
    registry.delete_zone(&made.id).await.unwrap();
    assert!(registry.zones().is_empty() && registry.zone(&made.id).is_none());
    assert_eq!(unwrap_zone_error(registry.delete_zone(&made.id).await).kind(), ErrorKind::NotFound);
    zone(&registry, "saas.test").await;
}

#[tokio::test]
async fn a_hold_keeps_what_is_below_a_zone_from_others() {
    let registry = registry().await;
    let above = zone(&registry, "saas.test").await;
    let hold = ZoneHold { include_subdomains: true, hold_after: None };
    let edit = |hold| ZoneEdit { hold: Some(hold), ..ZoneEdit::default() };
    registry.update_zone(&above.id, edit(Some(hold))).await.unwrap();
    let below = NewZone { name: domain("eu.saas.test"), kind: ZoneType::Full };
    assert_eq!(
        unwrap_zone_error(registry.create_zone(below.clone()).await),
        ZoneError::Held(domain("eu.saas.test"))
    );
    registry.update_zone(&above.id, edit(None)).await.unwrap();
    registry.create_zone(below).await.unwrap();
}

#[tokio::test]
async fn a_zone_has_one_hostname_of_a_name_and_others_may_wait_for_it() {
    let registry = registry().await;
    let (one, two) = (zone(&registry, "one.test").await, zone(&registry, "two.test").await);
    let made = hostname(&registry, &one, "shop.customer.test").await;
    let again = registry.create_hostname(&one.id, &new("shop.customer.test", below_too())).await;
    assert_eq!(unwrap_zone_error(again), ZoneError::Hostname(HostnameError::Duplicate));
    hostname(&registry, &two, "shop.customer.test").await;
    let edit = CustomHostnameEdit {
        metadata: Some(HostnameMetadata::take(&serde_json::json!({"plan": "gold"})).unwrap()),
        ..CustomHostnameEdit::default()
    };
    let edited = registry.edit_hostname(&one.id, &made.id, &edit).await.unwrap();
    assert_eq!(registry.hostname(&one.id, &made.id).await.unwrap(), edited);
    // Another zone's is not there.
    let elsewhere = registry.hostname(&two.id, &made.id).await;
    assert_eq!(unwrap_zone_error(elsewhere).kind(), ErrorKind::NotFound);
    registry.delete_hostname(&one.id, &made.id).await.unwrap();
    assert_eq!(
        unwrap_zone_error(registry.delete_hostname(&one.id, &made.id).await).kind(),
        ErrorKind::NotFound
    );
    hostname(&registry, &one, "shop.customer.test").await;
}

#[tokio::test]
async fn a_zone_has_as_many_hostnames_as_it_may() {
    let with = |hostname_quota| async move {
        let options = RegistryOptions { hostname_quota, ..RegistryOptions::default() };
        Registry::open_with(Arc::new(MemoryStore::new()), Blobs::memory(), options).await.unwrap()
    };
    let registry = with(1).await;
    let made = zone(&registry, "saas.test").await;
    let first = hostname(&registry, &made, "a.customer.test").await;
    let one_more = || new("b.customer.test", CustomHostnameEdit::default());
    let refused = registry.create_hostname(&made.id, &one_more()).await;
    assert_eq!(unwrap_zone_error(refused), ZoneError::Quota { allocated: 1 });
    registry.delete_hostname(&made.id, &first.id).await.unwrap();
    registry.create_hostname(&made.id, &one_more()).await.unwrap();
    let registry = with(0).await;
    let made = zone(&registry, "saas.test").await;
    assert_eq!(unwrap_zone_error(registry.create_hostname(&made.id, &one_more()).await), ZoneError::NoQuota);
}

#[tokio::test]
async fn lists_are_in_order_and_by_pages_whatever_is_asked_for() {
    let registry = registry().await;
    let (made, other) = (zone(&registry, "saas.test").await, zone(&registry, "other.test").await);
    hostname(&registry, &other, "a0.customer.test").await;
    // More than are read at a time, in an order that is not that of the names.
    let mut written = Vec::new();
    for n in 0..150 {
        let name = format!("a{}.customer.test", (n * 7) % 150);
        written.push(hostname(&registry, &made, &name).await.name.to_string());
    }
    let list = async |names: HostnameNames, limit| {
        let (mut after, mut all) = (None, Vec::new());
        loop {
            let page = registry.hostnames(&made.id, &names, |_| true, after.as_deref(), limit).await.unwrap();
            all.extend(page.iter().map(|(_, hostname)| hostname.name.to_string()));
            match page.last() {
                Some((key, _)) if page.len() == limit => after = Some(key.clone()),
                _ => return all,
            }
        }
    };
    for limit in [7, 128, 1_000] {
        assert_eq!(list(HostnameNames::All, limit).await, written);
        let mut sorted: Vec<String> = written.iter().filter(|name| name.starts_with("a1")).cloned().collect();
        sorted.sort();
        assert_eq!(list(HostnameNames::Beginning("a1".to_owned()), limit).await, sorted);
        let mut sorted: Vec<String> = written.iter().filter(|name| name.contains("9.c")).cloned().collect();
        sorted.sort();
        assert_eq!(list(HostnameNames::Containing("9.c".to_owned()), limit).await, sorted);
        let exactly = HostnameNames::Exactly("a1.customer.test".to_owned());
        assert_eq!(list(exactly, limit).await, ["a1.customer.test"]);
        assert!(list(HostnameNames::Exactly("a1.customer.tes".to_owned()), limit).await.is_empty());
    }
    let kept = |hostname: &CustomHostname| hostname.name.as_str().starts_with("a7");
    let page = registry.hostnames(&made.id, &HostnameNames::All, kept, None, 5).await.unwrap();
    assert_eq!(page.len(), 5);
}

#[tokio::test]
async fn a_zone_goes_with_all_that_belongs_to_it() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let registry = Registry::open(Arc::clone(&store), Blobs::memory()).await.unwrap();
    let (gone, stays) = (zone(&registry, "gone.test").await, zone(&registry, "stays.test").await);
    for n in 0..150 {
        let made = hostname(&registry, &gone, &format!("a{n}.customer.test")).await;
        if n % 2 == 0 {
            set_status(&registry, &made, HostnameStatus::Active).await;
        }
    }
    let kept = hostname(&registry, &stays, "a1.customer.test").await;
    set_status(&registry, &kept, HostnameStatus::Active).await;
    let record = DnsRecordEdit {
        kind: Some("A".to_owned()),
        name: Some("@".to_owned()),
        content: Some("192.0.2.1".to_owned()),
        ..DnsRecordEdit::default()
    };
    registry.create_dns_record(&gone.id, &record).await.unwrap();
    registry.delete_zone(&gone.id).await.unwrap();
    for prefix in ["hostname/", "hostname-name/", "dns-record/", "dns-set/", "zone-purge/"] {
        assert_eq!(store.count(&format!("{prefix}{}", gone.id)).await.unwrap(), 0, "{prefix}");
    }
    assert_eq!(store.count("hostname-claim/").await.unwrap(), 1);
    assert_eq!(registry.host("a0.customer.test").await.unwrap(), None);
    assert!(registry.host("a1.customer.test").await.unwrap().is_some());
    let late =
        registry.create_hostname(&gone.id, &new("late.customer.test", CustomHostnameEdit::default())).await;
    assert_eq!(unwrap_zone_error(late), ZoneError::NotFound(gone.id.to_string()));
}

#[tokio::test]
async fn a_deletion_that_was_broken_off_is_finished_at_the_next_start() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let registry = Registry::open(Arc::clone(&store), Blobs::memory()).await.unwrap();
    let made = zone(&registry, "gone.test").await;
    hostname(&registry, &made, "a.customer.test").await;
    // As a crash leaves it: the zone is gone and noted, its hostname is there.
    let name = serde_json::json!({"name": "gone.test", "on": "2026-11-28T03:00:00.000000Z"});
    let key = format!("zone/{}", made.id);
    let seen = store.get(&key).await.unwrap().unwrap();
    let writes = [
        wasmyard_stores::Write::delete(key.clone()),
        wasmyard_stores::Write::put(format!("zone-purge/{}", made.id), serde_json::to_vec(&name).unwrap()),
    ];
    let expected = [wasmyard_stores::Precondition::as_read(key, Some(seen.revision))];
    store.append(&expected, &writes).await.unwrap();
    let _again = Registry::open(Arc::clone(&store), Blobs::memory()).await.unwrap();
    let finished = async {
        while store.count("hostname/").await.unwrap() + store.count("zone-purge/").await.unwrap() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), finished).await.unwrap();
    drop(ZoneId::parse(made.id.as_str()).unwrap());
}
