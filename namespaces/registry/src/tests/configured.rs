//! The configuration owns what it names, and nothing else.

use super::*;
use crate::zones::DnsChange;
use wasmyard_model::bindings::BindingDecl;
use wasmyard_model::config_keys::ConfigKeys;
use wasmyard_model::domain::Domain;
use wasmyard_model::egress::EgressRules;
use wasmyard_model::hostname::{
    CertificateType, CustomHostname, CustomHostnameEdit, CustomName, HostnameMetadata, NewCustomHostname,
    SslEdit, ValidationMethod,
};
use wasmyard_model::limits::LimitSpec;
use wasmyard_model::namespace::{NamespacePatch, Origin};
use wasmyard_model::script::SettingsPatch;
use wasmyard_model::zone::{DnsRecordEdit, Setting, SslMode, Zone, ZoneEdit};

fn keys(names: &[&str]) -> ConfigKeys {
    let mut keys = ConfigKeys::default();
    names.iter().for_each(|name| keys.insert(*name));
    keys
}

fn text(name: &str, text: &str) -> BindingDecl {
    BindingDecl::from_json(&serde_json::json!({"type": "plain_text", "name": name, "text": text})).unwrap()
}

fn secret(name: &str) -> BindingDecl {
    BindingDecl::from_json(&serde_json::json!({"type": "secret_text", "name": name, "text": "hunter2"}))
        .unwrap()
}

fn names(namespaces: &[&str], scripts: &[&ScriptKey]) -> DeclaredNames {
    DeclaredNames {
        namespaces: namespaces.iter().map(|name| ns(name)).collect(),
        scripts: scripts.iter().map(|key| (*key).clone()).collect(),
        ..DeclaredNames::default()
    }
}

fn bindings(script: &Script) -> Vec<&str> {
    script.version.bindings.iter().map(|decl| decl.name.as_str()).collect()
}

fn cpu(cpu_ms: u64) -> LimitSpec {
    LimitSpec { cpu_ms: Some(cpu_ms), ..LimitSpec::default() }
}

async fn declare(registry: &Registry, draft: UploadDraft, names: &[&str]) -> Arc<Script> {
    let upload = Upload::parse(draft).unwrap();
    registry.declare_script(&platform("hello"), upload, keys(names)).await.unwrap().record
}

#[tokio::test]
async fn a_script_declared_again_keeps_its_version_and_what_the_api_made() {
    let registry = registry().await;
    let draft =
        || async { UploadDraft { bindings: vec![text("A", "1").into()], ..draft(&registry, "one").await } };
    let names = ["main", "bindings.A"];
    let first = declare(&registry, draft().await, &names).await;
    assert_eq!((first.version.number, first.origin()), (1, Origin::Config));
    registry.put_binding(&first.key, secret("KEY")).await.unwrap();
    registry.set_tags(&first.key, tags(&["paid"])).await.unwrap();
    let patch = SettingsPatch { limits: Some(cpu(7)), ..SettingsPatch::default() };
    let before = registry.update_settings(&first.key, patch).await.unwrap();

    let again = registry
        .declare_script(&first.key, Upload::parse(draft().await).unwrap(), keys(&names))
        .await
        .unwrap();
    assert_eq!(*again.record, *before, "nothing changes, the version least of all");
    assert!(!again.made && again.replaced.is_empty() && again.let_go.is_empty(), "{again:?}");

    let changed = UploadDraft { bindings: vec![text("A", "2").into()], ..draft_of(&registry, "two").await };
    let applied =
        registry.declare_script(&first.key, Upload::parse(changed).unwrap(), keys(&names)).await.unwrap();
    assert_eq!(applied.replaced, ["bindings.A", "main"]);
    let script = applied.record;
    assert_eq!((bindings(&script), script.version.number), (vec!["A", "KEY"], before.version.number + 1));
    assert_eq!((&script.tags, script.version.limits), (&tags(&["paid"]), cpu(7)));
}

async fn draft_of(registry: &Registry, content: &str) -> UploadDraft {
    draft(registry, content).await
}

