//! `wasmyard:platform/secrets`: a script reads a secret of a store that it is bound to.
//!
//! Each call counts as a subrequest before anything is awaited, and reads the value that the secret has then.

use wasmtime::component::Resource;

use super::dispatch::not_there;
use super::dispatch_wit::BindingError;
use super::granted::{Grant, SecretSource};
use super::secrets_wit::{Host, HostSecret, SecretError};
use crate::guest::state::State;

/// A secret that the guest opened.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct OpenSecret(SecretSource);

impl Host for State {}

impl HostSecret for State {
    fn open(&mut self, binding: String) -> wasmtime::Result<Result<Resource<OpenSecret>, BindingError>> {
        let pick = |grant: &Grant| match grant {
            Grant::StoredSecret(source) => Some(source.clone()),
            _ => None,
        };
        match self.version.bindings.find(&binding, pick) {
            Ok(source) => Ok(Ok(self.table.push(OpenSecret(source))?)),
            Err(other) => Ok(Err(not_there(&binding, other))),
        }
    }

    async fn get(&mut self, this: Resource<OpenSecret>) -> wasmtime::Result<Result<String, SecretError>> {
        let SecretSource { registry, store, name } = self.table.get(&this)?.0.clone();
        if let Err(failure) = self.hooks.count_subrequest() {
            return Ok(Err(SecretError::ExceededSubrequests(failure.to_string())));
        }
        Ok(match registry.stored_secret_value(&store, &name).await {
            Ok(Some(value)) => Ok(value.expose().to_owned()),
            Ok(None) => {
                Err(SecretError::NotFound(format!("there is no secret \"{name}\" for scripts any more")))
            }
            Err(error) => {
                tracing::error!(store = %store, error = %error, "a secret of a store cannot be read");
                Err(SecretError::Internal("the secret cannot be read at the moment".to_owned()))
            }
        })
    }

    fn drop(&mut self, this: Resource<OpenSecret>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
