//! Owns queries as clients of zones write them: dotted names, repeated names, numbers written as `50.0`.
//! Must never refuse a parameter that it does not know.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Query};
use http::request::Parts;
use wasmyard_control::Force;

use crate::error::ApiError;
use crate::state::Shared;

/// The two ways round that a list can be asked for.
pub(crate) const DIRECTIONS: &[&str] = &["asc", "desc"];

/// The parameters of a query, in their order.
pub(crate) struct Pairs(Vec<(String, String)>);

impl FromRequestParts<Arc<Shared>> for Pairs {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Shared>) -> Result<Self, ApiError> {
        let Query(pairs) = Query::try_from_uri(&parts.uri).map_err(ApiError::parameter)?;
        Ok(Self(pairs))
    }
}

impl Pairs {
    /// The first value of a name; one that is empty was not given.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// Each value of a name, as often as that is repeated.
    pub(crate) fn each<'p>(&'p self, name: &'p str) -> impl Iterator<Item = &'p str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All values of a name, repeated or with commas between them.
    pub(crate) fn all<'p>(&'p self, name: &'p str) -> impl Iterator<Item = &'p str> {
        self.0.iter().filter(move |(key, _)| key == name).flat_map(|(_, value)| value.split(','))
    }

    /// A parameter that is true or false, in words or as a digit.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.get(name) {
            None => Ok(None),
            Some("true" | "1" | "True") => Ok(Some(true)),
            Some("false" | "0" | "False") => Ok(Some(false)),
            Some(_) => {
                Err(ApiError::parameter(format_args!("{name} can be true or false; write one of them")))
            }
        }
    }

    /// Whether the change is wanted although the configuration stands against it.
    pub(crate) fn forced(&self) -> Result<Force, ApiError> {
        Ok(if self.flag("force")?.unwrap_or(false) { Force::Yes } else { Force::No })
    }

    /// `page` and `per_page`: how long a page can be is held to what there is, as clients send what others take.
    pub(crate) fn paging(&self, usual: usize, most: usize) -> Result<(u32, usize), ApiError> {
        let number = |name: &str| match self.get(name) {
            None => Ok(None),
            Some(text) => {
                let number = text.strip_suffix(".0").unwrap_or(text).parse::<u32>().ok();
                let number = number.filter(|number| *number > 0).map(Some);
                number.ok_or_else(|| ApiError::parameter(format_args!("{name} is a number from 1")))
            }
        };
        let per_page = number("per_page")?.map_or(usual, |number| number as usize).min(most);
        Ok((number("page")?.unwrap_or(1), per_page))
    }

    /// A parameter with a few values.
    pub(crate) fn choice(&self, name: &str, choices: &[&str]) -> Result<Option<&str>, ApiError> {
        let found = self.get(name);
        if found.is_none_or(|value| choices.contains(&value)) {
            return Ok(found);
        }
        Err(ApiError::parameter(format_args!("{name} is one of {}; choose one of them", choices.join(", "))))
    }

    /// Whether the list is asked for backwards.
    pub(crate) fn is_backwards(&self) -> Result<bool, ApiError> {
        Ok(self.choice("direction", DIRECTIONS)? == Some("desc"))
    }
}
