//! What is served follows the record, whichever of two stores was written last.

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use wasmyard_listener::tls::Certificates as _;
use wasmyard_namespaces::hostname::{
    CertificateType, CustomHostnameEdit, HostnameStatus, NewCustomHostname, SslEdit, TlsSettings,
    ValidationMethod,
};
use wasmyard_namespaces::registry::{CERTIFICATE_DEPLOY, CERTIFICATE_FORGET, Done as JobDone};
use wasmyard_namespaces::tls::Switch;
use wasmyard_namespaces::zone::{Zone, ZoneType};

use super::*;

mod client_ca;

struct Platform {
    control: Control,
    store: Arc<CertificateStore>,
    _data: tempfile::TempDir,
}

async fn platform() -> Platform {
    let data = tempfile::tempdir().unwrap();
    let store = Arc::new(CertificateStore::open(data.path()).unwrap());
    let (control, _) = crate::tests::control_at(wasmyard_namespaces::Clock::system()).await;
    let control = control.with_reserved_names().with_certificates(Arc::clone(&store));
    Platform { control, store, _data: data }
}

fn pair(names: &[&str]) -> Pair {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    Pair::from_pem(made.pem().as_bytes(), key.serialize_pem().as_bytes()).unwrap()
}

fn ssl(edit: SslEdit) -> CustomHostnameEdit {
    CustomHostnameEdit { ssl: Some(edit), ..CustomHostnameEdit::default() }
}

fn managed() -> SslEdit {
    SslEdit { method: Some(ValidationMethod::Txt), kind: Some(CertificateType::Dv), ..SslEdit::default() }
}

impl Platform {
    async fn zone(&self, name: &str) -> Arc<Zone> {
        self.control.create_zone(name, ZoneType::Full).await.unwrap().result
    }

    async fn hostname(&self, zone: &Zone, name: &str, edit: SslEdit) -> Arc<CustomHostname> {
        let name = CustomName::parse(name).unwrap();
        let new = NewCustomHostname { name, edit: ssl(edit) };
        self.control.create_hostname(&zone.id, &new).await.unwrap().result
    }

    /// What checks find out, without what the use case does after it.
    async fn set_status(&self, hostname: &CustomHostname, status: HostnameStatus) {
        let decide = |before: &CustomHostname, _| Ok(Some(CustomHostname { status, ..before.clone() }));
        self.control.registry.change_hostname(&hostname.zone, &hostname.id, decide).await.unwrap();
    }

    async fn install(&self, hostname: &CustomHostname, names: &[&str]) -> Arc<CustomHostname> {
        let now = self.control.registry.hostname(&hostname.zone, &hostname.id).await.unwrap();
        let pack = now.ssl.as_ref().unwrap().awaited().clone();
        let pairs = vec![pair(names)];
        self.control.install_certificates(&hostname.zone, &hostname.id, &pack, pairs).await.unwrap()
    }

    /// What a node does that was started after all this.
    async fn run_jobs(&self) {
        let (one, two) = (self.control.clone(), self.control.clone());
        let jobs = self.control.registry.jobs().on(CERTIFICATE_DEPLOY, move |job| {
            let control = one.clone();
            async move {
                control.deploy_name(&CustomName::parse(&job.key).unwrap()).await.unwrap();
                JobDone::Finished
            }
        });
        let jobs = jobs.on(CERTIFICATE_FORGET, move |job| {
            let control = two.clone();
            async move {
                control.forget_certificates(&CertificatePackId::parse(&job.key).unwrap()).await.unwrap();
                JobDone::Finished
            }
        });
        jobs.run_due().await.unwrap();
    }

    async fn pack_of(&self, name: &str) -> Option<CertificatePackId> {
        let served = self.store.served_with(&ServedName::parse(name).unwrap()).await.unwrap();
        assert_eq!(
            served.is_some(),
            self.store.find(name).is_some(),
            "memory and file say the same of {name}"
        );
        served.and_then(|served| served.pack)
    }
}

