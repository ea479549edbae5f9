//! `ratelimit`: how often something is let through.

use serde_json::{Map, Value, json};

use super::fields::Fields;
use super::{Binding, BindingError};

/// A rate limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ratelimit {
    /// Which counts it works on: those of one name are shared.
    pub namespace_id: String,
    /// How many are let through.
    pub limit: u32,
    /// In how many seconds: 10 or 60.
    pub period: u32,
}

/// The periods that there are, as the hosted product has them.
const PERIODS: [u64; 2] = [10, 60];

impl Binding for Ratelimit {
    const TYPE: &'static str = "ratelimit";
    const FIELDS: &'static [&'static str] = &["namespace_id", "simple"];

    fn parse(fields: &Fields<'_>) -> Result<Self, BindingError> {
        let id = match fields.get("namespace_id") {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        let is_number = (1..=19).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number || id.starts_with('0') {
            return Err(fields.wrong("namespace_id", "a positive whole number, like \"1001\""));
        }
        let rule = "an object with a limit from 1 to 1000000000 and a period of 10 or 60 seconds";
        let simple = fields.get("simple").ok_or_else(|| fields.wrong("simple", rule))?;
        let number = |key: &str| simple.get(key).and_then(Value::as_u64);
        let limit = number("limit").filter(|limit| (1..=1_000_000_000).contains(limit));
        let period = number("period").filter(|period| PERIODS.contains(period));
        match (
            limit.and_then(|limit| u32::try_from(limit).ok()),
            period.and_then(|period| u32::try_from(period).ok()),
        ) {
            (Some(limit), Some(period)) => Ok(Self { namespace_id: id, limit, period }),
            _ => Err(fields.wrong("simple", rule)),
        }
    }

    fn view(&self, fields: &mut Map<String, Value>) {
        fields.insert("namespace_id".to_owned(), Value::from(self.namespace_id.as_str()));
        fields.insert("simple".to_owned(), json!({ "limit": self.limit, "period": self.period }));
    }
}
