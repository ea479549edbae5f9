//! What takes too long: a certificate that is not brought into use, one that is not taken away, and one whose renewal is late.

use wasmyard_namespaces::hostname::TlsSettings;
use wasmyard_namespaces::tls::{Cipher, Switch};

use super::*;

const HOUR: Duration = Duration::from_secs(3_600);

impl Platform {
    async fn changes(&self, change: impl Fn(&mut CustomHostname)) {
        let changed = |before: &CustomHostname, _| {
            let mut after = before.clone();
            change(&mut after);
            Ok(Some(after))
        };
        self.control.registry.change_hostname(&self.zone, &self.id, changed).await.unwrap();
    }

    async fn hostname(&self) -> Arc<CustomHostname> {
        self.control.registry.hostname(&self.zone, &self.id).await.unwrap()
    }
}

#[tokio::test]
async fn a_certificate_that_cannot_be_brought_into_use_for_a_week_is_said_to_have_timed_out_and_is_tried_on()
{
    let platform = platform(90 * DAY).await;
    *platform.names.0.lock().unwrap() = true;
    // Settings that leave nothing to agree upon: no rule of the API lets them in, and what serves refuses them.
    let nothing = TlsSettings {
        tls_1_3: Some(Switch::Off),
        ciphers: Some(vec![Cipher::Aes128Sha]),
        ..TlsSettings::default()
    };
    platform
        .changes(|hostname| {
            hostname.status = HostnameStatus::Active;
            hostname.ssl.as_mut().unwrap().config.settings = Some(nothing.clone());
        })
        .await;
    platform.until(|ssl| ssl.status == SslStatus::PendingDeployment && ssl.issuing.is_none()).await;
    let name = CustomName::parse("shop.customer.test").unwrap();
    let began = platform.control.now();
    while platform.control.now().since(began) < 6 * DAY {
        assert!(platform.control.deploy_in_time(&name).await.is_err());
        assert_eq!(platform.ssl().await.status, SslStatus::PendingDeployment);
        platform.hand.advance(6 * HOUR);
    }
    platform.hand.advance(2 * DAY);
    assert!(platform.control.deploy_in_time(&name).await.is_err());
    let late = platform.ssl().await;
    assert_eq!((late.status, late.validation_errors.len()), (SslStatus::DeploymentTimedOut, 1));
    let orders = platform.told(|told| told.orders);
    // The same asked for again: it is tried for another week, and nothing is ordered.
    let again = SslEdit {
        method: Some(ValidationMethod::Txt),
        kind: Some(CertificateType::Dv),
        ..SslEdit::default()
    };
    let again = CustomHostnameEdit { ssl: Some(again), ..CustomHostnameEdit::default() };
    platform.control.edit_hostname(&platform.zone, &platform.id, &again, crate::Force::No).await.unwrap();
    assert!(platform.control.deploy_in_time(&name).await.is_err());
    assert_eq!(platform.ssl().await.status, SslStatus::PendingDeployment);
    platform.hand.advance(8 * DAY);
    assert!(platform.control.deploy_in_time(&name).await.is_err());
    assert_eq!(platform.ssl().await.status, SslStatus::DeploymentTimedOut);
    platform.changes(|hostname| hostname.ssl.as_mut().unwrap().config.settings = None).await;
    platform.control.deploy_in_time(&name).await.unwrap();
    let ssl = platform.ssl().await;
    assert_eq!((ssl.status, ssl.validation_errors.len()), (SslStatus::Active, 0));
    assert_eq!(platform.told(|told| told.orders), orders);
}

/// Hides a table of the store, or shows it again.
fn rename(platform: &Platform, from: &str, to: &str) {
    let file = platform._data.path().join("certificates.sqlite");
    let connection = rusqlite::Connection::open(file).unwrap();
    connection.busy_timeout(Duration::from_secs(30)).unwrap();
    connection.execute(&format!("ALTER TABLE {from} RENAME TO {to}"), []).unwrap();
}

