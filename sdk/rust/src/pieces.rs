//! Owns contents that go between worker and platform in pieces: objects, and values that are too large for one call.

use std::rc::Rc;

use wasip2::io::poll::Pollable;
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

use crate::executor::Ready;

/// How many bytes are read at once.
const PIECE: u64 = 64 << 10;

/// What one call takes; more than that is written piece by piece.
pub(crate) const IN_ONE_CALL: usize = 512 << 10;

/// A content that is read.
#[derive(Debug)]
pub(crate) struct Source {
    stream: InputStream,
    ended: bool,
}

impl Source {
    pub(crate) fn new(stream: InputStream) -> Source {
        Source { stream, ended: false }
    }

    /// The next piece, never empty; `None` after the last. The platform's text where there is none that can be read.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, String> {
        while !self.ended {
            match self.stream.read(PIECE) {
                Ok(bytes) if bytes.is_empty() => ready(self.stream.subscribe()).await,
                Ok(bytes) => return Ok(Some(bytes)),
                Err(StreamError::Closed) => self.ended = true,
                Err(StreamError::LastOperationFailed(error)) => return Err(error.to_debug_string()),
            }
        }
        Ok(None)
    }

    /// All that is left.
    pub(crate) async fn rest(&mut self) -> Result<Vec<u8>, String> {
        let mut whole = Vec::new();
        while let Some(piece) = self.next().await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole)
    }
}

/// Writes all of it, as fast as it is taken. `None` where no more is: whoever finishes the content is told why.
pub(crate) async fn write(stream: &OutputStream, bytes: &[u8]) -> Option<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let space = stream.check_write().ok()?;
        if space == 0 {
            ready(stream.subscribe()).await;
            continue;
        }
        let length = rest.len().min(usize::try_from(space).unwrap_or(usize::MAX));
        let (now, later) = rest.split_at(length);
        stream.write(now).ok()?;
        rest = later;
    }
    Some(())
}

async fn ready(pollable: Pollable) {
    Ready::new(Rc::new(pollable)).await;
}
