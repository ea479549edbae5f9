//! Owns the reading of a form as it arrives: one part after the other, in pieces, within bounds of size and time.
//! Must never hold more of a body than one piece of the connection and one header block.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use memchr::memmem;

use super::{HEADERS_MAX, Head, MultipartError, head, unparsable};
use crate::body::{Bounds, Pieces};
use crate::error::ApiError;

/// Where the reading stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before the first boundary.
    Preamble,
    /// In the content of a part.
    Content,
    /// Right behind a boundary.
    Boundary,
    /// Behind the closing boundary.
    End,
}

/// A form that is being read.
pub(crate) struct FormReader {
    pieces: Pieces,
    buffer: BytesMut,
    finder: memmem::Finder<'static>,
    place: Place,
    parts: usize,
    most_parts: usize,
}

impl FormReader {
    pub(crate) fn new(body: Body, boundary: &str, bounds: Bounds, most_parts: usize) -> FormReader {
        let delimiter = format!("\r\n--{boundary}");
        FormReader {
            pieces: Pieces::of(body, bounds),
            // The first boundary may open the body; with this before it, it looks like every other.
            buffer: BytesMut::from("\r\n"),
            finder: memmem::Finder::new(delimiter.as_bytes()).into_owned(),
            place: Place::Preamble,
            parts: 0,
            most_parts,
        }
    }

    /// The head of the next part; none behind the last. What is left of the part before is passed over.
    pub(crate) async fn part(&mut self) -> Result<Option<Head>, ApiError> {
        while matches!(self.place, Place::Preamble | Place::Content) {
            self.piece().await?;
        }
        if self.place == Place::End {
            return Ok(None);
        }
        if self.parts == self.most_parts {
            return Err(unparsable(MultipartError::TooManyParts(self.most_parts)));
        }
        self.parts += 1;
        self.skip_padding().await?;
        let block = self.head_block().await?;
        self.place = Place::Content;
        head(&block, self.parts).map(Some).map_err(unparsable)
    }

    /// The next piece of the part's content; none at its end. Never empty.
    pub(crate) async fn piece(&mut self) -> Result<Option<Bytes>, ApiError> {
        let delimiter = self.finder.needle().len();
        loop {
            if !matches!(self.place, Place::Preamble | Place::Content) {
                return Ok(None);
            }
            match self.finder.find(&self.buffer) {
                Some(0) => {
                    let _boundary = self.buffer.split_to(delimiter);
                    self.place = self.after_boundary().await?;
                    return Ok(None);
                }
                Some(at) => return Ok(Some(self.buffer.split_to(at).freeze())),
                None => {
                    // The last bytes may be the beginning of a boundary.
                    let sure = self.buffer.len().saturating_sub(delimiter - 1);
                    if sure > 0 {
                        return Ok(Some(self.buffer.split_to(sure).freeze()));
                    }
                    let error = match self.place {
                        Place::Preamble => MultipartError::NoStart,
                        _ => MultipartError::Truncated,
                    };
                    self.more(error).await?;
                }
            }
        }
    }

    async fn after_boundary(&mut self) -> Result<Place, ApiError> {
        while self.buffer.len() < 2 {
            self.more(MultipartError::Truncated).await?;
        }
        Ok(if self.buffer.starts_with(b"--") { Place::End } else { Place::Boundary })
    }

    /// Blanks may follow a boundary, and then a line break must.
    async fn skip_padding(&mut self) -> Result<(), ApiError> {
        let mut blanks = 0;
        loop {
            match self.buffer.get(blanks..blanks + 2) {
                Some(b"\r\n") => {
                    let _padding = self.buffer.split_to(blanks + 2);
                    return Ok(());
                }
                Some([b' ' | b'\t', _]) if blanks < HEADERS_MAX => blanks += 1,
                Some(_) => {
                    let why = "the boundary is not followed by a line break";
                    return Err(unparsable(MultipartError::Headers(self.parts, why)));
                }
                None => self.more(MultipartError::Truncated).await?,
            }
        }
    }

    async fn head_block(&mut self) -> Result<Bytes, ApiError> {
        loop {
            if self.buffer.starts_with(b"\r\n") {
                let _blank_line = self.buffer.split_to(2);
                return Ok(Bytes::new());
            }
            let window = self.buffer.get(..HEADERS_MAX).unwrap_or(&self.buffer);
            if let Some(end) = memmem::find(window, b"\r\n\r\n") {
                let block = self.buffer.split_to(end).freeze();
                let _blank_line = self.buffer.split_to(4);
                return Ok(block);
            }
            if self.buffer.len() >= HEADERS_MAX {
                return Err(unparsable(MultipartError::Headers(self.parts, "they are longer than 8 KiB")));
            }
            self.more(MultipartError::Truncated).await?;
        }
    }

    /// Waits for more of the body; fails with `at_end` when there is none.
    async fn more(&mut self, at_end: MultipartError) -> Result<(), ApiError> {
        let data = self.pieces.next().await?.ok_or_else(|| unparsable(at_end))?;
        self.buffer.extend_from_slice(&data);
        Ok(())
    }
}
