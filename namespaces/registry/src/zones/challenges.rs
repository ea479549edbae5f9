//! What authorities of certificates want to see at custom hostnames over plain HTTP, and in handshakes.
//!
//! Owns a record for each token that some hostname waits with, and for what it shows in a handshake, made and removed together
//! with the hostname's own record. All of them are in memory: they are few, and a stranger asks for any as often as they like.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::collection::{Collection, PAGE, Seen, Transaction};
use crate::follow::Follow;
use crate::{Inner, Registry, RegistryEvent, Result};
use wasmyard_model::hostname::{CustomHostname, ValidationProof};
use wasmyard_stores::Revision;

/// By `HOST/TOKEN`, and `HOST/:handshake`: what one host waits with says nothing about another's.
const CHALLENGES: Collection<Challenge> = Collection::at("acme-challenge/");
/// In the place of a token, which has no colon.
const HANDSHAKE: &str = ":handshake";

/// What is shown to an authority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Challenge {
    body: String,
}

/// All challenges, by their hosts and tokens.
#[derive(Debug, Default)]
pub(crate) struct ChallengeMemory(RwLock<HashMap<String, Challenge>>);

impl Registry {
    /// What an authority is shown at a host under a token; none where nobody waits with it. Asks memory alone.
    #[must_use]
    pub fn challenge(&self, host: &str, token: &str) -> Option<String> {
        if is_token(token) { self.inner.challenges.at(&key(host, token)) } else { None }
    }

    /// What an authority is shown in a handshake for a host, as base64url; none where nobody waits with it. Asks memory alone.
    #[must_use]
    pub fn challenge_in_handshake(&self, host: &str) -> Option<String> {
        self.inner.challenges.at(&key(host, HANDSHAKE))
    }
}

impl ChallengeMemory {
    fn at(&self, key: &str) -> Option<String> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        // Most of the time nobody waits.
        if known.is_empty() { None } else { known.get(key).map(|challenge| challenge.body.clone()) }
    }
}

fn key(host: &str, token: &str) -> String {
    format!("{host}/{token}")
}

fn is_token(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// What a hostname waits with.
fn challenges(hostname: Option<&CustomHostname>) -> HashMap<String, Challenge> {
    let ssl = hostname.and_then(|hostname| Some((hostname, hostname.ssl.as_ref()?)));
    let Some((hostname, ssl)) = ssl else { return HashMap::new() };
    let records = ssl.validation_records.iter().filter_map(|record| {
        let (token, body) = match &record.proof {
            ValidationProof::Http { http_url, http_body } => {
                let (_, token) = http_url.rsplit_once('/').filter(|(_, token)| is_token(token))?;
                (token, http_body)
            }
            ValidationProof::Handshake { tls_alpn_digest, .. } => (HANDSHAKE, tls_alpn_digest),
            ValidationProof::Txt { .. } => return None,
        };
        Some((key(hostname.name.base(), token), Challenge { body: body.clone() }))
    });
    records.collect()
}

impl Inner {
    /// Adds to a transaction what a change of a hostname means for the tokens that it waits with. Returns those that change.
    pub(super) async fn change_challenges<T>(
        &self,
        transaction: &mut Transaction,
        owner: &Seen<T>,
        before: Option<&CustomHostname>,
        after: Option<&CustomHostname>,
    ) -> Result<Vec<String>> {
        let (old, new) = (challenges(before), challenges(after));
        let mut changed = Vec::new();
        for token in old.keys().filter(|token| !new.contains_key(*token)) {
            transaction.delete_with(owner, &CHALLENGES, token);
            changed.push(token.clone());
        }
        for (token, challenge) in new.iter().filter(|(token, challenge)| old.get(*token) != Some(challenge)) {
            transaction.put_with(owner, &CHALLENGES, token, challenge)?;
            changed.push(token.clone());
        }
        Ok(changed)
    }

    /// Has the memory read a token again.
    pub(super) async fn refresh_challenge(&self, token: &str) -> Result<()> {
        let found = self.log.read(&CHALLENGES, token).await?.whole();
        let mut known = self.challenges.0.write().unwrap_or_else(PoisonError::into_inner);
        match found {
            Some(challenge) => drop(known.insert(token.to_owned(), challenge)),
            None => drop(known.remove(token)),
        }
        Ok(())
    }
}

/// How the memory of challenges follows the store.
pub(crate) struct Challenges;

#[async_trait]
impl Follow for Challenges {
    fn prefix(&self) -> &'static str {
        CHALLENGES.prefix()
    }

    async fn load(&self, registry: &Inner) -> Result<()> {
        let mut all = HashMap::new();
        let mut after: Option<String> = None;
        loop {
            let page = registry.log.page(&CHALLENGES, "", after.as_deref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id().to_owned());
            let whole = page.iter().filter_map(|seen| Some((seen.id().to_owned(), seen.whole()?)));
            all.extend(whole);
        }
        *registry.challenges.0.write().unwrap_or_else(PoisonError::into_inner) = all;
        Ok(())
    }

    async fn apply(&self, registry: &Inner, id: &str, _: Revision) -> Result<Option<RegistryEvent>> {
        registry.refresh_challenge(id).await?;
        Ok(None)
    }
}
