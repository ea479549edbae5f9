//! Tokens of the control API.
//!
//! Owns the hashes: the store and the memory hold SHA-256 of a token, never the token. Never tells by the
//! time it takes how much of a token was right.

use std::collections::HashMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use super::collection::{ATTEMPTS, Collection, Seen, Transaction, step_aside};
use super::follow::Follow;
use super::{Inner, Registry, RegistryEvent, Result};
use crate::error::RegistryError;
use wasmyard_model::access::TokenRules;
use wasmyard_model::digest::Digest;
use wasmyard_model::secret::Secret;
use wasmyard_model::timestamp::Timestamp;
use wasmyard_stores::Revision;

pub(super) use uses::NotedUses;
use uses::USES;

mod uses;

/// What may be shown of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenInfo {
    /// 32 hex digits.
    pub id: String,
    /// What it is for, in its maker's words.
    pub label: String,
    /// When it was made.
    pub created_on: Timestamp,
    /// When its text or its rules were last replaced.
    pub modified_on: Timestamp,
    /// What it may do, from where, and when.
    pub rules: TokenRules,
}

/// A token in the store.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct TokenRecord {
    id: String,
    label: String,
    created_on: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    modified_on: Option<Timestamp>,
    #[serde(flatten)]
    rules: TokenRules,
    hash: Digest,
}

impl TokenRecord {
    fn info(&self) -> TokenInfo {
        TokenInfo {
            id: self.id.clone(),
            label: self.label.clone(),
            created_on: self.created_on,
            modified_on: self.modified_on.unwrap_or(self.created_on),
            rules: self.rules.clone(),
        }
    }
}

/// Tokens, by id.
const TOKENS: Collection<TokenRecord> = Collection::at("token/");
/// Changes with every change of the tokens: what is true of all of them is decided by one node at a time.
const TOKEN_SET: Collection<()> = Collection::at("token-set");

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
        self.create_token_by(label, TokenRules::default()).await
    }

    /// The same, for a token that may do less than everything.
    ///
    /// # Errors
    /// As [`Registry::create_token`].
    pub async fn create_token_by(&self, label: &str, rules: TokenRules) -> Result<(TokenInfo, Secret)> {
        let token = Registry::random_token()?;
        let record = TokenRecord { rules, ..self.inner.new_record(label, &token) };
        let info = record.info();
        self.inner
            .change_tokens(|known| {
                if known.len() >= MOST_TOKENS {
                    let rule = format!(
                        "there are {MOST_TOKENS} tokens already, the most that are kept; revoke some"
                    );
                    return Err(RegistryError::Invalid(rule));
                }
                Ok(TokenChange { put: Some(record.clone()), delete: Vec::new() })
            })
            .await?;
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
        let new = self.inner.new_record(label, token);
        let (mut info, mut replaced) = (new.info(), 0);
        self.inner
            .change_tokens(|known| {
                let is_same = |known: &TokenRecord| {
                    known.label == new.label && known.hash == new.hash && known.rules == new.rules
                };
                let gone = |known: &&TokenRecord| known.label == new.label || known.hash == new.hash;
                let same = known.iter().find(|known| is_same(known));
                let kept = same.map(|same| same.id.as_str());
                let gone = known.iter().filter(gone).filter(|known| Some(known.id.as_str()) != kept);
                let gone: Vec<&TokenRecord> = gone.collect();
                replaced = gone.iter().filter(|known| known.label == new.label).count();
                info = same.unwrap_or(&new).info();
                let delete = gone.iter().map(|known| known.id.clone()).collect();
                Ok(TokenChange { put: same.is_none().then(|| new.clone()), delete })
            })
            .await?;
        Ok((info, replaced))
    }

    /// Gives a token another text of 256 random bits; the old one is refused from then on.
    ///
    /// # Errors
    /// [`RegistryError::TokenNotFound`]; [`RegistryError::Store`] when the store fails.
    pub async fn roll_token(&self, id: &str) -> Result<Secret> {
        let text = Registry::random_token()?;
        let (hash, now) = (Digest::of(text.expose().as_bytes()), self.inner.clock().now());
        self.inner
            .change_tokens(|known| {
                let before = known.iter().find(|token| token.id == id).ok_or_else(|| not_found(id))?;
                let record = TokenRecord { hash, modified_on: Some(now), ..before.clone() };
                Ok(TokenChange { put: Some(record), delete: Vec::new() })
            })
            .await?;
        Ok(text)
    }

    /// Replaces the name and the rules of a token.
    ///
    /// # Errors
    /// [`RegistryError::TokenNotFound`]; [`RegistryError::Store`] when the store fails.
    pub async fn change_token(&self, id: &str, label: &str, rules: TokenRules) -> Result<TokenInfo> {
        let (label, now) = (wasmyard_model::name::shorten(label), self.inner.clock().now());
        let mut changed = None;
        self.inner
            .change_tokens(|known| {
                let before = known.iter().find(|token| token.id == id).ok_or_else(|| not_found(id))?;
                let record = TokenRecord {
                    label: label.clone(),
                    modified_on: Some(now),
                    rules: rules.clone(),
                    ..before.clone()
                };
                changed = Some(record.info());
                Ok(TokenChange { put: Some(record), delete: Vec::new() })
            })
            .await?;
        changed.ok_or_else(|| not_found(id))
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
        let (hash, now) = (Digest::of(text.as_bytes()), self.inner.clock().now());
        let tokens = self.inner.tokens.load();
        let mut found = None;
        for token in tokens.iter() {
            let same: bool = token.hash.as_bytes().ct_eq(hash.as_bytes()).into();
            if same && token.rules.is_good(now) {
                found = Some(token);
            }
        }
        found.map(TokenRecord::info)
    }

    /// What a token is as an access key of the S3 protocol: the token of that id, if it is good now, and the secret that goes
    /// with it. That is the SHA-256 of the token's text in hexadecimal digits, as in the hosted product, so that whoever has the
    /// token has both, and nothing more is kept of either.
    #[must_use]
    pub fn access_key(&self, id: &str) -> Option<(TokenInfo, Secret)> {
        let now = self.inner.clock().now();
        let tokens = self.inner.tokens.load();
        let token = tokens.iter().find(|token| token.id == id && token.rules.is_good(now))?;
        Some((token.info(), Secret::new(token.hash.to_string())))
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
        self.inner
            .change_tokens(|known| {
                let found = known.iter().find(|token| token.id == id).ok_or_else(|| not_found(id))?;
                Ok(TokenChange { put: None, delete: vec![found.id.clone()] })
            })
            .await
    }
}

