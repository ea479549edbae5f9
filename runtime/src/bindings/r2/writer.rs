//! A content that a guest writes, piece by piece: the service takes each as it comes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures::{Stream, stream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::DynOutputStream;
use wasmyard_r2::{Bucket, Incoming, PutOptions, R2Error as Refused};

use super::convert::{object, part};
use super::told;
use crate::bindings::pieces::Pieces;
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
        let stream: DynOutputStream = Box::new(Pieces::new(writer.sender.clone()));
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
