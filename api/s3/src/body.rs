//! A body as it comes, and what it has to be.
//!
//! Owns how bodies are read: in pieces, whole where they are documents, out of their chunks where they have some. What is wrong
//! with one is known where it is read, and said where the request is answered: see [`Verdict::judged`].

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_lc_rs::digest;
use axum::body::Body;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use http_body_util::BodyExt as _;
use tokio::time::timeout;
use wasmyard_r2::{Algorithm, Incoming, Promise, R2Error};

use crate::checksums;
use crate::chunked::{ChunkError, Chunks};
use crate::fault::Fault;
use crate::request::Asked;
use crate::signature::Payload;

/// How long a body may make no progress.
const IDLE: Duration = Duration::from_secs(30);
/// The longest document that is read: ten thousand parts with their checksums, or a thousand of the longest keys.
const DOCUMENT: u64 = 4 << 20;

/// A body that has yet to come.
pub(crate) struct Arriving {
    pieces: BoxStream<'static, Result<Bytes, String>>,
    length: Option<u64>,
    checksums: Vec<(Algorithm, Vec<u8>)>,
    promised: Vec<(Algorithm, Promise)>,
    verdict: Verdict,
}

/// What was wrong with a body, once that is known.
#[derive(Clone, Default)]
pub(crate) struct Verdict(Arc<OnceLock<Fault>>);

impl Verdict {
    /// Notes what is wrong: the text with which the reading of the body ends.
    fn wrong(&self, fault: impl Into<Fault>) -> String {
        let fault = self.0.get_or_init(|| fault.into());
        fault.text().to_owned()
    }

    /// What came of an operation with the body: the fault in that, if there was one.
    pub(crate) fn judged<T>(&self, came: Result<T, R2Error>) -> Result<T, Fault> {
        came.map_err(|error| self.0.get().cloned().unwrap_or_else(|| error.into()))
    }
}

impl Arriving {
    /// The body of a request, by what its signature and its fields say.
    pub(crate) fn of(asked: &Asked<'_>, payload: Payload, body: Body) -> Result<Arriving, Fault> {
        let checksums = checksums::given(asked)?;
        let verdict = Verdict::default();
        let length = |name: &str| {
            let number = asked.field(name).map(|text| text.parse::<u64>());
            let wrong = || Fault::ARGUMENT.saying(format!("{name} is a number of bytes"));
            number.transpose().map_err(|_| wrong())
        };
        let (length, promised, reading) = match payload {
            Payload::Unsigned => (length("content-length")?, Vec::new(), Reading::Plain(None)),
            Payload::Hash(hash) => {
                let hashing = digest::Context::new(&digest::SHA256);
                (length("content-length")?, Vec::new(), Reading::Plain(Some((hashing, hash))))
            }
            Payload::Chunked { chain, has_trailer } => {
                let length = length("x-amz-decoded-content-length")?.ok_or(Fault::NO_LENGTH)?;
                let names = if has_trailer { checksums::announced(asked)? } else { Vec::new() };
                let promised: Vec<_> =
                    names.iter().map(|(algorithm, _)| (*algorithm, Promise::default())).collect();
                let fields = names.into_iter().map(|(_, name)| name);
                let chunks = Chunks::new(length, chain.map(|chain| *chain), fields.collect());
                (Some(length), promised.clone(), Reading::Chunked(Box::new(chunks), promised))
            }
        };
        let pieces = pieces(body, reading, verdict.clone());
        Ok(Arriving { pieces, length, checksums, promised, verdict })
    }

    /// As a content, which is not put if it is wrong, with what is told of that.
    pub(crate) fn content(self) -> (Incoming, Vec<(Algorithm, Vec<u8>)>, Verdict) {
        let incoming = Incoming::new(self.pieces, self.length);
        let promising = |incoming: Incoming, (algorithm, promise)| incoming.promising(algorithm, promise);
        (self.promised.into_iter().fold(incoming, promising), self.checksums, self.verdict)
    }

    /// As a document, with the checksums in its fields, which are of the object that it is about.
    pub(crate) async fn document_of_object(mut self) -> Result<(Vec<u8>, Vec<(Algorithm, Vec<u8>)>), Fault> {
        let (md5, of_object) = std::mem::take(&mut self.checksums)
            .into_iter()
            .partition(|(algorithm, _)| *algorithm == Algorithm::Md5);
        self.checksums = md5;
        Ok((self.document().await?, of_object))
    }

