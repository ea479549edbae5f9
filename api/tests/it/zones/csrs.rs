//! Requests for certificates, of a zone and of the account: made, listed, used, deleted; and their own table of errors.

use http::Method;
use serde_json::{Value, json};

use super::certificates::Authority;
use super::zone;
use crate::common::{Answer, Api};

const ACCOUNT: &str = "/client/v4/accounts/acc1/custom_csrs";

fn wanted() -> Value {
    json!({
        "country": "US", "state": "MA", "locality": "Boston", "organization": "City of Boston",
        "organizational_unit": "Championship Parade Detail", "common_name": "app.customer.dev",
        "sans": ["app.customer.dev", "*.customer.dev"], "key_type": "p256v1",
    })
}

fn changed(field: &str, value: Value) -> Value {
    let mut body = wanted();
    body[field] = value;
    body
}

#[track_caller]
fn made(answer: &Answer) -> Value {
    let mut envelope = answer.json();
    assert_eq!(answer.status.as_u16(), 201, "{envelope}");
    envelope["result"].take()
}

#[tokio::test]
async fn a_request_is_made_used_and_kept_while_it_is_in_use() {
    let authority = Authority::new();
    let (api, _data) = Api::with_certificates(&authority).await;
    let (_, path) = zone(&api, "saas.dev").await;
    let csrs = format!("{path}/custom_csrs");
    let csr = made(&api.post(&csrs, &wanted()).await);
    for (field, value) in wanted().as_object().unwrap() {
        assert_eq!(&csr[field], value, "{field}");
    }
    assert_eq!((&csr["name"], &csr["description"]), (&json!(""), &json!("")));
    assert!(csr["created_at"].is_string() && csr["account_tag"].is_string());
    let request = csr["csr"].as_str().unwrap();
    assert!(request.starts_with("-----BEGIN CERTIFICATE REQUEST-----\n"), "{request}");
    let one = format!("{csrs}/{}", csr["id"].as_str().unwrap());
    assert_eq!(api.get(&one).await.result(), csr);

    // Its customer has it signed, and brings the certificate alone.
    let certificate = authority.sign(request, &["app.customer.dev"]);
    let hostnames = format!("{path}/custom_hostnames");
    let ssl = json!({"custom_certificate": certificate, "custom_csr_id": csr["id"]});
    let hostname = made(&api.post(&hostnames, &json!({"hostname": "app.customer.dev", "ssl": ssl})).await);
    assert_eq!(
        (&hostname["ssl"]["custom_csr_id"], &hostname["ssl"]["custom_certificate"]),
        (&csr["id"], &json!(certificate))
    );
    assert_eq!(
        (&hostname["ssl"]["serial_number"], &hostname["ssl"]["status"]),
        (&json!("77"), &json!("active"))
    );
    let refused = api.delete(&one).await;
    assert!(
        refused
            .refused(409, 1420)
            .starts_with("The custom CSR is associated with an active certificate pack.")
    );
    // Another key's certificate is refused, as any is.
    let other = made(&api.post(&csrs, &wanted()).await);
    let ssl = json!({"custom_certificate": certificate, "custom_csr_id": other["id"]});
    api.post(&hostnames, &json!({"hostname": "www.customer.dev", "ssl": ssl})).await.refused(400, 1429);
    // With another certificate in its place, or without its hostname, it may go.
    let hostname = format!("{hostnames}/{}", hostname["id"].as_str().unwrap());
    let own = authority.issue(&["app.customer.dev"], &rcgen::PKCS_ECDSA_P256_SHA256);
    let ssl = json!({"custom_certificate": own.certificate, "custom_key": own.key});
    assert_eq!(api.patch(&hostname, &json!({"ssl": ssl})).await.status.as_u16(), 202);
    assert_eq!(api.delete(&one).await.result(), json!({"id": csr["id"]}));
    api.get(&one).await.refused(404, 1419);
    api.delete(&one).await.refused(404, 1419);
}

#[tokio::test]
async fn the_accounts_requests_are_for_all_zones_and_a_zones_for_itself() {
    let authority = Authority::new();
    let (api, _data) = Api::with_certificates(&authority).await;
    let ((_, one), (_, two)) = (zone(&api, "one.dev").await, zone(&api, "two.dev").await);
    let shared = made(&api.post(ACCOUNT, &wanted()).await);
    let own = made(&api.post(&format!("{one}/custom_csrs"), &wanted()).await);
    let take = async |zone: &str, csr: &Value| {
        let certificate = authority.sign(csr["csr"].as_str().unwrap(), &["app.customer.dev"]);
        let ssl = json!({"custom_certificate": certificate, "custom_csr_id": csr["id"]});
        let body = json!({"hostname": "app.customer.dev", "ssl": ssl});
        api.post(&format!("{zone}/custom_hostnames"), &body).await
    };
    take(&two, &own).await.refused(404, 1431);
    let taken = made(&take(&two, &shared).await);
    made(&take(&one, &own).await);
    let shared = format!("{ACCOUNT}/{}", shared["id"].as_str().unwrap());
    api.delete(&shared).await.refused(409, 1420);
    api.get(&format!("{one}/custom_csrs/{}", shared.rsplit('/').next().unwrap())).await.refused(404, 1419);
    api.delete(&format!("{two}/custom_hostnames/{}", taken["id"].as_str().unwrap())).await;
    api.delete(&shared).await.result();
    // With its zone goes what the zone had.
    api.delete(&one).await.result();
    api.get(&format!("{one}/custom_csrs")).await.refused(404, 7003);
}

