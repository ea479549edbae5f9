//! Owns the reading of what a path or a query names: namespace, script, tag, page.
//! Must never let a name through that was not parsed.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Query, RawPathParams};
use http::request::Parts;
use serde::de::DeserializeOwned;
use wasmyard_control::{Force, Storage};
use wasmyard_namespaces::{NameError, NamespaceName, ScriptKey, ScriptName, Tag, TagFilter};

use crate::error::ApiError;
use crate::state::Shared;

/// The account that listings name, in the form that clients insist on. Any well-formed identifier is taken for it.
pub(crate) use wasmyard_control::ACCOUNT;

/// How it is called.
pub(crate) const ACCOUNT_NAME: &str = "wasmyard";

/// Who did what was done: there is one operator.
pub(crate) const OPERATOR: &str = "00000000000000000000000000000001";

/// The address that clients show as the author: there is one operator.
pub(crate) const EMAIL: &str = "operator@localhost";

/// The dispatch namespace that the path names; it need not exist.
pub(crate) struct InNamespace(pub(crate) NamespaceName);

/// The script that the path names, of either kind; it need not exist.
pub(crate) struct Target(pub(crate) ScriptKey);

/// The account that the path names, well-formed.
pub(crate) struct Account(pub(crate) String);

/// The last variable segment of a path, percent-decoded: a tag, a secret's name, a route's identifier.
pub(crate) struct Item(pub(crate) String);

/// A query whose unknown parameters are ignored, as clients send some that mean nothing here.
pub(crate) struct QueryOf<T>(pub(crate) T);

impl FromRequestParts<Arc<Shared>> for InNamespace {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        let params = segments(parts, shared).await?;
        named(&params, "dispatch_namespace", NamespaceName::parse).map(Self)
    }
}

impl FromRequestParts<Arc<Shared>> for Target {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        let params = segments(parts, shared).await?;
        let script = named(&params, "script_name", ScriptName::parse)?;
        let key = if segment(&params, "dispatch_namespace").is_some() {
            let namespace = named(&params, "dispatch_namespace", NamespaceName::parse)?;
            ScriptKey::User { namespace, script }
        } else {
            ScriptKey::Platform(script)
        };
        Ok(Self(key))
    }
}

impl FromRequestParts<Arc<Shared>> for Account {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        let params = segments(parts, shared).await?;
        let account = segment(&params, "account_id").filter(|text| is_account(text));
        account.map(|text| Self(text.to_owned())).ok_or_else(|| ApiError::no_route(parts.uri.path()))
    }
}

impl FromRequestParts<Arc<Shared>> for Item {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        let params = segments(parts, shared).await?;
        let last = params.iter().last().map(|(_, value)| value.to_owned());
        last.map(Self)
            .ok_or_else(|| ApiError::internal("a row of the route table lacks its variable segment"))
    }
}

impl<T: DeserializeOwned> FromRequestParts<Arc<Shared>> for QueryOf<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Shared>) -> Result<Self, ApiError> {
        let Query(query) = Query::try_from_uri(&parts.uri).map_err(ApiError::parameter)?;
        Ok(Self(query))
    }
}

/// A segment of the path that has a name, percent-decoded.
pub(crate) async fn named_segment(
    parts: &mut Parts,
    shared: &Arc<Shared>,
    name: &str,
) -> Result<String, ApiError> {
    named(&segments(parts, shared).await?, name, |text| Ok(text.to_owned()))
}

async fn segments(parts: &mut Parts, shared: &Arc<Shared>) -> Result<RawPathParams, ApiError> {
    RawPathParams::from_request_parts(parts, shared).await.map_err(ApiError::parameter)
}

fn segment<'p>(params: &'p RawPathParams, name: &str) -> Option<&'p str> {
    params.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn named<T>(
    params: &RawPathParams,
    name: &str,
    parse: impl Fn(&str) -> Result<T, NameError>,
) -> Result<T, ApiError> {
    let text = segment(params, name)
        .ok_or_else(|| ApiError::internal(format!("a row of the route table lacks the segment {name}")))?;
    parse(text).map_err(ApiError::parameter)
}

/// Whether an account identifier is well-formed. There is one account on this server, so any such name means it.
pub(crate) fn is_account(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// Reads tags as clients write them in a body.
pub(crate) fn tags(tags: &[String]) -> Result<Vec<Tag>, ApiError> {
    tags.iter().map(|tag| Tag::parse(tag).map_err(ApiError::invalid)).collect()
}

/// `?force=`, as changes take it.
#[derive(serde::Deserialize)]
pub(crate) struct Forced {
    force: Option<String>,
}

impl Forced {
    /// Whether the change is wanted although the configuration or others stand against it.
    pub(crate) fn wanted(&self) -> Result<Force, ApiError> {
        match self.force.as_deref() {
            None | Some("" | "false") => Ok(Force::No),
            Some("true") => Ok(Force::Yes),
            Some(_) => Err(ApiError::parameter("force can be \"true\" or \"false\"; write one of them")),
        }
    }
}

/// `?purge=`, as deletions take it.
#[derive(Default, serde::Deserialize)]
pub(crate) struct Purged {
    purge: Option<String>,
}

impl Purged {
    /// Whether what scripts keep things in that is their own goes with them.
    pub(crate) fn wanted(&self) -> Result<Storage, ApiError> {
        match self.purge.as_deref() {
            None | Some("" | "false") => Ok(Storage::Kept),
            Some("true") => Ok(Storage::Deleted),
            Some(_) => Err(ApiError::parameter("purge can be \"true\" or \"false\"; write one of them")),
        }
    }
}

/// `?tags=`, as script lists take it.
#[derive(serde::Deserialize)]
pub(crate) struct Tagged {
    pub(crate) tags: Option<String>,
}

impl Tagged {
    /// The filter, if one was given.
    pub(crate) fn filter(&self) -> Result<Option<TagFilter>, ApiError> {
        self.tags.as_deref().map(str::parse::<TagFilter>).transpose().map_err(ApiError::parameter)
    }
}
