//! Messages: what is sent, what is handed over, and what becomes of it.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use wasmyard_model::hex;

/// What the body of a message is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ContentType {
    /// JSON text.
    #[default]
    Json,
    /// Text.
    Text,
    /// Bytes.
    Bytes,
    /// A value of JavaScript, in the form of the engine that wrote it.
    V8,
}

impl ContentType {
    /// All of them.
    pub const ALL: [ContentType; 4] =
        [ContentType::Json, ContentType::Text, ContentType::Bytes, ContentType::V8];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            ContentType::Json => "json",
            ContentType::Text => "text",
            ContentType::Bytes => "bytes",
            ContentType::V8 => "v8",
        }
    }

    /// The one of that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<ContentType> {
        ContentType::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// A message to be sent.
#[derive(Clone, Debug, Default)]
pub struct NewMessage {
    /// What its body is.
    pub content_type: ContentType,
    /// What is sent.
    pub body: Bytes,
    /// How long it is not to be handed over, in seconds; none leaves that to the binding and the queue.
    pub delay: Option<u64>,
}

/// Names a message: drawn when it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageId(pub [u8; 16]);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; 32];
        f.write_str(hex::encode(&self.0, &mut digits))
    }
}

/// Names one handing over of a message: who has it says what becomes of the message, and nobody else can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LeaseId {
    /// The message's place in the store.
    pub place: i64,
    /// Drawn for each handing over.
    pub token: i64,
}

impl fmt::Display for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.place, self.token)
    }
}

impl LeaseId {
    /// Reads what `Display` writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<LeaseId> {
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let (place, token) = text.split_at_checked(16)?;
        let number = |digits| u64::from_str_radix(digits, 16).ok().map(u64::cast_signed);
        Some(LeaseId { place: number(place)?, token: number(token)? })
    }
}

/// A message that was handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leased {
    /// By which it is settled.
    pub lease: LeaseId,
    /// Its name.
    pub id: MessageId,
    /// When it was sent, in milliseconds since 1970.
    pub sent_ms: u64,
    /// How often it was handed over, this time included.
    pub attempts: u32,
    /// What its body is.
    pub content_type: ContentType,
    /// What was sent.
    pub body: Bytes,
}

/// What becomes of a message that was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// It was handled, and goes.
    Ack,
    /// It is to come again after this time, unless it has come as often as it may; none leaves the time to the consumer.
    Retry(Option<Duration>),
    /// It was not looked at: it comes again after this time, as if it had not been handed over.
    Release(Duration),
}

/// What became of messages, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Those that went because they were handled.
    pub acked: u64,
    /// Those that come again.
    pub retried: u64,
    /// Those that went to the queue of dead letters.
    pub dead: u64,
    /// Those that came as often as they may, and went: there is no queue of dead letters.
    pub dropped: u64,
    /// Leases that were over, or none.
    pub unknown: u64,
}

impl Settled {
    /// Adds what was counted elsewhere.
    pub fn add(&mut self, other: Settled) {
        self.acked += other.acked;
        self.retried += other.retried;
        self.dead += other.dead;
        self.dropped += other.dropped;
        self.unknown += other.unknown;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_read_as_it_is_written() {
        for lease in [
            LeaseId { place: 1, token: 2 },
            LeaseId { place: i64::MAX, token: i64::MIN },
            LeaseId { place: 77, token: -1 },
        ] {
            assert_eq!(LeaseId::parse(&lease.to_string()), Some(lease));
        }
        for bad in
            ["", "0", &"g".repeat(32), &"0".repeat(31), &"0".repeat(33), "+0000000000000010000000000000002"]
        {
            assert_eq!(LeaseId::parse(bad), None, "{bad}");
        }
    }
}
