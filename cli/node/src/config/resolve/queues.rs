//! Queues that a script of a configuration consumes.

use std::collections::HashSet;

use wasmyard_control::DeclaredConsumer;
use wasmyard_namespaces::QueueName;
use wasmyard_queues::{ConsumerKind, ConsumerSettings, ConsumerWanted};

use super::Resolver;
use crate::config::document::Spot;
use crate::config::fault::Fault;
use crate::config::keys::{RawConsumer, RawScript};

impl Resolver<'_> {
    /// Each queue once.
    pub(super) fn queue_consumers(&mut self, raw: &RawScript) -> Vec<DeclaredConsumer> {
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        for consumer in &raw.queue_consumers {
            let Some(declared) = self.queue_consumer(consumer) else { continue };
            if !seen.insert(declared.queue.clone()) {
                let rule = format!("the script consumes the queue \"{}\" already", declared.queue);
                self.faults.push(Fault::new(consumer.place.line, consumer.place.key("queue"), rule));
                continue;
            }
            found.push(declared);
        }
        found
    }

    fn queue_consumer(&mut self, raw: &RawConsumer) -> Option<DeclaredConsumer> {
        let Some(queue) = &raw.queue else {
            let fault =
                Fault::new(raw.place.line, raw.place.key("queue"), "a consumer needs the name of a queue");
            self.faults.push(fault.remedy("write queue = \"NAME\""));
            return None;
        };
        let name = self.queue_name(queue)?;
        let dead_letters = match &raw.dead_letter_queue {
            Some(dead) => Some(self.queue_name(dead)?),
            None => None,
        };
        let number = |spot: &Option<Spot<u64>>| spot.as_ref().map(|spot| spot.value);
        let settings = ConsumerSettings {
            batch_size: number(&raw.max_batch_size),
            max_wait_time_ms: number(&raw.max_batch_timeout).map(|seconds| seconds.saturating_mul(1_000)),
            max_retries: number(&raw.max_retries),
            retry_delay: number(&raw.retry_delay),
            max_concurrency: number(&raw.max_concurrency),
            visibility_timeout_ms: None,
        };
        let kind = ConsumerKind::Worker(String::new());
        let wanted = ConsumerWanted { kind, settings, dead_letters };
        if let Err(error) = wanted.check(&name) {
            self.faults.push(queue.fault(error.to_string()));
            return None;
        }
        Some(DeclaredConsumer { queue: name, settings, dead_letters: wanted.dead_letters })
    }

    fn queue_name(&mut self, spot: &Spot<String>) -> Option<QueueName> {
        let name = QueueName::parse(&spot.value);
        if name.is_none() {
            self.faults.push(spot.fault(format!("a queue's name has {}", QueueName::RULE)));
        }
        name
    }
}
