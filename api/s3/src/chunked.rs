//! Bodies of the form `aws-chunked`: a content in chunks, each with its length and, where it is signed, its signature, and
//! behind the last one fields that became known on the way.
//!
//! The rules are those that Amazon documents as "Transferring Payload in Multiple Chunks" and "Including Trailing Headers".
//! What is here passes content on as it comes: it holds a line at most, and never a chunk. Whoever takes the content must not
//! believe it before [`Chunks::finish`]: a signature comes to its end before it is judged.

use bytes::{Buf as _, Bytes};

pub use chain::Chain;

mod chain;

/// The longest line between chunks: a length of sixteen digits with a signature has 97 bytes, a field with SHA-512 some 120.
const LONGEST_LINE: usize = 512;
/// Fields behind the last chunk.
const MOST_TRAILERS: usize = 8;
/// The least that a chunk has, but for the last: each is a line to be read and a signature to be made.
const LEAST_CHUNK: u64 = 8 << 10;
/// The field in which the other trailing fields are signed.
const SIGNATURE: &str = "x-amz-trailer-signature";

/// Why a body is not one of this form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// It ends before its end, or has more or less content than was announced.
    #[error("the body has another number of bytes than x-amz-decoded-content-length says")]
    Incomplete,
    /// A line is none.
    #[error(
        "the body is not of the form aws-chunked: a chunk is LENGTH in hexadecimal digits, its signature where it is signed, and its bytes"
    )]
    Malformed,
    /// A chunk that is not the last is short.
    #[error(
        "a chunk has less than {LEAST_CHUNK} bytes, and all but the last have at least so many; send larger ones"
    )]
    TooShort,
    /// A signature is another.
    #[error("the signature of a chunk is another than the chunk, the one before it and the secret make")]
    Signature,
    /// What is behind the last chunk is not what was announced.
    #[error("behind the last chunk are other fields than x-amz-trailer names, or their signature is missing")]
    Trailer,
}

/// Reads such a body.
#[derive(Debug)]
pub struct Chunks {
    state: State,
    /// What has come of a line.
    line: Vec<u8>,
    /// Bytes of the content that are to come.
    left: u64,
    /// A chunk was short: it has to be the last.
    was_short: bool,
    chain: Option<Chain>,
    announced: Vec<String>,
    trailers: Vec<(String, String)>,
    /// The signature of the trailing fields was there, and right.
    is_trailer_signed: bool,
}

#[derive(Debug)]
enum State {
    /// A line that begins a chunk.
    Head,
    /// So many bytes of a chunk.
    Content(u64),
    /// The end of the line behind a chunk.
    Behind,
    /// Fields, or the empty line.
    Trailers,
    Done,
}

impl Chunks {
    /// For a content of so many bytes, chunks that are signed if there is a chain, and these trailing fields, in small letters.
    #[must_use]
    pub fn new(length: u64, chain: Option<Chain>, announced: Vec<String>) -> Chunks {
        Chunks {
            state: State::Head,
            line: Vec::new(),
            left: length,
            was_short: false,
            chain,
            announced,
            trailers: Vec::new(),
            is_trailer_signed: false,
        }
    }

