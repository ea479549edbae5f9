//! Tokens of the control API.
//!
//! Owns the hashes: the store and the memory hold SHA-256 of a token, never the token. Never tells by the
//! time it takes how much of a token was right.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

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
    /// When its text was last replaced.
    pub modified_on: Timestamp,
    /// From when on it is refused; none is never.
    pub expires_on: Option<Timestamp>,
}

/// A token in the store.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct TokenRecord {
    id: String,
    label: String,
    created_on: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    modified_on: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_on: Option<Timestamp>,
    hash: Digest,
}

impl TokenRecord {
    fn info(&self) -> TokenInfo {
        TokenInfo {
            id: self.id.clone(),
            label: self.label.clone(),
            created_on: self.created_on,
            modified_on: self.modified_on.unwrap_or(self.created_on),
            expires_on: self.expires_on,
        }
    }
}

/// Most tokens: each call is compared with all of them.
pub const MOST_TOKENS: usize = 1_000;
/// Fewer characters than this can be guessed.
const SHORTEST: usize = 16;
/// Longer texts are not hashed at all.
const LONGEST: usize = 1_024;

impl Registry {
    /// A text of 256 random bits that nobody knows, and that is no token yet.
    ///
    /// # Errors
    /// [`RegistryError::Closed`] when the system gives no random bits.
    pub fn random_token() -> Result<Secret> {
        let mut bits = [0; 32];
        getrandom::fill(&mut bits).map_err(|_| RegistryError::Closed)?;
        Ok(Secret::new(format!("wy_{}", Digest::from_bytes(bits))))
    }

    /// Makes a token of 256 random bits. The text is in the answer and nowhere else.
    ///
    /// # Errors
    /// [`RegistryError::Invalid`] when there are [`MOST_TOKENS`] already; [`RegistryError::Store`] when the store
    /// fails.
    pub async fn create_token(&self, label: &str) -> Result<(TokenInfo, Secret)> {
        self.create_token_until(label, None).await
    }

    /// The same, for a token that is refused from some time on.
    ///
    /// # Errors
    /// As [`Registry::create_token`].
    pub async fn create_token_until(
        &self,
        label: &str,
        expires_on: Option<Timestamp>,
    ) -> Result<(TokenInfo, Secret)> {
        let token = Registry::random_token()?;
        let inner = &self.inner;
        let _turn = inner.admin.lock().await;
        let mut tokens = Vec::clone(&inner.tokens.load());
        if tokens.len() >= MOST_TOKENS {
            let rule = format!("there are {MOST_TOKENS} tokens already, the most that are kept; revoke some");
            return Err(RegistryError::Invalid(rule));
        }
        let record = TokenRecord { expires_on, ..new_record(label, &token) };
        let info = record.info();
        tokens.push(record.clone());
        inner.keep_tokens(tokens, &[put(&record)?]).await?;
        Ok((info, token))
    }

    /// Makes a token that the operator chose the only one with this label. All others that had it are refused
    /// from then on. Returns it, and how many others there were.
    ///
    /// # Errors
    /// [`RegistryError::Invalid`] for a token of less than 16 or more than 1024 bytes;
    /// [`RegistryError::Store`] when the store fails.
    pub async fn set_token(&self, label: &str, token: &Secret) -> Result<(TokenInfo, usize)> {
        if !(SHORTEST..=LONGEST).contains(&token.expose().len()) {
            let rule = "a token must have 16 to 1024 bytes; choose another, or let one be made";
            return Err(RegistryError::Invalid(rule.to_owned()));
        }
        let hash = Digest::of(token.expose().as_bytes());
        let inner = &self.inner;
        let _turn = inner.admin.lock().await;
        let known = inner.tokens.load();
        let (mut kept, gone): (Vec<TokenRecord>, Vec<TokenRecord>) =
            known.iter().cloned().partition(|token| token.label != label && token.hash != hash);
        let (same, gone): (Vec<TokenRecord>, Vec<TokenRecord>) =
            gone.into_iter().partition(|token| token.label == label && token.hash == hash);
        let replaced = gone.iter().filter(|token| token.label == label).count();
        let mut writes: Vec<Write> = gone.iter().map(|token| Write::delete(token_key(&token.id))).collect();
        let record = match same.into_iter().next() {
            Some(same) => same,
            None => {
                let record = new_record(label, token);
                writes.push(put(&record)?);
                record
            }
        };
        let info = record.info();
        kept.push(record);
        if !writes.is_empty() {
            inner.keep_tokens(kept, &writes).await?;
        }
        Ok((info, replaced))
    }

    /// Gives a token another text of 256 random bits; the old one is refused from then on.
    ///
    /// # Errors
    /// [`RegistryError::TokenNotFound`]; [`RegistryError::Store`] when the store fails.
    pub async fn roll_token(&self, id: &str) -> Result<Secret> {
        let text = Registry::random_token()?;
        let inner = &self.inner;
        let _turn = inner.admin.lock().await;
        let mut tokens = Vec::clone(&inner.tokens.load());
        let record = tokens
            .iter_mut()
            .find(|token| token.id == id)
            .ok_or_else(|| RegistryError::TokenNotFound(crate::name::shorten(id)))?;
        record.hash = Digest::of(text.expose().as_bytes());
        record.modified_on = Some(Timestamp::now());
        let write = put(record)?;
        inner.keep_tokens(tokens, &[write]).await?;
        Ok(text)
    }

    /// Whether a text is a token. Takes the same time for all texts of the same length.
    #[must_use]
    pub fn verify_token(&self, token: &str) -> bool {
        self.token_of(token).is_some()
    }

    /// The token that a text is. Compares it with every one, so that the time tells nothing of which.
    #[must_use]
    pub fn token_of(&self, text: &str) -> Option<TokenInfo> {
        if text.len() > LONGEST {
            return None;
        }
        let (hash, now) = (Digest::of(text.as_bytes()), Timestamp::now());
        let tokens = self.inner.tokens.load();
        let mut found = None;
        for token in tokens.iter() {
            let same: bool = token.hash.as_bytes().ct_eq(hash.as_bytes()).into();
            if same && token.expires_on.is_none_or(|expires_on| now < expires_on) {
                found = Some(token);
            }
        }
        found.map(TokenRecord::info)
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
        inner.keep_tokens(tokens, &[Write::delete(token_key(id))]).await
    }
}

fn new_record(label: &str, token: &Secret) -> TokenRecord {
    TokenRecord {
        id: uuid::Uuid::new_v4().simple().to_string(),
        label: crate::name::shorten(label),
        created_on: Timestamp::now(),
        modified_on: None,
        expires_on: None,
        hash: Digest::of(token.expose().as_bytes()),
    }
}

fn put(record: &TokenRecord) -> Result<Write> {
    let key = token_key(&record.id);
    Ok(Write::put(key.clone(), encode(&key, record)?))
}

impl Inner {
    /// Appends a change of tokens, and shows it. The caller holds the `admin` lock.
    async fn keep_tokens(&self, tokens: Vec<TokenRecord>, writes: &[Write]) -> Result<()> {
        self.store.append(&[], writes).await?;
        self.tokens.store(Arc::new(tokens));
        Ok(())
    }

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
