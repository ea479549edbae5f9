//! Authorities of clients: uploaded, listed, asked for by hostnames, deleted; and what is refused of them.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SerialNumber};
use serde_json::{Value, json};

use super::certificates::Authority;
use super::zone;
use crate::common::Api;

const PATH: &str = "/client/v4/accounts/acc1/mtls_certificates";

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.distinguished_name.push(DnType::OrganizationName, "Partner");
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(SerialNumber::from(66_051u64));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

async fn uploaded(api: &Api, name: &str) -> Value {
    let wanted = json!({"ca": true, "certificates": authority(name).pem(), "name": name});
    api.post(PATH, &wanted).await.result()
}

#[tokio::test]
async fn authorities_are_uploaded_shown_listed_and_deleted() {
    let api = Api::new().await;
    let (one, two) = (authority("one"), authority("two"));
    let both = one.pem() + &two.pem();
    let made = api.post(PATH, &json!({"ca": true, "certificates": both, "name": "partners"})).await.result();
    assert_eq!(
        json!([made["ca"], made["type"], made["name"], made["certificates"], made["issuer"]]),
        json!([true, "custom", "partners", both, "O=Partner,CN=one"])
    );
    assert_eq!(json!([made["serial_number"], made["signature"]]), json!(["66051", "ECDSAWithSHA256"]));
    assert!(made["uploaded_on"].is_string() && made["expires_on"].is_string());
    let one = format!("{PATH}/{}", made["id"].as_str().unwrap());
    assert_eq!(api.get(&one).await.result(), made);
    let other = uploaded(&api, "other").await;
    assert_eq!(api.get(PATH).await.result(), json!([made, other]));
    assert_eq!(api.get(&format!("{PATH}?page=2")).await.result(), json!([]), "lists end");
    assert_eq!(api.get(&format!("{one}/associations")).await.result(), json!([]));
    assert_eq!(api.delete(&one).await.result(), made);
    api.delete(&one).await.refused(404, 90030);
    api.get(&format!("{one}/associations")).await.refused(404, 90030);
    api.get(&format!("{PATH}/none")).await.refused(404, 90030);
}

#[tokio::test]
async fn what_is_no_authority_is_refused_by_its_rule() {
    let api = Api::new().await;
    let issuer = authority("one");
    let leaf = Authority::new().issue(&["shop.customer.dev"], &rcgen::PKCS_ECDSA_P256_SHA256);
    let with_key = issuer.pem() + &issuer.key().serialize_pem();
    for (wanted, rule) in [
        (json!({"ca": false, "certificates": issuer.pem()}), "is uploaded with its key"),
        (json!({"ca": true, "certificates": issuer.pem(), "private_key": "key"}), "keep it to yourself"),
        (json!({"ca": true, "certificates": with_key}), "private key"),
        (json!({"ca": true, "certificates": ""}), "no certificate"),
        (json!({"ca": true, "certificates": leaf.certificate}), "is no authority's"),
        (json!({"ca": true, "certificates": issuer.pem().repeat(9)}), "8 may be"),
        (json!({"ca": true, "certificates": "x".repeat(129 << 10)}), "KiB"),
        (json!({"ca": true, "certificates": issuer.pem(), "name": "a\nb"}), "no text"),
    ] {
        let refused = api.post(PATH, &wanted).await;
        let told = refused.refused(400, 90031);
        assert!(told.contains(rule), "{rule}: {told}");
        assert!(!told.contains("BEGIN"), "{told}");
    }
    assert_eq!(api.get(PATH).await.result(), json!([]));
}

#[tokio::test]
async fn hostnames_ask_for_authorities_and_these_stay_as_long() {
    let (api, _data) = Api::with_certificates(&Authority::new()).await;
    let (_, path) = zone(&api, "saas.dev").await;
    for name in ["a.customer.dev", "b.customer.dev"] {
        let made = api.post(&format!("{path}/custom_hostnames"), &json!({"hostname": name})).await;
        assert_eq!(made.status.as_u16(), 201);
    }
    let (first, second) = (uploaded(&api, "first").await, uploaded(&api, "second").await);
    let asked = format!("{path}/certificate_authorities/hostname_associations");
    let of = async |authority: &Value| {
        let id = authority["id"].as_str().unwrap();
        api.get(&format!("{asked}?mtls_certificate_id={id}")).await.result()
    };
    let set = async |authority: &Value, names: Value, mode: Value| {
        let mut wanted = json!({"hostnames": names, "mtls_certificate_id": authority["id"]});
        if !mode.is_null() {
            wanted["client_certificates"] = mode;
        }
        api.put(&asked, &wanted).await
    };
    let names = json!(["a.customer.dev", "B.customer.dev", "a.customer.dev"]);
    let two = json!({"hostnames": ["a.customer.dev", "b.customer.dev"], "client_certificates": "optional"});
    assert_eq!(set(&first, names, json!(null)).await.result(), two);
    assert_eq!(of(&first).await, two);
    assert_eq!(of(&second).await, json!({"hostnames": []}));
    assert_eq!(api.get(&asked).await.result(), json!({"hostnames": []}));
    let one = format!("{PATH}/{}", first["id"].as_str().unwrap());
    api.delete(&one).await.refused(409, 90032);
    assert_eq!(api.get(&format!("{one}/associations")).await.result()[0]["status"], "active");

    // Another authority takes one of them, and the wildcards below.
    let names = json!(["b.customer.dev", "*.b.customer.dev", "saas.dev"]);
    let told = set(&second, names.clone(), json!("required")).await.result();
    assert_eq!(told, json!({"hostnames": names, "client_certificates": "required"}));
    assert_eq!(of(&first).await["hostnames"], json!(["a.customer.dev"]));
    set(&first, json!([]), json!(null)).await.result();
    assert_eq!(of(&first).await, json!({"hostnames": []}));
    assert_eq!(of(&second).await["hostnames"].as_array().unwrap().len(), 3);
    assert_eq!(api.delete(&one).await.result()["id"], first["id"]);

    for (wanted, code, rule) in [
        (json!({"hostnames": ["a.customer.dev"]}), 90031, "has no authority of its own"),
        (
            json!({"hostnames": ["c.customer.dev"], "mtls_certificate_id": second["id"]}),
            90031,
            "c.customer.dev",
        ),
        (json!({"hostnames": ["app.saas.dev"], "mtls_certificate_id": second["id"]}), 90031, "app.saas.dev"),
        (json!({"hostnames": ["a b"], "mtls_certificate_id": second["id"]}), 90031, "hostnames"),
        (
            json!({"hostnames": [], "mtls_certificate_id": second["id"], "client_certificates": "maybe"}),
            10021,
            "\"required\"",
        ),
    ] {
        let refused = api.put(&asked, &wanted).await;
        let told = refused.refused(400, code);
        assert!(told.contains(rule), "{rule}: {told}");
    }
    let gone = json!({"hostnames": ["a.customer.dev"], "mtls_certificate_id": first["id"]});
    api.put(&asked, &gone).await.refused(404, 90030);
    let many: Vec<String> = (0..1_001).map(|number| format!("h{number}.customer.dev")).collect();
    let refused = set(&second, json!(many), json!(null)).await;
    assert!(refused.refused(400, 90031).contains("1000"));

    // With its zone goes what its names asked for.
    api.delete(&path).await.result();
    let other = format!("{PATH}/{}", second["id"].as_str().unwrap());
    assert_eq!(api.delete(&other).await.result()["id"], second["id"]);
}
