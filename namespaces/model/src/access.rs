//! What a token of the API may do: policies that give or take permissions on places, and the one rule that judges a call by
//! them.
//!
//! Owns the rule. Pure: it knows no token, no call and no clock. Must never give by silence: what no policy gives is
//! refused, and what one takes stays taken, whatever another one gives.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::closed::closed;
use crate::timestamp::Timestamp;

pub use condition::{Condition, ConditionError};
pub use group::{Family, Group, Level};
pub use place::{Place, PlaceError};

mod condition;
mod group;
mod place;

closed! {
    /// Whether a policy gives or takes.
    Effect {
        /// It gives.
        Allow = "allow",
        /// It takes, whatever others give.
        Deny = "deny",
    }
}

/// Permissions on places.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// 32 hex digits.
    pub id: String,
    /// Whether it gives or takes.
    pub effect: Effect,
    /// What.
    pub groups: Vec<Group>,
    /// Where.
    pub places: Vec<Place>,
}

/// What a call needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// Of which permissions.
    pub family: Family,
    /// How much of it.
    pub level: Level,
    /// Where.
    pub place: Place,
}

/// All that a token may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grants(Option<Arc<[Policy]>>);

/// What may be told of a token beside its name: what it may do, from where, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRules {
    /// From when on it is refused; none is never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_on: Option<Timestamp>,
    /// Until when it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Whether it is refused until somebody allows it again.
    #[serde(default, skip_serializing_if = "is_not")]
    pub disabled: bool,
    /// From where it may be used.
    #[serde(default, skip_serializing_if = "Condition::is_none")]
    pub condition: Condition,
    /// What it may do.
    #[serde(default, rename = "policies", skip_serializing_if = "Grants::are_everything")]
    pub grants: Grants,
}

closed! {
    /// Whether a token is good.
    TokenStatus {
        /// It is, or will be.
        Active = "active",
        /// Somebody disabled it.
        Disabled = "disabled",
        /// Its time is over.
        Expired = "expired",
    }
}

fn is_not(flag: &bool) -> bool {
    !flag
}

impl TokenRules {
    /// Whether a token is good at a moment, as clients are told.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> TokenStatus {
        if self.expires_on.is_some_and(|expires_on| expires_on <= now) {
            return TokenStatus::Expired;
        }
        if self.disabled { TokenStatus::Disabled } else { TokenStatus::Active }
    }

    /// Whether it is to be taken at a moment.
    #[must_use]
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.status(now) == TokenStatus::Active && self.not_before.is_none_or(|from| from <= now)
    }

    /// That a token by these rules can do nothing that one by others cannot.
    ///
    /// # Errors
    /// [`PolicyError`] with what it could do.
    pub fn within(&self, own: &TokenRules) -> Result<(), PolicyError> {
        self.grants.within(&own.grants)?;
        if own.expires_on.is_some_and(|own| self.expires_on.is_none_or(|expires_on| expires_on > own)) {
            return Err(PolicyError::Outlives);
        }
        if !self.condition.is_within(&own.condition) {
            return Err(PolicyError::Elsewhere);
        }
        Ok(())
    }
}

/// Most policies of a token.
pub const MOST_POLICIES: usize = 16;
/// Most permission groups and places of all policies of a token, each.
pub const MOST_NAMED: usize = 256;

/// Why policies are none that a token can have. Safe to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// There is none, or one names nothing.
    #[error("a token needs a policy with permission groups and resources; say what it may do")]
    Empty,
    /// There is no such group.
    #[error("there is no permission group \"{0}\"; list them with GET user/tokens/permission_groups")]
    Group(String),
    /// A resource that is none.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// A group that means nothing at any of its policy's places.
    #[error("the permission \"{0}\" means nothing on the resources of its policy; name {1}")]
    Misplaced(&'static str, &'static str),
    /// Too many of something.
    #[error(
        "a token has {MOST_POLICIES} policies with {MOST_NAMED} permission groups and {MOST_NAMED} resources at most; make two tokens"
    )]
    TooMany,
    /// More than whoever gives it has.
    #[error("a token gives no more than it has, and this one has not \"{0}\" on {1}; ask whoever has")]
    Exceeds(&'static str, String),
    /// Longer than whoever gives it has it.
    #[error("a token that expires makes none that outlives it; name an earlier expires_on")]
    Outlives,
    /// From more places than whoever gives it has it.
    #[error(
        "a token that may be used from some networks makes none for others; name them in condition.request_ip"
    )]
    Elsewhere,
}

impl Grants {
    /// Everything, as the operator has it.
    #[must_use]
    pub fn everything() -> Grants {
        Grants(None)
    }

    /// What policies say.
    ///
    /// # Errors
    /// [`PolicyError`] with the rule that they break.
    pub fn new(policies: Vec<Policy>) -> Result<Grants, PolicyError> {
        let named = |count: fn(&Policy) -> usize| policies.iter().map(count).sum::<usize>();
        if policies.len() > MOST_POLICIES
            || named(|policy| policy.groups.len()) > MOST_NAMED
            || named(|policy| policy.places.len()) > MOST_NAMED
        {
            return Err(PolicyError::TooMany);
        }
        let names_nothing = |policy: &Policy| policy.groups.is_empty() || policy.places.is_empty();
        if policies.is_empty() || policies.iter().any(names_nothing) {
            return Err(PolicyError::Empty);
        }
        for policy in &policies {
            let misplaced = |group: &&Group| !policy.places.iter().any(|place| group.family().is_at(place));
            if let Some(group) = policy.groups.iter().find(misplaced) {
                return Err(PolicyError::Misplaced(group.name(), group.family().places()));
            }
        }
        Ok(Grants(Some(policies.into())))
    }

