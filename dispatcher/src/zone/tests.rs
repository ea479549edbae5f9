//! A visit to a custom hostname, over a registry in memory.

use std::net::IpAddr;
use std::sync::Arc;

use http::Request;
use serde_json::json;
use wasmyard_events::Sinks;
use wasmyard_listener::Client;
use wasmyard_namespaces::hostname::{
    CustomHostname, CustomHostnameEdit, CustomName, HostnameMetadata, HostnameStatus, NewCustomHostname,
};
use wasmyard_namespaces::name::ScriptName;
use wasmyard_namespaces::route::RouteTarget;
use wasmyard_namespaces::script::ScriptKey;
use wasmyard_namespaces::zone::{DnsRecordEdit, NewZone, Zone, ZoneEdit, ZoneType};
use wasmyard_namespaces::{Domain, Origin};
use wasmyard_runtime::body;

use super::*;
use crate::answer::script::info_of;
use crate::head;
use crate::observe::Metrics;
use crate::route::{self, Destination};
use crate::trace::{Trace, Underway};
use crate::visit::VisitLog;

/// A registry with a zone `saas.test`, whose fallback origin is `service.saas.test`, and a custom hostname in it.
async fn served() -> (Registry, Arc<Zone>, Arc<CustomHostname>) {
    let registry = Registry::in_memory().await.unwrap();
    let name = Domain::parse("saas.test").unwrap();
    let zone = registry.create_zone(NewZone { name, kind: ZoneType::Full }).await.unwrap();
    let record = |name: &str| DnsRecordEdit {
        kind: Some("AAAA".to_owned()),
        name: Some(name.to_owned()),
        content: Some("100::".to_owned()),
        proxied: Some(true),
        ..DnsRecordEdit::default()
    };
    for name in ["service", "other"] {
        registry.create_dns_record(&zone.id, &record(name)).await.unwrap();
    }
    let fallback = Domain::parse("service.saas.test").unwrap();
    let edit = ZoneEdit { fallback_origin: Some(Some(fallback)), ..ZoneEdit::default() };
    let zone = registry.update_zone(&zone.id, edit).await.unwrap();
    let metadata = HostnameMetadata::take(&json!({"plan": "gold"})).unwrap();
    let new = NewCustomHostname {
        name: CustomName::parse("shop.customer.test").unwrap(),
        edit: CustomHostnameEdit { metadata: Some(metadata), ..CustomHostnameEdit::default() },
    };
    let hostname = registry.create_hostname(&zone.id, &new).await.unwrap();
    (registry, zone, hostname)
}

async fn activate(registry: &Registry, hostname: &CustomHostname) {
    let decide = |before: &CustomHostname, _| {
        Ok(Some(CustomHostname { status: HostnameStatus::Active, ..before.clone() }))
    };
    registry.change_hostname(&hostname.zone, &hostname.id, decide).await.unwrap();
}

/// Where a visit to a host goes, and what its script is told.
async fn visit(registry: &Registry, host: &str) -> (Result<Destination, Refusal>, Option<Arc<str>>) {
    let metrics = Metrics::new().unwrap();
    let underway = Underway::new(metrics.registry()).unwrap();
    let sink = Arc::new(Sinks::new(Vec::new())) as _;
    let client = Client { address: IpAddr::from([192, 0, 2, 1]), secure: false, encrypted: None };
    let request = Request::get("/page").header("host", host).body(body::empty()).unwrap();
    let log = VisitLog::open(Trace::of_visit(&sink, &underway), client.address, &request);
    let visit = head::read(request, client, &log).unwrap();
    let visit = find(registry, visit).await.unwrap();
    (route::find(registry, &visit), info_of(&visit).hostname_metadata)
}

async fn route_to(registry: &Registry, pattern: &str, script: &str) {
    let target = RouteTarget::Script(ScriptName::parse(script).unwrap());
    registry.add_route(pattern.parse().unwrap(), target, Origin::Api).await.unwrap();
}

fn script(name: &str) -> Destination {
    Destination::Script(ScriptKey::Platform(ScriptName::parse(name).unwrap()))
}

#[tokio::test]
async fn a_custom_hostname_goes_where_its_origin_goes_and_brings_its_metadata() {
    let (registry, zone, hostname) = served().await;
    route_to(&registry, "service.saas.test/*", "fallback").await;
    route_to(&registry, "other.saas.test/*", "other").await;
    let (before, metadata) = visit(&registry, "shop.customer.test").await;
    assert!(before.is_err() && metadata.is_none(), "nobody has shown yet whose it is");
    activate(&registry, &hostname).await;
    let (to, metadata) = visit(&registry, "shop.customer.test").await;
    assert_eq!((to.unwrap(), metadata.as_deref()), (script("fallback"), Some(r#"{"plan":"gold"}"#)));
    let mut edit = CustomHostnameEdit::default();
    edit.origin.server = Some(Some(Domain::parse("other.saas.test").unwrap()));
    registry.edit_hostname(&zone.id, &hostname.id, &edit).await.unwrap();
    assert_eq!(visit(&registry, "shop.customer.test").await.0.unwrap(), script("other"));
    registry.delete_hostname(&zone.id, &hostname.id).await.unwrap();
    assert!(visit(&registry, "shop.customer.test").await.0.is_err());
}

#[tokio::test]
async fn a_route_for_the_host_goes_before_its_origin() {
    let (registry, _, hostname) = served().await;
    route_to(&registry, "service.saas.test/*", "fallback").await;
    activate(&registry, &hostname).await;
    route_to(&registry, "*/*", "dispatcher").await;
    let (to, metadata) = visit(&registry, "shop.customer.test").await;
    assert_eq!((to.unwrap(), metadata.as_deref()), (script("dispatcher"), Some(r#"{"plan":"gold"}"#)));
    let (to, metadata) = visit(&registry, "elsewhere.test").await;
    assert_eq!((to.unwrap(), metadata), (script("dispatcher"), None));
    let (to, metadata) = visit(&registry, "service.saas.test").await;
    assert_eq!((to.unwrap(), metadata), (script("fallback"), None));
}
