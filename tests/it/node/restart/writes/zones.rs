//! The rows of zones, DNS records and custom hostnames, with a zone that the file declares.

use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use super::{
    Calls,
    Declared::{Beside, Refused},
    Row,
};
use crate::support::{Api, within};

const ZONES: &str = "/client/v4/zones";
const ROUTES: &str = "/workers/routes";
const RECORDS: &str = "/dns_records";
const HOSTNAMES: &str = "/custom_hostnames";

/// Calls that are no writes, though their method could be one's.
pub(super) const READS: &[&str] = &["PUT zones/{zone_id}/activation_check"];

/// What the file declares of zones.
pub(super) const CONFIG: &str = r#"
[zones."declared.dev"]
settings = { ssl = "strict" }
fallback_origin = "origin.declared.dev"
hold = { include_subdomains = true }
[[zones."declared.dev".dns_records]]
type = "AAAA"
name = "origin"
content = "100::"
proxied = true
[zones."declared.dev".hostnames."shop.declared-customer.dev"]
ssl = { method = "txt", type = "dv" }
custom_metadata = { plan = "gold" }
[[routes]]
pattern = "www.declared.dev/*"
respond = 410
"#;

/// The declared zone, without what a deletion and another start change: ids, times, how far checks have come.
pub(super) async fn declared(api: &Api) -> Value {
    let zone = api.get(&format!("{ZONES}?name=declared.dev")).await.result()[0].clone();
    let below = async |part: &str| {
        let path = format!("{ZONES}/{}{part}", zone["id"].as_str().unwrap_or_default());
        api.get(&path).await.envelope["result"].clone()
    };
    let (record, hostname) = (below(RECORDS).await[0].clone(), below(HOSTNAMES).await[0].clone());
    json!([
        zone["declared"],
        below("/settings/ssl").await["value"],
        below("/hold").await,
        [record["name"], record["content"], record["proxied"], record["comment"]],
        [hostname["hostname"], hostname["declared"], hostname["custom_metadata"], hostname["ssl"]["method"]],
        below("/custom_hostnames/fallback_origin").await["origin"],
    ])
}

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

impl Calls {
    /// A call on the routes of a zone.
    async fn route(&self, method: &str, zone: &str, routes: &str, pattern: &str) -> Value {
        let body = json!({"pattern": pattern, "script": "front"});
        self.call_below(method, ZONES, "name", zone, routes, body).await
    }

    /// Records of a name server's file.
    async fn import(&self, zone: &str, text: &'static str) -> Value {
        let zones = self.api.get(&format!("{ZONES}?name={zone}")).await.result().clone();
        let path = format!("{ZONES}/{}{RECORDS}/import", zones[0]["id"].as_str().unwrap());
        let form = Form::new().part("file", Part::text(text).file_name("zone.txt"));
        let request = self.api.request(Method::POST, &path).multipart(form);
        within("import", request.send()).await.unwrap().json().await.unwrap()
    }
}

/// A row that writes below the zone `kept.dev`, and where the file declares what it writes, below `declared.dev`.
macro_rules! below {
    ($endpoint:literal, $method:literal, $rest:literal, $body:expr) => {
        below!($endpoint, $method, $rest, $body, Beside)
    };
    ($endpoint:literal, $method:literal, $rest:literal, $body:expr, declared $declared:literal, $other:expr) => {
        below!(
            $endpoint,
            $method,
            $rest,
            $body,
            Refused(|c| {
                Box::pin(c.call_below($method, ZONES, "name", "declared.dev", $declared, $other))
            })
        )
    };
    ($endpoint:literal, $method:literal, $rest:literal, $body:expr, $kind:expr) => {
        Row {
            endpoint: $endpoint,
            seen: "zones",
            write: |c| Box::pin(c.call_below($method, ZONES, "name", "kept.dev", $rest, $body)),
            declared: $kind,
        }
    };
}

/// A row that writes to one thing of a list of the zone `kept.dev`, and to the one that the file declares.
macro_rules! one_of {
    ($endpoint:literal, $method:literal, $list:expr, $field:literal, $value:literal, $body:expr, $declared:literal, $other:expr) => {
        Row {
            endpoint: $endpoint,
            seen: "zones",
            write: |c| Box::pin(c.call_in_zone($method, "kept.dev", $list, ($field, $value), $body)),
            declared: Refused(|c| {
                Box::pin(c.call_in_zone($method, "declared.dev", $list, ($field, $declared), $other))
            }),
        }
    };
}

