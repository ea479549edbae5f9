//! Tokens: hashed at rest, refused when removed.

use super::*;
use wasmyard_model::secret::Secret;

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
    let (_, past) = registry.create_token_until("past", Some(now)).await.unwrap();
    let later = now.later(Duration::from_secs(3_600));
    let (_, live) = registry.create_token_until("live", Some(later)).await.unwrap();
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
