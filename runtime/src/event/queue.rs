//! Messages of a queue, handed over together, and what a script says is to become of each.
//!
//! A [`Batch`] is proof that it is within its bounds. Must never know where messages are kept.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::{ComponentType, Lift, Lower};
use wasmyard_namespaces::code::EventKind;
use wasmyard_namespaces::limits::events::{
    QUEUE_BATCH, QUEUE_MESSAGE_BYTES, QUEUE_NAME_BYTES, QUEUE_RETRY_SECONDS,
};
use wasmyard_namespaces::name::shorten;

use super::Exported;
use crate::outcome::Failure;

/// Messages of one queue: at least one, each with a name of its own.
#[derive(Debug, Clone)]
pub struct Batch {
    queue: Arc<str>,
    messages: Vec<Message>,
}

/// One message, as the guest is given it.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lower)]
#[component(record)]
pub struct Message {
    /// Names it within its queue.
    pub id: String,
    /// When it was sent, in milliseconds since 1970.
    #[component(name = "timestamp")]
    pub sent_ms: u64,
    /// What its body is: a word such as `json`, or a media type.
    #[component(name = "content-type")]
    pub content_type: String,
    /// What was sent.
    pub body: Vec<u8>,
    /// How often it was handed over, this time included.
    pub attempts: u32,
}

/// What is to become of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It was handled, and goes.
    Ack,
    /// It is to come again.
    Retry {
        /// How long it is to stay away; none leaves that to the queue.
        delay: Option<Duration>,
    },
}

impl Batch {
    /// Messages of a queue.
    ///
    /// # Errors
    ///
    /// [`Failure::InvalidArgument`] with the bound or the rule that is broken.
    pub fn new(queue: Arc<str>, messages: Vec<Message>) -> Result<Self, Failure> {
        match broken(&queue, &messages) {
            Some(rule) => Err(Failure::InvalidArgument(rule)),
            None => Ok(Self { queue, messages }),
        }
    }

    /// The queue's name.
    pub fn queue(&self) -> &Arc<str> {
        &self.queue
    }

    /// The messages.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }
}

/// The rule that a batch breaks, if there is one.
fn broken(queue: &str, messages: &[Message]) -> Option<String> {
    if queue.len() > QUEUE_NAME_BYTES {
        let name = shorten(queue);
        return Some(format!("the queue's name \"{name}\" is longer than {QUEUE_NAME_BYTES} bytes"));
    }
    if messages.is_empty() || messages.len() > QUEUE_BATCH {
        let found = messages.len();
        return Some(format!("a batch has 1 to {QUEUE_BATCH} messages, and this one has {found}; split it"));
    }
    let mut seen = HashSet::with_capacity(messages.len());
    for message in messages {
        let bytes = message.body.len();
        let id = || shorten(&message.id);
        if bytes > QUEUE_MESSAGE_BYTES {
            let id = id();
            return Some(format!(
                "message \"{id}\" has {bytes} bytes; a message has {QUEUE_MESSAGE_BYTES} at most"
            ));
        }
        if message.id.len().max(message.content_type.len()) > QUEUE_NAME_BYTES {
            return Some(format!(
                "message \"{}\": its id and its content type have {QUEUE_NAME_BYTES} bytes each at most",
                id()
            ));
        }
        if !seen.insert(message.id.as_str()) {
            return Some(format!("two messages are called \"{}\"; each has an id of its own", id()));
        }
    }
    None
}

/// See `queue.batch` in `sdk/wit/platform.wit`.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct Handed {
    queue: Arc<str>,
    messages: Vec<Message>,
}

/// See `queue.answer`.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct Returned {
    rest: Said,
    each: Vec<(String, Said)>,
}

/// See `queue.verdict`.
#[derive(Clone, Copy, ComponentType, Lift)]
#[component(variant)]
pub(crate) enum Said {
    #[component(name = "ack")]
    Ack,
    #[component(name = "retry")]
    Retry(Option<u32>),
}

impl Said {
    fn judged(self) -> Result<Verdict, String> {
        match self {
            Self::Ack => Ok(Verdict::Ack),
            Self::Retry(Some(seconds)) if seconds > QUEUE_RETRY_SECONDS => Err(format!(
                "it asks for a delay of {seconds} seconds, and {QUEUE_RETRY_SECONDS} is the longest"
            )),
            Self::Retry(seconds) => {
                let delay = seconds.map(|seconds| Duration::from_secs(seconds.into()));
                Ok(Verdict::Retry { delay })
            }
        }
    }
}