fn pack(hostname: &CustomHostname) -> Option<CertificatePackId> {
    hostname.ssl.as_ref().map(|ssl| ssl.id.clone())
}

fn status(hostname: &CustomHostname) -> SslStatus {
    hostname.ssl.as_ref().unwrap().status
}

#[tokio::test]
async fn a_certificate_is_served_when_the_name_is_its_owners_and_not_before() {
    let platform = platform().await;
    let (one, two) = (platform.zone("one.test").await, platform.zone("two.test").await);
    let first = platform.hostname(&one, "shop.customer.test", managed()).await;
    let second = platform.hostname(&two, "shop.customer.test", managed()).await;
    let installed = platform.install(&first, &["shop.customer.test"]).await;
    assert_eq!(status(&installed), SslStatus::Active, "ready, and not served yet");
    let known = &installed.ssl.as_ref().unwrap().certificates[0];
    assert_eq!(known.hosts, ["shop.customer.test"]);
    assert_eq!(platform.pack_of("shop.customer.test").await, None);

    platform.set_status(&first, HostnameStatus::Active).await;
    platform.run_jobs().await;
    assert_eq!(platform.pack_of("shop.customer.test").await, pack(&first));
    // The other zone's comes, and disturbs nobody; then the name changes hands.
    platform.install(&second, &["shop.customer.test"]).await;
    assert_eq!(platform.pack_of("shop.customer.test").await, pack(&first));
    platform.set_status(&second, HostnameStatus::Active).await;
    platform.run_jobs().await;
    assert_eq!(platform.pack_of("shop.customer.test").await, pack(&second));
    // Who lost it goes, with its keys, and takes nothing along.
    platform.control.delete_hostname(&one.id, &first.id, crate::Force::No).await.unwrap();
    platform.run_jobs().await;
    assert_eq!(platform.store.kept(&pack(&first).unwrap()).await.unwrap(), None);
    assert_eq!(platform.pack_of("shop.customer.test").await, pack(&second));
    platform.control.delete_hostname(&two.id, &second.id, crate::Force::No).await.unwrap();
    assert_eq!(platform.pack_of("shop.customer.test").await, None, "at once");
    platform.run_jobs().await;
    assert_eq!(platform.store.kept(&pack(&second).unwrap()).await.unwrap(), None);
}

#[tokio::test]
async fn a_name_that_changes_hands_stays_served_until_its_new_owners_certificate_is_there() {
    let platform = platform().await;
    let (one, two) = (platform.zone("one.test").await, platform.zone("two.test").await);
    let first = platform.hostname(&one, "shop.customer.test", managed()).await;
    platform.set_status(&first, HostnameStatus::Active).await;
    let installed = platform.install(&first, &["shop.customer.test"]).await;
    assert_eq!(status(&installed), SslStatus::Active, "deployed");
    let second = platform.hostname(&two, "shop.customer.test", managed()).await;
    platform.set_status(&second, HostnameStatus::Active).await;
    platform.run_jobs().await;
    assert_eq!(platform.pack_of("shop.customer.test").await, pack(&first));
    platform.install(&second, &["shop.customer.test"]).await;
    assert_eq!(platform.pack_of("shop.customer.test").await, pack(&second));
}

