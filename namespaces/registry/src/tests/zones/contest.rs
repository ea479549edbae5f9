//! Names that two zones would like to have in the same instant.

use super::*;

/// Waits for another change in the middle of a decision.
#[expect(clippy::disallowed_methods, reason = "nobody else is on the worker threads of a test")]
fn meanwhile<T>(other: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(other))
}

/// As a check decides by an address that all zones share: it shows something where nobody else has to do with the name.
fn by_address(before: &CustomHostname, contested: bool) -> CustomHostname {
    let status = if contested { HostnameStatus::Pending } else { HostnameStatus::Active };
    CustomHostname { status, ..before.clone() }
}

async fn statuses(registry: &Registry, all: &[&CustomHostname]) -> Vec<HostnameStatus> {
    let mut found = Vec::new();
    for one in all {
        found.push(registry.hostname(&one.zone, &one.id).await.unwrap().status);
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_show_the_same_in_one_instant_one_is_served() {
    let registry = registry().await;
    let (saas, rival) = (zone(&registry, "saas.test").await, zone(&registry, "rival.test").await);
    let ours = hostname(&registry, &saas, "shop.customer.test").await;
    let theirs = hostname(&registry, &rival, "shop.customer.test").await;
    // The rival's name becomes active between our decision and what is written of it.
    let mut asked = Vec::new();
    let judged = registry.judge_hostname(&saas.id, &ours.id, |before, contested, _| {
        if asked.is_empty() {
            let other = registry.judge_hostname(&rival.id, &theirs.id, |before, contested, _| {
                Ok(Some(by_address(before, contested)))
            });
            meanwhile(other).unwrap();
        }
        asked.push(contested);
        Ok(Some(by_address(before, contested)))
    });
    judged.await.unwrap();
    assert_eq!(asked, [false, true], "it is decided again on what is true then");
    assert_eq!(
        statuses(&registry, &[&ours, &theirs]).await,
        [HostnameStatus::Pending, HostnameStatus::Active]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_a_wildcard_and_a_name_given_up_in_the_same_instant_are_noticed() {
    let registry = registry().await;
    let (saas, rival) = (zone(&registry, "saas.test").await, zone(&registry, "rival.test").await);
    let wild = hostname(&registry, &rival, "*.b.customer.test").await;
    let gone = hostname(&registry, &rival, "shop.c.customer.test").await;
    for (name, change) in
        [("shop.a.customer.test", 0), ("shop.b.customer.test", 1), ("shop.c.customer.test", 2)]
    {
        let ours = hostname(&registry, &saas, name).await;
        let mut asked = Vec::new();
        let judged = registry.judge_hostname(&saas.id, &ours.id, |before, contested, _| {
            if asked.is_empty() {
                let other = async {
                    match change {
                        0 => drop(zone(&registry, "a.customer.test").await),
                        1 => drop(set_status(&registry, &wild, HostnameStatus::Active).await),
                        _ => {
                            set_status(&registry, &gone, HostnameStatus::Active).await;
                            registry.delete_hostname(&rival.id, &gone.id).await.unwrap();
                        }
                    }
                };
                meanwhile(other);
            }
            asked.push(contested);
            Ok(Some(by_address(before, contested)))
        });
        judged.await.unwrap();
        assert_eq!(asked, [false, true], "{name}");
    }
}

#[tokio::test]
async fn names_that_are_meant_are_checked_soon_and_no_others() {
    let registry = registry().await;
    let saas = zone(&registry, "saas.test").await;
    for name in ["a.evil.test", "b.good.test"] {
        let made = hostname(&registry, &saas, name).await;
        set_status(&registry, &made, HostnameStatus::Active).await;
    }
    hostname(&registry, &saas, "waits.evil.test").await;
    let count = registry.check_served_names(|name| name.base().ends_with("evil.test")).await.unwrap();
    assert_eq!(count, 1);
}
