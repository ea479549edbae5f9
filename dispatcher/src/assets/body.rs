//! The bytes of an answer: slices of what is in memory, and of open files in chunks.
//!
//! A file is read as fast as the visitor takes it, one chunk ahead at most, from the page cache without leaving
//! the thread and from the disk on a thread that may wait. Chunks live in buffers that go round. Files are not
//! mapped: a disk error or a cold page would then stop a thread that serves everybody, or the whole process.

use std::collections::VecDeque;
use std::io::IoSliceMut;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use rustix::io::ReadWriteFlags;
use tokio::task::JoinHandle;
use wasmyard_runtime::BodyError;

/// How much is read at once.
const CHUNK: usize = 128 << 10;
/// How many buffers are kept for the next chunk.
const KEPT_BUFFERS: usize = 64;

/// An open file of known length that nobody writes to.
#[derive(Debug)]
pub(super) struct OpenFile {
    pub(super) file: std::fs::File,
    pub(super) len: u64,
}

/// One after the other, these make up a body.
pub(super) enum Piece {
    Bytes(Bytes),
    File { file: Arc<OpenFile>, range: Range<u64> },
}

/// A body of pieces; its length is known.
pub(super) struct Pieces {
    left: u64,
    pieces: VecDeque<Piece>,
    reading: Option<JoinHandle<std::io::Result<Bytes>>>,
    buffers: Arc<Buffers>,
}

impl Pieces {
    pub(super) fn new(pieces: impl IntoIterator<Item = Piece>, buffers: &Arc<Buffers>) -> Pieces {
        let pieces: VecDeque<Piece> = pieces.into_iter().filter(|piece| piece.len() > 0).collect();
        let left = pieces.iter().map(Piece::len).sum();
        Pieces { left, pieces, reading: None, buffers: Arc::clone(buffers) }
    }

    /// The next chunk of the front piece, or where it will come from.
    fn next(&mut self) -> Option<Next> {
        match self.pieces.front_mut()? {
            Piece::Bytes(_) => match self.pieces.pop_front() {
                Some(Piece::Bytes(bytes)) => {
                    self.left = self.left.saturating_sub(bytes.len() as u64);
                    Some(Next::Here(bytes))
                }
                Some(Piece::File { .. }) | None => None,
            },
            Piece::File { file, range } => {
                let wanted = usize::try_from(range.end - range.start).unwrap_or(CHUNK).min(CHUNK);
                let mut buffer = self.buffers.take(wanted);
                Some(match read_cached(file, &mut buffer.bytes, range.start) {
                    Some(read) => {
                        buffer.bytes.truncate(read);
                        Next::Read(Bytes::from_owner(buffer))
                    }
                    None => {
                        let (file, at) = (Arc::clone(file), range.start);
                        Next::Reading(tokio::task::spawn_blocking(move || {
                            file.file.read_exact_at(&mut buffer.bytes, at)?;
                            Ok(Bytes::from_owner(buffer))
                        }))
                    }
                })
            }
        }
    }

    /// Takes account of a chunk of the file at the front.
    fn read(&mut self, chunk: Bytes) -> Result<Frame<Bytes>, BodyError> {
        if chunk.is_empty() {
            return Err(self.failed(&"the file is shorter than it was"));
        }
        let len = chunk.len() as u64;
        self.left = self.left.saturating_sub(len);
        if let Some(Piece::File { range, .. }) = self.pieces.front_mut() {
            range.start += len;
            if range.is_empty() {
                self.pieces.pop_front();
            }
        }
        Ok(Frame::data(chunk))
    }

    fn failed(&mut self, error: &dyn std::fmt::Display) -> BodyError {
        tracing::error!(target: "wasmyard::assets", %error, "an asset could not be read to its end");
        self.pieces.clear();
        BodyError::InternalError(Some("the asset could not be read".to_owned()))
    }
}

enum Next {
    /// A piece of memory, whole.
    Here(Bytes),
    /// Some of a file.
    Read(Bytes),
    /// Will be read.
    Reading(JoinHandle<std::io::Result<Bytes>>),
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        loop {
            if let Some(reading) = &mut this.reading {
                let read = std::task::ready!(Pin::new(reading).poll(cx));
                this.reading = None;
                return Poll::Ready(Some(match read {
                    Ok(Ok(chunk)) => this.read(chunk),
                    Ok(Err(error)) => Err(this.failed(&error)),
                    Err(error) => Err(this.failed(&error)),
                }));
            }
            match this.next() {
                None => return Poll::Ready(None),
                Some(Next::Here(chunk)) => return Poll::Ready(Some(Ok(Frame::data(chunk)))),
                Some(Next::Read(chunk)) => return Poll::Ready(Some(this.read(chunk))),
                Some(Next::Reading(reading)) => this.reading = Some(reading),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty() && self.reading.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

impl Piece {
    fn len(&self) -> u64 {
        match self {
            Piece::Bytes(bytes) => bytes.len() as u64,
            Piece::File { range, .. } => range.end.saturating_sub(range.start),
        }
    }
}

/// Reads what is in the page cache. None: nothing is, or this file system cannot tell.
fn read_cached(file: &OpenFile, buffer: &mut [u8], at: u64) -> Option<usize> {
    rustix::io::preadv2(&file.file, &mut [IoSliceMut::new(buffer)], at, ReadWriteFlags::NOWAIT).ok()
}

/// Buffers that are used again.
#[derive(Default)]
pub(super) struct Buffers(Mutex<Vec<Vec<u8>>>);

/// A buffer that goes back when its last slice is gone.
struct Buffer {
    bytes: Vec<u8>,
    home: Arc<Buffers>,
}

impl Buffers {
    fn take(self: &Arc<Self>, len: usize) -> Buffer {
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        bytes.resize(len, 0);
        Buffer { bytes, home: Arc::clone(self) }
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut kept = self.home.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT_BUFFERS {
            kept.push(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use http_body_util::BodyExt as _;

    use super::*;

    fn file(content: &[u8]) -> Arc<OpenFile> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        Arc::new(OpenFile { file, len: content.len() as u64 })
    }

    #[tokio::test]
    async fn pieces_come_in_their_order_and_the_length_is_known_before() {
        let content: Vec<u8> = (0..400_000u32).map(|n| (n % 251) as u8).collect();
        let open = file(&content);
        let buffers = Arc::default();
        let pieces = [
            Piece::Bytes(Bytes::from_static(b"head")),
            Piece::File { file: Arc::clone(&open), range: 10..300_000 },
            Piece::Bytes(Bytes::new()),
            Piece::File { file: Arc::clone(&open), range: 399_999..400_000 },
        ];
        let body = Pieces::new(pieces, &buffers);
        assert_eq!(body.size_hint().exact(), Some(4 + 299_990 + 1));
        let read = body.collect().await.unwrap().to_bytes();
        let expected = [b"head".as_slice(), &content[10..300_000], &content[399_999..]].concat();
        assert!(read == expected);
        drop(read);
        assert!(!buffers.0.lock().unwrap().is_empty(), "buffers are kept for the next body");
    }

    #[tokio::test]
    async fn a_file_that_is_too_short_ends_in_an_error_and_not_in_silence() {
        let open = Arc::new(OpenFile { file: file(b"short").file.try_clone().unwrap(), len: 100 });
        let mut body = Pieces::new([Piece::File { file: open, range: 0..100 }], &Arc::default());
        let mut frames = Vec::new();
        while let Some(frame) = body.frame().await {
            frames.push(frame.is_ok());
        }
        assert_eq!(frames.last(), Some(&false));
    }
}