fn not_found(id: &str) -> RegistryError {
    RegistryError::TokenNotFound(wasmyard_model::name::shorten(id))
}

/// What becomes of the tokens.
struct TokenChange {
    /// One that is new, or in place of the one with its id.
    put: Option<TokenRecord>,
    /// Ids of those that go.
    delete: Vec<String>,
}

impl Inner {
    fn new_record(&self, label: &str, token: &Secret) -> TokenRecord {
        TokenRecord {
            id: uuid::Uuid::new_v4().simple().to_string(),
            label: wasmyard_model::name::shorten(label),
            created_on: self.clock().now(),
            modified_on: None,
            rules: TokenRules::default(),
            hash: Digest::of(token.expose().as_bytes()),
        }
    }

    /// Reads all tokens, has it decided what becomes of them, and makes it so; decides again when somebody else
    /// was faster. What is true of all of them (one with a label, so many at most) stays true on every node,
    /// because each change is one of the set as well.
    async fn change_tokens(
        &self,
        mut decide: impl FnMut(&[TokenRecord]) -> Result<TokenChange>,
    ) -> Result<()> {
        for attempt in 0..ATTEMPTS {
            let set = self.log.read(&TOKEN_SET, "").await?;
            let all = self.log.all(&TOKENS, "").await?;
            let known: Vec<TokenRecord> = all.iter().filter_map(Seen::whole).collect();
            let TokenChange { put, delete } = decide(&known)?;
            if put.is_none() && delete.is_empty() {
                return Ok(());
            }
            let by_id: HashMap<&str, &Seen<TokenRecord>> = all.iter().map(|seen| (seen.id(), seen)).collect();
            let mut transaction = Transaction::default();
            transaction.put(&set, &())?;
            for seen in delete.iter().filter_map(|id| by_id.get(id.as_str())) {
                transaction.delete(seen);
                transaction.delete_with(*seen, &USES, seen.id());
            }
            if let Some(record) = &put {
                match by_id.get(record.id.as_str()) {
                    Some(seen) => transaction.put(seen, record)?,
                    None => transaction.put_with(&set, &TOKENS, &record.id, record)?,
                }
            }
            match self.log.commit(&transaction).await {
                Ok(_) => return self.refresh_tokens().await,
                Err(RegistryError::Conflict(_)) => step_aside(attempt).await,
                Err(error) => return Err(error),
            }
        }
        Err(RegistryError::Conflict("the tokens".to_owned()))
    }

    /// Reads all tokens again.
    async fn refresh_tokens(&self) -> Result<()> {
        let turn = self.tokens.turn().await;
        let tokens = self.log.all(&TOKENS, "").await?;
        turn.show(tokens.iter().filter_map(Seen::whole).collect());
        Ok(())
    }
}

/// How the hashes of tokens follow the store.
pub(super) struct Tokens;

#[async_trait]
impl Follow for Tokens {
    fn prefix(&self) -> &'static str {
        TOKENS.prefix()
    }

    async fn load(&self, registry: &Inner) -> Result<()> {
        registry.refresh_tokens().await
    }

    async fn apply(&self, registry: &Inner, _: &str, _: Revision) -> Result<Option<RegistryEvent>> {
        registry.refresh_tokens().await?;
        Ok(Some(RegistryEvent::Tokens))
    }
}
