//! Whose a host is: exact before wildcard, the newest that was shown to be somebody's before older ones.

use super::*;

/// The zone and the hostname that a host leads to, by their names.
async fn whose(registry: &Registry, host: &str) -> Option<(String, Option<String>)> {
    let found = registry.host(host).await.unwrap()?;
    Some((found.zone.name.to_string(), found.hostname.as_ref().map(|hostname| hostname.name.to_string())))
}

fn of(zone: &str, hostname: Option<&str>) -> Option<(String, Option<String>)> {
    Some((zone.to_owned(), hostname.map(str::to_owned)))
}

#[tokio::test]
async fn a_host_is_nobodys_until_it_was_shown_whose_it_is() {
    let registry = registry().await;
    let saas = zone(&registry, "saas.test").await;
    let made = hostname(&registry, &saas, "shop.customer.test").await;
    assert_eq!(whose(&registry, "shop.customer.test").await, None);
    let active = set_status(&registry, &made, HostnameStatus::Active).await;
    assert!(active.activated_at.is_some());
    assert_eq!(whose(&registry, "shop.customer.test").await, of("saas.test", Some("shop.customer.test")));
    assert_eq!(whose(&registry, "a.shop.customer.test").await, None);
    set_status(&registry, &made, HostnameStatus::ActiveRedeploying).await;
    assert_eq!(whose(&registry, "shop.customer.test").await, of("saas.test", Some("shop.customer.test")));
    set_status(&registry, &made, HostnameStatus::Moved).await;
    assert_eq!(whose(&registry, "shop.customer.test").await, None);
    set_status(&registry, &made, HostnameStatus::Active).await;
    registry.delete_hostname(&saas.id, &made.id).await.unwrap();
    assert_eq!(whose(&registry, "shop.customer.test").await, None);
    for strange in ["", "*", "*.customer.test", "127.0.0.1", "[::1]", "a..b", &"a.".repeat(200)] {
        assert_eq!(whose(&registry, strange).await, None, "{strange}");
    }
}

#[tokio::test]
async fn what_was_set_is_seen_at_the_next_look() {
    let registry = registry().await;
    let saas = zone(&registry, "saas.test").await;
    let made = hostname(&registry, &saas, "shop.customer.test").await;
    set_status(&registry, &made, HostnameStatus::Active).await;
    for plan in ["gold", "silver"] {
        let metadata = HostnameMetadata::take(&serde_json::json!({ "plan": plan })).unwrap();
        let edit = CustomHostnameEdit { metadata: Some(metadata), ..CustomHostnameEdit::default() };
        registry.edit_hostname(&saas.id, &made.id, &edit).await.unwrap();
        let found = registry.host("shop.customer.test").await.unwrap().unwrap().hostname.unwrap();
        assert_eq!(&**found.metadata.clone().unwrap().as_json(), format!("{{\"plan\":\"{plan}\"}}"));
    }
    registry.update_zone(&saas.id, ZoneEdit { paused: Some(true), ..ZoneEdit::default() }).await.unwrap();
    assert_eq!(whose(&registry, "shop.customer.test").await, None);
}

#[tokio::test]
async fn exact_names_go_before_zones_and_zones_before_wildcards() {
    let registry = registry().await;
    let (saas, customer) = (zone(&registry, "saas.test").await, zone(&registry, "customer.test").await);
    let wild = hostname(&registry, &saas, "*.customer.test").await;
    set_status(&registry, &wild, HostnameStatus::Active).await;
    // The customer has a zone of their own here.
    assert_eq!(whose(&registry, "a.customer.test").await, of("customer.test", None));
    let exact = hostname(&registry, &saas, "a.customer.test").await;
    assert_eq!(whose(&registry, "a.customer.test").await, of("customer.test", None));
    set_status(&registry, &exact, HostnameStatus::Active).await;
    assert_eq!(whose(&registry, "a.customer.test").await, of("saas.test", Some("a.customer.test")));
    registry.delete_zone(&customer.id).await.unwrap();
    assert_eq!(whose(&registry, "b.customer.test").await, of("saas.test", Some("*.customer.test")));
    assert_eq!(whose(&registry, "customer.test").await, None);
    assert_eq!(whose(&registry, "c.b.customer.test").await, None, "a wildcard stands for one label");
    assert_eq!(whose(&registry, "deep.in.saas.test").await, of("saas.test", None));
    // A wildcard of the zone's own names is not beaten by the zone.
    let own = hostname(&registry, &saas, "*.shops.saas.test").await;
    set_status(&registry, &own, HostnameStatus::Active).await;
    assert_eq!(whose(&registry, "a.shops.saas.test").await, of("saas.test", Some("*.shops.saas.test")));
}

