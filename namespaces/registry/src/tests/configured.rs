//! The configuration owns what it names, and nothing else.

use super::*;
use wasmyard_model::bindings::BindingDecl;
use wasmyard_model::config_keys::ConfigKeys;
use wasmyard_model::egress::EgressRules;
use wasmyard_model::limits::LimitSpec;
use wasmyard_model::namespace::{NamespacePatch, Origin};
use wasmyard_model::script::SettingsPatch;

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
    assert_eq!(deleted.iter().map(ScriptName::as_str).collect::<Vec<_>>(), ["made"]);
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
    registry.announce(&ours, &[ns("production")], &[]).await.unwrap();
    assert!(registry.let_go_of_others(&other, &[], &[]).await.unwrap().is_empty());
    assert_eq!(registry.let_go_of_others(&ours, &[], &[]).await.unwrap(), ["namespace production"]);
    registry.update_namespace(&ns("production"), renamed).await.unwrap();
}

#[tokio::test]
async fn a_script_that_leaves_the_file_stays_and_is_the_apis() {
    let registry = registry().await;
    let key = platform("hello");
    registry.announce(&ConfigName::default(), &[], std::slice::from_ref(&key)).await.unwrap();
    let draft = UploadDraft { tags: Some(tags(&["paid"])), ..draft(&registry, "one").await };
    let before = declare(&registry, draft, &["main", "tags"]).await;
    let none =
        registry.let_go_of_others(&ConfigName::default(), &[], std::slice::from_ref(&key)).await.unwrap();
    assert!(none.is_empty(), "{none:?}");
    assert_eq!(registry.let_go_of_others(&ConfigName::default(), &[], &[]).await.unwrap(), ["script hello"]);
    let after = registry.script(&key).await.unwrap().unwrap();
    assert_eq!((&after.version, &after.tags, after.origin()), (&before.version, &before.tags, Origin::Api));
    assert!(registry.delete_script(&key).await.unwrap());
    assert!(
        registry.let_go_of_others(&ConfigName::default(), &[], &[]).await.unwrap().is_empty(),
        "it is said once"
    );
}
