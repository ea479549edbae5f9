//! Signatures of chunks: each is of the one before it, so that none can be left out, added or moved.

use aws_lc_rs::{digest, hmac};
use subtle::ConstantTimeEq as _;
use wasmyard_r2::checksum::hex;

use super::ChunkError;

/// The signatures of a body, beginning with that of its request.
pub struct Chain {
    key: hmac::Key,
    /// Time and scope, as they are signed.
    when: String,
    /// The signature before.
    last: String,
    /// What is said to be the next.
    claimed: String,
    hashing: digest::Context,
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chain").field("when", &self.when).finish_non_exhaustive()
    }
}

impl Chain {
    /// With the key that the request was signed with, its time and scope, and its signature.
    #[must_use]
    pub fn new(key: &[u8], time: &str, scope: &str, seed: &str) -> Chain {
        Chain {
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
            when: format!("{time}\n{scope}"),
            last: seed.to_owned(),
            claimed: String::new(),
            hashing: digest::Context::new(&digest::SHA256),
        }
    }

    /// A chunk begins that is said to have this signature.
    pub(super) fn begin(&mut self, claimed: &str) {
        claimed.clone_into(&mut self.claimed);
        self.hashing = digest::Context::new(&digest::SHA256);
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.hashing.update(bytes);
    }

    /// The chunk has come whole.
    pub(super) fn judge(&mut self) -> Result<(), ChunkError> {
        let nothing = hex(digest::digest(&digest::SHA256, b"").as_ref());
        let content = hex(self.hashing.clone().finish().as_ref());
        let claimed = std::mem::take(&mut self.claimed);
        self.follow("PAYLOAD", &format!("{nothing}\n{content}"), &claimed)
    }

    /// The fields behind the last chunk, a line each, with their signature.
    pub(super) fn judge_trailer(&mut self, fields: &str, claimed: &str) -> Result<(), ChunkError> {
        let content = hex(digest::digest(&digest::SHA256, fields.as_bytes()).as_ref());
        self.follow("TRAILER", &content, claimed)
    }

    fn follow(&mut self, what: &str, content: &str, claimed: &str) -> Result<(), ChunkError> {
        let text = format!("AWS4-HMAC-SHA256-{what}\n{}\n{}\n{content}", self.when, self.last);
        let made = hex(hmac::sign(&self.key, text.as_bytes()).as_ref());
        if !bool::from(made.as_bytes().ct_eq(claimed.as_bytes())) {
            return Err(ChunkError::Signature);
        }
        self.last = made;
        Ok(())
    }
}
