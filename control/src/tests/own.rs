//! Storage of scripts' own over a clock that is moved: it outlives its script for a while, and nobody else's is touched.

use std::time::Duration;

use wasmyard_namespaces::ClockHand;
use wasmyard_namespaces::bindings::StorageKind;

use super::*;

const DAY: Duration = Duration::from_secs(86_400);

async fn control_and_clock() -> (Control, ClockHand, Arc<Counting>) {
    let (clock, hand) = Clock::by_hand("2026-01-02T03:04:05Z".parse().unwrap());
    let (control, checker) = control_at(clock).await;
    (control, hand, checker)
}

fn with_own(content: &'static str, kinds: &[(&str, StorageKind)]) -> Deploy {
    let own =
        |(name, kind): &(&str, StorageKind)| BindingInput::Own { name: name.parse().unwrap(), kind: *kind };
    let draft = UploadDraft { bindings: kinds.iter().map(own).collect(), ..UploadDraft::default() };
    Deploy { draft, ..version(content) }
}

const BOTH: [(&str, StorageKind); 2] = [("JOBS", StorageKind::Queue), ("NOTES", StorageKind::KvNamespace)];

/// The titles of all KV namespaces, and the names of all queues.
async fn there(control: &Control) -> (usize, usize) {
    let titles = control.kv().namespaces(None, 100).await.unwrap();
    let queues = control.queues().unwrap().queues(None, 100).await.unwrap();
    (titles.len(), queues.len())
}

#[tokio::test]
async fn a_version_that_is_refused_makes_nothing() {
    let (control, _, _) = control_and_clock().await;
    let mut deploy = with_own("good", &BOTH);
    deploy.draft.compatibility_date = Some("soon".to_owned());
    control.deploy(&user("a"), deploy).await.unwrap_err();
    let twice = with_own("good", &[BOTH[0], BOTH[0]]);
    let refused = control.deploy(&user("a"), twice).await.unwrap_err();
    assert!(refused.to_string().contains("declared twice"), "{refused}");
    assert_eq!((there(&control).await, control.storage_of(&user("a")).await.unwrap().len()), ((0, 0), 0));
}

#[tokio::test]
async fn what_a_deleted_script_left_goes_after_its_time_and_not_before() {
    let (control, hand, _) = control_and_clock().await;
    let first = control.deploy(&user("a"), with_own("good", &BOTH)).await.unwrap().result;
    let second = control.deploy(&user("a"), with_own("good two", &BOTH)).await.unwrap().result;
    assert_eq!(first.version.bindings, second.version.bindings);
    control.delete_script(&user("a"), Force::No, Storage::Kept).await.unwrap();
    hand.advance(DAY * 6);
    assert_eq!(control.sweep_storage().await.unwrap(), 0);
    let back = control.deploy(&user("a"), with_own("good", &BOTH)).await.unwrap().result;
    assert_eq!(back.version.bindings, first.version.bindings);
    hand.advance(DAY * 6);
    assert_eq!((control.sweep_storage().await.unwrap(), there(&control).await), (0, (1, 1)));

    control.delete_script(&user("a"), Force::No, Storage::Kept).await.unwrap();
    hand.advance(DAY * 7);
    assert_eq!((control.sweep_storage().await.unwrap(), there(&control).await), (2, (0, 0)));
    assert_eq!(control.storage_of(&user("a")).await.unwrap().len(), 0);
}

#[tokio::test]
async fn what_no_version_leads_to_goes_and_what_one_may_go_back_to_stays() {
    let (control, hand, _) = control_and_clock().await;
    control.deploy(&user("a"), with_own("good", &BOTH)).await.unwrap();
    // The version before can be gone back to, and so keeps what it has.
    control.deploy(&user("a"), with_own("good two", &BOTH[..1])).await.unwrap();
    control.sweep_storage().await.unwrap();
    hand.advance(DAY * 8);
    assert_eq!((control.sweep_storage().await.unwrap(), there(&control).await), (0, (1, 1)));
    for _ in 0..10 {
        control.deploy(&user("a"), with_own("good two", &BOTH[..1])).await.unwrap();
    }
    // It is noted first, and waits from then on.
    assert_eq!(control.sweep_storage().await.unwrap(), 0);
    hand.advance(DAY * 7);
    assert_eq!((control.sweep_storage().await.unwrap(), there(&control).await), (1, (0, 1)));
}

#[tokio::test]
async fn what_others_are_bound_to_stays_and_they_are_named() {
    let (control, hand, _) = control_and_clock().await;
    let made = control.deploy(&user("a"), with_own("good", &BOTH)).await.unwrap().result;
    let draft =
        UploadDraft { bindings: vec![made.version.bindings[1].clone().into()], ..UploadDraft::default() };
    control.deploy(&user("b"), Deploy { draft, ..version("good") }).await.unwrap();
    for storage in [Storage::Kept, Storage::Deleted] {
        let refused = control.delete_script(&user("a"), Force::No, storage).await.unwrap_err();
        assert!(refused.to_string().contains("binding \"NOTES\" of script \"production/b\""), "{refused}");
    }
    control.delete_script(&user("a"), Force::Yes, Storage::Kept).await.unwrap();
    hand.advance(DAY * 30);
    assert_eq!((control.sweep_storage().await.unwrap(), there(&control).await), (1, (1, 0)));
    let refused = control.remove_unused_storage(&user("a"), Force::No).await.unwrap_err();
    assert!(refused.to_string().contains("production/b"), "{refused}");
    assert_eq!(control.remove_unused_storage(&user("a"), Force::Yes).await.unwrap(), 1);
    assert_eq!(there(&control).await, (0, 0));
}

#[tokio::test]
async fn a_purge_leaves_nothing_of_a_script_or_a_namespace() {
    let (control, _, _) = control_and_clock().await;
    for name in ["a", "b", "c"] {
        control.deploy(&user(name), with_own("good", &BOTH)).await.unwrap();
    }
    assert_eq!(there(&control).await, (3, 3));
    control.delete_script(&user("a"), Force::No, Storage::Deleted).await.unwrap();
    assert_eq!(there(&control).await, (2, 2));
    control.delete_namespace(&ns("production"), Force::No, Storage::Deleted).await.unwrap();
    assert_eq!(there(&control).await, (0, 0));
    assert_eq!(control.registry().own_storage_page(None, 10).await.unwrap(), []);
    assert_eq!(control.registry().storage_to_remove(None, 10).await.unwrap(), []);
}

#[tokio::test]
async fn what_a_namespace_does_not_let_its_scripts_have_is_not_made() {
    let (control, _, _) = control_and_clock().await;
    let policy = serde_json::from_value(json!({"deny": ["binding:queue"]})).unwrap();
    let patch = NamespacePatch { capabilities: Some(Some(policy)), ..NamespacePatch::default() };
    control.change_namespace(&ns("production"), patch, Force::No).await.unwrap();
    control.deploy(&user("a"), with_own("good", &BOTH)).await.unwrap_err();
    control.deploy(&user("a"), version("good")).await.unwrap();
    let bindings = Some(with_own("good", &BOTH).draft.bindings);
    let patch = wasmyard_namespaces::SettingsPatch { bindings, ..Default::default() };
    let refused = control.change_settings(&user("a"), patch, Force::No).await.unwrap_err();
    assert!(refused.to_string().contains("binding:queue"), "{refused}");
    assert_eq!((there(&control).await, control.storage_of(&user("a")).await.unwrap().len()), ((0, 0), 0));
}
