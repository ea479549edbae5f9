//! A value that a guest writes in pieces. The host holds what came, which counts as the guest's memory, and puts it when
//! the guest says that it is whole.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynOutputStream, OutputStream, Pollable, StreamError, StreamResult};
use wasmyard_kv::limits::MAX_VALUE_BYTES;
use wasmyard_kv::{KvError as Refused, KvHandle, PutOptions};

use super::told;
use crate::bindings::kv_wit::{HostWriter, KvError};
use crate::guest::state::State;
use crate::limits::arriving::{Arriving, BODY_CHUNK_BYTES, Share};

/// A value that the guest writes.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct OpenKvWriter {
    kv: KvHandle,
    key: String,
    options: PutOptions,
    written: Written,
    /// Whether the guest has its stream.
    given: bool,
}

/// What came of it, behind the stream and behind the writer.
type Written = Arc<Mutex<Pieces>>;

struct Pieces {
    bytes: Vec<u8>,
    /// How many came, whether or not they were kept.
    came: u64,
    share: Share,
}

impl Pieces {
    /// Takes a piece; of what is longer than a value may be nothing is kept.
    fn take(&mut self, piece: &[u8]) -> Result<(), Refused> {
        self.came = self.came.saturating_add(piece.len() as u64);
        self.whole()?;
        self.bytes.extend_from_slice(piece);
        self.share.grow(piece.len() as u64);
        Ok(())
    }

    fn whole(&self) -> Result<(), Refused> {
        if self.came > MAX_VALUE_BYTES as u64 {
            let most = MAX_VALUE_BYTES as u64;
            return Err(Refused::TooLarge { what: "the value", found: self.came, most });
        }
        Ok(())
    }
}

impl OpenKvWriter {
    pub(super) fn new(kv: KvHandle, key: String, options: PutOptions, arriving: &Arriving) -> OpenKvWriter {
        let pieces = Pieces { bytes: Vec::new(), came: 0, share: arriving.hold(0) };
        OpenKvWriter { kv, key, options, written: Arc::new(Mutex::new(pieces)), given: false }
    }
}

impl HostWriter for State {
    fn body(
        &mut self,
        this: Resource<OpenKvWriter>,
    ) -> wasmtime::Result<Result<Resource<DynOutputStream>, ()>> {
        let writer = self.table.get_mut(&this)?;
        if std::mem::replace(&mut writer.given, true) {
            return Ok(Err(()));
        }
        let stream: DynOutputStream = Box::new(Writing(Arc::clone(&writer.written)));
        Ok(Ok(self.table.push_child(stream, &this)?))
    }

    async fn finish(&mut self, this: Resource<OpenKvWriter>) -> wasmtime::Result<Result<(), KvError>> {
        let OpenKvWriter { kv, key, options, written, .. } = self.table.delete(this)?;
        self.weigh()?;
        // Counted until it is written: the share goes with the pieces, after the call.
        let value = {
            let mut pieces = written.lock().unwrap_or_else(PoisonError::into_inner);
            match pieces.whole() {
                Ok(()) => Bytes::from(std::mem::take(&mut pieces.bytes)),
                Err(error) => return Ok(Err(told(&kv, error))),
            }
        };
        Ok(kv.put(&key, value, options).await.map_err(|error| told(&kv, error)))
    }

    fn drop(&mut self, this: Resource<OpenKvWriter>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

/// The guest's end. It has room at any time, up to the largest value.
struct Writing(Written);

#[async_trait::async_trait]
impl Pollable for Writing {
    async fn ready(&mut self) {}
}

#[async_trait::async_trait]
impl OutputStream for Writing {
    fn check_write(&mut self) -> StreamResult<usize> {
        // What is too large is told when it is finished.
        let pieces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pieces.whole().map_or(Err(StreamError::Closed), |()| Ok(BODY_CHUNK_BYTES))
    }

    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > BODY_CHUNK_BYTES {
            return Err(StreamError::trap("more was written than there was room for"));
        }
        let mut pieces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pieces.take(&bytes).map_err(|_| StreamError::Closed)
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }
}
