//! A content that a guest reads, piece by piece.

use bytes::Bytes;
use wasmtime_wasi::p2::{InputStream, Pollable, StreamError, StreamResult};
use wasmyard_namespaces::BucketName;
use wasmyard_r2::body::PIECE_BYTES;
use wasmyard_r2::{Body, Bucket};

use crate::limits::arriving::{Arriving, Share};

/// What is read of a content, with what is there of it already.
pub(super) struct Reading {
    body: Body,
    there: Bytes,
    state: Reached,
    bucket: BucketName,
    _share: Share,
}

enum Reached {
    More,
    End,
    Failed(String),
}

impl Reading {
    pub(super) fn new(body: Body, bucket: &Bucket, arriving: &Arriving) -> Reading {
        let share = arriving.hold(body.left().min(PIECE_BYTES as u64));
        let bucket = bucket.name().clone();
        Reading { body, there: Bytes::new(), state: Reached::More, bucket, _share: share }
    }
}

#[async_trait::async_trait]
impl Pollable for Reading {
    async fn ready(&mut self) {
        if !self.there.is_empty() || !matches!(self.state, Reached::More) {
            return;
        }
        match self.body.next().await {
            Ok(Some(bytes)) => self.there = bytes,
            Ok(None) => self.state = Reached::End,
            Err(error) => {
                tracing::error!(bucket = %self.bucket, %error, "an object could not be read to its end");
                let text = "the platform failed to read the object; its log says why";
                self.state = Reached::Failed(text.to_owned());
            }
        }
    }
}

#[async_trait::async_trait]
impl InputStream for Reading {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if !self.there.is_empty() {
            return Ok(self.there.split_to(size.min(self.there.len())));
        }
        match std::mem::replace(&mut self.state, Reached::End) {
            Reached::More => {
                self.state = Reached::More;
                Ok(Bytes::new())
            }
            Reached::End => Err(StreamError::Closed),
            Reached::Failed(text) => Err(StreamError::LastOperationFailed(wasmtime::Error::msg(text))),
        }
    }
}
