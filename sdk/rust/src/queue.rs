//! Owns queues: the binding that sends messages, and the batch that a consumer is given.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::rc::Rc;

use crate::bindings::queue_consumer::exports::wasmyard::platform::queue as consumer;
use crate::bindings::queues as platform;
use crate::dispatch::BindingError;
use crate::env::Env;
use crate::executor;

/// A queue to send to: see [`Env::queue`](crate::Env::queue).
///
/// What was sent is durable when a call returns, and is handed over at least once. Each call counts as a subrequest.
#[derive(Debug, Clone)]
pub struct Queue {
    handle: Rc<platform::Sender>,
}

/// What the body of a message is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ContentType {
    /// JSON text.
    Json,
    /// Text.
    Text,
    /// Bytes.
    #[default]
    Bytes,
    /// A value of JavaScript as its engine writes it: only scripts in JavaScript read those.
    V8,
}

/// A message to be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewMessage {
    content_type: ContentType,
    body: Vec<u8>,
    delay_seconds: Option<u32>,
}

impl NewMessage {
    /// Bytes, up to 128 KiB.
    pub fn bytes(body: impl Into<Vec<u8>>) -> NewMessage {
        NewMessage { body: body.into(), ..NewMessage::default() }
    }

    /// A text.
    pub fn text(body: impl Into<String>) -> NewMessage {
        NewMessage { content_type: ContentType::Text, ..NewMessage::bytes(body.into()) }
    }

    /// JSON text.
    pub fn json_text(body: impl Into<String>) -> NewMessage {
        NewMessage { content_type: ContentType::Json, ..NewMessage::bytes(body.into()) }
    }

    /// How many seconds it is not handed over, up to 86400.
    #[must_use]
    pub fn delay_seconds(self, seconds: u32) -> NewMessage {
        NewMessage { delay_seconds: Some(seconds), ..self }
    }
}

impl Queue {
    pub(crate) fn open(binding: &str) -> Result<Queue, BindingError> {
        let handle = platform::Sender::open(binding).map_err(BindingError::from)?;
        Ok(Queue { handle: Rc::new(handle) })
    }

    /// Sends a message.
    ///
    /// # Errors
    /// See [`QueueError`].
    pub async fn send(&self, message: NewMessage) -> Result<(), QueueError> {
        self.send_batch([message]).await
    }

    /// Sends a text.
    ///
    /// # Errors
    /// See [`QueueError`].
    pub async fn send_text(&self, text: impl Into<String>) -> Result<(), QueueError> {
        self.send(NewMessage::text(text)).await
    }

    /// Sends up to 100 messages of up to 256 KiB together: all, or none.
    ///
    /// # Errors
    /// See [`QueueError`].
    pub async fn send_batch(&self, messages: impl IntoIterator<Item = NewMessage>) -> Result<(), QueueError> {
        let messages: Vec<platform::NewMessage> = messages.into_iter().map(wire).collect();
        Ok(self.handle.send(&messages)?)
    }
}

fn wire(message: NewMessage) -> platform::NewMessage {
    let content_type = match message.content_type {
        ContentType::Json => platform::ContentType::Json,
        ContentType::Text => platform::ContentType::Text,
        ContentType::Bytes => platform::ContentType::Bytes,
        ContentType::V8 => platform::ContentType::V8,
    };
    platform::NewMessage { content_type, body: message.body, delay_seconds: message.delay_seconds }
}

/// Why nothing was sent. Each has a text that may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueueError {
    /// A message, a delay or their number breaks a rule.
    InvalidArgument(String),
    /// The queue was deleted.
    QueueNotFound(String),
    /// The queue holds as much as it may.
    ExceededQuota(String),
    /// This worker has no subrequests left.
    ExceededSubrequests(String),
    /// Too many sends wait for the moment.
    Overloaded(String),
    /// The platform failed.
    Internal(String),
}

