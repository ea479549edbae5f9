//! What names ask clients for: known to every node that shares the store, and after every start.

use super::*;
use wasmyard_model::client_ca::{ClientCertificateMode, HostnameAssociation, MtlsCertificate, MtlsError};
use wasmyard_model::timestamp::Timestamp;

async fn authority(registry: &Registry) -> MtlsCertificate {
    let now = Timestamp::now();
    let made = MtlsCertificate {
        id: registry.new_mtls_certificate_id().unwrap(),
        ca: true,
        name: String::new(),
        certificates: "-----BEGIN CERTIFICATE-----".to_owned(),
        issuer: "CN=one".to_owned(),
        signature: "ECDSAWithSHA256".to_owned(),
        serial_number: "1".to_owned(),
        uploaded_on: now,
        expires_on: now,
    };
    registry.create_mtls_certificate(&made, None).await.unwrap();
    made
}

async fn associate(
    registry: &Registry,
    zone: &Zone,
    authority: &MtlsCertificate,
    required: bool,
    names: &[&str],
) {
    let mode = if required { ClientCertificateMode::Required } else { ClientCertificateMode::Optional };
    let wanted = HostnameAssociation { authority: authority.id.clone(), mode };
    let names: Vec<CustomName> = names.iter().map(|name| CustomName::parse(name).unwrap()).collect();
    registry.associate_hostnames(&zone.id, &wanted, &names).await.unwrap();
}

/// Whether nobody may ask for a host without a certificate.
async fn requires(registry: &Registry, host: &str) -> bool {
    let found = registry.host(host).await.unwrap().unwrap();
    registry.requires_client_certificate(&found, host)
}

const NAME: &str = "shop.customer.test";
const BELOW: &str = "a.shop.customer.test";

#[tokio::test]
async fn every_node_knows_what_a_name_asks_for() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let open = || Registry::open_with(Arc::clone(&store), Blobs::memory(), RegistryOptions::default());
    let (one, two) = (open().await.unwrap(), open().await.unwrap());
    let saas = zone(&one, "saas.test").await;
    let made = one.create_hostname(&saas.id, &new(NAME, below_too())).await.unwrap();
    set_status(&one, &made, HostnameStatus::Active).await;
    let (first, second) = (authority(&one).await, authority(&one).await);
    assert!(!one.has_associations() && !requires(&one, NAME).await && !requires(&one, BELOW).await);
    associate(&one, &saas, &first, true, &[NAME]).await;
    assert!(requires(&one, NAME).await && !requires(&one, BELOW).await, "its own name alone");
    until(async || two.has_associations() && requires(&two, NAME).await).await;
    // What is below it by its wildcard asks as the zone does, unless it was told itself.
    associate(&one, &saas, &second, true, &["saas.test"]).await;
    assert!(requires(&one, NAME).await && requires(&one, BELOW).await);
    until(async || requires(&two, BELOW).await).await;
    associate(&one, &saas, &first, false, &[NAME, "*.shop.customer.test"]).await;
    assert!(!requires(&one, NAME).await && !requires(&one, BELOW).await);
    until(async || !requires(&two, NAME).await && !requires(&two, BELOW).await).await;
    let third = open().await.unwrap();
    assert!(third.has_associations() && !requires(&third, BELOW).await, "a node that starts now");
    // The zone's own names have their certificates in files.
    assert!(!requires(&one, "app.saas.test").await);
    one.delete_zone(&saas.id).await.unwrap();
    until(async || !one.has_associations() && !two.has_associations()).await;
    one.delete_mtls_certificate(&second.id, false).await.unwrap();
}

#[tokio::test]
async fn authorities_stay_while_a_name_asks_for_them_and_names_are_counted() {
    let registry = registry().await;
    let saas = zone(&registry, "saas.test").await;
    let (first, second) = (authority(&registry).await, authority(&registry).await);
    associate(&registry, &saas, &first, true, &["a.customer.test", "b.customer.test"]).await;
    let refused = unwrap_zone_error(registry.delete_mtls_certificate(&first.id, false).await);
    assert_eq!(refused, ZoneError::Mtls(MtlsError::InUse("a.customer.test".to_owned())));
    // Another takes both over, one by one.
    associate(&registry, &saas, &second, false, &["a.customer.test"]).await;
    let refused = unwrap_zone_error(registry.delete_mtls_certificate(&first.id, false).await);
    assert_eq!(refused, ZoneError::Mtls(MtlsError::InUse("b.customer.test".to_owned())));
    associate(&registry, &saas, &second, false, &["a.customer.test", "b.customer.test"]).await;
    assert_eq!(registry.delete_mtls_certificate(&first.id, false).await.unwrap(), first);
    let many: Vec<CustomName> =
        (0..1_001).map(|number| CustomName::parse(&format!("h{number}.customer.test")).unwrap()).collect();
    let wanted = HostnameAssociation { authority: second.id.clone(), mode: ClientCertificateMode::Required };
    let refused = unwrap_zone_error(registry.associate_hostnames(&saas.id, &wanted, &many).await);
    assert_eq!(refused, ZoneError::Mtls(MtlsError::ManyHostnames));
    let gone = HostnameAssociation { authority: first.id.clone(), ..wanted };
    let refused = unwrap_zone_error(registry.associate_hostnames(&saas.id, &gone, &many[..1]).await);
    assert_eq!(refused, ZoneError::Mtls(MtlsError::NotFound(first.id.to_string())));
}
