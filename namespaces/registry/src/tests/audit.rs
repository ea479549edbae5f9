//! The audit log: newest first, page by page, kept for as long as it is to be.

use super::*;
use crate::AuditRange;
use wasmyard_model::audit::{ActionKind, Actor, ActorKind, AuditEntry};
use wasmyard_model::clock::Clock;
use wasmyard_model::timestamp::Timestamp;

const DAY: Duration = Duration::from_secs(24 * 3_600);

fn entry(number: usize, when: Timestamp) -> AuditEntry {
    AuditEntry {
        id: format!("id{number}"),
        when,
        actor: Actor { kind: ActorKind::Token, id: "t".to_owned(), name: "ci".to_owned() },
        address: Some("192.0.2.7".parse().unwrap()),
        user_agent: None,
        action: "userScripts.upload".to_owned(),
        kind: ActionKind::Update,
        method: "PUT".to_owned(),
        path: "/scripts/{script_name}".to_owned(),
        named: vec![("script".to_owned(), format!("s{number}"))],
        made: None,
        zone: None,
        status: 200,
        code: None,
    }
}

fn ids(page: &[(String, AuditEntry)]) -> Vec<&str> {
    page.iter().map(|(_, entry)| entry.id.as_str()).collect()
}

#[tokio::test]
async fn entries_come_newest_first_between_moments_and_page_by_page() {
    let registry = registry().await;
    let began: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
    let at = |number: u32| began.later(Duration::from_secs(u64::from(number)));
    for number in 0..5 {
        registry.append_audit(&entry(number as usize, at(number))).await.unwrap();
    }
    let page = async |after: Option<&str>, since, before, limit| {
        let range = AuditRange { since, before, oldest_first: false };
        registry.audit_page(&range, after, limit).await.unwrap()
    };
    assert_eq!(ids(&page(None, None, None, 9).await), ["id4", "id3", "id2", "id1", "id0"]);
    let first = page(None, None, None, 2).await;
    assert_eq!(ids(&first), ["id4", "id3"]);
    assert_eq!(ids(&page(Some(&first[1].0), None, None, 2).await), ["id2", "id1"]);
    assert_eq!(ids(&page(None, Some(at(3)), None, 9).await), ["id4", "id3"]);
    assert_eq!(ids(&page(None, None, Some(at(2)), 9).await), ["id1", "id0"]);
    assert_eq!(ids(&page(None, Some(at(1)), Some(at(3)), 9).await), ["id2", "id1"]);
    assert_eq!(ids(&page(Some(&first[1].0), None, Some(at(2)), 9).await), ["id1", "id0"]);
    assert_eq!(page(None, None, None, 1).await[0].1, entry(4, at(4)));
    let page = async |after: Option<&str>, since, before, limit| {
        let range = AuditRange { since, before, oldest_first: true };
        registry.audit_page(&range, after, limit).await.unwrap()
    };
    assert_eq!(ids(&page(None, None, None, 9).await), ["id0", "id1", "id2", "id3", "id4"]);
    let first = page(None, None, None, 2).await;
    assert_eq!(ids(&first), ["id0", "id1"]);
    assert_eq!(ids(&page(Some(&first[1].0), None, None, 2).await), ["id2", "id3"]);
    assert_eq!(ids(&page(None, Some(at(3)), None, 9).await), ["id3", "id4"]);
    assert_eq!(ids(&page(None, None, Some(at(2)), 9).await), ["id0", "id1"]);
    assert_eq!(ids(&page(None, Some(at(1)), Some(at(3)), 9).await), ["id1", "id2"]);
    assert_eq!(ids(&page(Some(&first[1].0), Some(at(3)), None, 9).await), ["id3", "id4"]);
}

#[tokio::test]
async fn entries_are_forgotten_when_they_are_as_old_as_they_may_be() {
    let (clock, hand) = Clock::by_hand("2026-01-02T03:04:05Z".parse().unwrap());
    let options =
        RegistryOptions { clock: clock.clone(), audit_kept: 30 * DAY, ..RegistryOptions::default() };
    let store = Arc::new(MemoryStore::new());
    let registry = Registry::open_with(store, Blobs::memory(), options).await.unwrap();
    for number in 0..300 {
        registry.append_audit(&entry(number, clock.now())).await.unwrap();
    }
    hand.advance(DAY);
    registry.append_audit(&entry(300, clock.now())).await.unwrap();
    assert_eq!(registry.forget_old_audit().await.unwrap(), 0);
    hand.advance(29 * DAY);
    assert_eq!(registry.forget_old_audit().await.unwrap(), 0, "thirty days to the moment");
    hand.advance(Duration::from_secs(1));
    assert_eq!(registry.forget_old_audit().await.unwrap(), 300);
    assert_eq!(ids(&registry.audit_page(&AuditRange::default(), None, 9).await.unwrap()), ["id300"]);
}