impl fmt::Display for QueueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            QueueError::InvalidArgument(text)
            | QueueError::QueueNotFound(text)
            | QueueError::ExceededQuota(text)
            | QueueError::ExceededSubrequests(text)
            | QueueError::Overloaded(text)
            | QueueError::Internal(text) => f.write_str(text),
        }
    }
}

impl Error for QueueError {}

impl From<platform::SendError> for QueueError {
    fn from(error: platform::SendError) -> QueueError {
        match error {
            platform::SendError::InvalidArgument(text) => QueueError::InvalidArgument(text),
            platform::SendError::QueueNotFound(text) => QueueError::QueueNotFound(text),
            platform::SendError::ExceededQuota(text) => QueueError::ExceededQuota(text),
            platform::SendError::ExceededSubrequests(text) => QueueError::ExceededSubrequests(text),
            platform::SendError::Overloaded(text) => QueueError::Overloaded(text),
            platform::SendError::Internal(text) => QueueError::Internal(text),
        }
    }
}

/// Messages of one queue, as a consumer is given them: see [`macro@crate::queue`].
///
/// What nothing is said of is handled when the consumer returns, and comes again where it fails. The first word about a message
/// counts.
#[derive(Debug)]
#[non_exhaustive]
pub struct MessageBatch {
    /// The queue.
    pub queue: String,
    /// The messages: from 1 to 100.
    pub messages: Vec<QueueMessage>,
    said: Rc<RefCell<Said>>,
}

/// What was said of a batch.
#[derive(Debug, Default)]
struct Said {
    rest: Option<consumer::Verdict>,
    each: Vec<(String, consumer::Verdict)>,
}

/// A message that came.
#[derive(Debug)]
#[non_exhaustive]
pub struct QueueMessage {
    /// Names it within its queue.
    pub id: String,
    /// When it was sent, in milliseconds since 1970.
    pub timestamp: u64,
    /// What its body is: `json`, `text`, `bytes` or `v8`.
    pub content_type: String,
    /// What was sent.
    pub body: Vec<u8>,
    /// How often it was handed over, this time included.
    pub attempts: u32,
    said: Rc<RefCell<Said>>,
}

impl QueueMessage {
    /// The body as text. What is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is not JSON of that shape.
    #[cfg(feature = "json")]
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> crate::Result<T> {
        Ok(serde_json::from_slice(&self.body)?)
    }

    /// It was handled, and does not come again, whatever becomes of the others.
    pub fn ack(&self) {
        self.judge(consumer::Verdict::Ack);
    }

    /// It is to come again, after the queue's own time.
    pub fn retry(&self) {
        self.judge(consumer::Verdict::Retry(None));
    }

    /// It is to come again after so many seconds, up to 86400.
    pub fn retry_after(&self, seconds: u32) {
        self.judge(consumer::Verdict::Retry(Some(seconds)));
    }

    fn judge(&self, verdict: consumer::Verdict) {
        let mut said = self.said.borrow_mut();
        if !said.each.iter().any(|(id, _)| *id == self.id) {
            said.each.push((self.id.clone(), verdict));
        }
    }
}

impl MessageBatch {
    /// All of which nothing else was said were handled.
    pub fn ack_all(&self) {
        self.said.borrow_mut().rest.get_or_insert(consumer::Verdict::Ack);
    }

    /// All of which nothing else was said are to come again, after the queue's own time.
    pub fn retry_all(&self) {
        self.said.borrow_mut().rest.get_or_insert(consumer::Verdict::Retry(None));
    }

    fn given(batch: consumer::Batch) -> (MessageBatch, Rc<RefCell<Said>>) {
        let said = Rc::new(RefCell::new(Said::default()));
        let messages = batch.messages.into_iter().map(|message| QueueMessage {
            id: message.id,
            timestamp: message.timestamp,
            content_type: message.content_type,
            body: message.body,
            attempts: message.attempts,
            said: Rc::clone(&said),
        });
        let messages = messages.collect();
        (MessageBatch { queue: batch.queue, messages, said: Rc::clone(&said) }, said)
    }
}

