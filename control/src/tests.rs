//! Tests of the use cases over a registry in memory, with a checker that counts.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use serde_json::json;
use wasmyard_kv::{KvLimits, SqliteKv};
use wasmyard_namespaces::registry::Rollout;
use wasmyard_namespaces::store::MemoryStore;
use wasmyard_namespaces::{
    BindingDecl, BindingInput, Blobs, Clock, ConfigKeys, Digest, EventKind, LimitSpec, NamespaceName,
    NamespacePatch, NewNamespace, RegistryError, RegistryOptions, ScriptKey, ScriptName, Share, UploadDraft,
};
use wasmyard_queues::{QueueLimits, SqliteQueues};

use super::*;
use crate::configuration::DeclaredScript;

mod alerting;
mod own;

/// Passes what begins with `good`, and counts how often it was asked.
pub(crate) struct Counting(
    AtomicUsize,
    // Where keys, values and queues are.
    tempfile::TempDir,
);

#[async_trait::async_trait]
impl ComponentChecker for Counting {
    async fn check(
        &self,
        _digest: &Digest,
        bytes: Bytes,
        asked: &[LimitSpec],
    ) -> std::result::Result<Checked, Refusal> {
        self.0.fetch_add(1, Ordering::Relaxed);
        if bytes.starts_with(b"good") {
            let startup_time_ms = asked.iter().filter_map(|limits| limits.cpu_ms).sum();
            return Ok(Checked { startup_time_ms, handlers: vec![EventKind::Fetch], imports: Vec::new() });
        }
        Err(Refusal { code: RefusalCode::Invalid, message: "it is not good".to_owned() })
    }
}

async fn control() -> (Control, Arc<Counting>) {
    control_at(Clock::system()).await
}

pub(crate) async fn control_at(clock: Clock) -> (Control, Arc<Counting>) {
    let folder = tempfile::tempdir().unwrap();
    let kv = Kv::new(Arc::new(SqliteKv::open(folder.path()).unwrap()), clock.clone(), KvLimits::default());
    let checker = Arc::new(Counting(AtomicUsize::new(0), folder));
    let options = RegistryOptions { clock, ..RegistryOptions::default() };
    let registry = Registry::open_with(Arc::new(MemoryStore::new()), Blobs::memory(), options).await.unwrap();
    let queues = Arc::new(SqliteQueues::open(checker.1.path()).unwrap());
    let queues = Queues::new(queues, registry.clock().clone(), QueueLimits::default());
    let control = Control::new(registry, Arc::clone(&checker) as _, kv).with_queues(queues);
    control.create_namespace(NewNamespace::named(ns("production"))).await.unwrap();
    (control, checker)
}

fn ns(name: &str) -> NamespaceName {
    NamespaceName::parse(name).unwrap()
}

fn platform(name: &str) -> ScriptKey {
    ScriptKey::Platform(ScriptName::parse(name).unwrap())
}

fn user(name: &str) -> ScriptKey {
    ScriptKey::user(ns("production"), ScriptName::parse(name).unwrap())
}

fn component(content: &'static str) -> Component {
    let bytes = Bytes::from_static(content.as_bytes());
    Component::New(NewCode { name: "a.wasm".to_owned(), bytes, beside: None })
}

fn version(content: &'static str) -> Deploy {
    Deploy {
        draft: UploadDraft::default(),
        component: component(content),
        files: Files::None,
        only_over: None,
    }
}

fn binding(value: serde_json::Value) -> BindingInput {
    BindingDecl::from_json(&value).unwrap().into()
}

#[tokio::test]
async fn what_can_be_refused_for_nothing_is_refused_before_the_component_costs_anything() {
    let (control, checker) = control().await;
    let twice = || binding(json!({"type": "plain_text", "name": "A", "text": "1"}));
    let drafts = [
        UploadDraft { bindings: vec![twice(), twice()], ..UploadDraft::default() },
        UploadDraft {
            limits: LimitSpec { cpu_ms: Some(u64::MAX), ..LimitSpec::default() },
            ..UploadDraft::default()
        },
        UploadDraft { compatibility_date: Some("soon".to_owned()), ..UploadDraft::default() },
    ];
    for draft in drafts {
        control.deploy(&user("a"), Deploy { draft, ..version("good") }).await.unwrap_err();
    }
    let nowhere = ScriptKey::user(ns("nowhere"), ScriptName::parse("a").unwrap());
    let missing = control.deploy(&nowhere, version("good")).await.unwrap_err();
    assert!(matches!(missing, ControlError::Registry(RegistryError::NamespaceNotFound(_))), "{missing:?}");
    let keep = Deploy { component: Component::Keep { name: "a.wasm".to_owned() }, ..version("good") };
    control.deploy(&user("a"), keep).await.unwrap_err();
    assert_eq!(checker.0.load(Ordering::Relaxed), 0);
    let bad = control.deploy(&user("a"), version("bad")).await.unwrap_err();
    assert!(matches!(bad, ControlError::Component(_)), "{bad:?}");
    assert!(control.registry().component(&Digest::of(b"bad")).await.is_err(), "nothing of it is stored");
}

#[tokio::test]
async fn a_component_is_judged_by_what_version_and_namespace_ask_for() {
    let (control, _) = control().await;
    let limits = |cpu_ms| LimitSpec { cpu_ms: Some(cpu_ms), ..LimitSpec::default() };
    let patch = NamespacePatch { limits: Some(limits(7)), ..NamespacePatch::default() };
    control.change_namespace(&ns("production"), patch, Force::No).await.unwrap();
    let draft = UploadDraft { limits: limits(20), ..UploadDraft::default() };
    let done = control.deploy(&user("a"), Deploy { draft, ..version("good") }).await.unwrap();
    assert_eq!(done.result.version.code.startup_time_ms(), 27, "the checker was asked about both");
}

