//! `queue`: a queue that messages are sent to.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::fields::Fields;
use super::{Binding, BindingError, Reference};
use crate::limits::queues::{DELAY_SECONDS, NAME_BYTES};

/// A queue that messages are sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// The queue.
    pub queue_name: QueueName,
    /// How long its messages are delayed, in seconds, where they do not say so themselves; none leaves that to the queue.
    pub delivery_delay: Option<u32>,
}

/// Names a queue: 1 to 63 letters, digits and `-`, with a letter or digit at both ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueName(Arc<str>);

impl QueueName {
    /// The rule, for whoever broke it.
    pub const RULE: &'static str = "1 to 63 letters, digits and '-', which neither begin nor end with '-'";

    /// The name, if the text is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<QueueName> {
        let is_inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let is_one = (1..=NAME_BYTES as usize).contains(&text.len())
            && text.bytes().all(is_inside)
            && !text.starts_with('-')
            && !text.ends_with('-');
        is_one.then(|| QueueName(Arc::from(text)))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, shared.
    #[must_use]
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Binding for Queue {
    const TYPE: &'static str = "queue";
    const FIELDS: &'static [&'static str] = &["queue_name", "delivery_delay"];

    fn parse(fields: &Fields<'_>) -> Result<Self, BindingError> {
        let queue_name = QueueName::parse(fields.text("queue_name")?)
            .ok_or_else(|| fields.wrong("queue_name", QueueName::RULE))?;
        let delivery_delay = match fields.get("delivery_delay") {
            None | Some(Value::Null) => None,
            Some(value) => {
                let seconds = value.as_u64().filter(|seconds| *seconds <= DELAY_SECONDS);
                let seconds = seconds.and_then(|seconds| u32::try_from(seconds).ok());
                Some(seconds.ok_or_else(|| {
                    fields.wrong("delivery_delay", "a whole number of seconds from 0 to 86400")
                })?)
            }
        };
        Ok(Self { queue_name, delivery_delay })
    }

    fn view(&self, fields: &mut Map<String, Value>) {
        fields.insert("queue_name".to_owned(), Value::from(self.queue_name.as_str()));
        if let Some(delay) = self.delivery_delay {
            fields.insert("delivery_delay".to_owned(), Value::from(delay));
        }
    }

    fn refers_to(&self) -> Vec<Reference<'_>> {
        vec![Reference::Queue(&self.queue_name)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_letters_digits_and_hyphens_inside() {
        for good in ["a", "A1", "my-queue", "a--b", &"q".repeat(63)] {
            assert_eq!(QueueName::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "-", "-a", "a-", "a_b", "a b", "a/b", "ä", &"q".repeat(64)] {
            assert_eq!(QueueName::parse(bad), None, "{bad}");
        }
    }
}
