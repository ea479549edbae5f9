//! Owns what the refusals of queues are on the wire.

use wasmyard_queues::QueueError;

use super::{ApiError, Code, sentence};

impl From<QueueError> for ApiError {
    fn from(error: QueueError) -> Self {
        let code = match &error {
            QueueError::NotFound(_) | QueueError::NameNotFound(_) => Code::QueueNotFound,
            QueueError::NameTaken(_) => Code::QueueNameTaken,
            QueueError::ConsumerNotFound(_) => Code::QueueConsumerNotFound,
            QueueError::ConsumerTaken { .. } => Code::QueueConsumerTaken,
            QueueError::Settings { of_consumer: true, .. } => Code::QueueConsumerSettings,
            QueueError::Settings { of_consumer: false, .. } => Code::QueueSettings,
            QueueError::Invalid(_) => Code::Validation,
            QueueError::TooLarge { .. } => Code::TooLarge,
            QueueError::Quota { .. } => Code::QueueQuota,
            QueueError::NotPulled(_) | QueueError::Paused(_) => Code::QueueNotPulled,
            QueueError::Busy { .. } | QueueError::Full => Code::Unavailable,
            QueueError::Store { .. } => return Self::internal(error),
        };
        Self::new(code, sentence(&error.to_string()))
    }
}
