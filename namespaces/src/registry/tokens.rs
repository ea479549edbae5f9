//! Tokens of the control API.
//!
//! Owns the hashes: the store and the memory hold SHA-256 of a token, never the token. Never tells by the
//! time it takes how much of a token was right.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use subtle::{Choice, ConstantTimeEq as _};

use super::record::{TOKENS, decode, encode, token_key};
use super::{Inner, Registry, Result};
use crate::digest::Digest;
use crate::error::RegistryError;
use crate::secret::Secret;
use crate::store::Write;
use crate::timestamp::Timestamp;

/// What may be shown of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenInfo {
    /// 32 hex digits.
    pub id: String,
    /// What it is for, in its maker's words.
    pub label: String,
    /// When it was made.
    pub created_on: Timestamp,
}

/// A token in the store.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct TokenRecord {
    id: String,
    label: String,
    created_on: Timestamp,
    hash: Digest,
}

impl TokenRecord {
    fn info(&self) -> TokenInfo {
        TokenInfo { id: self.id.clone(), label: self.label.clone(), created_on: self.created_on }
    }
}

/// Fewer characters than this can be guessed.
const SHORTEST: usize = 16;
/// Longer texts are not hashed at all.
const LONGEST: usize = 1_024;

impl Registry {
    /// Makes a token of 256 random bits. The text is in the answer and nowhere else.
    ///
    /// # Errors
    /// [`RegistryError::Store`] when the store fails.
    pub async fn create_token(&self, label: &str) -> Result<(TokenInfo, Secret)> {
        let mut bits = [0; 32];
        getrandom::fill(&mut bits).map_err(|_| RegistryError::Closed)?;
        let token = Secret::new(format!("wy_{}", Digest::from_bytes(bits)));
        let info = self.import_token(label, &token).await?;
        Ok((info, token))
    }

    /// Takes a token that the operator chose. One that is known already is left as it is.
    ///
    /// # Errors
    /// [`RegistryError::Invalid`] for a token of less than 16 or more than 1024 bytes;
    /// [`RegistryError::Store`] when the store fails.
    pub async fn import_token(&self, label: &str, token: &Secret) -> Result<TokenInfo> {
        if !(SHORTEST..=LONGEST).contains(&token.expose().len()) {
            let rule = "a token must have 16 to 1024 bytes; choose another, or let one be made";
            return Err(RegistryError::Invalid(rule.to_owned()));
        }
        let hash = Digest::of(token.expose().as_bytes());
        let inner = &self.inner;
        let _turn = inner.admin.lock().await;
        if let Some(known) = inner.tokens.load().iter().find(|known| known.hash == hash) {
            return Ok(known.info());
        }
        let record = TokenRecord {
            id: uuid::Uuid::new_v4().simple().to_string(),
            label: crate::name::shorten(label),
            created_on: Timestamp::now(),
            hash,
        };
        let key = token_key(&record.id);
        let value = encode(&key, &record)?;
        inner.store.append(&[], &[Write::put(key, value)]).await?;
        let info = record.info();
        let mut tokens = Vec::clone(&inner.tokens.load());
        tokens.push(record);
        inner.tokens.store(Arc::new(tokens));
        Ok(info)
    }

    /// Whether a text is a token. Takes the same time for all texts of the same length.
    #[must_use]
    pub fn verify_token(&self, token: &str) -> bool {
        if token.len() > LONGEST {
            return false;
        }
        let hash = Digest::of(token.as_bytes());
        let tokens = self.inner.tokens.load();
        let any = tokens
            .iter()
            .fold(Choice::from(0), |any, known| any | known.hash.as_bytes().ct_eq(hash.as_bytes()));
        any.into()
    }

    /// All tokens, oldest first.
    #[must_use]
    pub fn tokens(&self) -> Vec<TokenInfo> {
        let mut tokens: Vec<TokenInfo> = self.inner.tokens.load().iter().map(TokenRecord::info).collect();
        tokens.sort_by_key(|token| token.created_on);
        tokens
    }

    /// Removes a token: it is refused from then on.
    ///
    /// # Errors
    /// [`RegistryError::TokenNotFound`]; [`RegistryError::Store`] when the store fails.
    pub async fn remove_token(&self, id: &str) -> Result<()> {
        let inner = &self.inner;
        let _turn = inner.admin.lock().await;
        let mut tokens = Vec::clone(&inner.tokens.load());
        let before = tokens.len();
        tokens.retain(|token| token.id != id);
        if tokens.len() == before {
            return Err(RegistryError::TokenNotFound(crate::name::shorten(id)));
        }
        inner.store.append(&[], &[Write::delete(token_key(id))]).await?;
        inner.tokens.store(Arc::new(tokens));
        Ok(())
    }
}

impl Inner {
    /// Reads all tokens. The caller holds the `admin` lock.
    pub(super) async fn load_tokens(&self) -> Result<()> {
        let entries = self.store.scan(TOKENS, None, usize::MAX).await?;
        let tokens: Result<Vec<TokenRecord>> = entries.iter().map(decode).collect();
        self.tokens.store(Arc::new(tokens?));
        Ok(())
    }

    /// Reads all tokens again. Called by the feed.
    pub(super) async fn reload_tokens(&self) -> Result<()> {
        let _turn = self.admin.lock().await;
        self.load_tokens().await
    }
}
