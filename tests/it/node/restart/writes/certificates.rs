//! The rows of certificates that customers bring, and of requests for certificates.

use rcgen::{
    BasicConstraints, CertificateParams, IsCa, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256,
    SignatureAlgorithm,
};
use serde_json::{Value, json};

use super::{Calls, Declared::Beside, Row};
use crate::support::Api;

/// Keys of customers are kept where visitors are served over TLS.
pub(super) const SERVER: &str = "[server]\nlisten_tls = \"127.0.0.1:0\"\n";

const ZONES: &str = "/client/v4/zones";
const OF_ACCOUNT: &str = "/client/v4/accounts/0/custom_csrs";
const AUTHORITIES: &str = "/client/v4/accounts/0/mtls_certificates";
const HOST: &str = "brought.customer.dev";

/// An authority of clients.
fn authority(name: &str) -> Value {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    json!({"ca": true, "certificates": made.pem(), "name": name})
}

/// A certificate that only its owner vouches for, with its key.
fn made(algorithm: &'static SignatureAlgorithm) -> Value {
    let key = KeyPair::generate_for(algorithm).unwrap();
    let certificate = CertificateParams::new([HOST.to_owned()]).unwrap().self_signed(&key).unwrap();
    json!({"custom_certificate": certificate.pem(), "custom_key": key.serialize_pem()})
}

fn request(name: &str) -> Value {
    json!({
        "common_name": name, "sans": [name], "country": "US", "state": "MA", "locality": "Boston",
        "organization": "Customer", "key_type": "p256v1", "name": name,
    })
}

async fn zone(api: &Api) -> String {
    let zones = api.get(&format!("{ZONES}?name=kept.dev")).await.result().clone();
    format!("{ZONES}/{}", zones[0]["id"].as_str().unwrap())
}

/// What the rows write to.
pub(super) async fn prepare(api: &Api) {
    let zone = zone(api).await;
    let pair = json!([made(&PKCS_ECDSA_P256_SHA256), made(&PKCS_RSA_SHA256)]);
    let hostname = json!({"hostname": HOST, "ssl": {"bundle_method": "force", "custom_cert_bundle": pair}});
    let brought = api.post(&format!("{zone}/custom_hostnames"), &hostname).await;
    assert_eq!(brought.status, 201, "{}", brought.envelope);
    for csrs in [format!("{zone}/custom_csrs"), OF_ACCOUNT.to_owned()] {
        api.post(&csrs, &request("gone.customer.dev")).await;
    }
    for name in ["stays", "goes"] {
        api.post(AUTHORITIES, &authority(name)).await;
    }
}

/// The certificates of the hostname, and all requests.
pub(super) async fn seen(api: &Api) -> Value {
    let zone = zone(api).await;
    let hostname = api.get(&format!("{zone}/custom_hostnames?hostname={HOST}")).await.result()[0].clone();
    let requests = api.get(&format!("{zone}/custom_csrs")).await.result().clone();
    let authorities = api.get(AUTHORITIES).await.result().clone();
    let mut asking = Vec::new();
    for one in authorities.as_array().unwrap() {
        let path = format!("{zone}/certificate_authorities/hostname_associations?mtls_certificate_id=");
        asking.push(api.get(&(path + one["id"].as_str().unwrap())).await.result().clone());
    }
    json!([hostname["ssl"], requests, api.get(OF_ACCOUNT).await.result(), authorities, asking])
}

impl Calls {
    /// A call on the certificate of the hostname whose key is of this kind.
    async fn on_certificate(&self, method: &str, kind: &str, body: Value) -> Value {
        let zone = zone(&self.api).await;
        let found =
            self.api.get(&format!("{zone}/custom_hostnames?hostname={HOST}")).await.result()[0].clone();
        let all = found["ssl"]["certificates"].as_array().unwrap();
        let one = all.iter().find(|one| one["signature"].as_str().unwrap().contains(kind)).unwrap();
        let (id, pack) = (found["id"].as_str().unwrap(), found["ssl"]["id"].as_str().unwrap());
        let certificate = one["id"].as_str().unwrap();
        let path = format!("{zone}/custom_hostnames/{id}/certificate_pack/{pack}/certificates/{certificate}");
        self.call(method, &path, body).await
    }

    async fn on_associations(&self) -> Value {
        let all = self.api.get(AUTHORITIES).await.result().clone();
        let one = all.as_array().unwrap().iter().find(|one| one["name"] == "stays").cloned().unwrap();
        let path = format!("{}/certificate_authorities/hostname_associations", zone(&self.api).await);
        self.call("PUT", &path, json!({"hostnames": [HOST], "mtls_certificate_id": one["id"]})).await
    }

    async fn on_request(&self, method: &str, of_zone: bool, name: Option<&str>) -> Value {
        let list =
            if of_zone { format!("{}/custom_csrs", zone(&self.api).await) } else { OF_ACCOUNT.to_owned() };
        match name {
            Some(name) => self.call_on(method, &list, "name", name, json!(null)).await,
            None => self.call(method, &list, request("made.customer.dev")).await,
        }
    }
}

pub(super) fn rows() -> Vec<Row> {
    let row = |endpoint, write| Row { endpoint, seen: "certificates", write, declared: Beside };
    vec![
        row(
            "PUT zones/{zone_id}/custom_hostnames/{custom_hostname_id}/certificate_pack/{certificate_pack_id}/certificates/{certificate_id}",
            |c| Box::pin(c.on_certificate("PUT", "ECDSA", made(&PKCS_ECDSA_P256_SHA256))),
        ),
        row(
            "DELETE zones/{zone_id}/custom_hostnames/{custom_hostname_id}/certificate_pack/{certificate_pack_id}/certificates/{certificate_id}",
            |c| Box::pin(c.on_certificate("DELETE", "RSA", json!(null))),
        ),
        row("POST mtls_certificates", |c| Box::pin(c.call("POST", AUTHORITIES, authority("made")))),
        row("DELETE mtls_certificates/{mtls_certificate_id}", |c| {
            Box::pin(c.call_on("DELETE", AUTHORITIES, "name", "goes", json!(null)))
        }),
        row("PUT zones/{zone_id}/certificate_authorities/hostname_associations", |c| {
            Box::pin(c.on_associations())
        }),
        row("POST zones/{zone_id}/custom_csrs", |c| Box::pin(c.on_request("POST", true, None))),
        row("DELETE zones/{zone_id}/custom_csrs/{custom_csr_id}", |c| {
            Box::pin(c.on_request("DELETE", true, Some("gone.customer.dev")))
        }),
        row("POST custom_csrs", |c| Box::pin(c.on_request("POST", false, None))),
        row("DELETE custom_csrs/{custom_csr_id}", |c| {
            Box::pin(c.on_request("DELETE", false, Some("gone.customer.dev")))
        }),
    ]
}
