//! Owns who makes a call: the token, and what it may do.
//! Must never decide what a permission is: that is the model's rule.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;
use wasmyard_namespaces::access::{Family, Level, Need, Place, TokenRules};
use wasmyard_namespaces::bindings::{BindingInput, Reference};
use wasmyard_namespaces::registry::TokenInfo;
use wasmyard_namespaces::{NamespaceName, ScriptKey, ScriptName, ZoneId};

use crate::error::{ApiError, Code};
use crate::state::Shared;
use crate::table::{Asks, At};

/// The token that a call came with.
#[derive(Clone, Debug)]
pub(crate) struct Caller(pub(crate) Arc<TokenInfo>);

/// Which rows of a list a token may see. Rows of other kinds of calls are all seen.
#[derive(Clone, Debug)]
pub(crate) struct Sight(Option<Arc<TokenInfo>>);

impl Caller {
    pub(crate) fn token(&self) -> &TokenInfo {
        &self.0
    }

    /// What the token may do.
    pub(crate) fn rules(&self) -> &TokenRules {
        &self.0.rules
    }

    /// Whether the token may make a call whose path names this.
    pub(crate) fn permitted(&self, asks: Asks, params: Option<&RawPathParams>) -> Result<(), ApiError> {
        let Asks::Of { family, level, at, lists } = asks else { return Ok(()) };
        let grants = &self.rules().grants;
        if grants.are_everything() {
            return Ok(());
        }
        let place = match at {
            At::Account => Place::Account,
            At::Zones => Place::Zones,
            At::Named => place(params),
        };
        let need = Need { family, level, place };
        let may = if lists { grants.reach(&need) } else { grants.allow(&need) };
        if may { Ok(()) } else { Err(self.lacks(&need)) }
    }

    /// Whether the token may have a script bound to all that these name. Whoever may write every script may bind anything;
    /// whoever may write some gives them nothing but what is within the token's own reach.
    pub(crate) fn may_bind(&self, bindings: &[BindingInput]) -> Result<(), ApiError> {
        let grants = &self.rules().grants;
        let write = |family, place| Need { family, level: Level::Write, place };
        if grants.allow(&write(Family::Scripts, Place::Account)) {
            return Ok(());
        }
        let declared = bindings.iter().filter_map(|input| match input {
            BindingInput::Declare(declared) => Some(declared),
            // What is the script's own needs no leave of anybody else's.
            BindingInput::Inherit { .. } | BindingInput::Own { .. } => None,
        });
        for reference in declared.flat_map(|declared| declared.kind.refers_to()) {
            let need = match reference {
                Reference::StoredSecret(..) => write(Family::SecretStores, Place::Account),
                Reference::KvNamespace(_) => write(Family::Kv, Place::Account),
                Reference::Queue(_) => write(Family::Queues, Place::Account),
                Reference::Database(_) => write(Family::D1, Place::Account),
                Reference::R2Bucket(_) => write(Family::R2, Place::Account),
                Reference::MtlsCertificate(_) => write(Family::Ssl, Place::Account),
                Reference::Namespace(name) => write(Family::Dispatch, Place::Namespace(name.clone())),
                Reference::Script(name) | Reference::OutboundWorker(name) => {
                    write(Family::Dispatch, Place::Script(ScriptKey::Platform(name.clone())))
                }
            };
            if !grants.allow(&need) {
                return Err(self.lacks(&need));
            }
        }
        Ok(())
    }

    fn lacks(&self, need: &Need) -> ApiError {
        ApiError::new(
            Code::Forbidden,
            format!(
                "Authentication error: the token \"{}\" lacks the permission {need}. Use one that has it, or have it added to this one.",
                self.token().label
            ),
        )
    }
}

impl Sight {
    /// Whether there is anything that hides rows.
    pub(crate) fn is_whole(&self) -> bool {
        self.0.as_ref().is_none_or(|token| token.rules.grants.are_everything())
    }

    /// Whether a row is seen.
    pub(crate) fn shows(&self, family: Family, place: Place) -> bool {
        let need = Need { family, level: Level::Read, place };
        self.0.as_ref().is_none_or(|token| token.rules.grants.reach(&need))
    }
}

/// What the path names. A name that is none is nowhere but on the account, where the handler says what is wrong with it.
fn place(params: Option<&RawPathParams>) -> Place {
    let named = |name| params.into_iter().flatten().find(|(key, _)| *key == name).map(|(_, value)| value);
    let read = || match (named("zone_id"), named("dispatch_namespace"), named("script_name")) {
        (Some(zone), _, _) => ZoneId::parse(zone).ok().map(Place::Zone),
        (None, Some(namespace), None) => NamespaceName::parse(namespace).ok().map(Place::Namespace),
        (None, Some(namespace), Some(script)) => {
            let namespace = NamespaceName::parse(namespace).ok()?;
            Some(Place::Script(ScriptKey::User { namespace, script: ScriptName::parse(script).ok()? }))
        }
        (None, None, Some(script)) => {
            Some(Place::Script(ScriptKey::Platform(ScriptName::parse(script).ok()?)))
        }
        (None, None, None) => None,
    };
    read().unwrap_or(Place::Account)
}

impl FromRequestParts<Arc<Shared>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Shared>) -> Result<Self, ApiError> {
        let caller = parts.extensions.get::<Caller>().cloned();
        caller.ok_or_else(|| ApiError::internal("a call that asks who makes it needs no token"))
    }
}

impl FromRequestParts<Arc<Shared>> for Sight {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Shared>) -> Result<Self, Infallible> {
        Ok(Sight(parts.extensions.get::<Caller>().map(|caller| Arc::clone(&caller.0))))
    }
}
