//! Scripts: deploy, look up, list, change, delete.

use serde_json::json;

use super::*;
use crate::record::{HISTORIES_LEFT, VERSIONS};
use wasmyard_model::bindings::{BindingDecl, BindingInput, BindingKind, BindingType, SecretText};
use wasmyard_model::limits::LimitSpec;
use wasmyard_model::script::SettingsPatch;
use wasmyard_model::secret::Secret;

#[tokio::test]
async fn a_deploy_is_seen_by_the_next_lookup() {
    let registry = registry().await;
    let key = user("production", "a");
    assert_eq!(registry.script(&key).await.unwrap(), None);
    assert_eq!(registry.script_cached(&key), Some(None));
    let first = deploy(&registry, &key, "one").await;
    assert_eq!(registry.script_cached(&key), Some(Some(first.clone())));
    let second = deploy(&registry, &key, "two").await;
    assert_eq!((&second.id, second.created_on, second.version.number), (&first.id, first.created_on, 2));
    assert_ne!(second.version.id, first.version.id);
    assert_eq!(registry.script(&key).await.unwrap(), Some(second));
    assert!(registry.delete_script(&key).await.unwrap());
    assert_eq!(registry.script(&key).await.unwrap(), None);
    assert!(!registry.delete_script(&key).await.unwrap());
}