    /// The next bytes of the content that are in `input`, which loses what was read. None where all of it was read.
    ///
    /// # Errors
    /// [`ChunkError`]; what comes after that means nothing.
    pub fn next(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, ChunkError> {
        while !input.is_empty() {
            if matches!(self.state, State::Done) {
                return Err(ChunkError::Malformed);
            }
            if let State::Content(left) = self.state {
                let length = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                let piece = input.split_to(length);
                self.pass(&piece, left - length as u64)?;
                return Ok(Some(piece));
            }
            if let Some(line) = self.line(input)? {
                self.take(&line)?;
            }
        }
        Ok(None)
    }

    /// The trailing fields, when all has come.
    ///
    /// # Errors
    /// [`ChunkError::Incomplete`], where it has not.
    pub fn finish(self) -> Result<Vec<(String, String)>, ChunkError> {
        match self.state {
            State::Done => Ok(self.trailers),
            State::Head | State::Content(_) | State::Behind | State::Trailers => Err(ChunkError::Incomplete),
        }
    }

    /// Content of a chunk, of which so much is left behind it.
    fn pass(&mut self, piece: &[u8], left: u64) -> Result<(), ChunkError> {
        if let Some(chain) = &mut self.chain {
            chain.update(piece);
        }
        self.left = self.left.saturating_sub(piece.len() as u64);
        if left > 0 {
            self.state = State::Content(left);
            return Ok(());
        }
        self.state = State::Behind;
        self.chain.as_mut().map_or(Ok(()), Chain::judge)
    }

    /// A line, without what ends it, when it is there.
    fn line(&mut self, input: &mut Bytes) -> Result<Option<String>, ChunkError> {
        let end = memchr::memchr(b'\n', input);
        let length = end.unwrap_or(input.len());
        if self.line.len() + length > LONGEST_LINE {
            return Err(ChunkError::Malformed);
        }
        self.line.extend_from_slice(input.get(..length).unwrap_or_default());
        input.advance(end.map_or(length, |end| end + 1));
        if end.is_none() {
            return Ok(None);
        }
        let mut line = std::mem::take(&mut self.line);
        let has_return = line.pop_if(|last| *last == b'\r').is_some();
        // In the documentation a trailing field ends without a return.
        if !has_return && !matches!(self.state, State::Trailers) {
            return Err(ChunkError::Malformed);
        }
        String::from_utf8(line).map(Some).map_err(|_| ChunkError::Malformed)
    }

    fn take(&mut self, line: &str) -> Result<(), ChunkError> {
        match self.state {
            State::Head => self.head(line),
            State::Behind if line.is_empty() => {
                self.state = State::Head;
                Ok(())
            }
            State::Trailers => self.trailer(line),
            State::Behind | State::Content(_) | State::Done => Err(ChunkError::Malformed),
        }
    }

    fn head(&mut self, line: &str) -> Result<(), ChunkError> {
        let (digits, extension) = line.split_once(';').unwrap_or((line, ""));
        let is_length =
            (1..=16).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let length =
            u64::from_str_radix(digits, 16).ok().filter(|_| is_length).ok_or(ChunkError::Malformed)?;
        if length > self.left || (length == 0 && self.left > 0) {
            return Err(ChunkError::Incomplete);
        }
        if length > 0 && self.was_short {
            return Err(ChunkError::TooShort);
        }
        if let Some(chain) = &mut self.chain {
            chain.begin(extension.strip_prefix("chunk-signature=").ok_or(ChunkError::Malformed)?);
        }
        self.was_short = length < LEAST_CHUNK;
        if length > 0 {
            self.state = State::Content(length);
            return Ok(());
        }
        self.state = State::Trailers;
        self.chain.as_mut().map_or(Ok(()), Chain::judge)
    }

    fn trailer(&mut self, line: &str) -> Result<(), ChunkError> {
        if line.is_empty() {
            return self.end();
        }
        let (name, value) = line.split_once(':').ok_or(ChunkError::Trailer)?;
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        if self.is_trailer_signed || self.trailers.len() == MOST_TRAILERS {
            return Err(ChunkError::Trailer);
        }
        if name == SIGNATURE {
            let chain = self.chain.as_mut().ok_or(ChunkError::Trailer)?;
            self.trailers.sort();
            let fields = self.trailers.iter().map(|(name, value)| format!("{name}:{value}\n"));
            chain.judge_trailer(&fields.collect::<String>(), value)?;
            self.is_trailer_signed = true;
            return Ok(());
        }
        if !self.announced.contains(&name) || self.trailers.iter().any(|(known, _)| *known == name) {
            return Err(ChunkError::Trailer);
        }
        self.trailers.push((name, value.to_owned()));
        Ok(())
    }

    /// An empty line behind the last chunk.
    fn end(&mut self) -> Result<(), ChunkError> {
        let needs_signature = self.chain.is_some() && !self.announced.is_empty();
        let has_all = self.trailers.len() == self.announced.len();
        if needs_signature && !self.is_trailer_signed {
            // In the documentation such a line stands before the signature, too.
            return if has_all { Ok(()) } else { Err(ChunkError::Trailer) };
        }
        if !has_all {
            return Err(ChunkError::Trailer);
        }
        self.state = State::Done;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
