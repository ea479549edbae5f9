//! The table of errors of custom hostnames, row by row: what causes each, its code, status and text.

use http::Method;
use serde_json::{Value, json};

use super::zone;
use crate::common::Api;

const CHECK: &str = " Check your input and try again.";

/// What a row does in a zone that has `taken.customer.dev`, a wildcard `*.wild.dev` and an origin `o.saas.test`.
enum Do {
    /// Makes a hostname of this.
    Post(Value),
    /// Changes `taken.customer.dev` like this.
    Patch(Value),
    /// Changes the wildcard like this.
    PatchWild(Value),
    /// A body that is sent as it is.
    Raw(&'static str),
    /// Looks for a hostname of this id.
    Get(&'static str),
    /// Lists with this query.
    List(&'static str),
}
use Do::{Get, List, Patch, PatchWild, Post, Raw};

fn named(name: &str) -> Do {
    Post(json!({ "hostname": name }))
}

fn ssl(ssl: Value) -> Do {
    Post(json!({"hostname": "new.customer.dev", "ssl": ssl}))
}

fn set(settings: Value) -> Do {
    ssl(json!({"method": "txt", "type": "dv", "settings": settings}))
}

fn origin(server: &str) -> Do {
    Post(json!({"hostname": "new.customer.dev", "custom_origin_server": server}))
}

/// Every row of the table that this server has a cause for: code, status, the text's beginning and end, causes.
fn rows() -> Vec<(u32, u16, &'static str, &'static str, Vec<Do>)> {
    vec![
        (
            1400,
            400,
            "Unable to decode the JSON request body.",
            CHECK,
            vec![
                Raw("{"),
                Raw("[]"),
                Raw("null"),
                Raw("{}"),
                Post(json!({"hostname": 7})),
                Post(json!({"hostname": "new.customer.dev", "custom_origin_server": []})),
                Post(json!({"hostnam": "new.customer.dev"})),
            ],
        ),
        (
            1401,
            400,
            "Unable to encode the Custom Metadata as JSON.",
            CHECK,
            vec![
                Post(json!({"hostname": "new.customer.dev", "custom_metadata": "text"})),
                Patch(json!({"custom_metadata": {"k": "x".repeat(4_096)}})),
            ],
        ),
        (1406, 409, "Duplicate custom hostname found.", "", vec![named("Taken.customer.dev")]),
        (
            1407,
            400,
            "Invalid custom hostname. Custom hostnames have to be smaller than 256 characters in length, cannot be IP addresses, cannot contain any special characters such as ``~`!@#$%^&*()=+[]\\",
            "",
            vec![
                named(""),
                named("127.0.0.1"),
                named("[::1]"),
                named("a b.customer.dev"),
                named("a.*.dev"),
                named("-a.customer.dev"),
                Post(json!({"hostname": "a.".repeat(130) + "dev"})),
                named("a..dev"),
            ],
        ),
        (
            1408,
            400,
            "Custom hostnames with non-ASCII characters are not supported.",
            CHECK,
            vec![named("bücher.dev")],
        ),
        (
            1409,
            400,
            "Reserved top domain custom hostnames, such as 'test', 'example', 'invalid' or 'localhost', is not supported.",
            CHECK,
            vec![
                named("a.test"),
                named("a.example"),
                named("a.invalid"),
                named("a.localhost"),
                named("*.customer.test"),
            ],
        ),
        (
            1410,
            400,
            "Unable to parse custom hostname - publicsuffix: cannot derive eTLD+1 for domain \"co.uk\".",
            CHECK,
            vec![named("co.uk"), named("*.co.uk")],
        ),
        (
            1410,
            400,
            "Unable to parse custom hostname - publicsuffix: invalid public suffix \"123\" for domain \"a.123\".",
            CHECK,
            vec![named("a.123")],
        ),
        (
            1411,
            400,
            "Custom hostnames ending in example.com, example.net, or example.org are prohibited.",
            CHECK,
            vec![named("example.com"), named("a.example.net"), named("a.example.org")],
        ),
        (
            1412,
            400,
            "Custom metadata for wildcard custom hostnames is not supported.",
            CHECK,
            vec![
                Post(json!({"hostname": "*.customer.dev", "custom_metadata": {"a": 1}})),
                PatchWild(json!({"custom_metadata": {"a": 1}})),
            ],
        ),
        (
            1415,
            400,
            "Invalid custom origin hostname. Custom origin hostnames have to be smaller than 256 characters in length, cannot be IP addresses, cannot contain any special characters such as `!@#$%^&*()=+[]\\",
            "",
            vec![
                origin("192.0.2.1"),
                origin("a b.dev"),
                Post(json!({"hostname": "new.customer.dev", "custom_origin_sni": "a.dev"})),
            ],
        ),
        (
            1416,
            400,
            "Custom origin hostnames with non-ASCII characters are not supported.",
            CHECK,
            vec![origin("bücher.dev")],
        ),
        (
            1417,
            400,
            "Reserved top domain custom origin hostnames, such as 'test', 'example', 'invalid' or 'localhost', is not supported.",
            CHECK,
            vec![origin("o.saas.test")],
        ),
        (
            1418,
            400,
            "Unable to parse custom origin hostname - publicsuffix: cannot derive eTLD+1 for domain \"com\".",
            CHECK,
            vec![origin("com")],
        ),
        (
            1419,
            400,
            "Custom origin hostnames ending in example.com, example.net, or example.org are prohibited.",
            CHECK,
            vec![origin("o.example.com")],
        ),
        (1420, 400, "Wildcard custom origin hostnames are not supported.", CHECK, vec![origin("*.saas.dev")]),
        (
            1421,
            400,
            "The custom origin hostname you specified does not exist on Cloudflare as a DNS record (A, AAAA or CNAME) in your zone:",
            CHECK,
            vec![origin("missing.saas.dev"), Patch(json!({"custom_origin_server": "missing.saas.dev"}))],
        ),
        (
            1422,
            400,
            "Invalid `http2` setting. Only 'on' or 'off' is accepted.",
            CHECK,
            vec![set(json!({"http2": "maybe"})), set(json!({"http2": true}))],
        ),
        (
            1423,
            400,
            "Invalid `tls_1_2_only` setting. Only 'on' or 'off' is accepted.",
            CHECK,
            vec![set(json!({"tls_1_2_only": "maybe"}))],
        ),
        (
            1424,
            400,
            "Invalid `tls_1_3` setting. Only 'on' or 'off' is accepted.",
            CHECK,
            vec![set(json!({"tls_1_3": "zrt"}))],
        ),
        (
            1425,
            400,
            "Invalid `min_tls_version` setting. Only '1.0','1.1','1.2' or '1.3' is accepted.",
            CHECK,
            vec![set(json!({"min_tls_version": "1.4"})), set(json!({"min_tls_version": 1.2}))],
        ),
        (
            1432,
            400,
            "The validation method is not supported. Only `http`, `email`, or `txt` are accepted.",
            CHECK,
            vec![
                ssl(json!({"method": "cname", "type": "dv"})),
                ssl(json!({"method": "email", "type": "dv"})),
                ssl(json!({"method": 1, "type": "dv"})),
            ],
        ),
        (
            1433,
            400,
            "The validation type is not supported. Only 'dv' is accepted.",
            CHECK,
            vec![ssl(json!({"method": "txt", "type": "ev"}))],
        ),
        (
            1434,
            400,
            "The SSL attribute is invalid. Refer to the API documentation, check your input and try again.",
            "",
            vec![
                ssl(json!([])),
                ssl(json!("on")),
                ssl(json!({"wildcard": "yes"})),
                ssl(json!({"certificate_authority": "pebble"})),
                ssl(json!({"settings": []})),
                set(json!({"early_hints": "maybe"})),
                ssl(json!({"method": "http", "type": "dv", "wildcard": true})),
                ssl(json!({"custom_certificate": "-----BEGIN", "custom_key": "-----BEGIN"})),
                ssl(
                    json!({"custom_certificate": "-----BEGIN", "custom_csr_id": "7b163417-1d2b-4c84-a38a-2fb7a0cd7752"}),
                ),
            ],
        ),
        (
            1435,
            400,
            "The custom hostname ID is invalid.",
            CHECK,
            vec![Get("nonsense"), Get("0123456789abcdef0123456789abcdef")],
        ),
        (
            1436,
            404,
            "The custom hostname was not found.",
            "",
            vec![Get("1d74f419-c24c-4619-9ff2-489751b61d27")],
        ),
        (
            1437,
            400,
            "Invalid hostname.contain query parameter. The hostname.contain query parameter has to be smaller than 256 characters in length, cannot be IP addresses, cannot contain any special characters such as ``~`!@#$%^&*()=+[]\\",
            "",
            vec![
                List("hostname.contain=a%20b"),
                List("hostname.contain=127.0.0.1"),
                List("hostname.startsWith=a%2Fb"),
            ],
        ),
        (
            1438,
            400,
            "Cannot specify other filter parameters in addition to `id`. Only one must be specified.",
            CHECK,
            vec![
                List("id=1d74f419-c24c-4619-9ff2-489751b61d27&hostname=a.dev"),
                List("hostname.exact=a&hostname.contain=b"),
            ],
        ),
        (
            1439,
            409,
            "Modifying the custom hostname is not supported.",
            CHECK,
            vec![Patch(json!({"hostname": "other.customer.dev"}))],
        ),
        (
            1440,
            400,
            "Both validation type and validation method are required.",
            CHECK,
            vec![
                ssl(json!({"method": "txt"})),
                ssl(json!({"type": "dv"})),
                Patch(json!({"ssl": {"method": "txt"}})),
            ],
        ),
        (
            1442,
            400,
            "Invalid `ciphers` setting. Refer to the documentation for the list of accepted cipher suites.",
            CHECK,
            vec![
                set(json!({"ciphers": ["NULL-MD5"]})),
                set(json!({"ciphers": "AES128-SHA"})),
                set(json!({"ciphers": ["AES128-SHA"]})),
            ],
        ),
        (
            1443,
            400,
            "Cipher suite selection is not supported for a minimum TLS version of 1.3.",
            CHECK,
            vec![set(json!({"min_tls_version": "1.3", "ciphers": ["ECDHE-RSA-AES128-GCM-SHA256"]}))],
        ),
        (
            1448,
            400,
            "Custom hostnames with wildcards are not supported for certificates managed by Cloudflare. Review your input and try again.",
            "",
            vec![
                Post(json!({"hostname": "*.customer.dev", "ssl": {"method": "txt", "type": "dv"}})),
                PatchWild(json!({"ssl": {}})),
            ],
        ),
        (
            1449,
            400,
            "The request input `bundle_method` must be one of: ubiquitous, optimal, force.",
            "",
            vec![ssl(json!({"bundle_method": "odd"}))],
        ),
        (
            1469,
            400,
            "Since no host is 64 characters or fewer, Cloudflare Branding is required. Please check your input and try again.",
            "",
            vec![Post(
                json!({"hostname": format!("{}.customer.dev", "a".repeat(60)), "ssl": {"method": "txt", "type": "dv"}}),
            )],
        ),
    ]
}

#[tokio::test]
async fn every_row_of_the_table_of_errors_has_its_code_status_and_text() {
    let api = Api::new().await;
    let (_, path) = zone(&api, "saas.dev").await;
    let hostnames = format!("{path}/custom_hostnames");
    let made = async |name: &str| {
        let answer = api.post(&hostnames, &json!({ "hostname": name })).await.json();
        format!("{hostnames}/{}", answer["result"]["id"].as_str().unwrap())
    };
    let (taken, wild) = (made("taken.customer.dev").await, made("*.wild.dev").await);
    let before = api.stored().await;
    for (code, status, begins, ends, causes) in rows() {
        for cause in causes {
            let (answer, what) = match &cause {
                Post(body) => (api.post(&hostnames, body).await, body.to_string()),
                Patch(body) => (api.patch(&taken, body).await, body.to_string()),
                PatchWild(body) => (api.patch(&wild, body).await, body.to_string()),
                Raw(body) => {
                    (api.send(Method::POST, &hostnames, "application/json", *body).await, (*body).to_owned())
                }
                Get(id) => (api.get(&format!("{hostnames}/{id}")).await, (*id).to_owned()),
                List(query) => (api.get(&format!("{hostnames}?{query}")).await, (*query).to_owned()),
            };
            let envelope = answer.json();
            let error = &envelope["errors"][0];
            assert_eq!(
                (&error["code"], answer.status.as_u16()),
                (&json!(code), status),
                "{what}: {envelope}"
            );
            let text = error["message"].as_str().unwrap();
            assert!(text.starts_with(begins) && text.ends_with(ends), "{code} {what}: {text}");
            let detail = error["error_chain"][0]["message"].as_str().unwrap_or_default();
            assert!(!detail.is_empty(), "{code} {what}: nothing says which value it was");
        }
    }
    assert_eq!(api.stored().await, before, "what is refused changes nothing");
}

#[tokio::test]
async fn a_quota_is_told_by_its_codes() {
    for (quota, code, text) in [(0, 1404, "No quota has been allocated"), (1, 1405, "Quota exceeded")] {
        let api = Api::with_hostname_quota(quota).await;
        let (_, path) = zone(&api, "saas.dev").await;
        let hostnames = format!("{path}/custom_hostnames");
        for n in 0..quota {
            api.post(&hostnames, &json!({"hostname": format!("a{n}.customer.dev")})).await;
        }
        let refused = api.post(&hostnames, &json!({"hostname": "b.customer.dev"})).await.refused(403, code);
        assert!(refused.starts_with(text), "{refused}");
    }
}

#[tokio::test]
async fn what_is_below_no_zone_leads_nowhere() {
    let api = Api::new().await;
    let missing = "/client/v4/zones/0123456789abcdef0123456789abcdef";
    for path in
        ["/custom_hostnames", "/custom_hostnames/quota", "/dcv_delegation/uuid", "/dns_records", "/hold"]
    {
        api.get(&format!("{missing}{path}")).await.refused(404, 7003);
    }
    api.post(&format!("{missing}/custom_hostnames"), &json!({"hostname": "a.customer.dev"}))
        .await
        .refused(404, 7003);
    let record = json!({"type": "A", "name": "a", "content": "192.0.2.1"});
    api.post(&format!("{missing}/dns_records"), &record).await.refused(404, 7003);
}
