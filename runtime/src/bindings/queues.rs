//! `wasmyard:platform/queues`: a script sends messages to a queue that it is bound to.
//!
//! Each call counts as a subrequest before anything is awaited. The rules of messages are those of [`wasmyard_queues`]; what is here
//! counts, and keeps what passes through the host within the guest's memory ceiling.

use bytes::Bytes;
use wasmtime::component::Resource;
use wasmyard_queues::{QueueError, QueueHandle};

use super::dispatch::not_there;
use super::dispatch_wit::BindingError;
use super::granted::Grant;
use super::queues_wit::{ContentType, Host, HostSender, NewMessage, SendError};
use crate::guest::state::State;

/// A queue that the guest opened.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct OpenQueue(QueueHandle);

impl Host for State {}

impl HostSender for State {
    fn open(&mut self, binding: String) -> wasmtime::Result<Result<Resource<OpenQueue>, BindingError>> {
        let pick = |grant: &Grant| if let Grant::Queue(queue) = grant { Some(queue.clone()) } else { None };
        match self.version.bindings.find(&binding, pick) {
            Ok(queue) => Ok(Ok(self.table.push(OpenQueue(queue))?)),
            Err(other) => Ok(Err(not_there(&binding, other))),
        }
    }

    async fn send(
        &mut self,
        this: Resource<OpenQueue>,
        messages: Vec<NewMessage>,
    ) -> wasmtime::Result<Result<(), SendError>> {
        let queue = self.table.get(&this)?.0.clone().within(self.storage);
        if let Err(failure) = self.hooks.count_subrequest() {
            return Ok(Err(SendError::ExceededSubrequests(failure.to_string())));
        }
        let weight = |message: &NewMessage| size_of::<NewMessage>() + message.body.len();
        self.passing = messages.iter().map(weight).sum::<usize>() as u64;
        self.weigh()?;
        let sent = queue.send(messages.into_iter().map(kept).collect()).await;
        self.passing = 0;
        Ok(sent.map_err(|error| told(&queue, error)))
    }

    fn drop(&mut self, this: Resource<OpenQueue>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

fn kept(message: NewMessage) -> wasmyard_queues::NewMessage {
    let content_type = match message.content_type {
        ContentType::Json => wasmyard_queues::ContentType::Json,
        ContentType::Text => wasmyard_queues::ContentType::Text,
        ContentType::Bytes => wasmyard_queues::ContentType::Bytes,
        ContentType::V8 => wasmyard_queues::ContentType::V8,
    };
    let delay = message.delay_seconds.map(u64::from);
    wasmyard_queues::NewMessage { content_type, body: Bytes::from(message.body), delay }
}

/// What a guest is told of a failure. What is the platform's own goes to the log.
fn told(queue: &QueueHandle, error: QueueError) -> SendError {
    let text = error.to_string();
    match error {
        QueueError::NotFound(_) | QueueError::NameNotFound(_) => SendError::QueueNotFound(text),
        QueueError::Quota { .. } => SendError::ExceededQuota(text),
        QueueError::Busy { .. } | QueueError::Full => SendError::Overloaded(text),
        QueueError::Store { .. } => {
            tracing::error!(queue = %queue.name(), error = text, "a send through a queue binding failed");
            SendError::Internal("the platform failed to send; its log says why".to_owned())
        }
        _ => SendError::InvalidArgument(text),
    }
}