/// A row that writes to a route of the zone `kept.dev`, and to the declared one of `declared.dev`.
macro_rules! route {
    ($endpoint:literal, $method:literal, $pattern:literal) => {
        Row {
            endpoint: $endpoint,
            seen: "routes",
            write: |c| {
                let moved = json!({"pattern": "moved.kept.dev/*"});
                Box::pin(c.call_in_zone($method, "kept.dev", ROUTES, ("pattern", $pattern), moved))
            },
            declared: Refused(|c| {
                let moved = json!({"pattern": "moved.declared.dev/*"});
                let route = ("pattern", "www.declared.dev/*");
                Box::pin(c.call_in_zone($method, "declared.dev", ROUTES, route, moved))
            }),
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
            declared: Refused(|c| Box::pin(c.call_on("DELETE", ZONES, "name", "declared.dev", json!(null)))),
        },
        below!("PATCH zones/{zone_id}", "PATCH", "", json!({"paused": true})),
        Row {
            endpoint: "POST zones/{zone_id}/workers/routes",
            seen: "routes",
            write: |c| {
                Box::pin(async move {
                    for pattern in ["gone.kept.dev/*", "made.kept.dev/*"] {
                        c.route("POST", "kept.dev", ROUTES, pattern).await;
                    }
                    c.route("POST", "kept.dev", ROUTES, "other.kept.dev/*").await
                })
            },
            declared: Beside,
        },
        route!("PUT zones/{zone_id}/workers/routes/{route_id}", "PUT", "made.kept.dev/*"),
        route!("DELETE zones/{zone_id}/workers/routes/{route_id}", "DELETE", "gone.kept.dev/*"),
        below!(
            "PATCH zones/{zone_id}/settings/{setting_id}",
            "PATCH",
            "/settings/ciphers",
            json!({"value": ["ECDHE-RSA-AES128-GCM-SHA256"]}),
            declared "/settings/ssl",
            json!({"value": "off"})
        ),
        below!(
            "POST zones/{zone_id}/hold",
            "POST",
            "/hold?include_subdomains=true",
            json!(null),
            declared "/hold",
            json!(null)
        ),
        below!(
            "PATCH zones/{zone_id}/hold",
            "PATCH",
            "/hold",
            json!({"hold_after": "2999-01-01T00:00:00Z", "include_subdomains": true}),
            declared "/hold",
            json!({"include_subdomains": false})
        ),
        below!("DELETE zones/{zone_id}/hold", "DELETE", "/hold", json!(null), declared "/hold", json!(null)),
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
            json!({"comment": "changed"}),
            "origin.declared.dev",
            json!({"comment": "changed"})
        ),
        one_of!(
            "PUT zones/{zone_id}/dns_records/{dns_record_id}",
            "PUT",
            RECORDS,
            "name",
            "replaced.kept.dev",
            json!({"type": "AAAA", "name": "replaced", "content": "100::", "tags": ["a"]}),
            "origin.declared.dev",
            json!({"type": "AAAA", "name": "origin", "content": "100::1"})
        ),
        one_of!(
            "DELETE zones/{zone_id}/dns_records/{dns_record_id}",
            "DELETE",
            RECORDS,
            "name",
            "gone.kept.dev",
            json!(null),
            "origin.declared.dev",
            json!(null)
        ),
        below!(
            "POST zones/{zone_id}/dns_records/batch",
            "POST",
            "/dns_records/batch",
            json!({"posts": [{"type": "A", "name": "batch", "content": "192.0.2.9"}]})
        ),
        Row {
            endpoint: "POST zones/{zone_id}/dns_records/import",
            seen: "zones",
            write: |c| Box::pin(c.import("kept.dev", "imported 300 IN A 192.0.2.8\n")),
            declared: Beside,
        },
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
            json!({"ssl": {"settings": {"min_tls_version": "1.2"}}, "custom_metadata": {"n": [1]}}),
            "shop.declared-customer.dev",
            json!({"custom_metadata": {"plan": "free"}})
        ),
        one_of!(
            "DELETE zones/{zone_id}/custom_hostnames/{custom_hostname_id}",
            "DELETE",
            HOSTNAMES,
            "hostname",
            "gone.customer.dev",
            json!(null),
            "shop.declared-customer.dev",
            json!(null)
        ),
        below!(
            "PUT zones/{zone_id}/custom_hostnames/fallback_origin",
            "PUT",
            "/custom_hostnames/fallback_origin",
            json!({"origin": "replaced.kept.dev"}),
            declared "/custom_hostnames/fallback_origin",
            json!({"origin": "other.declared.dev"})
        ),
        below!(
            "DELETE zones/{zone_id}/custom_hostnames/fallback_origin",
            "DELETE",
            "/custom_hostnames/fallback_origin",
            json!(null),
            declared "/custom_hostnames/fallback_origin",
            json!(null)
        ),
    ]
}