impl Exported for Batch {
    const KIND: EventKind = EventKind::Queue;
    type Parameters = (Handed,);
    type Returned = Returned;
    type Asked = Vec<String>;
    type Answer = Vec<Verdict>;

    fn weight(&self) -> u64 {
        let message = |message: &Message| {
            // The id twice: the answer is compared with it.
            size_of::<Message>() + message.body.len() + message.content_type.len() + 2 * message.id.len()
        };
        (self.queue.len() + self.messages.iter().map(message).sum::<usize>()) as u64
    }

    fn into_parameters(self) -> (Self::Parameters, Vec<String>) {
        let ids = self.messages.iter().map(|message| message.id.clone()).collect();
        ((Handed { queue: self.queue, messages: self.messages },), ids)
    }

    fn judge(ids: Vec<String>, returned: Returned) -> Result<Vec<Verdict>, String> {
        let Returned { rest, each } = returned;
        let mut verdicts = vec![rest.judged()?; ids.len()];
        let mut places: HashMap<&str, &mut Verdict> =
            ids.iter().map(String::as_str).zip(verdicts.iter_mut()).collect();
        for (id, said) in &each {
            let place = places.remove(id.as_str()).ok_or_else(|| {
                let id = shorten(id);
                format!("it judges the message \"{id}\", which is not in the batch, or was judged already")
            })?;
            *place = said.judged()?;
        }
        Ok(verdicts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: &str, bytes: usize) -> Message {
        let (content_type, body) = ("bytes".to_owned(), vec![0; bytes]);
        Message { id: id.to_owned(), sent_ms: 1, content_type, body, attempts: 1 }
    }

    fn many(count: usize) -> Vec<Message> {
        (0..count).map(|number| message(&number.to_string(), 1)).collect()
    }

    #[test]
    fn a_batch_is_within_its_bounds_or_is_none() {
        let refused = |queue: &str, messages| Batch::new(queue.into(), messages).err().map(|f| f.to_string());
        assert_eq!(refused("q", many(QUEUE_BATCH)), None);
        assert_eq!(refused("q", vec![message("a", QUEUE_MESSAGE_BYTES)]), None);
        let long = "x".repeat(QUEUE_NAME_BYTES + 1);
        for (queue, messages, said) in [
            ("q", many(0), "a batch has 1 to 100 messages, and this one has 0"),
            ("q", many(QUEUE_BATCH + 1), "and this one has 101; split it"),
            ("q", vec![message("a", QUEUE_MESSAGE_BYTES + 1)], "message \"a\" has 131073 bytes"),
            ("q", vec![message("a", 1), message("a", 1)], "two messages are called \"a\""),
            ("q", vec![message(&long, 1)], "its id and its content type"),
            (
                "q",
                vec![Message { content_type: long.clone(), ..message("a", 1) }],
                "its id and its content type",
            ),
            (&long, many(1), "the queue's name"),
        ] {
            let text = refused(queue, messages).unwrap();
            assert!(text.contains(said), "{text}");
        }
    }

    #[test]
    fn each_message_has_the_verdict_that_names_it_or_the_one_for_the_rest() {
        let ids = || vec!["a".to_owned(), "b".to_owned(), "c".to_owned()];
        let judged = |rest, each: &[(&str, Said)]| {
            let each = each.iter().map(|(id, said)| ((*id).to_owned(), *said)).collect();
            Batch::judge(ids(), Returned { rest, each })
        };
        let again = |delay| Verdict::Retry { delay };
        assert_eq!(judged(Said::Ack, &[]), Ok(vec![Verdict::Ack; 3]));
        assert_eq!(
            judged(Said::Retry(None), &[("b", Said::Ack), ("c", Said::Retry(Some(QUEUE_RETRY_SECONDS)))]),
            Ok(vec![again(None), Verdict::Ack, again(Some(Duration::from_secs(QUEUE_RETRY_SECONDS.into())))])
        );
        for (rest, each, said) in [
            (Said::Ack, &[("d", Said::Ack)][..], "\"d\", which is not in the batch"),
            (Said::Ack, &[("a", Said::Ack), ("a", Said::Retry(None))], "or was judged already"),
            (Said::Retry(Some(QUEUE_RETRY_SECONDS + 1)), &[], "a delay of 86401 seconds"),
            (Said::Ack, &[("a", Said::Retry(Some(u32::MAX)))], "and 86400 is the longest"),
        ] {
            let text = judged(rest, each).unwrap_err();
            assert!(text.contains(said), "{text}");
        }
    }
}