    /// Whether they are everything, without a policy.
    #[must_use]
    pub fn are_everything(&self) -> bool {
        self.0.is_none()
    }

    /// The policies; none where everything is given.
    #[must_use]
    pub fn policies(&self) -> Option<&[Policy]> {
        self.0.as_deref()
    }

    /// Whether a call may be made.
    #[must_use]
    pub fn allow(&self, need: &Need) -> bool {
        let Some(policies) = self.policies() else { return true };
        policies.iter().any(|policy| policy.gives(need)) && !policies.iter().any(|policy| policy.takes(need))
    }

    /// Whether there is anything at a place, or within it, for which such a call may be made: then a list shows that, and
    /// nothing else.
    #[must_use]
    pub fn reach(&self, need: &Need) -> bool {
        let Some(policies) = self.policies() else { return true };
        let gives = policies.iter().filter(|policy| policy.effect == Effect::Allow);
        let mut places = gives.filter(|policy| policy.covers(need)).flat_map(|policy| &policy.places);
        places.any(|place| place.covers(&need.place) || need.place.covers(place))
    }

    /// That these give no more than others do.
    ///
    /// # Errors
    /// [`PolicyError::Exceeds`] with the first permission that is not within.
    pub fn within(&self, own: &Grants) -> Result<(), PolicyError> {
        let Some(held) = own.policies() else { return Ok(()) };
        let exceeds =
            |group: Group, place: &Place| Err(PolicyError::Exceeds(group.name(), place.to_string()));
        let Some(given) = self.policies() else { return exceeds(Group::ADMIN, &Place::Account) };
        for policy in given.iter().filter(|policy| policy.effect == Effect::Allow) {
            for (group, place) in
                policy.groups.iter().flat_map(|g| policy.places.iter().map(move |p| (*g, p)))
            {
                if !group.family().is_at(place) {
                    continue;
                }
                let has = held.iter().any(|own| own.holds(group, place));
                let taken = held.iter().filter(|own| own.effect == Effect::Deny).any(|own| {
                    own.touches(group, place) && !given.iter().any(|policy| policy.takes_all_of(own))
                });
                if !has || taken {
                    return exceeds(group, place);
                }
            }
        }
        Ok(())
    }
}

impl Policy {
    /// Whether one of its groups is for calls of this kind.
    fn covers(&self, need: &Need) -> bool {
        self.groups.iter().any(|group| group.covers(need.family, need.level))
    }

    fn gives(&self, need: &Need) -> bool {
        self.effect == Effect::Allow
            && self.covers(need)
            && self.places.iter().any(|place| place.covers(&need.place))
    }

    /// Whether it forbids a call. Whoever may not read may not write, and a change of a whole is one of each of its parts.
    fn takes(&self, need: &Need) -> bool {
        let is_of = |group: &Group| {
            *group == Group::ADMIN || (group.family().includes(need.family) && group.level() <= need.level)
        };
        let is_at = |place: &Place| {
            place.covers(&need.place) || (need.level == Level::Write && need.place.covers(place))
        };
        self.effect == Effect::Deny && self.groups.iter().any(is_of) && self.places.iter().any(is_at)
    }

    /// Whether it gives all that a group is at a place.
    fn holds(&self, group: Group, place: &Place) -> bool {
        self.effect == Effect::Allow
            && self.groups.iter().any(|own| own.covers(group.family(), group.level()))
            && self.places.iter().any(|own| own.covers(place))
    }

    /// Whether it says anything of what a group is at a place.
    fn touches(&self, group: Group, place: &Place) -> bool {
        let families =
            |own: &Group| own.family().includes(group.family()) || group.covers(own.family(), own.level());
        self.groups.iter().any(families)
            && self.places.iter().any(|own| own.covers(place) || place.covers(own))
    }

    /// Whether it takes all that another one takes.
    fn takes_all_of(&self, other: &Policy) -> bool {
        self.effect == Effect::Deny
            && other.groups.iter().all(|group| self.groups.contains(group))
            && other.places.iter().all(|place| self.places.iter().any(|own| own.covers(place)))
    }
}

impl Default for Grants {
    fn default() -> Grants {
        Grants::everything()
    }
}

impl Serialize for Grants {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.policies().serialize(serializer)
    }
}

/// As they were judged before they were kept.
impl<'de> Deserialize<'de> for Grants {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Grants, D::Error> {
        Ok(Grants(Option::<Vec<Policy>>::deserialize(deserializer)?.map(Arc::from)))
    }
}

/// As a refusal names it: the permission, and where.
impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = Group::of(self.family, self.level);
        write!(f, "\"{}\" on {}", group.name(), self.place.described())
    }
}

#[cfg(test)]
mod tests;