    /// As a document.
    pub(crate) async fn document(mut self) -> Result<Vec<u8>, Fault> {
        if self.length.is_some_and(|length| length > DOCUMENT) {
            return Err(Fault::MALFORMED.saying("the document is longer than 4 MiB"));
        }
        let mut whole = Vec::new();
        while let Some(piece) = self.pieces.next().await {
            let interrupted = |text| R2Error::Interrupted(text);
            whole.extend_from_slice(&self.verdict.judged(piece.map_err(interrupted))?);
            if whole.len() as u64 > DOCUMENT {
                return Err(Fault::MALFORMED.saying("the document is longer than 4 MiB"));
            }
        }
        let promised = self.promised.iter();
        let promised =
            promised.filter_map(|(algorithm, promise)| Some((*algorithm, promise.kept()?.to_vec())));
        for (algorithm, given) in self.checksums.into_iter().chain(promised) {
            if wasmyard_r2::checksum::digest(algorithm, &whole) != given {
                return Err(Fault::DIGEST);
            }
        }
        Ok(whole)
    }
}

/// How a body is read.
enum Reading {
    /// As it is, and with the hash that it has to have.
    Plain(Option<(digest::Context, Vec<u8>)>),
    /// In chunks, with the checksums behind them.
    Chunked(Box<Chunks>, Vec<(Algorithm, Promise)>),
}

struct Reader {
    body: Body,
    reading: Reading,
    /// What has come and is not read out of its chunks yet.
    rest: Bytes,
    verdict: Verdict,
}

fn pieces(body: Body, reading: Reading, verdict: Verdict) -> BoxStream<'static, Result<Bytes, String>> {
    let reader = Reader { body, reading, rest: Bytes::new(), verdict };
    let next = |mut reader: Reader| async move {
        loop {
            if let Some(piece) = reader.read()? {
                return Ok(Some((piece, reader)));
            }
            match reader.frame().await? {
                Some(bytes) => reader.rest = bytes,
                None => return reader.end().map(|()| None),
            }
        }
    };
    stream::try_unfold(reader, next).boxed()
}

impl Reader {
    /// What comes of the body; none at its end.
    async fn frame(&mut self) -> Result<Option<Bytes>, String> {
        loop {
            let frame = timeout(IDLE, self.body.frame()).await;
            let frame = frame.map_err(|_| format!("it made no progress for {} s", IDLE.as_secs()))?;
            let Some(frame) = frame else { return Ok(None) };
            if let Ok(data) = frame.map_err(|error| error.to_string())?.into_data() {
                return Ok(Some(data));
            }
        }
    }

    /// Content that has come.
    fn read(&mut self) -> Result<Option<Bytes>, String> {
        match &mut self.reading {
            Reading::Chunked(chunks, _) => {
                chunks.next(&mut self.rest).map_err(|error| self.verdict.wrong(error))
            }
            Reading::Plain(hashing) => {
                let piece = Some(std::mem::take(&mut self.rest)).filter(|piece| !piece.is_empty());
                if let (Some(piece), Some((hashing, _))) = (&piece, hashing) {
                    hashing.update(piece);
                }
                Ok(piece)
            }
        }
    }

    /// Whether the body was what it had to be, now that all of it has come.
    fn end(self) -> Result<(), String> {
        let verdict = self.verdict;
        match self.reading {
            Reading::Plain(None) => Ok(()),
            Reading::Plain(Some((hashing, hash))) if hashing.clone().finish().as_ref() == hash => Ok(()),
            Reading::Plain(Some(_)) => Err(verdict.wrong(Fault::HASH)),
            Reading::Chunked(chunks, promised) => {
                let trailers = chunks.finish().map_err(|error| verdict.wrong(error))?;
                for (algorithm, promise) in promised {
                    let name = checksums::field(algorithm);
                    let value = trailers.iter().find(|(known, _)| *known == name);
                    let (_, value) = value.ok_or_else(|| verdict.wrong(ChunkError::Trailer))?;
                    promise.keep(checksums::bytes(algorithm, value).map_err(|fault| verdict.wrong(fault))?);
                }
                Ok(())
            }
        }
    }
}
