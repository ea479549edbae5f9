//! Tokens of the control API: make, change, replace the text, revoke.
//!
//! Owns the rules of their names, and that nobody has from a token what they have not. Must never log or keep a token's text.

use wasmyard_namespaces::access::TokenRules;
use wasmyard_namespaces::registry::TokenInfo;
use wasmyard_namespaces::{RegistryError, Secret};

use crate::error::ControlError;
use crate::{Control, Done, Result};

/// The name of the token that the operator configured: the variable, or the file in the data directory.
pub const ADMIN_TOKEN: &str = "admin";
/// Longest name of a token, in characters; what is longer would be shown cut.
const LONGEST_NAME: usize = 64;

/// A token as somebody wants it.
#[derive(Clone, Debug, Default)]
pub struct TokenWanted {
    /// What it is for.
    pub name: String,
    /// What it may do, from where, and when.
    pub rules: TokenRules,
}

impl Control {
    /// Makes a token. Its text is in the answer and nowhere else. It may do nothing that `by`, the token that makes it,
    /// may not.
    ///
    /// # Errors
    /// That the name, a time or a policy breaks a rule, or that there are too many; or the registry's failure.
    pub async fn create_token(&self, wanted: TokenWanted, by: &TokenRules) -> Result<(TokenInfo, Secret)> {
        let name = self.judge_token(&wanted, None, by)?;
        let (token, text) = self.registry.create_token_by(&name, wanted.rules).await?;
        tracing::info!(token = token.id, "API token made");
        Ok((token, text))
    }

    /// Gives a token another name and other rules. Whoever does may do all that it may do, before and after.
    ///
    /// # Errors
    /// As [`Control::create_token`]; that there is none.
    pub async fn change_token(
        &self,
        id: &str,
        wanted: TokenWanted,
        by: &TokenRules,
    ) -> Result<Done<TokenInfo>> {
        let before = self.token_within(id, by)?;
        let name = self.judge_token(&wanted, Some(&before), by)?;
        let changed = self.registry.change_token(id, &name, wanted.rules).await?;
        tracing::info!(token = id, "API token changed");
        Ok(Done::new(changed, configured(&before)))
    }

    /// Gives a token another text, and returns that; the old one is refused at once. Whoever does may do all that it may do.
    ///
    /// # Errors
    /// That there is none, or that it may do more; or the registry's failure.
    pub async fn roll_token(&self, id: &str, by: &TokenRules) -> Result<Done<Secret>> {
        let token = self.token_within(id, by)?;
        let text = self.registry.roll_token(id).await?;
        tracing::info!(token = id, "API token replaced by another text");
        Ok(Done::new(text, configured(&token)))
    }

    /// Revokes a token: it is refused at once. Whoever does may do all that it may do.
    ///
    /// # Errors
    /// That there is none, or that it may do more; or the registry's failure.
    pub async fn revoke_token(&self, id: &str, by: &TokenRules) -> Result<Done<()>> {
        let token = self.token_within(id, by)?;
        self.registry.remove_token(id).await?;
        tracing::info!(token = id, "API token revoked");
        Ok(Done::new((), configured(&token)))
    }

    /// A token that may do nothing that another one may not: whoever could have its text would have what it has.
    fn token_within(&self, id: &str, by: &TokenRules) -> Result<TokenInfo> {
        let token = self.existing_token(id)?;
        token.rules.grants.within(&by.grants)?;
        Ok(token)
    }

    /// The name of a token that is wanted.
    fn judge_token(
        &self,
        wanted: &TokenWanted,
        before: Option<&TokenInfo>,
        by: &TokenRules,
    ) -> Result<String> {
        let name = wanted.name.trim();
        if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
            return Err(ControlError::Invalid(format!(
                "The name of a token must have 1 to {LONGEST_NAME} characters; say what it is for"
            )));
        }
        if name == ADMIN_TOKEN && before.is_none_or(|before| before.label != ADMIN_TOKEN) {
            return Err(ControlError::invalid(
                "The token \"admin\" is the one that the server is started with, and takes the place of all of that \
                 name; choose another name",
            ));
        }
        let rules = &wanted.rules;
        let expires_on = rules.expires_on.filter(|_| {
            // One that has expired may be given another name all the same.
            before.is_none_or(|before| before.rules.expires_on != rules.expires_on)
        });
        if expires_on.is_some_and(|expires_on| expires_on <= self.registry.clock().now()) {
            return Err(ControlError::invalid("expires_on has passed already; name a time to come"));
        }
        if rules.expires_on.zip(rules.not_before).is_some_and(|(until, from)| until <= from) {
            return Err(ControlError::invalid("expires_on is not after not_before; name a later time"));
        }
        rules.within(by)?;
        Ok(name.to_owned())
    }

    /// The token with this id.
    ///
    /// # Errors
    /// That there is none.
    pub fn existing_token(&self, id: &str) -> Result<TokenInfo> {
        let found = self.registry.tokens().into_iter().find(|token| token.id == id);
        found.ok_or_else(|| RegistryError::TokenNotFound(wasmyard_namespaces::name::shorten(id)).into())
    }
}

/// A remark on a change of the configured token, which a start takes from where it is configured.
fn configured(token: &TokenInfo) -> Vec<String> {
    if token.label != ADMIN_TOKEN {
        return Vec::new();
    }
    vec![
        "this is the token that the server was started with: the next start takes it again from WASMYARD_API_TOKEN, \
         or from the file admin-token in the data directory. Change it there, too."
            .to_owned(),
    ]
}
