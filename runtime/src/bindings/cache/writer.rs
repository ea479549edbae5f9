//! The body of a response that is kept, as the guest writes it: the store takes each piece as it comes.

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::DynOutputStream;
use wasmyard_cache::{Incoming, Left};

use crate::bindings::cache_wit::HostWriter;
use crate::bindings::pieces::Pieces;
use crate::guest::state::State;
use crate::limits::arriving::{Arriving, BODY_CHUNK_BYTES, Share};

/// What the host holds of a body that is written: chunks on their way, and what the store writes at once.
const HELD_BYTES: u64 = (2 * BODY_CHUNK_BYTES + (512 << 10)) as u64;

/// A body that the guest writes.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct OpenBody {
    /// Held beside the stream's own, so that the body does not end before the guest says so.
    sender: mpsc::Sender<Bytes>,
    /// Whether the guest has its stream.
    given: bool,
    taken: JoinHandle<Incoming>,
    _share: Share,
}

impl OpenBody {
    pub(super) fn new(mut incoming: Incoming, arriving: &Arriving) -> OpenBody {
        let (sender, mut receiver) = mpsc::channel::<Bytes>(1);
        // Ends when the guest's ends are gone: dropped with what it holds then, or finished.
        let taken = tokio::spawn(async move {
            while let Some(bytes) = receiver.recv().await {
                if !incoming.write(bytes).await {
                    break;
                }
            }
            incoming
        });
        OpenBody { sender, given: false, taken, _share: arriving.hold(HELD_BYTES) }
    }

    async fn finish(self) -> Result<(), Left> {
        let OpenBody { sender, taken, .. } = self;
        drop(sender);
        match taken.await {
            Ok(incoming) => incoming.finish().await,
            Err(error) => {
                tracing::error!(%error, "a response for a cache could not be taken");
                Err(Left::NoRoom)
            }
        }
    }
}

impl HostWriter for State {
    fn body(&mut self, this: Resource<OpenBody>) -> wasmtime::Result<Result<Resource<DynOutputStream>, ()>> {
        let writer = self.table.get_mut(&this)?;
        if std::mem::replace(&mut writer.given, true) {
            return Ok(Err(()));
        }
        let stream: DynOutputStream = Box::new(Pieces::new(writer.sender.clone()));
        Ok(Ok(self.table.push_child(stream, &this)?))
    }

    async fn finish(&mut self, this: Resource<OpenBody>) -> wasmtime::Result<Option<String>> {
        let writer = self.table.delete(this)?;
        Ok(writer.finish().await.err().map(|left| left.to_string()))
    }

    fn drop(&mut self, this: Resource<OpenBody>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
