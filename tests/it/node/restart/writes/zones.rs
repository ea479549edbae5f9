//! The rows of zones, DNS records and custom hostnames. A file declares none of them.

use serde_json::{Value, json};

use super::{Calls, Declared::Beside, Row};
use crate::support::Api;

const ZONES: &str = "/client/v4/zones";
const RECORDS: &str = "/dns_records";
const HOSTNAMES: &str = "/custom_hostnames";

/// Calls that are no writes, though their method could be one's.
pub(super) const READS: &[&str] = &["PUT zones/{zone_id}/activation_check"];

/// What the rows write to.
pub(super) async fn prepare(api: &Api) {
    for name in ["kept.dev", "gone.dev"] {
        let made = api.post(ZONES, &json!({ "name": name })).await;
        let zone = format!("{ZONES}/{}", made.result()["id"].as_str().unwrap());
        for record in ["changed", "replaced", "gone"] {
            let record = json!({"type": "A", "name": record, "content": "192.0.2.1", "proxied": true});
            api.post(&format!("{zone}{RECORDS}"), &record).await.result();
        }
        for hostname in ["changed.customer.dev", "gone.customer.dev"] {
            let hostname = json!({"hostname": hostname, "ssl": {"method": "txt", "type": "dv"}});
            api.post(&format!("{zone}{HOSTNAMES}"), &hostname).await;
        }
        let origin = json!({"origin": format!("changed.{name}")});
        api.put(&format!("{zone}{HOSTNAMES}/fallback_origin"), &origin).await.result();
    }
}

/// Every zone with all that belongs to it.
pub(super) async fn seen(api: &Api) -> Value {
    let mut all = Vec::new();
    for zone in api.get(ZONES).await.result().as_array().unwrap() {
        let mut whole = vec![zone.clone()];
        for part in ["/settings", "/hold", RECORDS, HOSTNAMES, "/custom_hostnames/fallback_origin"] {
            let path = format!("{ZONES}/{}{part}", zone["id"].as_str().unwrap());
            let found = api.get(&path).await;
            whole.push(json!([found.envelope["result"], found.envelope["errors"][0]["code"]]));
        }
        all.push(json!(whole));
    }
    json!(all)
}

impl Calls {
    /// A call below a zone, on the first thing of a list there whose field has this value.
    async fn call_in_zone(
        &self,
        method: &str,
        zone: &str,
        list: &str,
        (field, value): (&str, &str),
        body: Value,
    ) -> Value {
        let zones = self.api.get(&format!("{ZONES}?name={zone}")).await.result().clone();
        let list = format!("{ZONES}/{}{list}", zones[0]["id"].as_str().unwrap());
        self.call_on(method, &list, field, value, body).await
    }
}

/// A row that writes below the zone `kept.dev`.
macro_rules! below {
    ($endpoint:literal, $method:literal, $rest:literal, $body:expr) => {
        Row {
            endpoint: $endpoint,
            seen: "zones",
            write: |c| Box::pin(c.call_below($method, ZONES, "name", "kept.dev", $rest, $body)),
            declared: Beside,
        }
    };
}

/// A row that writes to one thing of a list of the zone `kept.dev`.
macro_rules! one_of {
    ($endpoint:literal, $method:literal, $list:expr, $field:literal, $value:literal, $body:expr) => {
        Row {
            endpoint: $endpoint,
            seen: "zones",
            write: |c| Box::pin(c.call_in_zone($method, "kept.dev", $list, ($field, $value), $body)),
            declared: Beside,
        }
    };
}

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row {
            endpoint: "POST zones",
            seen: "zones",
            write: |c| Box::pin(c.call("POST", ZONES, json!({"name": "made.dev", "type": "partial"}))),
            declared: Beside,
        },
        Row {
            endpoint: "DELETE zones/{zone_id}",
            seen: "zones",
            write: |c| Box::pin(c.call_on("DELETE", ZONES, "name", "gone.dev", json!(null))),
            declared: Beside,
        },
        below!("PATCH zones/{zone_id}", "PATCH", "", json!({"paused": true})),
        below!(
            "PATCH zones/{zone_id}/settings/{setting_id}",
            "PATCH",
            "/settings/ciphers",
            json!({"value": ["ECDHE-RSA-AES128-GCM-SHA256"]})
        ),
        below!("POST zones/{zone_id}/hold", "POST", "/hold?include_subdomains=true", json!(null)),
        below!(
            "PATCH zones/{zone_id}/hold",
            "PATCH",
            "/hold",
            json!({"hold_after": "2999-01-01T00:00:00Z", "include_subdomains": true})
        ),
        below!("DELETE zones/{zone_id}/hold", "DELETE", "/hold", json!(null)),
        below!(
            "POST zones/{zone_id}/dns_records",
            "POST",
            "/dns_records",
            json!({"type": "CNAME", "name": "*.customers", "content": "changed.kept.dev", "proxied": true})
        ),
        one_of!(
            "PATCH zones/{zone_id}/dns_records/{dns_record_id}",
            "PATCH",
            RECORDS,
            "name",
            "changed.kept.dev",
            json!({"comment": "changed"})
        ),
        one_of!(
            "PUT zones/{zone_id}/dns_records/{dns_record_id}",
            "PUT",
            RECORDS,
            "name",
            "replaced.kept.dev",
            json!({"type": "AAAA", "name": "replaced", "content": "100::", "tags": ["a"]})
        ),
        one_of!(
            "DELETE zones/{zone_id}/dns_records/{dns_record_id}",
            "DELETE",
            RECORDS,
            "name",
            "gone.kept.dev",
            json!(null)
        ),
        below!(
            "POST zones/{zone_id}/custom_hostnames",
            "POST",
            "/custom_hostnames",
            json!({
                "hostname": "made.customer.dev", "custom_metadata": {"plan": "gold"},
                "custom_origin_server": "changed.kept.dev", "custom_origin_sni": ":request_host_header:",
            })
        ),
        one_of!(
            "PATCH zones/{zone_id}/custom_hostnames/{custom_hostname_id}",
            "PATCH",
            HOSTNAMES,
            "hostname",
            "changed.customer.dev",
            json!({"ssl": {"settings": {"min_tls_version": "1.2"}}, "custom_metadata": {"n": [1]}})
        ),
        one_of!(
            "DELETE zones/{zone_id}/custom_hostnames/{custom_hostname_id}",
            "DELETE",
            HOSTNAMES,
            "hostname",
            "gone.customer.dev",
            json!(null)
        ),
        below!(
            "PUT zones/{zone_id}/custom_hostnames/fallback_origin",
            "PUT",
            "/custom_hostnames/fallback_origin",
            json!({"origin": "replaced.kept.dev"})
        ),
        below!(
            "DELETE zones/{zone_id}/custom_hostnames/fallback_origin",
            "DELETE",
            "/custom_hostnames/fallback_origin",
            json!(null)
        ),
    ]
}