#[tokio::test]
async fn what_the_configuration_names_is_refused_to_the_api_unless_it_is_forced() {
    let registry = registry().await;
    let draft = UploadDraft {
        bindings: vec![text("A", "1").into()],
        tags: Some(tags(&["paid"])),
        limits: cpu(20),
        ..draft(&registry, "one").await
    };
    let names = ["main", "bindings.A", "tags", "limits.cpu_ms"];
    let script = declare(&registry, draft, &names).await;
    let key = &script.key;
    let configured = |result: Result<Arc<Script>>, named: &str| {
        let error = result.unwrap_err();
        assert!(matches!(error, RegistryError::Configured(_)), "{error:?}");
        assert!(error.to_string().contains(named), "{error}");
    };
    configured(registry.set_tags(key, tags(&["free"])).await, "tags of script hello");
    configured(registry.change_tags(key, tags(&["free"]), &[]).await, "tags");
    configured(registry.put_binding(key, text("A", "2")).await, "bindings.A");
    configured(registry.change_bindings(key, Vec::new(), &[text("A", "").name]).await, "bindings.A");
    let patch = SettingsPatch { limits: Some(LimitSpec::default()), ..SettingsPatch::default() };
    configured(registry.update_settings(key, patch.clone()).await, "limits.cpu_ms");
    assert!(matches!(registry.delete_script(key).await, Err(RegistryError::Configured(_))));
    assert_eq!(*registry.script(key).await.unwrap().unwrap(), *script);

    // The same values are no change, and what is not named is free.
    registry.set_tags(key, tags(&["paid"])).await.unwrap();
    registry.put_binding(key, text("B", "2")).await.unwrap();
    let over = registry.over_configuration();
    over.update_settings(key, patch).await.unwrap();
    over.set_tags(key, tags(&["free"])).await.unwrap();
    assert!(over.delete_script(key).await.unwrap());
}

#[tokio::test]
async fn a_deletion_by_tags_leaves_what_the_configuration_declares() {
    let registry = registry().await;
    let draft = UploadDraft { tags: Some(tags(&["old"])), ..draft(&registry, "one").await };
    let declared = user("production", "declared");
    let upload = Upload::parse(draft.clone()).unwrap();
    registry.declare_script(&declared, upload, keys(&["main", "tags"])).await.unwrap();
    registry.deploy(&user("production", "made"), Upload::parse(draft).unwrap()).await.unwrap();
    let deleted = registry.delete_scripts(&ns("production"), None).await.unwrap();
    assert_eq!(deleted.names.iter().map(ScriptName::as_str).collect::<Vec<_>>(), ["made"]);
    assert!(registry.script(&declared).await.unwrap().is_some());
}

#[tokio::test]
async fn what_is_no_longer_named_is_taken_back_where_it_granted_and_stays_where_it_bounded() {
    let registry = registry().await;
    let full = UploadDraft {
        bindings: vec![text("A", "1").into(), text("B", "1").into()],
        tags: Some(tags(&["paid"])),
        limits: cpu(20),
        compatibility_flags: vec!["reuse_instances".to_owned()],
        ..draft(&registry, "one").await
    };
    let names = ["main", "bindings.A", "bindings.B", "tags", "limits.cpu_ms", "compatibility_flags"];
    let first = declare(&registry, full, &names).await;
    registry.put_binding(&first.key, secret("KEY")).await.unwrap();
    let less = UploadDraft { bindings: vec![text("A", "1").into()], ..draft(&registry, "one").await };
    let less = declare(&registry, less, &["main", "bindings.A"]).await;
    assert_eq!(bindings(&less), ["A", "KEY"], "a binding that left the file is no longer given");
    assert!(less.tags.is_empty() && less.version.compatibility_flags.is_empty());
    assert_eq!(less.version.limits, cpu(20), "a bound stays until somebody lifts it");
    let patch = SettingsPatch { limits: Some(cpu(30)), ..SettingsPatch::default() };
    registry.update_settings(&less.key, patch).await.unwrap();
}

fn open_namespace() -> NewNamespace {
    NewNamespace { trusted_workers: true, service_bindings: true, ..NewNamespace::named(ns("production")) }
}

