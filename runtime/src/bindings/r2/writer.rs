//! A content that a guest writes, piece by piece: the service takes each as it comes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures::{Stream, stream};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::JoinHandle;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynOutputStream, OutputStream, Pollable, StreamError, StreamResult};
use wasmyard_r2::{Bucket, Incoming, PutOptions, R2Error as Refused};

use super::convert::{object, part};
use super::told;
use crate::bindings::r2_wit::{HostWriter, Object, Part, R2Error};
use crate::guest::state::State;
use crate::limits::arriving::{Arriving, BODY_CHUNK_BYTES, Share};

/// What the host holds of a content that is written: chunks on their way, and what the service writes at once.
const HELD_BYTES: u64 = (2 * BODY_CHUNK_BYTES + (512 << 10)) as u64;

/// What came of a content.
enum Made {
    Object(Option<Box<wasmyard_r2::Object>>),
    Part(Box<wasmyard_r2::Part>),
}

/// A content that the guest writes.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct OpenWriter {
    bucket: Bucket,
    /// Held beside the stream's own, so that the content does not end before the guest says so.
    sender: mpsc::Sender<Bytes>,
    /// Whether the guest has its stream.
    given: bool,
    /// Whether what came is all of it.
    is_whole: Arc<AtomicBool>,
    made: JoinHandle<Result<Made, Refused>>,
    _share: Share,
}

impl OpenWriter {
    pub(super) fn put(bucket: Bucket, key: String, options: PutOptions, arriving: &Arriving) -> OpenWriter {
        OpenWriter::of(bucket.clone(), arriving, async move |content| {
            bucket.put(&key, content, options).await.map(|made| Made::Object(made.map(Box::new)))
        })
    }

    pub(super) fn part(
        bucket: Bucket,
        key: String,
        upload: String,
        number: u64,
        arriving: &Arriving,
    ) -> OpenWriter {
        OpenWriter::of(bucket.clone(), arriving, async move |content| {
            let part = bucket.upload_part(&key, &upload, number, content, Vec::new()).await;
            part.map(|part| Made::Part(Box::new(part)))
        })
    }

    fn of<F>(bucket: Bucket, arriving: &Arriving, take: impl FnOnce(Incoming) -> F) -> OpenWriter
    where
        F: Future<Output = Result<Made, Refused>> + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(1);
        let is_whole = Arc::new(AtomicBool::new(false));
        let incoming = Incoming::new(pieces(receiver, Arc::clone(&is_whole)), None);
        let made = tokio::spawn(take(incoming));
        OpenWriter { bucket, sender, given: false, is_whole, made, _share: arriving.hold(HELD_BYTES) }
    }

    /// The content is whole: what came of it.
    async fn finish(self) -> Result<Made, R2Error> {
        let OpenWriter { bucket, sender, is_whole, made, .. } = self;
        is_whole.store(true, Ordering::Release);
        drop(sender);
        let made = match made.await {
            Ok(made) => made,
            Err(error) => Err(Refused::store("finish a content", error)),
        };
        made.map_err(|error| told(&bucket, error))
    }
}

fn pieces(
    receiver: mpsc::Receiver<Bytes>,
    is_whole: Arc<AtomicBool>,
) -> impl Stream<Item = Result<Bytes, String>> + Send + 'static {
    stream::unfold(Some((receiver, is_whole)), |open| async move {
        let (mut receiver, is_whole) = open?;
        match receiver.recv().await {
            Some(bytes) => Some((Ok(bytes), Some((receiver, is_whole)))),
            None if is_whole.load(Ordering::Acquire) => None,
            None => Some((Err("the script did not finish it".to_owned()), None)),
        }
    })
}

impl HostWriter for State {
    fn body(
        &mut self,
        this: Resource<OpenWriter>,
    ) -> wasmtime::Result<Result<Resource<DynOutputStream>, ()>> {
        let writer = self.table.get_mut(&this)?;
        if std::mem::replace(&mut writer.given, true) {
            return Ok(Err(()));
        }
        let stream: DynOutputStream = Box::new(Writing { sender: writer.sender.clone(), permit: None });
        Ok(Ok(self.table.push_child(stream, &this)?))
    }

    async fn finish(
        &mut self,
        this: Resource<OpenWriter>,
    ) -> wasmtime::Result<Result<Option<Object>, R2Error>> {
        let writer = self.table.delete(this)?;
        Ok(match writer.finish().await {
            Ok(Made::Object(made)) => Ok(made.map(|made| object(*made))),
            Ok(Made::Part(_)) => wasmtime::bail!("a part of an upload was finished as an object"),
            Err(refused) => Err(refused),
        })
    }

    async fn finish_part(&mut self, this: Resource<OpenWriter>) -> wasmtime::Result<Result<Part, R2Error>> {
        let writer = self.table.delete(this)?;
        Ok(match writer.finish().await {
            Ok(Made::Part(made)) => Ok(part(*made)),
            Ok(Made::Object(_)) => wasmtime::bail!("an object was finished as a part of an upload"),
            Err(refused) => Err(refused),
        })
    }

    fn drop(&mut self, this: Resource<OpenWriter>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

/// The guest's end.
struct Writing {
    sender: mpsc::Sender<Bytes>,
    /// Room for one chunk.
    permit: Option<mpsc::OwnedPermit<Bytes>>,
}

impl Writing {
    fn has_room(&mut self) -> StreamResult<bool> {
        if self.permit.is_none() {
            match self.sender.clone().try_reserve_owned() {
                Ok(permit) => self.permit = Some(permit),
                Err(TrySendError::Full(_)) => return Ok(false),
                // Whoever takes the content has stopped: finishing it says why.
                Err(TrySendError::Closed(_)) => return Err(StreamError::Closed),
            }
        }
        Ok(true)
    }
}

#[async_trait::async_trait]
impl Pollable for Writing {
    async fn ready(&mut self) {
        if self.permit.is_none() {
            // Closed is ready, too: the next look says so.
            self.permit = self.sender.clone().reserve_owned().await.ok();
        }
    }
}

#[async_trait::async_trait]
impl OutputStream for Writing {
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
