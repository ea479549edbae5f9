//! What a guest writes to a service, piece by piece: the guest's end, which takes a piece when there is room for one.

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use crate::limits::arriving::BODY_CHUNK_BYTES;

/// The guest's end.
pub(super) struct Pieces {
    sender: mpsc::Sender<Bytes>,
    /// Room for one chunk.
    permit: Option<mpsc::OwnedPermit<Bytes>>,
}

impl Pieces {
    pub(super) fn new(sender: mpsc::Sender<Bytes>) -> Pieces {
        Pieces { sender, permit: None }
    }

    fn has_room(&mut self) -> StreamResult<bool> {
        if self.permit.is_none() {
            match self.sender.clone().try_reserve_owned() {
                Ok(permit) => self.permit = Some(permit),
                Err(TrySendError::Full(_)) => return Ok(false),
                // Whoever takes them has stopped: finishing says why.
                Err(TrySendError::Closed(_)) => return Err(StreamError::Closed),
            }
        }
        Ok(true)
    }
}

#[async_trait::async_trait]
impl Pollable for Pieces {
    async fn ready(&mut self) {
        if self.permit.is_none() {
            // Closed is ready, too: the next look says so.
            self.permit = self.sender.clone().reserve_owned().await.ok();
        }
    }
}

#[async_trait::async_trait]
impl OutputStream for Pieces {
    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(if self.has_room()? { BODY_CHUNK_BYTES } else { 0 })
    }

    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > BODY_CHUNK_BYTES || !self.has_room()? {
            return Err(StreamError::trap("more was written than there was room for"));
        }
        if let Some(permit) = self.permit.take().filter(|_| !bytes.is_empty()) {
            permit.send(bytes);
        }
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }
}
