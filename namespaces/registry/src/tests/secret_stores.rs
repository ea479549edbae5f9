//! Stores of secrets: who is bound to what, through renamed namespaces, and between a look and a deletion.

use super::*;
use crate::{NewStoredSecret, SecretStoreError};
use wasmyard_model::namespace::NamespacePatch;
use wasmyard_model::secret::Secret;

fn wanted(name: &str) -> NewStoredSecret {
    NewStoredSecret {
        name: name.to_owned(),
        value: Secret::new("value"),
        comment: String::new(),
        scopes: vec!["workers".to_owned()],
    }
}

#[tokio::test]
async fn who_was_bound_is_known_under_the_name_that_its_namespace_has_now() {
    let registry = registry().await;
    let store = registry.create_secret_store("shared").await.unwrap().id;
    registry.create_stored_secrets(&store, &[wanted("a"), wanted("ab")]).await.unwrap();
    let script = user("production", "shop");
    registry.bind_stored_secret(&store, "a", &script).await.unwrap();
    registry.bind_stored_secret(&store, "a", &script).await.unwrap();
    let bound = registry.bound_to_stored_secrets(&store, Some("a"), 9).await.unwrap();
    assert_eq!(bound, std::slice::from_ref(&script));
    assert_eq!(registry.bound_to_stored_secrets(&store, Some("ab"), 9).await.unwrap(), []);
    let patch = NamespacePatch { name: Some(ns("renamed")), ..NamespacePatch::default() };
    registry.update_namespace(&ns("production"), patch).await.unwrap();
    let renamed = user("renamed", "shop");
    assert_eq!(registry.bound_to_stored_secrets(&store, None, 9).await.unwrap(), [renamed]);
    let gone = registry.bind_stored_secret(&store, "a", &script).await;
    assert!(matches!(gone, Err(RegistryError::NamespaceNotFound(_))), "{gone:?}");
}

#[tokio::test]
async fn a_secret_that_somebody_was_bound_to_meanwhile_is_not_deleted() {
    let registry = registry().await;
    let store = registry.create_secret_store("shared").await.unwrap().id;
    let made = registry.create_stored_secrets(&store, &[wanted("a")]).await.unwrap();
    let script = user("production", "shop");
    // Whoever deletes it looked, and saw nobody.
    registry.bind_stored_secret(&store, "a", &script).await.unwrap();
    let refused = registry.delete_stored_secret(&store, &made[0].id, Some(&[])).await;
    assert!(matches!(refused, Err(RegistryError::Conflict(_))), "{refused:?}");
    let refused = registry.delete_secret_store(&store, Some(&[])).await;
    assert!(matches!(refused, Err(RegistryError::Conflict(_))), "{refused:?}");
    assert_eq!(registry.stored_secret_value(&store, "a").await.unwrap().unwrap().expose(), "value");
    registry.delete_stored_secret(&store, &made[0].id, Some(std::slice::from_ref(&script))).await.unwrap();
    assert!(registry.stored_secret_value(&store, "a").await.unwrap().is_none());
    let gone = registry.bind_stored_secret(&store, "a", &script).await;
    let is_gone = |error: &RegistryError| {
        matches!(error, RegistryError::SecretStore(SecretStoreError::NotFound { what: "secret", .. }))
    };
    assert!(gone.as_ref().is_err_and(is_gone), "{gone:?}");
    assert_eq!(registry.bound_to_stored_secrets(&store, None, 9).await.unwrap(), []);
    registry.delete_secret_store(&store, None).await.unwrap();
    assert_eq!(registry.secret_stores().await.unwrap(), []);
}

#[tokio::test]
async fn a_store_takes_as_many_secrets_as_it_may_and_not_one_more_from_two_at_once() {
    let registry = registry().await;
    let store = registry.create_secret_store("shared").await.unwrap().id;
    let many: Vec<NewStoredSecret> = (0..999).map(|number| wanted(&format!("s{number}"))).collect();
    registry.create_stored_secrets(&store, &many).await.unwrap();
    let (one, other) = ([wanted("one")], [wanted("other")]);
    let (one, other) = tokio::join!(
        registry.create_stored_secrets(&store, &one),
        registry.create_stored_secrets(&store, &other)
    );
    let full = |made: &Result<Vec<_>>| {
        matches!(made, Err(RegistryError::SecretStore(SecretStoreError::TooMany { most: 1_000, .. })))
    };
    assert_eq!(usize::from(full(&one)) + usize::from(full(&other)), 1, "{one:?} {other:?}");
    assert_eq!(registry.stored_secrets(&store).await.unwrap().len(), 1_000);
}
