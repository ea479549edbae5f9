//! What authorities want to see as texts, as a name server looks it up.

use super::*;
use wasmyard_model::hostname::{ValidationProof, ValidationRecord};

/// The record of an order that waits with these texts.
async fn waits_with(registry: &Registry, hostname: &CustomHostname, texts: &[&str]) {
    let decide = |before: &CustomHostname, _| {
        let mut after = before.clone();
        let record = |text: &&str| ValidationRecord {
            status: "pending".to_owned(),
            proof: ValidationProof::Txt {
                txt_name: format!("_acme-challenge.{}", before.name.base()),
                txt_value: (*text).to_owned(),
            },
        };
        after.ssl.as_mut().unwrap().validation_records = texts.iter().map(record).collect();
        Ok(Some(after))
    };
    registry.change_hostname(&hostname.zone, &hostname.id, decide).await.unwrap();
}

#[tokio::test]
async fn texts_are_found_by_the_label_of_their_zone_as_long_as_somebody_waits_with_them() {
    let directory = tempfile::tempdir().unwrap();
    let registry = Registry::open_directory(directory.path(), RegistryOptions::default()).await.unwrap();
    let (one, two) = (zone(&registry, "one.test").await, zone(&registry, "two.test").await);
    let make = async |zone: &Zone| {
        registry.create_hostname(&zone.id, &new("shop.customer.dev", below_too())).await.unwrap()
    };
    let (first, second) = (make(&one).await, make(&two).await);
    let found =
        |registry: &Registry, zone: &Zone| registry.delegated_texts(&zone.dcv_label, "shop.customer.dev");
    assert!(found(&registry, &one).is_empty());
    waits_with(&registry, &first, &["own", "shared", "with/slash", ""]).await;
    // An authority gives one account one text for a name, whoever it is for.
    waits_with(&registry, &second, &["shared"]).await;
    assert_eq!(found(&registry, &one), ["own", "shared"]);
    assert_eq!(found(&registry, &two), ["shared"]);
    assert!(registry.delegated_texts(&one.dcv_label, "customer.dev").is_empty());
    assert!(registry.delegated_texts("0000000000000000", "shop.customer.dev").is_empty());
    let registry = reopen(registry, directory.path()).await;
    assert_eq!(found(&registry, &one), ["own", "shared"]);
    waits_with(&registry, &first, &["own"]).await;
    assert_eq!(
        (found(&registry, &one), found(&registry, &two)),
        (vec!["own".to_owned()], vec!["shared".to_owned()])
    );
    registry.delete_hostname(&two.id, &second.id).await.unwrap();
    until(async || found(&registry, &two).is_empty()).await;
    registry.delete_zone(&one.id).await.unwrap();
    assert!(found(&registry, &one).is_empty());
}
