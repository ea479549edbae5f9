//! Owns the tag calls of one script: list, match against a filter, replace, add, remove.
//! Must never keep a rule of tags itself: grammar and number are the registry's.

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wasmyard_namespaces::Tag;

use crate::body::{self, Json, Small};
use crate::envelope::{Answer, Reply};
use crate::error::ApiError;
use crate::state::SharedState;
use crate::target::{self, Forced, Item, QueryOf, Tagged, Target};
use crate::views;

/// All tags, or whether a filter matches them.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Listed {
    /// Without `?tags=`.
    Tags(Vec<String>),
    /// With `?tags=`.
    Matches(bool),
}

pub(crate) async fn list(
    State(shared): SharedState,
    Target(key): Target,
    QueryOf(query): QueryOf<Tagged>,
) -> Answer<Listed> {
    let filter = query.filter()?;
    let script = shared.control.existing(&key).await?;
    Ok(Reply::ok(match filter {
        Some(filter) => Listed::Matches(filter.matches(&script.tags)),
        None => Listed::Tags(views::tags(&script.tags)),
    }))
}

pub(crate) async fn set(
    State(shared): SharedState,
    Target(key): Target,
    QueryOf(query): QueryOf<Forced>,
    Small(bytes): Small,
) -> Answer<Vec<String>> {
    let tags = target::tags(&texts_in(&bytes)?)?;
    let done = shared.control.set_tags(&key, tags, query.wanted()?).await?;
    Ok(Reply::ok(views::tags(&done.result.tags)).with_notes(done.remarks))
}

pub(crate) async fn add(
    State(shared): SharedState,
    Target(key): Target,
    Item(tag): Item,
    QueryOf(query): QueryOf<Forced>,
) -> Answer<Changed> {
    let tag = Tag::parse(&tag).map_err(ApiError::parameter)?;
    let done = shared.control.change_tags(&key, vec![tag], &[], query.wanted()?).await?;
    Ok(Reply::ok(Changed { tags: views::tags(&done.result.tags) }).with_notes(done.remarks))
}

/// Removing a tag that is not there succeeds: what the caller wants is the case.
pub(crate) async fn remove(
    State(shared): SharedState,
    Target(key): Target,
    Item(tag): Item,
    QueryOf(query): QueryOf<Forced>,
) -> Answer<Changed> {
    let tag = Tag::parse(&tag).map_err(ApiError::parameter)?;
    let done = shared.control.change_tags(&key, Vec::new(), &[tag], query.wanted()?).await?;
    Ok(Reply::ok(Changed { tags: views::tags(&done.result.tags) }).with_notes(done.remarks))
}

/// What there is after one tag was added or removed: clients expect an object here.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TagsChanged")]
pub(crate) struct Changed {
    tags: Vec<String>,
}

/// What is to change about the tags of a script, all of it or nothing.
#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "TagsChange")]
#[derive(Default)]
pub(crate) struct Change {
    /// Tags to add; one that is there already changes nothing.
    add: Vec<String>,
    /// Tags to remove; one that is not there changes nothing.
    remove: Vec<String>,
}

pub(crate) async fn change(
    State(shared): SharedState,
    Target(key): Target,
    QueryOf(query): QueryOf<Forced>,
    Json(wanted, notes): Json<Change>,
) -> Answer<Vec<String>> {
    let (add, remove) = (target::tags(&wanted.add)?, target::tags(&wanted.remove)?);
    let done = shared.control.change_tags(&key, add, &remove, query.wanted()?).await?;
    Ok(Reply::ok(views::tags(&done.result.tags)).with_notes(notes).with_notes(done.remarks))
}

/// A JSON array of texts, or the same in single quotes, as widely copied instructions for curl write it.
fn texts_in(bytes: &[u8]) -> Result<Vec<String>, ApiError> {
    match body::parse(bytes) {
        Ok(texts) => Ok(texts),
        Err(error) => std::str::from_utf8(bytes).ok().and_then(single_quoted).ok_or(error),
    }
}

/// `['A', 'B']`. There are no escapes: a tag with a quote in it is written as JSON.
fn single_quoted(text: &str) -> Option<Vec<String>> {
    let mut rest = text.trim().strip_prefix('[')?.strip_suffix(']')?.trim();
    let mut texts = Vec::new();
    while !rest.is_empty() {
        let (item, after) = rest.strip_prefix('\'')?.split_once('\'')?;
        texts.push(item.to_owned());
        rest = match after.trim_start() {
            "" => "",
            more => Some(more.strip_prefix(',')?.trim_start()).filter(|next| !next.is_empty())?,
        };
    }
    Some(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_quotes_are_read_and_half_quotes_are_not() {
        assert_eq!(
            single_quoted("['TAG1', 'TAG2','TAG 3' ]"),
            Some(vec!["TAG1".into(), "TAG2".into(), "TAG 3".into()])
        );
        assert_eq!(single_quoted(" [ ] "), Some(vec![]));
        for bad in ["", "[", "['a", "['a' 'b']", "['a',]", "[a]", "'a'", "['a'] x"] {
            assert_eq!(single_quoted(bad), None, "{bad}");
        }
    }
}
