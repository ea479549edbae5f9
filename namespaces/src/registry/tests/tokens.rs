//! Tokens: hashed at rest, refused when removed.

use super::*;
use crate::secret::Secret;

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
    let first = registry.import_token("admin", &token).await.unwrap();
    assert_eq!(registry.import_token("again", &token).await.unwrap(), first);
    assert!(registry.verify_token("0123456789abcdef"));
    let refused = registry.import_token("admin", &Secret::new("short")).await.unwrap_err();
    assert!(refused.to_string().contains("16 to 1024") && !refused.to_string().contains("short"));
}

#[tokio::test]
async fn the_store_never_holds_a_token() {
    let registry = registry().await;
    let (_, token) = registry.create_token("ci").await.unwrap();
    let entries = registry.inner.store.scan("", None, usize::MAX).await.unwrap();
    let bits = token.expose().trim_start_matches("wy_").to_owned();
    assert!(entries.iter().any(|entry| entry.key.starts_with("token/")));
    assert!(!entries.iter().any(|entry| String::from_utf8_lossy(&entry.value).contains(&bits)));
}
