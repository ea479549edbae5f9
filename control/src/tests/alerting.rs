//! What is told of certificates: in order, again after a failure, given up at last, and to whom it may be.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;
use wasmyard_namespaces::alerting::AlertType;
use wasmyard_namespaces::hostname::{
    CertificateType, CustomHostnameEdit, CustomName, NewCustomHostname, SslEdit, SslStatus, ValidationMethod,
};
use wasmyard_namespaces::ids::{CustomHostnameId, WebhookId};
use wasmyard_namespaces::registry::{Done, WEBHOOK_DELIVERY};
use wasmyard_namespaces::store::MemoryStore;
use wasmyard_namespaces::zone::ZoneType;
use wasmyard_namespaces::{
    Blobs, ClockHand, CustomHostname, RegistryOptions, Secret, Timestamp, Zone, ZoneId,
};

use super::*;
use crate::alerting::{Courier, PolicyWanted, WebhookWanted};

/// Remembers what it was given, and takes it as it is told; by itself it takes everything.
#[derive(Default)]
struct Remembering {
    seen: Mutex<Vec<(String, Option<String>, Value)>>,
    answers: Mutex<VecDeque<std::result::Result<(), String>>>,
}

#[async_trait::async_trait]
impl Courier for Remembering {
    async fn post(&self, url: &str, secret: Option<&Secret>, body: Bytes) -> std::result::Result<(), String> {
        let answer = self.answers.lock().unwrap().pop_front().unwrap_or(Ok(()));
        if answer.is_ok() {
            let body = serde_json::from_slice(&body).unwrap();
            let secret = secret.map(|secret| secret.expose().to_owned());
            self.seen.lock().unwrap().push((url.to_owned(), secret, body));
        }
        answer
    }
}

impl Remembering {
    /// What happened to which hostname, in the order in which it was told.
    fn told(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        let event = |body: &Value| {
            let kind =
                body.pointer("/metadata/event/type")?.as_str()?.rsplit_once("certificate.")?.1.to_owned();
            Some(format!("{} {kind}", body.pointer("/data/hostname")?.as_str()?))
        };
        seen.iter().filter_map(|(_, _, body)| event(body)).collect()
    }
}

struct Telling {
    control: Control,
    courier: Arc<Remembering>,
    hand: ClockHand,
    zone: Arc<Zone>,
}

async fn telling() -> Telling {
    let (clock, hand) = Clock::by_hand(Timestamp::now());
    let options = RegistryOptions { clock, ..RegistryOptions::default() };
    let registry = Registry::open_with(Arc::new(MemoryStore::new()), Blobs::memory(), options).await.unwrap();
    let (control, _) = control().await;
    let courier = Arc::new(Remembering::default());
    let control =
        Control { registry, ..control }.with_reserved_names().with_courier(Arc::clone(&courier) as _);
    let zone = control.create_zone("saas.test", ZoneType::Full).await.unwrap().result;
    Telling { control, courier, hand, zone }
}

fn hook(name: &str, secret: Option<&str>) -> WebhookWanted {
    let url = format!("https://hooks.test/{name}?key=1");
    WebhookWanted { name: name.to_owned(), url, secret: secret.map(|secret| Some(Secret::new(secret))) }
}

fn policy(webhooks: &[&WebhookId], zones: &[&ZoneId]) -> PolicyWanted {
    PolicyWanted {
        name: "certificates".to_owned(),
        description: String::new(),
        enabled: true,
        alert_type: AlertType::CustomHostnameCertificate,
        webhooks: webhooks.iter().map(|id| (*id).clone()).collect(),
        zones: zones.iter().map(|id| (*id).clone()).collect(),
    }
}

impl Telling {
    async fn hostname(&self, name: &str) -> Arc<CustomHostname> {
        let ssl = SslEdit {
            method: Some(ValidationMethod::Txt),
            kind: Some(CertificateType::Dv),
            ..SslEdit::default()
        };
        let edit = CustomHostnameEdit { ssl: Some(ssl), ..CustomHostnameEdit::default() };
        let new = NewCustomHostname { name: CustomName::parse(name).unwrap(), edit };
        self.control.create_hostname(&self.zone.id, &new).await.unwrap().result
    }

