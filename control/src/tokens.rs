//! Tokens of the control API: make, replace the text, revoke.
//!
//! Owns the rules of their names. Must never log or keep a token's text.

use wasmyard_namespaces::registry::TokenInfo;
use wasmyard_namespaces::{RegistryError, Secret, Timestamp};

use crate::error::ControlError;
use crate::{Control, Done, Result};

/// The name of the token that the operator configured: the variable, or the file in the data directory.
pub const ADMIN_TOKEN: &str = "admin";
/// Longest name of a token, in characters; what is longer would be shown cut.
const LONGEST_NAME: usize = 64;

impl Control {
    /// Makes a token. Its text is in the answer and nowhere else.
    ///
    /// # Errors
    /// That the name or the time breaks a rule, or that there are too many; or the registry's failure.
    pub async fn create_token(
        &self,
        name: &str,
        expires_on: Option<Timestamp>,
    ) -> Result<(TokenInfo, Secret)> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
            return Err(ControlError::Invalid(format!(
                "The name of a token must have 1 to {LONGEST_NAME} characters; say what it is for"
            )));
        }
        if name == ADMIN_TOKEN {
            return Err(ControlError::invalid(
                "The token \"admin\" is the one that the server is started with, and takes the place of all of that \
                 name; choose another name",
            ));
        }
        let now = self.registry.clock().now();
        if expires_on.is_some_and(|expires_on| expires_on <= now) {
            return Err(ControlError::invalid("expires_on has passed already; name a time to come"));
        }
        let (token, text) = self.registry.create_token_until(name, expires_on).await?;
        tracing::info!(token = token.id, "API token made");
        Ok((token, text))
    }

    /// Gives a token another text, and returns that; the old one is refused at once.
    ///
    /// # Errors
    /// That there is none; or the registry's failure.
    pub async fn roll_token(&self, id: &str) -> Result<Done<Secret>> {
        let token = self.existing_token(id)?;
        let text = self.registry.roll_token(id).await?;
        tracing::info!(token = id, "API token replaced by another text");
        Ok(Done::new(text, configured(&token)))
    }

    /// Revokes a token: it is refused at once.
    ///
    /// # Errors
    /// That there is none; or the registry's failure.
    pub async fn revoke_token(&self, id: &str) -> Result<Done<()>> {
        let token = self.existing_token(id)?;
        self.registry.remove_token(id).await?;
        tracing::info!(token = id, "API token revoked");
        Ok(Done::new((), configured(&token)))
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
