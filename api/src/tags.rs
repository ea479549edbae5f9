//! Owns the tag calls of one script: list, match against a filter, replace, add, remove.
//! Must never keep a rule of tags itself: grammar and number are the registry's.

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wasmyard_namespaces::Tag;

use crate::body::{self, Json, Small};
use crate::configured;
use crate::envelope::{Answer, Reply};
use crate::error::ApiError;
use crate::scripts::existing;
use crate::state::SharedState;
use crate::target::{Forced, Item, QueryOf, Tagged, Target};

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
    state: SharedState,
    Target(key): Target,
    QueryOf(query): QueryOf<Tagged>,
) -> Answer<Listed> {
    let filter = query.filter()?;
    let script = existing(&state, &key).await?;
    Ok(Reply::ok(match filter {
        Some(filter) => Listed::Matches(filter.matches(&script.tags)),
        None => Listed::Tags(texts(&script.tags)),
    }))
}

pub(crate) async fn set(
    State(shared): SharedState,
    Target(key): Target,
    QueryOf(query): QueryOf<Forced>,
    Small(bytes): Small,
) -> Answer<Vec<String>> {
    let force = query.wanted()?;
    let tags = parse_all(&texts_in(&bytes)?)?;
    let before = existing(&shared, &key).await?;
    let after = shared.registry_for(force).set_tags(&key, tags).await?;
    Ok(Reply::ok(texts(&after.tags)).with_notes(configured::changed_script(&before, &after)))
}

pub(crate) async fn add(
    State(shared): SharedState,
    Target(key): Target,
    Item(tag): Item,
    QueryOf(query): QueryOf<Forced>,
) -> Answer<Vec<String>> {
    let force = query.wanted()?;
    let tag = Tag::parse(&tag).map_err(ApiError::parameter)?;
    let before = existing(&shared, &key).await?;
    let after = shared.registry_for(force).change_tags(&key, vec![tag], &[]).await?;
    Ok(Reply::ok(texts(&after.tags)).with_notes(configured::changed_script(&before, &after)))
}

/// Removing a tag that is not there succeeds: what the caller wants is the case.
pub(crate) async fn remove(
    State(shared): SharedState,
    Target(key): Target,
    Item(tag): Item,
    QueryOf(query): QueryOf<Forced>,
) -> Answer<Vec<String>> {
    let force = query.wanted()?;
    let tag = Tag::parse(&tag).map_err(ApiError::parameter)?;
    let before = existing(&shared, &key).await?;
    let after = shared.registry_for(force).change_tags(&key, Vec::new(), &[tag]).await?;
    Ok(Reply::ok(texts(&after.tags)).with_notes(configured::changed_script(&before, &after)))
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
    Json(wanted): Json<Change>,
) -> Answer<Vec<String>> {
    let force = query.wanted()?;
    let (add, remove) = (parse_all(&wanted.add)?, parse_all(&wanted.remove)?);
    let before = existing(&shared, &key).await?;
    let after = shared.registry_for(force).change_tags(&key, add, &remove).await?;
    Ok(Reply::ok(texts(&after.tags)).with_notes(configured::changed_script(&before, &after)))
}

/// Reads tags as clients write them.
pub(crate) fn parse_all(tags: &[String]) -> Result<Vec<Tag>, ApiError> {
    tags.iter().map(|tag| Tag::parse(tag).map_err(ApiError::invalid)).collect()
}

/// Tags as clients read them.
pub(crate) fn texts(tags: &[Tag]) -> Vec<String> {
    tags.iter().map(ToString::to_string).collect()
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
