//! Which invocations a tail is for. All of its filters have to take one.
//! Source of the forms: what `wrangler tail` sends.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::IpAddr;

use http::header::HeaderName;
use serde_json::Value;

use super::Traced;
use crate::event::Trigger;

/// One condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// One in so many, by what identifies the request: those of one chain come together or not at all.
    Sampling(f64),
    /// How it ended.
    Outcome(Vec<String>),
    /// The method of the request.
    Method(Vec<String>),
    /// A field of the request, and a text in it where one is given.
    Header(HeaderName, Option<String>),
    /// The visitor's address.
    ClientIp(Vec<IpAddr>),
    /// A text in a line, in a failure, or in the address.
    Query(String),
    /// The version that ran.
    Version(String),
}

/// What is no filter. Safe to show.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("filter {number}: {rule}")]
pub struct FilterError {
    /// Which one of the list, from 0.
    pub number: usize,
    /// What it must be.
    pub rule: &'static str,
}

/// Filters of one tail.
const MOST: usize = 32;

impl Filter {
    /// Reads a list of filters. `caller` is the address that `"self"` stands for.
    ///
    /// # Errors
    /// [`FilterError`] for the first that is none.
    pub fn list(wire: &[Value], caller: Option<IpAddr>) -> Result<Vec<Filter>, FilterError> {
        if wire.len() > MOST {
            return Err(FilterError { number: MOST, rule: "a tail has 32 filters at most" });
        }
        let each = wire.iter().enumerate();
        each.map(|(number, one)| Filter::read(one, caller).map_err(|rule| FilterError { number, rule }))
            .collect()
    }

    fn read(wire: &Value, caller: Option<IpAddr>) -> Result<Filter, &'static str> {
        let texts = |name: &str| -> Option<Vec<String>> {
            let list = wire.get(name)?.as_array()?;
            list.iter().map(|text| text.as_str().map(str::to_owned)).collect()
        };
        if let Some(rate) = wire.get("sampling_rate") {
            let rate = rate.as_f64().filter(|rate| (0.0..=1.0).contains(rate));
            return rate.map(Filter::Sampling).ok_or("sampling_rate is a number from 0 to 1");
        }
        if wire.get("outcome").is_some() {
            return texts("outcome").map(Filter::Outcome).ok_or("outcome is a list of texts");
        }
        if wire.get("method").is_some() {
            return texts("method").map(Filter::Method).ok_or("method is a list of texts");
        }
        if let Some(header) = wire.get("header") {
            let name = header.get("key").and_then(Value::as_str).and_then(|key| key.parse().ok());
            let name = name.ok_or("header.key is the name of a field")?;
            return Ok(Filter::Header(name, header.get("query").and_then(Value::as_str).map(str::to_owned)));
        }
        if wire.get("client_ip").is_some() {
            let rule = "client_ip is a list of IP addresses, or \"self\"";
            let addresses = texts("client_ip").ok_or(rule)?;
            let address = |text: &String| if text == "self" { caller } else { text.parse().ok() };
            let addresses: Option<Vec<IpAddr>> = addresses.iter().map(address).collect();
            return addresses.map(Filter::ClientIp).ok_or(rule);
        }
        if let Some(query) = wire.get("query") {
            return query.as_str().map(|text| Filter::Query(text.to_owned())).ok_or("query is a text");
        }
        if let Some(version) = wire.get("scriptVersion") {
            return version
                .as_str()
                .map(|text| Filter::Version(text.to_owned()))
                .ok_or("scriptVersion is a text");
        }
        Err("it is one of sampling_rate, outcome, method, header, client_ip, query and scriptVersion")
    }

    /// Whether it takes an invocation. What it asks of a request no other event has.
    #[must_use]
    pub fn takes(&self, traced: &Traced) -> bool {
        let record = &*traced.record;
        let head = record.trigger.head();
        match self {
            Self::Sampling(rate) => {
                let mut hasher = DefaultHasher::new();
                record.ray_id.hash(&mut hasher);
                // A hash of 53 bits, which a float holds exactly.
                let place = (hasher.finish() >> 11) as f64 / (1_u64 << 53) as f64;
                place < *rate
            }
            Self::Outcome(wanted) => wanted.iter().any(|outcome| outcome == record.outcome),
            Self::Method(wanted) => match &record.trigger {
                Trigger::Fetch { method, .. } => {
                    wanted.iter().any(|one| one.eq_ignore_ascii_case(method.as_str()))
                }
                Trigger::Scheduled { .. } | Trigger::Queue { .. } | Trigger::Tail { .. } => false,
            },
            Self::Header(name, text) => head.is_some_and(|head| {
                let mut values = head.headers.get_all(name).iter();
                let text = text.as_deref().unwrap_or_default().as_bytes();
                values.any(|value| {
                    text.is_empty() || value.as_bytes().windows(text.len()).any(|part| part == text)
                })
            }),
            Self::ClientIp(wanted) => {
                head.and_then(|head| head.client).is_some_and(|client| wanted.contains(&client))
            }
            Self::Query(text) => {
                let in_fault = record.fault.as_ref().is_some_and(|fault| fault.message.contains(text));
                let in_url =
                    matches!(&record.trigger, Trigger::Fetch { url, .. } if url.to_string().contains(text));
                in_fault || in_url || traced.lines.iter().any(|line| line.text.contains(text))
            }
            Self::Version(wanted) => *wanted == record.usage.version,
        }
    }
}