#[tokio::test]
async fn requests_are_listed_by_pages_and_in_orders() {
    let (api, _data) = Api::with_certificates(&Authority::new()).await;
    for name in ["b", "c", "a"] {
        made(&api.post(ACCOUNT, &changed("name", json!(name))).await);
    }
    let names = async |query: &str| {
        let rows = api.get(&format!("{ACCOUNT}?{query}")).await.result();
        let rows = rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned());
        rows.collect::<Vec<String>>().join("")
    };
    assert_eq!(names("").await, "bca");
    assert_eq!(names("direction=desc").await, "acb");
    assert_eq!(names("order=name").await, "abc");
    assert_eq!(names("order=name&direction=desc&per_page=2").await, "cb");
    assert_eq!(names("order=name&per_page=2&page=2").await, "c");
    assert_eq!(names("page=2").await, "");
    api.get(&format!("{ACCOUNT}?order=color")).await.refused(400, 10004);
}

#[tokio::test]
async fn every_row_of_the_table_has_its_code_status_and_text() {
    let (api, _data) = Api::with_certificates(&Authority::new()).await;
    let (_, path) = zone(&api, "saas.dev").await;
    let check = " Check your input and try again.";
    let required = |field: &str, name: &'static str, code: u32| {
        let mut without = wanted();
        without.as_object_mut().unwrap().remove(field);
        let text = format!("{name} field is required.");
        (code, text, vec![without, changed(field, json!(null)), changed(field, json!(" "))])
    };
    let san = |name: &str| changed("sans", json!(["app.customer.dev", name]));
    let mut without_sans = wanted();
    without_sans.as_object_mut().unwrap().remove("sans");
    let country = changed("country", json!("USA"));
    let many: Vec<String> = (0..300).map(|number| format!("n{number}.customer.dev")).collect();
    let rows: Vec<(u32, String, Vec<Value>)> = vec![
        (1400, "Unable to decode the JSON request body.".to_owned(), vec![
            json!([]), json!(null), changed("country", json!(7)), changed("sans", json!("app.customer.dev")),
            changed("sans", json!([7])), changed("organizational_unit", json!("x".repeat(65))),
        ]),
        required("country", "Country", 1405),
        (1405, "Country field is required.".to_owned(), vec![country]),
        required("state", "State", 1406),
        required("locality", "Locality", 1407),
        required("organization", "Organization", 1408),
        required("common_name", "Common Name", 1409),
        (1410, "The specified Common Name is too long. Maximum allowed length is 64 characters.".to_owned(), vec![
            changed("common_name", json!("a".repeat(65))),
        ]),
        (1411, "At least one subject alternative name (SAN) is required.".to_owned(), vec![
            without_sans, changed("sans", json!([])),
        ]),
        (1412, "Invalid subject alternative name(s) (SAN). SANs have to be smaller than 256 characters in length".to_owned(), vec![
            san("192.0.2.1"), san("a b.dev"), san(""), san(&"a.".repeat(200)), changed("sans", json!(many)),
        ]),
        (1413, "Subject Alternative Names (SANs) with non-ASCII characters are not supported.".to_owned(), vec![san("bücher.dev")]),
        (1414, "Reserved top domain subject alternative names (SAN), such as 'test', 'example', 'invalid' or 'localhost', is not supported.".to_owned(), vec![san("a.test")]),
        (1415, "Unable to parse subject alternative name(s) (SAN) - publicsuffix: cannot derive eTLD+1 for domain \"co.uk\".".to_owned(), vec![san("co.uk")]),
        (1416, "Subject Alternative Names (SANs) ending in example.com, example.net, or example.org are prohibited.".to_owned(), vec![san("a.example.com")]),
        (1417, "Invalid key type. Only 'rsa2048' or 'p256v1' is accepted.".to_owned(), vec![changed("key_type", json!("rsa512"))]),
    ];
    let before = api.stored().await;
    for csrs in [format!("{path}/custom_csrs"), ACCOUNT.to_owned()] {
        for (code, begins, causes) in &rows {
            for cause in causes {
                let answer = api.post(&csrs, cause).await;
                let text = answer.refused(400, *code);
                assert!(text.starts_with(begins), "{code} {cause}: {text}");
                assert!(text.ends_with(check) || *code == 1412, "{code}: {text}");
                let detail = &answer.json()["errors"][0]["error_chain"][0]["message"];
                assert!(detail.as_str().is_some_and(|detail| !detail.is_empty()), "{code} {cause}");
            }
        }
        api.send(Method::POST, &csrs, "application/json", "{").await.refused(400, 1400);
        for id in ["nonsense", "0123456789abcdef0123456789abcdef"] {
            api.get(&format!("{csrs}/{id}")).await.refused(400, 1418);
            api.delete(&format!("{csrs}/{id}")).await.refused(400, 1418);
        }
        let missing = format!("{csrs}/7b163417-1d2b-4c84-a38a-2fb7a0cd7752");
        api.get(&missing).await.refused(404, 1419);
        api.delete(&missing).await.refused(404, 1419);
    }
    assert_eq!(api.stored().await, before, "what is refused changes nothing");
    // Where no visitor is served over TLS, no keys are kept.
    let plain = Api::new().await;
    plain.post(ACCOUNT, &wanted()).await.refused(403, 1404);
    let missing = "/client/v4/zones/0123456789abcdef0123456789abcdef/custom_csrs";
    plain.get(missing).await.refused(404, 7003);
    plain.post(missing, &wanted()).await.refused(404, 7003);
}

#[tokio::test]
async fn a_key_of_rsa_is_what_comes_without_a_word() {
    let (api, _data) = Api::with_certificates(&Authority::new()).await;
    let mut body = wanted();
    body.as_object_mut().unwrap().remove("key_type");
    let csr = made(&api.post(ACCOUNT, &body).await);
    assert_eq!(csr["key_type"], "rsa2048");
    assert!(csr["csr"].as_str().unwrap().len() > 900, "a request with a key of RSA is longer");
}
