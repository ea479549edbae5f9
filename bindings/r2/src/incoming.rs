//! A content on its way in: written piece by piece, with its checksums, and never whole in memory.

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt as _};
use futures::{Stream, stream};

use crate::checksum::{Algorithm, Checksums, Hashing, Promise};
use crate::contents::Contents;
use crate::error::R2Error;

/// What is written and hashed at once.
const PIECE: usize = 256 << 10;

/// A content that comes.
pub struct Incoming {
    pieces: BoxStream<'static, Result<Bytes, String>>,
    /// How many bytes it has, where that is known.
    length: Option<u64>,
    /// Checksums that are made of it; those with a promise have to be what is said then.
    noted: Vec<(Algorithm, Option<Promise>)>,
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incoming").field("length", &self.length).finish_non_exhaustive()
    }
}

impl From<Bytes> for Incoming {
    fn from(whole: Bytes) -> Incoming {
        let length = Some(whole.len() as u64);
        Incoming::new(stream::iter([Ok(whole)]), length)
    }
}

impl Incoming {
    /// A content that comes in pieces. An error ends it, and says why it has no end. Where a length is given, one that has
    /// another is refused.
    pub fn new(
        pieces: impl Stream<Item = Result<Bytes, String>> + Send + 'static,
        length: Option<u64>,
    ) -> Incoming {
        Incoming { pieces: pieces.boxed(), length, noted: Vec::new() }
    }

    /// Keeps a checksum of it.
    #[must_use]
    pub fn noting(mut self, algorithm: Algorithm) -> Incoming {
        self.noted.push((algorithm, None));
        self
    }

    /// Keeps a checksum of it, which has to be the one that is promised.
    #[must_use]
    pub fn promising(mut self, algorithm: Algorithm, promise: Promise) -> Incoming {
        self.noted.push((algorithm, Some(promise)));
        self
    }

    /// Writes it under a name. It is durable when this returns: its size, and its checksums, which are those that were
    /// expected.
    pub(crate) async fn write(
        mut self,
        contents: &dyn Contents,
        name: &str,
        mut hashing: Hashing,
        most: u64,
    ) -> Result<(u64, Checksums), R2Error> {
        for (algorithm, promise) in std::mem::take(&mut self.noted) {
            match promise {
                Some(promise) => hashing.expect_later(algorithm, promise),
                None => hashing.note(algorithm),
            }
        }
        let too_large = R2Error::TooLarge { what: "the content", most };
        if self.length.is_some_and(|length| length > most) {
            return Err(too_large);
        }
        let (mut sink, mut size, mut ended) = (None, 0u64, false);
        let mut hashed = Ok(hashing);
        let mut under_way: Option<tokio::task::JoinHandle<Hashing>> = None;
        while !ended {
            let mut pieces = Vec::new();
            let mut gathered = 0;
            while gathered < PIECE {
                let Some(piece) = self.pieces.next().await else {
                    ended = true;
                    break;
                };
                let piece = piece.map_err(R2Error::Interrupted)?;
                size = size.saturating_add(piece.len() as u64);
                if size > most {
                    return Err(too_large);
                }
                gathered += piece.len();
                pieces.push(piece);
            }
            if gathered == 0 {
                continue;
            }
            // Hashed beside the writing: the last pieces, while the content becomes durable.
            if let Some(before) = under_way.take() {
                hashed = before.await.map_err(|source| R2Error::store("hash a content", source));
            }
            let mut hashing = hashed?;
            hashed = Err(R2Error::store("hash a content", "it is under way"));
            let copies = pieces.clone();
            under_way = Some(tokio::task::spawn_blocking(move || {
                copies.iter().for_each(|piece| hashing.update(piece));
                hashing
            }));
            let sink = match &mut sink {
                Some(sink) => sink,
                None => sink.insert(contents.create(name).await?),
            };
            sink.write(pieces).await?;
        }
        if let Some(length) = self.length.filter(|length| *length != size) {
            return Err(R2Error::Interrupted(format!("{length} bytes were announced, and {size} came")));
        }
        if let Some(sink) = sink {
            sink.finish().await?;
        }
        if let Some(last) = under_way {
            hashed = last.await.map_err(|source| R2Error::store("hash a content", source));
        }
        Ok((size, hashed?.finish()?))
    }
}
