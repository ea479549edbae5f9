//! A content on its way out: read piece by piece, as fast as somebody takes it.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, stream};

use crate::contents::{Contents, Source};
use crate::error::R2Error;
use crate::pins::Pin;
use crate::turns::Streaming;

/// What is read at once: so much of a body is in memory at most.
pub const PIECE_BYTES: usize = 128 << 10;

/// One of the contents that an object consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) name: String,
    pub(crate) size: u64,
}

/// Bytes of an object. Its contents stay until this is dropped, whatever becomes of the object.
pub struct Body {
    contents: Arc<dyn Contents>,
    /// What is left, each with its first byte and how many of it.
    pieces: VecDeque<(Piece, u64, u64)>,
    source: Option<Box<dyn Source>>,
    left: u64,
    version: String,
    _streaming: Streaming,
    _pin: Pin,
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body")
            .field("version", &self.version)
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

impl Body {
    /// The bytes of a range. None where the first of its contents is gone: the object was replaced meanwhile.
    pub(crate) async fn open(
        contents: &Arc<dyn Contents>,
        pieces: Vec<Piece>,
        range: (u64, u64),
        version: &str,
        held: (Streaming, Pin),
    ) -> Result<Option<Body>, R2Error> {
        let (mut skipped, mut left) = range;
        let mut of_range = VecDeque::new();
        for piece in pieces {
            let length = piece.size.saturating_sub(skipped).min(left);
            if length > 0 {
                left -= length;
                of_range.push_back((piece.clone(), skipped, length));
            }
            skipped = skipped.saturating_sub(piece.size);
        }
        let source = match of_range.front() {
            Some((first, ..)) => match contents.open(&first.name).await? {
                Some(source) => Some(source),
                None => return Ok(None),
            },
            None => None,
        };
        let (contents, version) = (Arc::clone(contents), version.to_owned());
        let (streaming, pin) = held;
        let left = range.1;
        Ok(Some(Body { contents, pieces: of_range, source, left, version, _streaming: streaming, _pin: pin }))
    }

    /// How many bytes are left.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.left
    }

    /// The next bytes; none at the end.
    ///
    /// # Errors
    /// [`R2Error::Damaged`] where there are fewer than were put, or the store's failure.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing: the same bytes come next.
    pub async fn next(&mut self) -> Result<Option<Bytes>, R2Error> {
        let Some((piece, offset, length)) = self.pieces.front() else { return Ok(None) };
        let (offset, length) = (*offset, *length);
        if self.source.is_none() {
            self.source = self.contents.open(&piece.name).await?;
        }
        let damaged =
            |found: &str| R2Error::Damaged { version: self.version.clone(), found: found.to_owned() };
        let Some(source) = &self.source else { return Err(damaged("a part of it is not there")) };
        let wanted = usize::try_from(length).unwrap_or(usize::MAX).min(PIECE_BYTES);
        let bytes = source.read(offset, wanted).await?;
        let bytes = bytes.ok_or_else(|| damaged("it is shorter than what was put"))?;
        let read = bytes.len() as u64;
        self.left = self.left.saturating_sub(read);
        if read < length {
            if let Some((_, offset, length)) = self.pieces.front_mut() {
                *offset += read;
                *length -= read;
            }
        } else {
            self.pieces.pop_front();
            self.source = None;
        }
        Ok(Some(bytes))
    }

    /// The bytes as a stream, which ends with the first error.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, R2Error>> + Send + 'static {
        stream::try_unfold(self, |mut body| async move {
            let next = body.next().await?;
            Ok(next.map(|bytes| (bytes, body)))
        })
    }
}