#[tokio::test]
async fn egress_never_opens_because_of_a_start() {
    let registry = registry().await;
    let closed = EgressRules { allow_hosts: Some(Vec::new()), ..EgressRules::default() };
    let patch = NamespacePatch {
        egress: Some(Some(closed.clone())),
        limits: Some(cpu(7)),
        ..NamespacePatch::default()
    };
    registry.update_namespace(&ns("production"), patch).await.unwrap();
    let egress = |namespace: &wasmyard_model::namespace::Namespace| namespace.egress.as_deref().cloned();

    // The file begins to declare the namespace, and says nothing of egress.
    let new = NewNamespace::named(ns("production"));
    let applied = registry.declare_namespace(new.clone(), ConfigKeys::default()).await.unwrap();
    assert_eq!((egress(&applied.record), applied.record.limits), (Some(closed.clone()), cpu(7)));
    // It names one list of the rules: the other stays as the API made it.
    let ports = EgressRules { ports: Some(vec![443]), ..EgressRules::default() };
    let new = NewNamespace { egress: Some(ports), ..new };
    let named = keys(&["egress", "egress.ports"]);
    let applied = registry.declare_namespace(new, named).await.unwrap();
    let both = EgressRules { ports: Some(vec![443]), ..closed };
    assert_eq!(egress(&applied.record), Some(both.clone()));
    assert_eq!(applied.replaced, ["egress.ports"]);
    // It lets go of them: they stay.
    let new = NewNamespace::named(ns("production"));
    let applied = registry.declare_namespace(new, ConfigKeys::default()).await.unwrap();
    assert_eq!(egress(&applied.record), Some(both));
    assert_eq!(applied.let_go, ["egress", "egress.ports"]);
}

#[tokio::test]
async fn a_declared_namespace_is_the_configurations_until_it_leaves_the_file() {
    let registry = registry().await;
    let named = || keys(&["trusted_workers", "service_bindings"]);
    let applied = registry.declare_namespace(open_namespace(), named()).await.unwrap();
    let again = registry.declare_namespace(open_namespace(), named()).await.unwrap();
    assert_eq!(again.record, applied.record, "the same file changes nothing, the time of the change neither");
    let closed = NamespacePatch { trusted_workers: Some(false), ..NamespacePatch::default() };
    let renamed = NamespacePatch { name: Some(ns("prod")), ..NamespacePatch::default() };
    for patch in [closed, renamed.clone()] {
        let refused = registry.update_namespace(&ns("production"), patch).await;
        assert!(matches!(refused, Err(RegistryError::Configured(_))), "{refused:?}");
    }
    let refused = registry.delete_namespace(&ns("production")).await;
    assert!(matches!(refused, Err(RegistryError::Configured(_))), "{refused:?}");
    let patch = NamespacePatch { limits: Some(cpu(7)), ..NamespacePatch::default() };
    registry.update_namespace(&ns("production"), patch).await.unwrap();

    // The keys leave the file: trust was granted, and is taken back.
    let new = NewNamespace::named(ns("production"));
    let applied = registry.declare_namespace(new, ConfigKeys::default()).await.unwrap();
    assert!(!applied.record.trusted_workers && !applied.record.service_bindings);
    assert_eq!(applied.record.limits, cpu(7));
    // The namespace leaves it. A configuration of another name has no say in that.
    let [ours, other] = ["ours", "other"].map(|name| ConfigName::parse(name).unwrap());
    registry.announce(&ours, &names(&["production"], &[])).await.unwrap();
    assert!(registry.let_go_of_others(&other, &names(&[], &[])).await.unwrap().is_empty());
    assert_eq!(registry.let_go_of_others(&ours, &names(&[], &[])).await.unwrap(), ["namespace production"]);
    registry.update_namespace(&ns("production"), renamed).await.unwrap();
}