    /// What whoever orders certificates does.
    async fn becomes(&self, id: &CustomHostnameId, status: SslStatus, errors: &[&str]) {
        let decide = |before: &CustomHostname, _| {
            let mut after = before.clone();
            if let Some(ssl) = &mut after.ssl {
                ssl.status = status;
                ssl.validation_errors = errors.iter().map(|error| (*error).to_owned()).collect();
            }
            Ok(Some(after))
        };
        self.control.registry().change_hostname(&self.zone.id, id, decide).await.unwrap();
    }

    /// Does all that is due, as a node does.
    async fn deliver(&self) {
        let control = self.control.clone();
        let jobs = self.control.registry().jobs().on(WEBHOOK_DELIVERY, move |job| {
            let control = control.clone();
            async move {
                match control.deliver(&job.key).await.unwrap() {
                    Some(after) => Done::Again(after),
                    None => Done::Finished,
                }
            }
        });
        jobs.run_due().await.unwrap();
    }
}

#[tokio::test]
async fn a_certificates_way_is_told_in_order_and_a_failure_keeps_the_order() {
    let telling = telling().await;
    let made = telling.control.create_webhook(&hook("ops", Some("hunter2"))).await.unwrap();
    let test = telling.courier.seen.lock().unwrap().pop().unwrap();
    assert_eq!((test.0.as_str(), test.1.as_deref()), ("https://hooks.test/ops?key=1", Some("hunter2")));
    assert!(test.2["text"].as_str().unwrap().contains("ops"));
    telling.control.create_policy(&policy(&[&made.id], &[])).await.unwrap();
    let shop = telling.hostname("shop.customer.test").await;
    telling.becomes(&shop.id, SslStatus::PendingValidation, &["caa_error: shop"]).await;
    telling.becomes(&shop.id, SslStatus::PendingIssuance, &[]).await;
    // The first is not taken: neither it nor what comes after it is lost or overtakes.
    telling.courier.answers.lock().unwrap().push_back(Err("it answers with 500".to_owned()));
    telling.deliver().await;
    assert_eq!(telling.courier.told(), [""; 0]);
    assert!(telling.control.registry().webhook(&made.id).await.unwrap().last_failure.is_some());
    telling.becomes(&shop.id, SslStatus::PendingDeployment, &[]).await;
    let other = telling.hostname("other.customer.test").await;
    telling.becomes(&other.id, SslStatus::Active, &[]).await;
    telling.deliver().await;
    let of_other = ["other.customer.test issuance.succeeded", "other.customer.test deployment.succeeded"];
    assert_eq!(telling.courier.told(), of_other, "one hostname does not wait for another");
    telling.hand.advance(Duration::from_secs(1));
    telling.deliver().await;
    let of_shop = ["validation.failed", "validation.succeeded", "issuance.succeeded"];
    let of_shop = of_shop.map(|event| format!("shop.customer.test {event}"));
    assert_eq!(telling.courier.told()[2..], of_shop);
    telling.control.delete_hostname(&telling.zone.id, &shop.id, Force::No).await.unwrap();
    telling.deliver().await;
    assert_eq!(telling.courier.told().last().unwrap(), "shop.customer.test deletion.succeeded");
    let history = telling.control.alert_history().await.unwrap();
    assert_eq!((history.len(), history.iter().filter(|record| record.error.is_some()).count()), (6, 0));
    assert!(telling.control.registry().webhook(&made.id).await.unwrap().last_success.is_some());
    assert!(!format!("{made:?}").contains("hunter2"));
}

