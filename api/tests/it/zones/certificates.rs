//! Certificates that customers bring: taken, shown, replaced, deleted, refused; and their keys, which nobody sees again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use http::{Method, StatusCode};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PKCS_ECDSA_P256_SHA256,
    PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256, SerialNumber, SignatureAlgorithm,
};
use rustls::RootCertStore;
use serde_json::{Value, json};
use wasmyard_hostnames::uploads::Trust;

use super::zone;
use crate::common::{Answer, Api};

/// An authority that is believed.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    issued: AtomicU64,
}

/// A certificate with its key, as texts.
pub(crate) struct Issued {
    pub(crate) certificate: String,
    pub(crate) key: String,
    der: Vec<u8>,
}

impl Authority {
    pub(crate) fn new() -> Authority {
        Authority::with(&PKCS_ECDSA_P256_SHA256)
    }

    fn with(algorithm: &'static SignatureAlgorithm) -> Authority {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.distinguished_name.push(DnType::OrganizationName, "Customer Authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate_for(algorithm).unwrap();
        let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
        Authority { issuer, issued: AtomicU64::new(1_000) }
    }

    pub(crate) fn trust(&self) -> Trust {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        Trust::new(roots)
    }

    fn params(&self, names: &[&str]) -> CertificateParams {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.serial_number = Some(SerialNumber::from(self.issued.fetch_add(1, Ordering::SeqCst)));
        params
    }

    pub(crate) fn issue(&self, names: &[&str], algorithm: &'static SignatureAlgorithm) -> Issued {
        self.issue_with(self.params(names), algorithm)
    }

    fn issue_with(&self, params: CertificateParams, algorithm: &'static SignatureAlgorithm) -> Issued {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Issued { certificate, key: key.serialize_pem(), der: key.serialize_der() }
    }

    /// A certificate for the key of a request, as an authority makes it.
    pub(crate) fn sign(&self, request: &str, names: &[&str]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("ca.pem"), self.issuer.pem()).unwrap();
        std::fs::write(path("ca.key"), self.issuer.key().serialize_pem()).unwrap();
        std::fs::write(path("request.pem"), request).unwrap();
        let names: Vec<String> = names.iter().map(|name| format!("DNS:{name}")).collect();
        std::fs::write(path("names"), format!("subjectAltName={}", names.join(","))).unwrap();
        let openssl = std::process::Command::new("openssl")
            .args(["x509", "-req", "-days", "90", "-sha256", "-in", "request.pem", "-CA", "ca.pem"])
            .args(["-CAkey", "ca.key", "-set_serial", "77", "-extfile", "names"])
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(openssl.status.success(), "{openssl:?}");
        String::from_utf8(openssl.stdout).unwrap()
    }
}

fn brought(issued: &Issued) -> Value {
    json!({"custom_certificate": issued.certificate, "custom_key": issued.key})
}

#[track_caller]
fn taken(answer: &Answer, status: u16) -> Value {
    let mut envelope = answer.json();
    assert_eq!(answer.status.as_u16(), status, "{envelope}");
    envelope["result"].take()
}

