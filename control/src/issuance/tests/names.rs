//! One order for a name at a time, whichever zone asks, and whoever is served before those that wait.

use super::*;

/// A hostname of the same name in another zone.
async fn in_another_zone(platform: &Platform) -> (ZoneId, CustomHostnameId) {
    let zone = platform.control.create_zone("other.test", ZoneType::Full).await.unwrap().result.id.clone();
    let ssl = SslEdit {
        method: Some(ValidationMethod::Txt),
        kind: Some(CertificateType::Dv),
        ..SslEdit::default()
    };
    let new = NewCustomHostname {
        name: CustomName::parse("shop.customer.test").unwrap(),
        edit: CustomHostnameEdit { ssl: Some(ssl), ..CustomHostnameEdit::default() },
    };
    let made = platform.control.create_hostname(&zone, &new).await.unwrap().result;
    (zone, made.id.clone())
}

async fn ssl_of(platform: &Platform, (zone, id): &(ZoneId, CustomHostnameId)) -> Ssl {
    platform.control.registry.hostname(zone, id).await.unwrap().ssl.clone().unwrap()
}

async fn step_of(platform: &Platform, (zone, id): &(ZoneId, CustomHostnameId)) -> Option<Duration> {
    platform.control.issue(zone, id, &platform.lookout).await.unwrap()
}

fn has_order(ssl: &Ssl) -> bool {
    ssl.issuing.as_ref().is_some_and(|issuing| issuing.order.is_some())
}

#[tokio::test]
async fn two_zones_that_ask_for_one_name_have_one_order_between_them() {
    let platform = platform(90 * DAY).await;
    let other = in_another_zone(&platform).await;
    platform.until(has_order).await;
    for _ in 0..20 {
        let wait = step_of(&platform, &other).await.unwrap();
        assert!(wait <= Duration::from_secs(3_600), "{wait:?}");
    }
    assert_eq!(platform.told(|told| told.orders), 1);
    let waiting = ssl_of(&platform, &other).await;
    assert!(
        !has_order(&waiting) && waiting.validation_errors[0].contains("goes on for another"),
        "{waiting:?}"
    );
    // The first one goes: the other has its turn at once.
    platform.control.delete_hostname(&platform.zone, &platform.id, crate::Force::No).await.unwrap();
    step_of(&platform, &other).await;
    assert!(has_order(&ssl_of(&platform, &other).await));
    assert_eq!(platform.told(|told| told.orders), 2);
}

#[tokio::test]
async fn when_an_order_is_over_the_next_one_of_the_name_is_made() {
    let platform = platform(90 * DAY).await;
    let other = in_another_zone(&platform).await;
    platform.until(has_order).await;
    step_of(&platform, &other).await;
    *platform.names.0.lock().unwrap() = true;
    platform.until(is_done).await;
    let orders = platform.told(|told| told.orders);
    step_of(&platform, &other).await;
    assert!(has_order(&ssl_of(&platform, &other).await));
    assert_eq!(platform.told(|told| told.orders), orders + 1);
}

#[tokio::test]
async fn an_order_that_comes_to_nothing_keeps_the_name_for_no_longer_than_it_lasts() {
    let platform = platform(90 * DAY).await;
    let other = in_another_zone(&platform).await;
    platform.until(has_order).await;
    platform.until(|ssl| ssl.status == SslStatus::ValidationTimedOut).await;
    step_of(&platform, &other).await;
    step_of(&platform, &other).await;
    assert!(has_order(&ssl_of(&platform, &other).await));
}

#[tokio::test]
async fn who_is_served_under_a_name_takes_its_order_from_who_only_waits_for_it() {
    let platform = platform(90 * DAY).await;
    let other = in_another_zone(&platform).await;
    platform.until(has_order).await;
    let becomes_served = |before: &CustomHostname, _| {
        Ok(Some(CustomHostname { status: HostnameStatus::Active, ..before.clone() }))
    };
    platform.control.registry.change_hostname(&other.0, &other.1, becomes_served).await.unwrap();
    for _ in 0..3 {
        step_of(&platform, &other).await;
    }
    assert!(has_order(&ssl_of(&platform, &other).await));
    let orders = platform.told(|told| told.orders);
    for _ in 0..5 {
        platform.step().await;
        let ssl = platform.ssl().await;
        assert!(!has_order(&ssl) && ssl.validation_records.is_empty(), "what it showed is good for nothing");
        assert!(ssl.validation_errors[0].contains("goes on for another"), "{ssl:?}");
    }
    assert_eq!(platform.told(|told| told.orders), orders);
}
