//! What names ask clients for follows what was said of them, and of their zone.

use rcgen::{BasicConstraints, IsCa};
use wasmyard_listener::tls::ClientAuth;
use wasmyard_namespaces::client_ca::{ClientCertificateMode, HostnameAssociation, MtlsCertificate};
use wasmyard_namespaces::registry::ZONE_DEPLOY;

use super::*;

fn authority() -> String {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
}

impl Platform {
    async fn authority(&self) -> MtlsCertificate {
        self.control.create_mtls_certificate("partner", &authority()).await.unwrap()
    }

    async fn associate(&self, zone: &Zone, authority: &MtlsCertificate, required: bool, names: &[&str]) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mode = if required { ClientCertificateMode::Required } else { ClientCertificateMode::Optional };
        self.control.associate_hostnames(&zone.id, &authority.id, mode, &names).await.unwrap();
    }

    /// What clients of a name are asked for.
    async fn asked(&self, name: &str) -> Option<ClientAuth> {
        let served = self.store.served_with(&ServedName::parse(name).unwrap()).await.unwrap();
        served.unwrap().settings.unwrap().clients
    }
}

fn of(authority: &MtlsCertificate, required: bool) -> Option<ClientAuth> {
    Some(ClientAuth::from_pem(authority.certificates.as_bytes(), required).unwrap())
}

const NAME: &str = "shop.customer.test";
const BELOW: &str = "*.shop.customer.test";

/// A hostname with the names below it, both served.
async fn served(platform: &Platform) -> (Arc<Zone>, Arc<CustomHostname>) {
    let zone = platform.zone("one.test").await;
    let edit = SslEdit { wildcard: Some(true), ..managed() };
    let hostname = platform.hostname(&zone, NAME, edit).await;
    platform.set_status(&hostname, HostnameStatus::Active).await;
    platform.install(&hostname, &[NAME, BELOW]).await;
    (zone, hostname)
}

#[tokio::test]
async fn a_name_asks_as_it_was_told_and_a_wildcard_as_its_zone_was() {
    let platform = platform().await;
    let (zone, _) = served(&platform).await;
    let (one, two) = (platform.authority().await, platform.authority().await);
    assert_eq!((platform.asked(NAME).await, platform.asked(BELOW).await), (None, None));
    platform.associate(&zone, &one, true, &[NAME]).await;
    assert_eq!((platform.asked(NAME).await, platform.asked(BELOW).await), (of(&one, true), None));
    platform.associate(&zone, &two, false, &["one.test"]).await;
    assert_eq!((platform.asked(NAME).await, platform.asked(BELOW).await), (of(&one, true), of(&two, false)));
    platform.associate(&zone, &one, true, &[BELOW]).await;
    assert_eq!((platform.asked(NAME).await, platform.asked(BELOW).await), (None, of(&one, true)));
    platform.associate(&zone, &one, true, &[]).await;
    assert_eq!(platform.asked(BELOW).await, of(&two, false));
    platform.associate(&zone, &two, false, &[]).await;
    assert_eq!(platform.asked(BELOW).await, None);
}

#[tokio::test]
async fn what_the_record_says_is_served_though_the_process_ended_before() {
    let platform = platform().await;
    let (zone, hostname) = served(&platform).await;
    platform.run_jobs().await;
    let one = platform.authority().await;
    let wanted = HostnameAssociation { authority: one.id.clone(), mode: ClientCertificateMode::Required };
    let names = [CustomName::parse(NAME).unwrap(), CustomName::parse("one.test").unwrap()];
    platform.control.registry.associate_hostnames(&zone.id, &wanted, &names).await.unwrap();
    assert_eq!(platform.asked(NAME).await, None, "nobody came to it");
    platform.run_jobs().await;
    assert_eq!((platform.asked(NAME).await, platform.asked(BELOW).await), (of(&one, true), None));
    let control = platform.control.clone();
    let jobs = platform.control.registry.jobs().on(ZONE_DEPLOY, move |_| {
        let (control, zone) = (control.clone(), hostname.zone.clone());
        async move {
            control.deploy_zone(&zone).await.unwrap();
            JobDone::Finished
        }
    });
    jobs.run_due().await.unwrap();
    assert_eq!(platform.asked(BELOW).await, of(&one, true));
}

#[tokio::test]
async fn another_zone_says_nothing_of_a_name_that_it_lost() {
    let platform = platform().await;
    let (_, first) = served(&platform).await;
    let other = platform.zone("two.test").await;
    let second = platform.hostname(&other, NAME, managed()).await;
    let (one, two) = (platform.authority().await, platform.authority().await);
    platform.associate(&other, &two, true, &[NAME]).await;
    assert_eq!(platform.asked(NAME).await, None, "it is not theirs yet");
    platform.set_status(&second, HostnameStatus::Active).await;
    platform.install(&second, &[NAME]).await;
    assert_eq!(platform.asked(NAME).await, of(&two, true));
    let zone = platform.control.registry.zone(&first.zone).unwrap();
    platform.associate(&zone, &one, false, &[NAME]).await;
    assert_eq!(platform.asked(NAME).await, of(&two, true));
}