/// What a consumer may return: nothing, or a result of that with any error that can be printed.
pub trait Consumed {
    /// The text for the log, where it failed.
    fn into_result(self) -> Result<(), String>;
}

impl Consumed for () {
    fn into_result(self) -> Result<(), String> {
        Ok(())
    }
}

impl<E: fmt::Display> Consumed for Result<(), E> {
    fn into_result(self) -> Result<(), String> {
        self.map_err(|error| format!("{error:#}"))
    }
}

/// Calls the consumer's function, and says what is to become of the messages when all tasks have ended.
///
/// # Errors
/// The text of the consumer's own failure, if it said nothing of any message before.
pub fn consume<F>(
    batch: consumer::Batch,
    worker: impl FnOnce(MessageBatch, Env) -> F + 'static,
) -> Result<consumer::Answer, String>
where
    F: Future<Output: Consumed> + 'static,
{
    let (batch, said) = MessageBatch::given(batch);
    let came = Rc::new(RefCell::new(Ok(())));
    let kept = Rc::clone(&came);
    executor::run(async move {
        *kept.borrow_mut() = worker(batch, Env::new()).await.into_result();
    });
    let said = said.take();
    let failed = came.replace(Ok(()));
    if let Err(text) = failed {
        // What was handled before it failed was handled: the others come again.
        if said.each.is_empty() && said.rest.is_none() {
            return Err(text);
        }
        eprintln!("{text}");
        let rest = said.rest.unwrap_or(consumer::Verdict::Retry(None));
        return Ok(consumer::Answer { rest, each: said.each });
    }
    Ok(consumer::Answer { rest: said.rest.unwrap_or(consumer::Verdict::Ack), each: said.each })
}

/// Checks a consumer's signature where there is no platform to call it.
///
/// ```
/// #[wasmyard::queue]
/// async fn consume(batch: wasmyard::MessageBatch, _: wasmyard::Env) {
///     for message in &batch.messages {
///         message.ack();
///     }
/// }
/// ```
/// What does not fit is refused when it is compiled:
/// ```compile_fail
/// #[wasmyard::queue]
/// async fn no_batch(_: wasmyard::Request, _: wasmyard::Env) {}
/// ```
pub fn check_consumer<F>(batch: MessageBatch, env: Env, worker: impl FnOnce(MessageBatch, Env) -> F + 'static)
where
    F: Future<Output: Consumed> + 'static,
{
    drop(worker(batch, env));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(ids: &[&str]) -> consumer::Batch {
        let message = |id: &&str| consumer::Message {
            id: (*id).to_owned(),
            timestamp: 1,
            content_type: "text".to_owned(),
            body: id.as_bytes().to_vec(),
            attempts: 1,
        };
        consumer::Batch { queue: "q".to_owned(), messages: ids.iter().map(message).collect() }
    }

    #[test]
    fn what_nothing_is_said_of_was_handled() {
        let answer = consume(batch(&["a", "b"]), async |batch: MessageBatch, _| {
            for message in batch.messages.iter().filter(|message| message.text() == "b") {
                message.retry_after(5);
                message.ack();
            }
        });
        let answer = answer.unwrap();
        assert!(matches!(answer.rest, consumer::Verdict::Ack));
        assert!(matches!(answer.each.as_slice(), [(id, consumer::Verdict::Retry(Some(5)))] if id == "b"));
    }

    #[test]
    fn a_failure_leaves_what_was_handled_before() {
        let failed = consume(batch(&["a"]), async |_, _| Err::<(), _>("no such luck"));
        assert_eq!(failed.unwrap_err(), "no such luck");
        let answer = consume(batch(&["a", "b"]), async |batch: MessageBatch, _| {
            batch.messages.iter().take(1).for_each(QueueMessage::ack);
            Err::<(), _>("no such luck")
        });
        let answer = answer.unwrap();
        assert!(matches!(answer.rest, consumer::Verdict::Retry(None)));
        assert_eq!(answer.each.len(), 1);
    }
}