#[tokio::test]
async fn what_cannot_be_deployed_is_refused_and_nothing_is_stored() {
    let registry = registry().await;
    let nowhere = registry.deploy(&user("nowhere", "a"), upload(&registry, "x").await).await.unwrap_err();
    assert_eq!(
        (nowhere.kind(), nowhere.to_string().as_str()),
        (ErrorKind::NotFound, "there is no namespace nowhere")
    );
    let missing = Component::new(Digest::of(b"never put"), 9);
    let missing = UploadDraft { code: missing.into(), ..UploadDraft::default() };
    let key = user("production", "a");
    let refused = registry.deploy(&key, Upload::parse(missing).unwrap()).await.unwrap_err();
    assert!(matches!(refused, RegistryError::ComponentMissing(_)));
    let inherits = UploadDraft {
        bindings: vec![BindingInput::from_json(&json!({"type": "inherit", "name": "A"})).unwrap()],
        bindings_strict: true,
        ..draft(&registry, "x").await
    };
    let refused = registry.deploy(&key, Upload::parse(inherits).unwrap()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert_eq!(registry.script(&key).await.unwrap(), None);
    assert_eq!(registry.script_count(&ns("production")).await.unwrap(), 0);
}

#[tokio::test]
async fn platform_scripts_and_user_scripts_do_not_meet() {
    let registry = registry().await;
    deploy(&registry, &platform("a"), "one").await;
    assert_eq!(registry.script(&user("production", "a")).await.unwrap(), None);
    deploy(&registry, &user("production", "b"), "two").await;
    assert_eq!(registry.script(&platform("b")).await.unwrap(), None);
    assert_eq!(names(&registry.platform_scripts().await.unwrap()), ["a"]);
    assert_eq!(names(&registry.scripts(&ns("production"), None).await.unwrap()), ["b"]);
}

#[tokio::test]
async fn listings_are_sorted_filtered_and_cut_into_pages() {
    let registry = registry().await;
    for n in 0..300 {
        let key = user("production", &format!("s{n:03}"));
        deploy(&registry, &key, "same").await;
        if n % 100 == 7 {
            registry.set_tags(&key, tags(&["odd", if n == 7 { "first" } else { "later" }])).await.unwrap();
        }
    }
    let ns = ns("production");
    assert_eq!(registry.script_count(&ns).await.unwrap(), 300);
    let all = registry.scripts(&ns, None).await.unwrap();
    assert!(all.len() == 300 && all.is_sorted_by_key(|script| script.key.clone()));
    let filter = "odd:yes".parse().unwrap();
    assert_eq!(names(&registry.scripts(&ns, Some(&filter)).await.unwrap()), ["s007", "s107", "s207"]);
    let after = ScriptName::parse("s007").unwrap();
    let page = registry.scripts_page(Some(&ns), Some(&filter), Some(&after), 1).await.unwrap();
    assert_eq!(names(&page), ["s107"]);
    let filter = "odd:yes,first:no".parse().unwrap();
    assert_eq!(registry.delete_scripts(&ns, Some(&filter)).await.unwrap().names.len(), 2);
    assert_eq!(registry.script(&user("production", "s107")).await.unwrap(), None);
    assert_eq!(registry.script_count(&ns).await.unwrap(), 298);
    assert_eq!(registry.delete_scripts(&ns, None).await.unwrap().names.len(), 298);
    assert_eq!(registry.scripts(&ns, None).await.unwrap(), []);
}

#[tokio::test]
async fn tags_are_set_added_and_removed_without_a_new_version() {
    let registry = registry().await;
    let key = user("production", "a");
    assert_eq!(registry.set_tags(&key, vec![]).await.unwrap_err().kind(), ErrorKind::NotFound);
    let version = deploy(&registry, &key, "one").await.version.clone();
    let script = registry.set_tags(&key, tags(&["b", "a"])).await.unwrap();
    assert_eq!((&script.tags, &script.version), (&tags(&["a", "b"]), &version));
    registry.change_tags(&key, tags(&["c"]), &[]).await.unwrap();
    registry.change_tags(&key, tags(&["c"]), &[]).await.unwrap();
    let script = registry.change_tags(&key, Vec::new(), &tags(&["a"])).await.unwrap();
    assert_eq!(script.tags, tags(&["b", "c"]));
    registry.set_tags(&key, tags(&["1", "2", "3", "4", "5", "6", "7", "8"])).await.unwrap();
    let refused = registry.change_tags(&key, tags(&["9"]), &[]).await.unwrap_err();
    assert!(refused.to_string().contains("9 tags are more than the 8"), "{refused}");
    // A deploy that says nothing about tags leaves them; one that does sets them.
    assert_eq!(deploy(&registry, &key, "two").await.tags.len(), 8);
    let tagged = UploadDraft { tags: Some(tags(&["x"])), ..draft(&registry, "three").await };
    let script = registry.deploy(&key, Upload::parse(tagged).unwrap()).await.unwrap();
    assert_eq!(script.tags, tags(&["x"]));
}

#[tokio::test]
async fn settings_make_a_new_version_of_the_same_component() {
    let registry = registry().await;
    let key = platform("a");
    let before = deploy(&registry, &key, "one").await;
    let patch = SettingsPatch {
        bindings: Some(vec![
            BindingInput::from_json(&json!({"type": "plain_text", "name": "A", "text": "x"})).unwrap(),
        ]),
        limits: Some(LimitSpec { cpu_ms: Some(7), ..LimitSpec::default() }),
        compatibility_date: Some("2026-01-01".to_owned()),
        ..SettingsPatch::default()
    };
    let after = registry.update_settings(&key, patch).await.unwrap();
    assert_eq!(after.version.code, before.version.code);
    assert_eq!((after.version.number, after.version.limits.cpu_ms), (2, Some(7)));
    assert_eq!(after.version.bindings.len(), 1);
    let keep = SettingsPatch {
        bindings: Some(vec![BindingInput::from_json(&json!({"type": "inherit", "name": "A"})).unwrap()]),
        ..SettingsPatch::default()
    };
    let kept = registry.update_settings(&key, keep).await.unwrap();
    assert_eq!(kept.version.bindings, after.version.bindings);
    let too_much = SettingsPatch {
        limits: Some(LimitSpec { cpu_ms: Some(30_001), ..LimitSpec::default() }),
        ..SettingsPatch::default()
    };
    assert_eq!(registry.update_settings(&key, too_much).await.unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(registry.script(&key).await.unwrap(), Some(kept));
}

#[tokio::test]
async fn secrets_are_put_kept_over_deploys_and_removed() {
    let registry = registry().await;
    let key = user("production", "a");
    deploy(&registry, &key, "one").await;
    let name = BindingName::parse("KEY").unwrap();
    let secret = BindingDecl {
        name: name.clone(),
        kind: BindingKind::SecretText(SecretText { text: Secret::new("hunter2") }),
    };
    let script = registry.put_binding(&key, secret.clone()).await.unwrap();
    assert_eq!((script.version.number, &script.version.bindings), (2, &vec![secret.clone()]));
    let keeps = UploadDraft { keep_bindings: vec![BindingType::SecretText], ..draft(&registry, "two").await };
    let script = registry.deploy(&key, Upload::parse(keeps).unwrap()).await.unwrap();
    assert_eq!(script.version.bindings, [secret]);
    assert!(!format!("{script:?}").contains("hunter2"));
    let without = registry.change_bindings(&key, Vec::new(), std::slice::from_ref(&name)).await.unwrap();
    assert!(without.version.bindings.iter().all(|decl| decl.name != name));
    let again = registry.change_bindings(&key, Vec::new(), &[name]).await.unwrap();
    assert_eq!(again.version, without.version, "there was nothing to remove, so this is no new version");
    assert_eq!(registry.script(&key).await.unwrap().unwrap().version.number, 4);
}

#[tokio::test]
async fn scripts_that_are_deleted_together_are_gone_by_one_append_and_their_history_after_them() {
    let options = RegistryOptions { deleted_at_once: 200, ..RegistryOptions::default() };
    let registry = Registry::open_with(Arc::new(MemoryStore::new()), Blobs::memory(), options).await.unwrap();
    registry.create_namespace(NewNamespace::named(ns("production"))).await.unwrap();
    let key = |n: usize| user("production", &format!("s{n:03}"));
    for n in 0..300 {
        deploy(&registry, &key(n), "one").await;
        registry.set_tags(&key(n), tags(&["old"])).await.unwrap();
        if n % 50 == 0 {
            deploy(&registry, &key(n), "two").await;
        }
        registry.script(&key(n)).await.unwrap();
    }
    let (ns, filter) = (ns("production"), "old:yes".parse().unwrap());
    let before = registry.inner.log.revision().await.unwrap();
    let first = registry.delete_scripts(&ns, Some(&filter)).await.unwrap();
    assert_eq!(registry.inner.log.revision().await.unwrap(), before + 1, "all or none");
    assert_eq!(
        (first.names.len(), first.has_more, registry.script_count(&ns).await.unwrap()),
        (200, true, 100)
    );
    for n in 0..300 {
        assert_eq!(registry.script(&key(n)).await.unwrap().is_some(), n >= 200, "{n}");
    }
    // One that is deployed again before the sweep has nothing of the one before.
    deploy(&registry, &key(50), "three").await;
    let kept = registry.kept(&key(50)).await.unwrap().unwrap();
    assert_eq!((kept.versions().len(), kept.past.len()), (1, 0));
    deploy(&registry, &key(50), "four").await;
    registry.collect_garbage().await.unwrap();
    let kept = registry.kept(&key(50)).await.unwrap().unwrap();
    assert_eq!((kept.versions().len(), kept.past.len()), (2, 1), "and keeps its own");
    let rest = registry.delete_scripts(&ns, Some(&filter)).await.unwrap();
    assert_eq!((rest.names.len(), rest.has_more), (100, false));
    registry.collect_garbage().await.unwrap();
    let log = &registry.inner.log;
    assert_eq!(log.count(&VERSIONS, "").await.unwrap(), 1);
    assert_eq!(log.count(&HISTORIES_LEFT, "").await.unwrap(), 0);
}