#[tokio::test]
async fn a_script_that_leaves_the_file_stays_and_is_the_apis() {
    let registry = registry().await;
    let key = platform("hello");
    registry.announce(&ConfigName::default(), &names(&[], &[&key])).await.unwrap();
    let draft = UploadDraft { tags: Some(tags(&["paid"])), ..draft(&registry, "one").await };
    let before = declare(&registry, draft, &["main", "tags"]).await;
    let none = registry.let_go_of_others(&ConfigName::default(), &names(&[], &[&key])).await.unwrap();
    assert!(none.is_empty(), "{none:?}");
    assert_eq!(
        registry.let_go_of_others(&ConfigName::default(), &names(&[], &[])).await.unwrap(),
        ["script hello"]
    );
    let after = registry.script(&key).await.unwrap().unwrap();
    assert_eq!((&after.version, &after.tags, after.origin()), (&before.version, &before.tags, Origin::Api));
    assert!(registry.delete_script(&key).await.unwrap());
    assert!(
        registry.let_go_of_others(&ConfigName::default(), &names(&[], &[])).await.unwrap().is_empty(),
        "it is said once"
    );
}

fn domain(name: &str) -> Domain {
    Domain::parse(name).unwrap()
}

fn shop(metadata: serde_json::Value) -> NewCustomHostname {
    let ssl = SslEdit {
        method: Some(ValidationMethod::Txt),
        kind: Some(CertificateType::Dv),
        ..SslEdit::default()
    };
    let edit = CustomHostnameEdit {
        metadata: Some(HostnameMetadata::take(&metadata).unwrap()),
        ssl: Some(ssl),
        ..CustomHostnameEdit::default()
    };
    NewCustomHostname { name: CustomName::parse("shop.customer.test").unwrap(), edit }
}

#[tokio::test]
async fn a_zone_declared_again_is_not_touched_and_the_api_has_what_the_file_does_not_name() {
    let registry = registry().await;
    let (name, named) = (domain("saas.test"), keys(&["settings.ssl"]));
    let edit = ZoneEdit { settings: vec![Setting::Ssl(SslMode::Strict)], ..ZoneEdit::default() };
    let declare = async || registry.declare_zone(&name, &edit, named.clone()).await.unwrap();
    let first = declare().await;
    assert!(first.made && first.replaced.is_empty(), "{first:?}");
    let id = &first.record.id;
    let pause = ZoneEdit { paused: Some(true), ..ZoneEdit::default() };
    registry.update_zone(id, pause).await.unwrap();
    let off = ZoneEdit { settings: vec![Setting::Ssl(SslMode::Off)], ..ZoneEdit::default() };
    let refused = registry.update_zone(id, off.clone()).await.unwrap_err();
    assert!(matches!(&refused, RegistryError::Configured(what) if what == "settings.ssl of zone saas.test"));
    assert!(matches!(registry.delete_zone(id).await, Err(RegistryError::Configured(_))));
    let before = registry.zone(id).unwrap();
    let again = declare().await;
    assert_eq!((again.record, again.replaced.len()), (before, 0), "its dates as well");
    registry.over_configuration().update_zone(id, off).await.unwrap();
    assert_eq!(declare().await.replaced, ["settings.ssl"]);
    let nothing = registry.declare_zone(&name, &ZoneEdit::default(), ConfigKeys::default()).await.unwrap();
    assert_eq!(nothing.let_go, ["settings.ssl"]);
    let zone: &Zone = &nothing.record;
    assert!(zone.settings.ssl() == SslMode::Strict && zone.paused, "nothing opens because a line is gone");
}