#[tokio::test]
async fn the_newest_that_was_shown_to_be_somebodys_is_served_and_the_older_has_moved() {
    let registry = registry().await;
    let (one, two) = (zone(&registry, "one.test").await, zone(&registry, "two.test").await);
    let older = registry.create_hostname(&one.id, &new("shop.customer.test", below_too())).await.unwrap();
    let newer = hostname(&registry, &two, "shop.customer.test").await;
    set_status(&registry, &older, HostnameStatus::Active).await;
    assert_eq!(whose(&registry, "a.shop.customer.test").await, of("one.test", Some("shop.customer.test")));
    set_status(&registry, &newer, HostnameStatus::Active).await;
    assert_eq!(whose(&registry, "shop.customer.test").await, of("two.test", Some("shop.customer.test")));
    assert_eq!(whose(&registry, "a.shop.customer.test").await, None, "what was claimed beside goes with it");
    let moved = registry.hostname(&one.id, &older.id).await.unwrap();
    assert_eq!(moved.status, HostnameStatus::Moved);
    // What is not served takes nothing along when it goes.
    registry.delete_hostname(&one.id, &older.id).await.unwrap();
    assert_eq!(whose(&registry, "shop.customer.test").await, of("two.test", Some("shop.customer.test")));
}

#[tokio::test]
async fn a_wildcard_that_comes_with_a_certificate_can_be_lost_alone() {
    let registry = registry().await;
    let (one, two) = (zone(&registry, "one.test").await, zone(&registry, "two.test").await);
    let with_below = registry.create_hostname(&one.id, &new("customer.test", below_too())).await.unwrap();
    set_status(&registry, &with_below, HostnameStatus::Active).await;
    let wild = hostname(&registry, &two, "*.customer.test").await;
    set_status(&registry, &wild, HostnameStatus::Active).await;
    assert_eq!(whose(&registry, "a.customer.test").await, of("two.test", Some("*.customer.test")));
    assert_eq!(whose(&registry, "customer.test").await, of("one.test", Some("customer.test")));
    let metadata = HostnameMetadata::take(&serde_json::json!({"a": 1})).unwrap();
    let edit = CustomHostnameEdit { metadata: Some(metadata), ..CustomHostnameEdit::default() };
    let edited = registry.edit_hostname(&one.id, &with_below.id, &edit).await.unwrap();
    assert_eq!(edited.status, HostnameStatus::Active);
    assert_eq!(
        whose(&registry, "a.customer.test").await,
        of("two.test", Some("*.customer.test")),
        "a change of something else takes nothing back"
    );
}

#[tokio::test]
async fn what_is_served_is_served_after_a_start_and_on_another_node() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let registry = Registry::open(Arc::clone(&store), Blobs::memory()).await.unwrap();
    let other = Registry::open(Arc::clone(&store), Blobs::memory()).await.unwrap();
    let saas = zone(&registry, "saas.test").await;
    let made = hostname(&registry, &saas, "shop.customer.test").await;
    set_status(&registry, &made, HostnameStatus::Active).await;
    let again = Registry::open(Arc::clone(&store), Blobs::memory()).await.unwrap();
    assert!(whose(&again, "shop.customer.test").await.is_some());
    let until = async |served: bool| {
        let seen = async {
            while whose(&other, "shop.customer.test").await.is_some() != served {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), seen).await.unwrap();
    };
    until(true).await;
    registry.delete_hostname(&saas.id, &made.id).await.unwrap();
    until(false).await;
}

#[tokio::test]
async fn a_name_that_nobody_is_served_under_is_known_from_memory() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let registry = Registry::open(Arc::clone(&store), Blobs::memory()).await.unwrap();
    let (one, two) = (zone(&registry, "one.test").await, zone(&registry, "two.test").await);
    let unserved = |host: &str| registry.is_unserved(host);
    let first = hostname(&registry, &one, "shop.customer.test").await;
    let second = hostname(&registry, &two, "shop.customer.test").await;
    hostname(&registry, &one, "*.wild.test").await;
    assert!(unserved("shop.customer.test") && unserved("a.wild.test"));
    for other in ["customer.test", "wild.test", "a.b.wild.test", "other.test", "", "localhost"] {
        assert!(!unserved(other), "{other}");
    }
    // Another node, and one that starts now, know it as well.
    let again = Registry::open(store, Blobs::memory()).await.unwrap();
    assert!(again.is_unserved("shop.customer.test") && again.is_unserved("a.wild.test"));
    set_status(&registry, &first, HostnameStatus::Active).await;
    set_status(&registry, &second, HostnameStatus::Active).await;
    assert!(whose(&registry, "shop.customer.test").await.is_some());
    registry.delete_hostname(&two.id, &second.id).await.unwrap();
    assert!(unserved("shop.customer.test"), "the other one has moved");
    registry.delete_hostname(&one.id, &first.id).await.unwrap();
    assert!(!unserved("shop.customer.test"));
    until(async || !again.is_unserved("shop.customer.test")).await;
    registry.delete_zone(&one.id).await.unwrap();
    assert!(!unserved("a.wild.test"));
}

#[tokio::test]
async fn a_name_whose_zone_is_paused_is_known() {
    let registry = registry().await;
    let saas = zone(&registry, "saas.test").await;
    let made = hostname(&registry, &saas, "shop.customer.test").await;
    set_status(&registry, &made, HostnameStatus::Active).await;
    registry.update_zone(&saas.id, ZoneEdit { paused: Some(true), ..ZoneEdit::default() }).await.unwrap();
    assert_eq!(whose(&registry, "shop.customer.test").await, None);
    assert!(registry.is_unserved("shop.customer.test"));
}
