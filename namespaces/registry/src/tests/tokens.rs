//! Tokens: hashed at rest, refused when removed.

use super::*;
use wasmyard_model::access::{Condition, Grants, Group, Place, Policy, TokenRules};
use wasmyard_model::secret::Secret;
use wasmyard_model::timestamp::Timestamp;

#[tokio::test]
async fn a_token_is_taken_until_it_is_removed() {
    let registry = registry().await;
    assert!(!registry.verify_token(""));
    let (info, token) = registry.create_token("ci").await.unwrap();
    let (_, other) = registry.create_token("ci").await.unwrap();
    assert_ne!(token, other);
    assert!(registry.verify_token(token.expose()));
    for wrong in [&token.expose()[1..], &format!("{}0", token.expose()), &"x".repeat(5_000)] {
        assert!(!registry.verify_token(wrong));
    }
    assert_eq!(registry.tokens().len(), 2);
    registry.remove_token(&info.id).await.unwrap();
    assert!(!registry.verify_token(token.expose()) && registry.verify_token(other.expose()));
    assert_eq!(registry.remove_token(&info.id).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn an_imported_token_is_kept_once_and_must_not_be_short() {
    let registry = registry().await;
    let token = Secret::new("0123456789abcdef");
    let (first, _) = registry.set_token("admin", &token).await.unwrap();
    assert_eq!(registry.set_token("admin", &token).await.unwrap(), (first, 0));
    assert_eq!(registry.tokens().len(), 1);
    assert!(registry.verify_token("0123456789abcdef"));
    let refused = registry.set_token("admin", &Secret::new("short")).await.unwrap_err();
    assert!(refused.to_string().contains("16 to 1024") && !refused.to_string().contains("short"));
}

#[tokio::test]
async fn a_token_that_is_set_takes_the_place_of_all_with_its_label_and_of_no_other() {
    let registry = registry().await;
    let (_, ci) = registry.create_token("ci").await.unwrap();
    let (_, made) = registry.create_token("admin").await.unwrap();
    registry.create_token("admin").await.unwrap();
    let rotated = Secret::new("rotated-token-333333");
    assert_eq!(registry.set_token("admin", &rotated).await.unwrap().1, 2, "how many it replaced");
    assert!(registry.verify_token(rotated.expose()) && registry.verify_token(ci.expose()));
    assert!(!registry.verify_token(made.expose()));
    // A token that was made under another label becomes the admin token, and is not kept twice.
    assert_eq!(registry.set_token("admin", &ci).await.unwrap().1, 1);
    assert_eq!(registry.tokens().len(), 1);
    assert!(registry.verify_token(ci.expose()) && !registry.verify_token(rotated.expose()));
}

#[tokio::test]
async fn a_token_ends_when_it_is_rolled_or_expires() {
    let registry = registry().await;
    let (info, token) = registry.create_token("ci").await.unwrap();
    let rolled = registry.roll_token(&info.id).await.unwrap();
    assert!(registry.verify_token(rolled.expose()) && !registry.verify_token(token.expose()));
    assert_eq!(registry.token_of(rolled.expose()).unwrap().id, info.id);
    assert_eq!(registry.roll_token("nobody").await.unwrap_err().kind(), ErrorKind::NotFound);
    let now = wasmyard_model::timestamp::Timestamp::now();
    let until = |moment| TokenRules { expires_on: Some(moment), ..TokenRules::default() };
    let (_, past) = registry.create_token_by("past", until(now)).await.unwrap();
    let later = now.later(Duration::from_secs(3_600));
    let (_, live) = registry.create_token_by("live", until(later)).await.unwrap();
    assert!(!registry.verify_token(past.expose()) && registry.verify_token(live.expose()));
}

#[tokio::test]
async fn the_number_of_tokens_is_bounded() {
    let registry = registry().await;
    for _ in 0..MOST_TOKENS {
        registry.create_token("one of many").await.unwrap();
    }
    let refused = registry.create_token("one more").await.unwrap_err();
    assert!(refused.kind() == ErrorKind::Invalid && refused.to_string().contains("revoke"), "{refused}");
    // The operator's own is never refused.
    registry.set_token("admin", &Secret::new("0123456789abcdef")).await.unwrap();
}

#[tokio::test]
async fn the_store_never_holds_a_token() {
    let registry = registry().await;
    let (_, token) = registry.create_token("ci").await.unwrap();
    let entries = registry.inner.log.store().scan("", None, usize::MAX).await.unwrap();
    let bits = token.expose().trim_start_matches("wy_").to_owned();
    assert!(entries.iter().any(|entry| entry.key.starts_with("token/")));
    assert!(!entries.iter().any(|entry| String::from_utf8_lossy(&entry.value).contains(&bits)));
}

fn narrow() -> TokenRules {
    let policy = Policy {
        id: "0123456789abcdef0123456789abcdef".to_owned(),
        effect: wasmyard_model::access::Effect::Allow,
        groups: vec![Group::find("Workers Scripts Read").unwrap()],
        places: vec![Place::Account],
    };
    TokenRules {
        grants: Grants::new(vec![policy]).unwrap(),
        condition: Condition::parse(&["192.0.2.0/24".to_owned()], &[]).unwrap(),
        ..TokenRules::default()
    }
}

#[tokio::test]
async fn the_rules_of_a_token_outlive_the_process_and_can_be_replaced() {
    let store: Arc<dyn wasmyard_stores::Store> = Arc::new(wasmyard_stores::MemoryStore::new());
    let registry = Registry::open(store.clone(), Blobs::memory()).await.unwrap();
    let (info, token) = registry.create_token_by("ci", narrow()).await.unwrap();
    let again = Registry::open(store, Blobs::memory()).await.unwrap();
    assert_eq!(again.token_of(token.expose()).unwrap().rules, narrow());
    let disabled = TokenRules { disabled: true, ..narrow() };
    assert_eq!(registry.change_token(&info.id, "ci 2", disabled).await.unwrap().label, "ci 2");
    assert!(registry.token_of(token.expose()).is_none());
    let later = registry.clock().now().later(Duration::from_secs(60));
    let not_yet = TokenRules { not_before: Some(later), ..narrow() };
    registry.change_token(&info.id, "ci", not_yet).await.unwrap();
    assert!(registry.token_of(token.expose()).is_none());
    registry.change_token(&info.id, "ci", TokenRules::default()).await.unwrap();
    assert!(registry.token_of(token.expose()).unwrap().rules.grants.are_everything());
    let gone = registry.change_token("nobody", "ci", TokenRules::default()).await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn the_operators_token_is_whole_again_at_the_next_start() {
    let registry = registry().await;
    let token = Secret::new("0123456789abcdef");
    let (info, _) = registry.set_token("admin", &token).await.unwrap();
    registry.change_token(&info.id, "admin", TokenRules { disabled: true, ..narrow() }).await.unwrap();
    assert!(!registry.verify_token(token.expose()));
    registry.set_token("admin", &token).await.unwrap();
    assert!(registry.token_of(token.expose()).unwrap().rules.grants.are_everything());
    assert_eq!(registry.tokens().len(), 1);
}

/// Waits until a use is noted that is not the one before.
async fn noted(registry: &Registry, id: &str, before: Option<Timestamp>) -> Timestamp {
    loop {
        let noted = registry.token_uses().await.unwrap().get(id).copied();
        match noted {
            Some(noted) if Some(noted) != before => return noted,
            _ => tokio::task::yield_now().await,
        }
    }
}

#[tokio::test]
async fn the_use_of_a_token_is_noted_once_a_minute_and_forgotten_with_it() {
    let began: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
    let (clock, hand) = wasmyard_model::clock::Clock::by_hand(began);
    let options = RegistryOptions { clock, ..RegistryOptions::default() };
    let store = Arc::new(wasmyard_stores::MemoryStore::new());
    let registry = Registry::open_with(store, Blobs::memory(), options).await.unwrap();
    let (info, _) = registry.create_token("ci").await.unwrap();
    assert!(registry.token_uses().await.unwrap().is_empty());
    registry.note_use(&info.id);
    assert_eq!(noted(&registry, &info.id, None).await, began);
    let revision = registry.ping().await.unwrap();
    hand.advance(Duration::from_secs(59));
    for _ in 0..100 {
        registry.note_use(&info.id);
    }
    hand.advance(Duration::from_secs(1));
    registry.note_use(&info.id);
    assert_eq!(noted(&registry, &info.id, Some(began)).await, began.later(Duration::from_secs(60)));
    assert_eq!(registry.ping().await.unwrap(), revision + 1);
    registry.remove_token(&info.id).await.unwrap();
    assert!(registry.token_uses().await.unwrap().is_empty());
}