#[tokio::test]
async fn a_hostname_declared_again_goes_on_with_its_checks() {
    let registry = registry().await;
    let zone =
        registry.declare_zone(&domain("saas.test"), &ZoneEdit::default(), keys(&[])).await.unwrap().record;
    let named = keys(&["custom_metadata", "ssl.method", "ssl.type"]);
    let gold = serde_json::json!({"plan": "gold"});
    let declare = async |metadata: &serde_json::Value| {
        registry.declare_hostname(&zone.id, &shop(metadata.clone()), named.clone()).await.unwrap()
    };
    let made = declare(&gold).await.record;
    let checked = |before: &CustomHostname, _| {
        let checks = wasmyard_model::hostname::Checks { tries: 7, ..before.checks };
        Ok(Some(CustomHostname { checks, ..before.clone() }))
    };
    let before = registry.change_hostname(&zone.id, &made.id, checked).await.unwrap();
    assert_eq!(declare(&gold).await.record, before, "the same is not asked for again");
    let changed = declare(&serde_json::json!({"plan": "free"})).await;
    assert_eq!((changed.replaced, changed.record.checks.tries), (vec!["custom_metadata".to_owned()], 7));
    let refused = registry.edit_hostname(&zone.id, &made.id, &shop(gold.clone()).edit).await;
    assert!(matches!(refused, Err(RegistryError::Configured(_))), "{refused:?}");
    assert!(matches!(registry.delete_hostname(&zone.id, &made.id).await, Err(RegistryError::Configured(_))));
    // To ask for its checks again is no change of what the file names.
    let again = CustomHostnameEdit { metadata: None, ..shop(gold).edit };
    assert_eq!(registry.edit_hostname(&zone.id, &made.id, &again).await.unwrap().checks.tries, 0);
    let ours = ConfigName::default();
    let all = DeclaredNames {
        zones: vec![domain("saas.test")],
        hostnames: vec![(domain("saas.test"), made.name.clone())],
        ..DeclaredNames::default()
    };
    registry.announce(&ours, &all).await.unwrap();
    assert!(registry.let_go_of_others(&ours, &all).await.unwrap().is_empty());
    let gone = registry.let_go_of_others(&ours, &DeclaredNames::default()).await.unwrap();
    assert_eq!(gone, ["zone saas.test", "hostname shop.customer.test"]);
    registry.delete_hostname(&zone.id, &made.id).await.unwrap();
    registry.delete_zone(&zone.id).await.unwrap();
}

#[tokio::test]
async fn records_of_the_file_come_and_go_with_it_and_others_stay() {
    let registry = registry().await;
    let zone =
        registry.declare_zone(&domain("saas.test"), &ZoneEdit::default(), keys(&[])).await.unwrap().record;
    let record = |name: &str, content: &str, proxied: bool| DnsRecordEdit {
        kind: Some("A".to_owned()),
        name: Some(name.to_owned()),
        content: Some(content.to_owned()),
        proxied: Some(proxied),
        ..DnsRecordEdit::default()
    };
    let [ours, other] = ["ours", "other"].map(|name| ConfigName::parse(name).unwrap());
    let by_api = registry.create_dns_record(&zone.id, &record("api", "192.0.2.1", false)).await.unwrap();
    let taken = registry.create_dns_record(&zone.id, &record("taken", "192.0.2.2", false)).await.unwrap();
    let wanted = [record("origin", "192.0.2.3", true), record("taken", "192.0.2.2", true)];
    let replaced = registry.declare_dns_records(&ours, &zone.id, &wanted).await.unwrap();
    assert_eq!(replaced, ["DNS record taken.saas.test A"]);
    assert!(registry.declare_dns_records(&ours, &zone.id, &wanted).await.unwrap().is_empty());
    let elsewhere = registry.declare_dns_records(&other, &zone.id, &wanted[..1]).await;
    assert!(matches!(elsewhere, Err(RegistryError::Configured(_))), "{elsewhere:?}");
    let refused = registry.delete_dns_record(&zone.id, &taken.id).await;
    assert!(matches!(refused, Err(RegistryError::Configured(_))), "{refused:?}");
    // All or none: the first of these could be made.
    let both = [DnsChange::Delete(by_api.id.clone()), DnsChange::Delete(taken.id.clone())];
    assert!(registry.change_dns_records(&zone.id, &both).await.is_err());
    assert_eq!(registry.dns_records(&zone.id).await.unwrap().len(), 3);
    registry.declare_dns_records(&ours, &zone.id, &wanted[1..]).await.unwrap();
    let left = registry.dns_records(&zone.id).await.unwrap();
    let names: Vec<String> = left.iter().map(|record| record.name.to_string()).collect();
    assert_eq!(names, ["api.saas.test", "taken.saas.test"]);
}