#[tokio::test]
async fn another_certificate_takes_the_place_of_the_one_before_without_a_gap_and_the_keys_of_that_one_go() {
    let platform = platform().await;
    let zone = platform.zone("one.test").await;
    let hostname = platform.hostname(&zone, "shop.customer.test", managed()).await;
    platform.set_status(&hostname, HostnameStatus::Active).await;
    platform.install(&hostname, &["shop.customer.test"]).await;
    let before = platform.pack_of("shop.customer.test").await.unwrap();

    let wildcard = ssl(SslEdit { wildcard: Some(true), ..SslEdit::default() });
    let edited = platform
        .control
        .edit_hostname(&zone.id, &hostname.id, &wildcard, crate::Force::No)
        .await
        .unwrap()
        .result;
    let next = edited.ssl.as_ref().unwrap().next.clone().unwrap();
    assert_eq!((pack(&edited), status(&edited)), (Some(before.clone()), SslStatus::PendingValidation));
    platform.run_jobs().await;
    assert_eq!(platform.pack_of("shop.customer.test").await, Some(before.clone()));
    assert_eq!(platform.pack_of("*.shop.customer.test").await, None, "what is there is not for it");

    let installed = platform.install(&hostname, &["shop.customer.test", "*.shop.customer.test"]).await;
    assert_eq!((pack(&installed), &installed.ssl.as_ref().unwrap().next), (Some(next.clone()), &None));
    for name in ["shop.customer.test", "*.shop.customer.test"] {
        assert_eq!(platform.pack_of(name).await.as_ref(), Some(&next), "{name}");
    }
    platform.run_jobs().await;
    assert_eq!(platform.store.kept(&before).await.unwrap(), None);
    assert_eq!(platform.pack_of("shop.customer.test").await, Some(next));
}

#[tokio::test]
async fn settings_of_tls_are_served_as_soon_as_they_are_set() {
    let platform = platform().await;
    let zone = platform.zone("one.test").await;
    let hostname = platform.hostname(&zone, "shop.customer.test", managed()).await;
    platform.set_status(&hostname, HostnameStatus::Active).await;
    platform.install(&hostname, &["shop.customer.test"]).await;
    let group = || platform.store.find("shop.customer.test").unwrap().group;
    let before = group();
    let settings = TlsSettings { http2: Some(Switch::Off), ..TlsSettings::default() };
    let edit = ssl(SslEdit { settings: Some(settings), ..SslEdit::default() });
    platform.control.edit_hostname(&zone.id, &hostname.id, &edit, crate::Force::No).await.unwrap();
    assert_ne!(group(), before);
    platform.run_jobs().await;
    let served = platform.store.served_with(&ServedName::parse("shop.customer.test").unwrap()).await.unwrap();
    assert!(!served.unwrap().settings.unwrap().http2);
}

#[tokio::test]
async fn a_process_that_ends_between_the_two_stores_leaves_nothing_behind() {
    let platform = platform().await;
    let zone = platform.zone("one.test").await;
    let hostname = platform.hostname(&zone, "shop.customer.test", managed()).await;
    platform.set_status(&hostname, HostnameStatus::Active).await;
    // Kept, and the record does not say so: what was kept is in nobody's way.
    let pack = pack(&hostname).unwrap();
    platform.store.keep(&pack, vec![pair(&["shop.customer.test"])]).await.unwrap();
    platform.run_jobs().await;
    assert_eq!(platform.pack_of("shop.customer.test").await, None);
    // The record says so, and nothing is served.
    platform.install(&hostname, &["shop.customer.test"]).await;
    platform.store.stop_serving(&ServedName::parse("shop.customer.test").unwrap()).await.unwrap();
    let pending = |before: &CustomHostname, _| {
        let ssl = Ssl { status: SslStatus::PendingDeployment, ..before.ssl.clone().unwrap() };
        Ok(Some(CustomHostname { ssl: Some(ssl), ..before.clone() }))
    };
    platform.control.registry.change_hostname(&zone.id, &hostname.id, pending).await.unwrap();
    platform.run_jobs().await;
    assert_eq!(platform.pack_of("shop.customer.test").await, Some(pack.clone()));
    let healed = platform.control.registry.hostname(&zone.id, &hostname.id).await.unwrap();
    assert_eq!(status(&healed), SslStatus::Active);
    // The zone goes while nobody looks.
    platform.control.registry.delete_zone(&zone.id).await.unwrap();
    assert_eq!(platform.pack_of("shop.customer.test").await, Some(pack.clone()));
    platform.run_jobs().await;
    assert_eq!(platform.pack_of("shop.customer.test").await, None);
    assert_eq!(platform.store.kept(&pack).await.unwrap(), None);
}
