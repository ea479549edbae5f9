//! Certificates of clients from the command line: asked for, asked for anew, and no more.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use serde_json::{Value, json};

use crate::support::Site;

fn authority(name: &str) -> String {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
}

#[tokio::test]
async fn a_builder_has_a_hostname_ask_for_certificates_and_ask_no_more() {
    let site = Site::new("[server]\nlisten_tls = \"127.0.0.1:0\"\n");
    let server = site.serve().await;
    let api = server.api();
    let run = async |arguments: &[&str]| {
        let output = site.run(&[arguments, &["--api-url", &api.url]].concat()).await;
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    };
    let zone = api.post("/client/v4/zones", &json!({"name": "saas.test"})).await.result()["id"].clone();
    let zone = format!("/client/v4/zones/{}", zone.as_str().unwrap());
    for name in ["shop.customer.dev", "other.customer.dev"] {
        api.post(&format!("{zone}/custom_hostnames"), &json!({"hostname": name})).await;
    }
    for name in ["one", "two"] {
        site.write(&format!("{name}.pem"), authority(name));
    }
    let uploaded = async || api.get("/client/v4/accounts/0/mtls_certificates").await.result().clone();
    let asks = async |id: &Value| {
        let path = format!("{zone}/certificate_authorities/hostname_associations?mtls_certificate_id=");
        api.get(&(path + id.as_str().unwrap())).await.result().clone()
    };
    let shop = "shop.customer.dev";
    let (code, text) = run(&["hostname", "clients", shop, "--none"]).await;
    assert!(code == Some(1) && text.contains("asks its clients for nothing"), "{text}");
    let (code, text) = run(&["hostname", "clients", shop]).await;
    assert!(code == Some(2) && text.contains("--ca"), "{text}");
    let one = site.path("one.pem").display().to_string();
    let (code, text) = run(&["hostname", "clients", shop, "--ca", &one]).await;
    assert!(code == Some(0) && text.contains("CN=one (required)"), "{text}");
    let first = uploaded().await[0]["id"].clone();
    assert_eq!(asks(&first).await, json!({"hostnames": [shop], "client_certificates": "required"}));

    // What was asked for before goes, when nobody else asks for it.
    let two = site.path("two.pem").display().to_string();
    let (code, text) = run(&["hostname", "clients", "Shop.Customer.dev", "--ca", &two, "--optional"]).await;
    assert!(code == Some(0) && text.contains("CN=two (optional)"), "{text}");
    let all = uploaded().await;
    assert_eq!((all.as_array().unwrap().len(), &all[0]["issuer"]), (1, &json!("CN=two")));
    let both = json!({
        "hostnames": [shop, "other.customer.dev"], "mtls_certificate_id": all[0]["id"], "client_certificates": "optional",
    });
    api.put(&format!("{zone}/certificate_authorities/hostname_associations"), &both).await.result();
    let (code, text) = run(&["hostname", "clients", shop, "--none"]).await;
    assert!(code == Some(0) && text.contains("no more"), "{text}");
    assert_eq!(asks(&all[0]["id"]).await["hostnames"], json!(["other.customer.dev"]));

    // What is refused leaves nothing behind.
    let (code, text) = run(&["hostname", "clients", "nobody.customer.dev", "--ca", &one]).await;
    assert!(code == Some(1) && text.contains("90031"), "{text}");
    assert_eq!(uploaded().await, all);
    let (code, text) = run(&["hostname", "clients", shop, "--ca", "missing.pem"]).await;
    assert!(code == Some(1) && text.contains("missing.pem"), "{text}");
}