#[tokio::test]
async fn certificates_of_a_hostname_that_is_gone_are_taken_away_and_a_week_in_which_they_are_not_is_told() {
    let platform = platform(90 * DAY).await;
    *platform.names.0.lock().unwrap() = true;
    platform.until(is_done).await;
    let pack = platform.ssl().await.id;
    platform.hand.advance(HOUR);
    let moved = platform.control.now();
    platform
        .changes(|hostname| {
            hostname.status = HostnameStatus::Moved;
            hostname.checks = wasmyard_namespaces::hostname::Checks::from(moved);
        })
        .await;
    platform.hand.advance(7 * DAY);
    platform.control.check_hostname(&platform.zone, &platform.id, &platform.lookout).await.unwrap();
    assert_eq!(platform.hostname().await.status, HostnameStatus::Deleted);
    assert_eq!(platform.ssl().await.status, SslStatus::PendingDeletion);
    assert_eq!(platform.step().await, None, "nothing is renewed");
    let delete = async || platform.control.delete_certificates(&platform.zone, &platform.id).await;
    rename(&platform, "packs", "hidden");
    platform.hand.advance(6 * DAY);
    assert!(delete().await.is_err());
    assert_eq!(platform.ssl().await.status, SslStatus::PendingDeletion);
    platform.hand.advance(2 * DAY);
    assert!(delete().await.is_err());
    let late = platform.ssl().await;
    assert_eq!((late.status, late.validation_errors.len()), (SslStatus::DeletionTimedOut, 1));
    assert_eq!(late.certificates.len(), 2, "they are still there");
    rename(&platform, "hidden", "packs");
    assert_eq!(delete().await.unwrap(), None);
    let gone = platform.ssl().await;
    assert_eq!((gone.status, gone.certificates.len()), (SslStatus::Deleted, 0));
    assert!(gone.validation_errors.is_empty());
    assert!(platform.ca.store.kept(&pack).await.unwrap().is_none_or(|kept| kept.is_empty()));
    // Asked for again, it begins with other certificates.
    let again = SslEdit {
        method: Some(ValidationMethod::Txt),
        kind: Some(CertificateType::Dv),
        ..SslEdit::default()
    };
    let again = CustomHostnameEdit { ssl: Some(again), ..CustomHostnameEdit::default() };
    platform.control.edit_hostname(&platform.zone, &platform.id, &again, crate::Force::No).await.unwrap();
    let anew = platform.ssl().await;
    assert_eq!(anew.status, SslStatus::Initializing);
    assert_ne!(anew.id, pack);
    *platform.ca.pack.lock().unwrap() = Some(anew.id);
    platform.until(is_done).await;
    assert_eq!(platform.ssl().await.status, SslStatus::Active);
}

#[tokio::test]
async fn a_certificate_whose_renewal_is_late_is_said_to_run_out_before_it_does() {
    let platform = platform(90 * DAY).await;
    *platform.names.0.lock().unwrap() = true;
    platform.until(is_done).await;
    let (ends, renew_at) = {
        let ssl = platform.ssl().await;
        (ssl.certificates[0].expires_on, ssl.renew_at.unwrap())
    };
    let until = ends.later(2 * DAY);
    platform.hand.advance(renew_at.since(platform.control.now()));
    platform.told(|told| told.down_until = Some(until));
    platform.until(|ssl| ssl.status == SslStatus::PendingExpiration).await;
    let now = platform.control.now();
    assert!(now > renew_at && ends.since(now) < 15 * DAY && ends.since(now) > 14 * DAY, "{now}");
    assert!(!platform.ssl().await.validation_errors.is_empty(), "and why");
    platform.until(|ssl| ssl.status == SslStatus::Expired).await;
    assert!(platform.control.now() >= ends);
    platform.until(|ssl| is_done(ssl) && ssl.status == SslStatus::Active).await;
}

#[tokio::test]
async fn a_certificate_that_nobody_can_be_asked_to_renew_any_more_is_said_to_run_out_as_well() {
    let platform = platform_with(90 * DAY, |issuers, _| issuers).await;
    *platform.names.0.lock().unwrap() = true;
    platform.until(is_done).await;
    let ends = platform.ssl().await.certificates[0].expires_on;
    let mut without = platform.control.clone();
    without.issuers = None;
    let mut seen = Vec::new();
    while platform.control.now() < ends.later(DAY) {
        let wait = without.issue(&platform.zone, &platform.id, &platform.lookout).await.unwrap();
        let status = platform.ssl().await.status;
        if seen.last() != Some(&status) {
            seen.push(status);
        }
        platform.hand.advance(wait.expect("it is looked at again"));
    }
    assert_eq!(seen, [SslStatus::Active, SslStatus::PendingExpiration, SslStatus::Expired]);
}
