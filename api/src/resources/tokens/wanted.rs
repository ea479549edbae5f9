//! Owns the form in which clients say what a token may do, and from where: policies and conditions.
//! Must never let a part of it through unread: a token that was to be narrow and may do more would be worse than none.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use wasmyard_control::TokenWanted;
use wasmyard_namespaces::access::{Condition, Effect, Grants, Group, Place, Policy, PolicyError, TokenRules};
use wasmyard_namespaces::name::shorten;
use wasmyard_namespaces::{Digest, Timestamp};

use crate::error::ApiError;

/// A token to make, or what is to become of one.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TokenCreate")]
pub(crate) struct Wanted {
    /// What it is for.
    #[schemars(length(min = 1, max = 64))]
    name: String,
    /// What it may do. Left out: what the token may do that makes it, or what it could do before.
    #[serde(default)]
    policies: Option<Vec<PolicyShape>>,
    /// From when on it is refused.
    #[serde(default)]
    expires_on: Option<String>,
    /// Until when it is refused.
    #[serde(default)]
    not_before: Option<String>,
    /// From where it may be used.
    #[serde(default)]
    condition: Option<ConditionShape>,
    /// What has expired is known by its time.
    #[serde(default)]
    #[schemars(extend("enum" = ["active", "disabled", "expired", null]))]
    status: Option<String>,
}

/// A policy as clients write it.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TokenPolicy")]
pub(crate) struct PolicyShape {
    #[serde(default)]
    id: Option<String>,
    #[schemars(extend("enum" = ["allow", "deny"]))]
    effect: String,
    permission_groups: Vec<GroupShape>,
    /// Each with "*", or an account with an object of what is within it.
    resources: Map<String, Value>,
}

/// A permission group as clients write it.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TokenPermissionGroup")]
pub(crate) struct GroupShape {
    id: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default, skip_serializing)]
    #[schemars(with = "Option<Map<String, Value>>")]
    #[expect(dead_code, reason = "clients send what the list of groups shows; nothing depends on it")]
    meta: Option<Value>,
}

/// A condition as clients write it.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TokenCondition")]
pub(crate) struct ConditionShape {
    #[serde(default, alias = "request.ip", skip_serializing_if = "Option::is_none")]
    request_ip: Option<Networks>,
}

#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TokenNetworks")]
pub(crate) struct Networks {
    #[serde(default, rename = "in")]
    within: Option<Vec<String>>,
    #[serde(default)]
    not_in: Option<Vec<String>>,
}

impl Wanted {
    /// What is wanted, read whole. `before` are the rules that hold where nothing is said of policies.
    pub(crate) fn read(self, before: &TokenRules) -> Result<TokenWanted, ApiError> {
        let time = |field: &str, text: Option<String>| -> Result<Option<Timestamp>, ApiError> {
            let wrong = |_| {
                ApiError::invalid(format_args!("{field} is not a time; write it like 2027-01-31T00:00:00Z"))
            };
            text.filter(|text| !text.is_empty()).map(|text| text.parse()).transpose().map_err(wrong)
        };
        let disabled = match self.status.as_deref() {
            // Whether one has expired its time says; clients send what they were shown.
            None | Some("active" | "expired") => false,
            Some("disabled") => true,
            Some(other) => {
                return Err(ApiError::invalid(format_args!(
                    "status is active or disabled, and not {:?}; write one of them",
                    shorten(other)
                )));
            }
        };
        let grants = match self.policies {
            None => before.grants.clone(),
            Some(policies) => {
                Grants::new(policies.into_iter().map(PolicyShape::read).collect::<Result<_, _>>()?)?
            }
        };
        let condition = self.condition.and_then(|condition| condition.request_ip);
        let condition = match condition {
            None => Condition::default(),
            Some(Networks { within, not_in }) => {
                Condition::parse(&within.unwrap_or_default(), &not_in.unwrap_or_default())
                    .map_err(ApiError::invalid)?
            }
        };
        let rules = TokenRules {
            expires_on: time("expires_on", self.expires_on)?,
            not_before: time("not_before", self.not_before)?,
            disabled,
            condition,
            grants,
        };
        Ok(TokenWanted { name: self.name, rules })
    }
}

impl PolicyShape {
    fn read(self) -> Result<Policy, ApiError> {
        let effect = Effect::parse(&self.effect).ok_or_else(|| {
            let found = shorten(&self.effect);
            ApiError::invalid(format_args!("effect is allow or deny, and not {found:?}; write one of them"))
        })?;
        let find =
            |group: &GroupShape| Group::find(&group.id).ok_or_else(|| PolicyError::Group(shorten(&group.id)));
        let groups = self.permission_groups.iter().map(find).collect::<Result<Vec<Group>, _>>()?;
        let mut places = Vec::new();
        for (resource, value) in &self.resources {
            read_resource(resource, value, &mut places)?;
        }
        let mut policy = Policy { id: String::new(), effect, groups, places };
        policy.id = id(&policy);
        Ok(policy)
    }

    fn of(policy: &Policy) -> PolicyShape {
        let group = |group: &Group| GroupShape {
            id: group.id().to_owned(),
            name: Some(group.name().to_owned()),
            meta: None,
        };
        PolicyShape {
            id: Some(policy.id.clone()),
            effect: policy.effect.to_string(),
            permission_groups: policy.groups.iter().map(group).collect(),
            resources: policy.places.iter().map(|place| (place.to_string(), Value::from("*"))).collect(),
        }
    }
}

/// A resource with "*", or an account with what of it is meant.
fn read_resource(resource: &str, value: &Value, places: &mut Vec<Place>) -> Result<(), ApiError> {
    let place: Place = resource.parse().map_err(PolicyError::from)?;
    match value {
        Value::String(all) if all == "*" => places.push(place),
        Value::Object(within) if place == Place::Account && !within.is_empty() => {
            for (resource, value) in within {
                let place: Place = resource.parse().map_err(PolicyError::from)?;
                if value.as_str() != Some("*") || place == Place::Account {
                    return Err(wrong_value(resource));
                }
                places.push(place);
            }
        }
        _ => return Err(wrong_value(resource)),
    }
    Ok(())
}

fn wrong_value(resource: &str) -> ApiError {
    ApiError::invalid(format_args!(
        "resources: the value of {:?} is \"*\", or for an account an object of resources within it, each with \"*\"",
        shorten(resource)
    ))
}

/// The same for the same policy, so that a token that is written back as it was shown is the same token.
fn id(policy: &Policy) -> String {
    let named = |texts: Vec<String>| texts.join(" ");
    let groups = named(policy.groups.iter().map(|group| group.id().to_owned()).collect());
    let places = named(policy.places.iter().map(ToString::to_string).collect());
    let digest = Digest::of(format!("{} {groups} {places}", policy.effect).as_bytes()).to_string();
    digest.chars().take(32).collect()
}

/// Policies as clients see them.
pub(crate) fn shapes(policies: &[Policy]) -> Vec<PolicyShape> {
    policies.iter().map(PolicyShape::of).collect()
}

impl ConditionShape {
    /// A condition as clients see it; none where there is none.
    pub(crate) fn of(condition: &Condition) -> Option<ConditionShape> {
        if condition.is_none() {
            return None;
        }
        let [within, outside] = condition.texts().map(|texts| (!texts.is_empty()).then_some(texts));
        Some(ConditionShape { request_ip: Some(Networks { within, not_in: outside }) })
    }
}