#[tokio::test]
async fn a_version_is_deployed_over_the_content_that_it_was_meant_for() {
    let (control, _) = control().await;
    let over = |etags: &[&str]| Deploy {
        only_over: Some(etags.iter().map(|etag| (*etag).to_owned()).collect()),
        ..version("good two")
    };
    let absent = control.deploy(&user("a"), over(&["*"])).await.unwrap_err();
    assert!(absent.to_string().contains("none"), "{absent}");
    let first = control.deploy(&user("a"), version("good one")).await.unwrap().result;
    let other = control.deploy(&user("a"), over(&["nope"])).await.unwrap_err();
    assert!(matches!(other, ControlError::Registry(RegistryError::OtherContent { .. })), "{other:?}");
    let second = control.deploy(&user("a"), over(&["nope", &first.version.etag])).await.unwrap().result;
    assert_eq!(second.version.number, 2);
}

#[tokio::test]
async fn a_declared_script_is_judged_once_and_an_upload_over_it_is_remarked_on() {
    let (control, checker) = control().await;
    let declared = || {
        let mut keys = ConfigKeys::default();
        keys.insert(ConfigKeys::MAIN);
        let draft = UploadDraft::default();
        DeclaredScript { key: platform("a"), draft, component: component("good"), files: None, keys }
    };
    assert!(control.declare_script(declared()).await.unwrap().made);
    let again = control.declare_script(declared()).await.unwrap();
    assert_eq!((again.record.version.number, checker.0.load(Ordering::Relaxed)), (1, 1));
    let done = control.deploy(&platform("a"), version("good other")).await.unwrap();
    assert!(done.remarks[0].contains("main") && done.remarks[0].contains("next start"), "{:?}", done.remarks);
    let back = control.declare_script(declared()).await.unwrap();
    assert_eq!((back.replaced, back.record.version.number), (vec!["main".to_owned()], 3));
}

#[tokio::test]
async fn secrets_change_together_or_not_at_all() {
    let (control, _) = control().await;
    let draft = UploadDraft {
        bindings: vec![binding(json!({"type": "plain_text", "name": "PLAIN", "text": "1"}))],
        ..UploadDraft::default()
    };
    control.deploy(&user("a"), Deploy { draft, ..version("good") }).await.unwrap();
    let secret = |name: &str| {
        BindingDecl::from_json(&json!({"type": "secret_text", "name": name, "text": "s"})).unwrap()
    };
    let put = |names: &[&str]| names.iter().map(|name| secret(name)).collect::<Vec<_>>();
    let change = async |names: &[&str], gone: &[&str]| {
        let gone: Vec<_> = gone.iter().map(|name| secret(name).name).collect();
        control.change_secrets(&user("a"), put(names), &gone, Force::No).await
    };
    let other = change(&["ONE", "PLAIN"], &[]).await.unwrap_err();
    assert!(other.to_string().contains("PLAIN"), "{other}");
    let absent = change(&["ONE"], &["TWO"]).await.unwrap_err();
    assert!(matches!(absent, ControlError::SecretNotFound { .. }), "{absent:?}");
    let before = control.existing(&user("a")).await.unwrap();
    assert_eq!(before.version.number, 1, "nothing was put");
    let done = change(&["ONE", "TWO"], &[]).await.unwrap();
    assert_eq!((done.result.version.number, done.result.version.bindings.len()), (2, 3));
}

#[tokio::test]
async fn what_either_version_of_a_gradual_deployment_is_bound_to_is_in_use() {
    let (control, _) = control().await;
    let key = user("a");
    let bound = control.create_kv_namespace("bound").await.unwrap();
    let gone = control.create_kv_namespace("gone").await.unwrap();
    let deploy = |id: &str| {
        let bindings = vec![binding(json!({"type": "kv_namespace", "name": "KV", "namespace_id": id}))];
        Deploy { draft: UploadDraft { bindings, ..UploadDraft::default() }, ..version("good") }
    };
    let first = control.deploy(&key, deploy(bound.id.as_str())).await.unwrap().result.version.id.clone();
    let (_, second) = control.upload_version(&key, version("good")).await.unwrap().result;
    let share = |percent| Share::percent(percent).unwrap();
    let both = |percent| {
        let versions = vec![(first.clone(), share(percent)), (second.id.clone(), share(percent).rest())];
        Rollout { versions, ..Rollout::default() }
    };
    for percent in [10.0, 90.0] {
        control.roll_out(&key, &both(percent), Force::No).await.unwrap();
        let refused = control.delete_kv_namespace(&bound.id, Force::No).await.unwrap_err().to_string();
        assert!(refused.contains("binding \"KV\" of script \"production/a\""), "{percent}: {refused}");
    }
    // Who is bound no more is in nobody's way.
    control.deploy(&key, deploy(gone.id.as_str())).await.unwrap();
    let only = Rollout { versions: vec![(second.id.clone(), Share::ALL)], ..Rollout::default() };
    control.roll_out(&key, &only, Force::No).await.unwrap();
    control.delete_kv_namespace(&gone.id, Force::No).await.unwrap();
    control.delete_kv_namespace(&bound.id, Force::No).await.unwrap();
}