fn digests(ssl: &Value) -> Vec<&str> {
    ssl["certificates"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_certificate_is_taken_shown_byte_for_byte_and_given_up_for_a_managed_one_without_a_gap() {
    let authority = Authority::new();
    let (api, _data) = Api::with_certificates(&authority).await;
    let (_, path) = zone(&api, "saas.dev").await;
    let hostnames = format!("{path}/custom_hostnames");
    let mut issued = authority.issue(&["shop.customer.dev"], &PKCS_ECDSA_P256_SHA256);
    issued.certificate = issued.certificate.replace('\n', "\r\n").trim_end().to_owned();
    let body = json!({"hostname": "shop.customer.dev", "ssl": brought(&issued)});
    let made = taken(&api.post(&hostnames, &body).await, 201);
    let ssl = &made["ssl"];
    assert_eq!(ssl["custom_certificate"], issued.certificate);
    assert_eq!((&ssl["status"], &ssl["method"]), (&json!("active"), &Value::Null));
    assert_eq!(
        (&ssl["hosts"], &ssl["issuer"]),
        (&json!(["shop.customer.dev"]), &json!("Customer Authority"))
    );
    assert_eq!((&ssl["serial_number"], &ssl["signature"]), (&json!("1000"), &json!("ECDSAWithSHA256")));
    assert!(ssl["expires_on"].is_string() && ssl["uploaded_on"].is_string(), "{ssl}");
    let one = &ssl["certificates"][0];
    for field in ["id", "issuer", "serial_number", "signature", "expires_on", "fingerprint_sha256"] {
        assert!(one[field].is_string(), "{field}: {one}");
    }
    let hostname = format!("{hostnames}/{}", made["id"].as_str().unwrap());
    assert_eq!(taken(&api.get(&hostname).await, 200), made);

    // Settings change what is served how, and not with what.
    let settings = json!({"ssl": {"settings": {"min_tls_version": "1.3"}}});
    let set = taken(&api.patch(&hostname, &settings).await, 202);
    assert_eq!(
        (&set["ssl"]["id"], &set["ssl"]["custom_certificate"]),
        (&ssl["id"], &ssl["custom_certificate"])
    );
    // Another one takes its place, as another pack.
    let other = authority.issue(&["shop.customer.dev", "www.customer.dev"], &PKCS_RSA_SHA256);
    let changed = taken(&api.patch(&hostname, &json!({"ssl": brought(&other)})).await, 202);
    assert_ne!(changed["ssl"]["id"], ssl["id"]);
    assert_eq!(changed["ssl"]["custom_certificate"], other.certificate);
    assert_eq!(changed["ssl"]["settings"]["min_tls_version"], "1.3");
    // A managed one is asked for; until it is there, the certificate stays.
    let managed = json!({"ssl": {"method": "txt", "type": "dv"}});
    let asked = taken(&api.patch(&hostname, &managed).await, 202);
    assert_eq!(asked["ssl"]["status"], "pending_validation");
    assert_eq!(
        (&asked["ssl"]["id"], &asked["ssl"]["custom_certificate"]),
        (&changed["ssl"]["id"], &json!(other.certificate))
    );
    let again = taken(&api.patch(&hostname, &managed).await, 202);
    assert_eq!(again["ssl"], asked["ssl"], "asked for once");
    // And back: nobody waits for a managed one any more.
    let back = taken(&api.patch(&hostname, &json!({"ssl": brought(&other)})).await, 202);
    assert_eq!(back["ssl"]["status"], "active");

    // A wildcard hostname has none but those that somebody brings.
    let wild = authority.issue(&["*.wild.dev"], &PKCS_ECDSA_P256_SHA256);
    let body = json!({"hostname": "*.wild.dev", "ssl": brought(&wild)});
    let made = taken(&api.post(&hostnames, &body).await, 201);
    let wild = format!("{hostnames}/{}", made["id"].as_str().unwrap());
    taken(&api.patch(&wild, &json!({"ssl": {"settings": {"http2": "off"}}})).await, 202);
    api.patch(&wild, &managed).await.refused(400, 1448);
}

#[tokio::test]
async fn a_pack_has_one_certificate_for_each_kind_of_key() {
    let authority = Authority::new();
    let (api, _data) = Api::with_certificates(&authority).await;
    let (_, path) = zone(&api, "saas.dev").await;
    let names: &[&str] = &["shop.customer.dev"];
    let (ecdsa, rsa) =
        (authority.issue(names, &PKCS_ECDSA_P256_SHA256), authority.issue(names, &PKCS_RSA_SHA256));
    let bundle = |bundle: &[&Issued], method: &str| {
        let bundle: Vec<Value> = bundle.iter().map(|one| brought(one)).collect();
        json!({"hostname": "shop.customer.dev", "ssl": {"custom_cert_bundle": bundle, "bundle_method": method}})
    };
    let hostnames = format!("{path}/custom_hostnames");
    for (body, why) in [
        (bundle(&[&ecdsa, &rsa], "optimal"), "force"),
        (bundle(&[&ecdsa, &ecdsa], "force"), "RSA"),
        (bundle(&[], "force"), "one or two"),
        (bundle(&[&ecdsa, &rsa, &ecdsa], "force"), "one or two"),
    ] {
        let answer = api.post(&hostnames, &body).await;
        answer.refused(400, 1434);
        assert!(
            answer.json()["errors"][0]["error_chain"][0]["message"].as_str().unwrap().contains(why),
            "{why}"
        );
    }
    let made = taken(&api.post(&hostnames, &bundle(&[&ecdsa, &rsa], "force")).await, 201);
    assert_eq!(made["ssl"]["custom_certificate"], Value::Null, "there are two");
    let ids = digests(&made["ssl"]);
    assert_eq!(ids.len(), 2);
    let hostname = format!("{hostnames}/{}", made["id"].as_str().unwrap());
    let pack = format!("{hostname}/certificate_pack/{}/certificates", made["ssl"]["id"].as_str().unwrap());

    // Like by like, under the same ids.
    let (new, other_kind) =
        (authority.issue(names, &PKCS_ECDSA_P256_SHA256), authority.issue(names, &PKCS_RSA_SHA256));
    let one = format!("{pack}/{}", ids[0]);
    api.put(&one, &brought(&other_kind)).await.refused(400, 1434);
    let replaced = taken(&api.put(&one, &brought(&new)).await, 202);
    assert_eq!((&replaced["ssl"]["id"], digests(&replaced["ssl"])), (&made["ssl"]["id"], ids.clone()));
    let serial = |view: &Value, at: usize| view["ssl"]["certificates"][at]["serial_number"].clone();
    assert_ne!(serial(&replaced, 0), serial(&made, 0));
    assert_eq!(serial(&replaced, 1), serial(&made, 1));
    api.put(&one, &json!({"custom_certificate": new.certificate})).await.refused(400, 1428);
    api.put(&one, &json!({"custom_key": new.key})).await.refused(400, 1427);

    for missing in [
        format!("{pack}/{}", made["id"].as_str().unwrap()),
        format!("{pack}/nonsense"),
        format!("{hostname}/certificate_pack/{}/certificates/{}", ids[0], ids[0]),
    ] {
        api.put(&missing, &brought(&new)).await.refused(404, 1436);
        api.delete(&missing).await.refused(404, 1436);
    }
    let deleted = api.delete(&format!("{pack}/{}", ids[1])).await;
    assert_eq!(deleted.status, StatusCode::ACCEPTED);
    assert_eq!((&deleted.json()["id"], &deleted.json()["result"]["id"]), (&json!(ids[1]), &json!(ids[1])));
    let left = taken(&api.get(&hostname).await, 200);
    assert_eq!(
        (digests(&left["ssl"]), &left["ssl"]["custom_certificate"]),
        (vec![ids[0]], &json!(new.certificate))
    );
    api.delete(&one).await.refused(409, 1439);
    assert_eq!(digests(&taken(&api.get(&hostname).await, 200)["ssl"]), [ids[0]]);
}

/// Every row of the table about certificates: code, status, the text's beginning and end, and what causes it.
#[tokio::test]
async fn every_row_about_certificates_has_its_code_status_and_text() {
    let authority = Authority::new();
    let (api, data) = Api::with_certificates(&authority).await;
    let (_, path) = zone(&api, "saas.dev").await;
    let hostnames = format!("{path}/custom_hostnames");
    let names: &[&str] = &["new.customer.dev"];
    let mine = authority.issue(names, &PKCS_ECDSA_P256_SHA256);
    let other = authority.issue(&["other.customer.dev"], &PKCS_ECDSA_P256_SHA256);
    let stranger = Authority::new().issue(names, &PKCS_ECDSA_P256_SHA256);
    let strong = Authority::with(&PKCS_ECDSA_P384_SHA384).issue(names, &PKCS_ECDSA_P256_SHA256);
    let mut params = authority.params(names);
    params.not_before = (SystemTime::now() - Duration::from_secs(90 * 86_400)).into();
    params.not_after = (SystemTime::now() - Duration::from_secs(86_400)).into();
    let old = authority.issue_with(params, &PKCS_ECDSA_P256_SHA256);
    let with = |certificate: &str, key: &str| json!({"custom_certificate": certificate, "custom_key": key});
    let of_csr = |id: &str| json!({"custom_certificate": mine.certificate, "custom_csr_id": id});
    let check = " Check your input and try again.";
    let review = " Review your input and try again.";
    let rows: Vec<(u32, u16, &str, &str, Vec<Value>)> = vec![
        (
            1426,
            400,
            "The certificate that you uploaded cannot be parsed.",
            check,
            vec![
                with("text", &mine.key),
                with(&mine.key, &mine.key),
                with(&(mine.certificate.clone() + &mine.key), &mine.key),
                with(&"a".repeat(100 << 10), &mine.key),
                with("-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n", &mine.key),
                json!({"custom_certificate": 7, "custom_key": mine.key}),
            ],
        ),
        (
            1427,
            400,
            "The certificate that you uploaded is empty.",
            check,
            vec![
                with("", &mine.key),
                with(" \n", &mine.key),
                json!({"custom_key": mine.key}),
                json!({"custom_csr_id": "7b163417-1d2b-4c84-a38a-2fb7a0cd7752"}),
                json!({"custom_cert_bundle": [{"custom_key": mine.key}]}),
            ],
        ),
        (
            1428,
            400,
            "The private key you uploaded cannot be parsed.",
            check,
            vec![
                with(&mine.certificate, "text"),
                with(&mine.certificate, ""),
                with(&mine.certificate, &mine.certificate),
                json!({"custom_certificate": mine.certificate}),
                json!({"custom_certificate": mine.certificate, "custom_key": 7}),
            ],
        ),
        (
            1429,
            400,
            "The private key you uploaded does not match the certificate.",
            check,
            vec![with(&mine.certificate, &other.key)],
        ),
        (1430, 400, "The custom CSR ID is invalid.", check, vec![of_csr("nonsense"), of_csr("")]),
        (
            1431,
            404,
            "The custom CSR was not found.",
            "",
            vec![of_csr("7b163417-1d2b-4c84-a38a-2fb7a0cd7752")],
        ),
        (
            1434,
            400,
            "The SSL attribute is invalid.",
            "",
            vec![
                json!({"custom_certificate": mine.certificate, "custom_cert_bundle": [brought(&mine)]}),
                json!({"custom_certificate": mine.certificate, "custom_key": mine.key, "custom_csr_id": "x"}),
            ],
        ),
        (
            1441,
            400,
            "The certificate that you uploaded is having trouble bundling against the public trust store.",
            check,
            vec![brought(&stranger), brought(&old)],
        ),
        (
            1444,
            400,
            "The certificate chain that you uploaded has multiple leaf certificates.",
            check,
            vec![with(&(mine.certificate.clone() + &other.certificate), &mine.key)],
        ),
        (
            1445,
            400,
            "The certificate chain that you uploaded has no leaf certificates.",
            check,
            vec![with(&authority.issuer.pem(), &mine.key)],
        ),
        (
            1446,
            400,
            "The certificate that you uploaded does not include the custom hostname - new.customer.dev.",
            review,
            vec![brought(&other)],
        ),
        (
            1447,
            400,
            "The certificate that you uploaded does not use a supported signature algorithm. Only SHA-256/ECDSA, SHA-256/RSA, and SHA-1/RSA signature algorithms are supported.",
            review,
            vec![brought(&strong)],
        ),
    ];
    let before = api.stored().await;
    for (code, status, begins, ends, causes) in rows {
        for cause in causes {
            let answer = api.post(&hostnames, &json!({"hostname": "new.customer.dev", "ssl": cause})).await;
            let text = answer.refused(status, code);
            assert!(text.starts_with(begins) && text.ends_with(ends), "{code}: {text}");
            let detail = answer.json()["errors"][0]["error_chain"][0]["message"].to_string();
            assert!(detail.len() > 4 && !detail.contains("PRIVATE"), "{code}: {detail}");
        }
    }
    assert_eq!(api.stored().await, before, "what is refused changes nothing");
    // Force takes what no authority vouches for, and nothing that has expired.
    let forced = |issued: &Issued| {
        let mut ssl = brought(issued);
        ssl["bundle_method"] = json!("force");
        json!({"hostname": "new.customer.dev", "ssl": ssl})
    };
    api.post(&hostnames, &forced(&old)).await.refused(400, 1441);
    taken(&api.post(&hostnames, &forced(&stranger)).await, 201);
    drop(data);
}

/// The bytes of a key as they might lie somewhere: its text, a line of it, and the key itself.
fn traces(issued: &Issued) -> Vec<Vec<u8>> {
    let line = issued.key.lines().nth(1).unwrap();
    let secret = issued.der[issued.der.len() - 64..].to_vec();
    // In a document of JSON, line ends are written otherwise: one line is the same in both.
    vec![issued.key.as_bytes().to_vec(), line.as_bytes().to_vec(), issued.der.clone(), secret]
}

fn assert_free_of(place: &str, bytes: &[u8], traces: &[Vec<u8>]) {
    for trace in traces {
        assert!(!bytes.windows(trace.len()).any(|window| window == trace), "a key lies in {place}");
    }
}

#[tokio::test]
async fn keys_are_in_no_answer_no_record_and_no_file() {
    let authority = Authority::new();
    let (api, data) = Api::with_certificates(&authority).await;
    let (_, path) = zone(&api, "saas.dev").await;
    let names: &[&str] = &["shop.customer.dev"];
    let (ecdsa, rsa) =
        (authority.issue(names, &PKCS_ECDSA_P256_SHA256), authority.issue(names, &PKCS_RSA_SHA256));
    // The end of a key on a curve is its public part, which is no secret.
    let mut traces = traces(&rsa);
    traces.extend([
        ecdsa.key.clone().into_bytes(),
        ecdsa.key.lines().nth(1).unwrap().as_bytes().to_vec(),
        ecdsa.der[..68].to_vec(),
    ]);
    let hostnames = format!("{path}/custom_hostnames");
    let bundle = json!({"custom_cert_bundle": [brought(&ecdsa), brought(&rsa)], "bundle_method": "force"});
    let made = api.post(&hostnames, &json!({"hostname": "shop.customer.dev", "ssl": bundle})).await;
    let hostname = format!("{hostnames}/{}", taken(&made, 201)["id"].as_str().unwrap());
    let wrong = api
        .patch(&hostname, &json!({"ssl": {"custom_certificate": ecdsa.certificate, "custom_key": rsa.key}}))
        .await;
    let answers = [
        made,
        wrong,
        api.get(&hostname).await,
        api.get(&hostnames).await,
        api.patch(&hostname, &json!({"ssl": brought(&rsa)})).await,
        api.send(Method::PATCH, &hostname, "application/json", format!("{{\"ssl\": {}", rsa.key)).await,
    ];
    for answer in &answers {
        assert_free_of("an answer", &answer.body, &traces);
    }
    assert_free_of("a record", &api.records().await, &traces);
    let mut files = 0;
    for file in std::fs::read_dir(data.path()).unwrap() {
        let file = file.unwrap().path();
        assert_free_of(&file.display().to_string(), &std::fs::read(&file).unwrap(), &traces);
        files += 1;
    }
    assert!(files >= 2, "the key of the installation, and what is sealed with it");
}