#[tokio::test]
async fn what_is_never_taken_is_given_up_and_remembered() {
    let telling = telling().await;
    let made = telling.control.create_webhook(&hook("ops", None)).await.unwrap();
    telling.control.create_policy(&policy(&[&made.id], &[])).await.unwrap();
    let shop = telling.hostname("shop.customer.test").await;
    telling.becomes(&shop.id, SslStatus::PendingIssuance, &[]).await;
    let refusal = || Err("it answers with 503".to_owned());
    telling.courier.answers.lock().unwrap().extend((0..20).map(|_| refusal()));
    for _ in 0..20 {
        telling.deliver().await;
        telling.hand.advance(Duration::from_secs(3_600));
    }
    let history = telling.control.alert_history().await.unwrap();
    assert_eq!(history.len(), 1);
    assert_eq!(history[0].error.as_deref(), Some("it answers with 503"));
    telling.becomes(&shop.id, SslStatus::PendingDeployment, &[]).await;
    telling.deliver().await;
    assert_eq!(telling.courier.told(), ["shop.customer.test issuance.succeeded"]);
}

#[tokio::test]
async fn only_those_are_told_whom_a_policy_names_for_the_zone() {
    let telling = telling().await;
    let control = &telling.control;
    let other = control.create_zone("other.test", ZoneType::Full).await.unwrap().result;
    let [one, two] = [&hook("one", None), &hook("two", None)];
    let (one, two) = (control.create_webhook(one).await.unwrap(), control.create_webhook(two).await.unwrap());
    telling.courier.seen.lock().unwrap().clear();
    control.create_policy(&policy(&[&one.id], &[&other.id])).await.unwrap();
    let here = control.create_policy(&policy(&[&two.id], &[&telling.zone.id])).await.unwrap();
    // Named twice, told once.
    control.create_policy(&policy(&[&two.id], &[])).await.unwrap();
    let shop = telling.hostname("shop.customer.test").await;
    telling.becomes(&shop.id, SslStatus::PendingIssuance, &[]).await;
    telling.deliver().await;
    let urls: Vec<String> = telling.courier.seen.lock().unwrap().iter().map(|seen| seen.0.clone()).collect();
    assert_eq!(urls, ["https://hooks.test/two?key=1"]);
    let in_use = control.delete_webhook(&two.id).await.unwrap_err();
    assert!(in_use.to_string().contains("certificates"), "{in_use}");
    for policy in control.registry().alert_policies().await.unwrap() {
        control.delete_policy(&policy.id).await.unwrap();
    }
    assert!(control.delete_policy(&here.id).await.is_err());
    control.delete_webhook(&two.id).await.unwrap();
    telling.becomes(&shop.id, SslStatus::PendingDeployment, &[]).await;
    telling.deliver().await;
    assert_eq!(telling.courier.told().len(), 1);
    let nobody = WebhookId::parse("0123456789abcdef0123456789abcdef").unwrap();
    assert!(control.create_policy(&policy(&[&nobody], &[])).await.is_err());
}

#[tokio::test]
async fn a_webhook_that_takes_no_test_message_is_not_made() {
    let telling = telling().await;
    telling.courier.answers.lock().unwrap().push_back(Err("port 25 is not open to webhooks".to_owned()));
    let refused = telling.control.create_webhook(&hook("ops", None)).await.unwrap_err();
    assert!(refused.to_string().contains("port 25"), "{refused}");
    let bad = WebhookWanted { url: "file:///etc/passwd".to_owned(), ..hook("ops", None) };
    assert!(telling.control.create_webhook(&bad).await.is_err());
    assert!(telling.control.registry().webhooks().await.unwrap().is_empty());
    let made = telling.control.create_webhook(&hook("ops", Some("s1"))).await.unwrap();
    let kept = telling.control.change_webhook(&made.id, &hook("renamed", None)).await.unwrap();
    assert_eq!((kept.name.as_str(), kept.secret), ("renamed", Some(Secret::new("s1"))));
    let none = WebhookWanted { secret: Some(None), ..hook("renamed", None) };
    assert_eq!(telling.control.change_webhook(&made.id, &none).await.unwrap().secret, None);
}
