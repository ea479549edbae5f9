//! Owns the way of contents from a form into the registry: decoded as they arrive, written while the next arrives.
//! Must never leave a write behind when it fails: a content is there whole, or not at all.

use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinSet;
use wasmyard_namespaces::{AssetHash, AssetSession, AssetUploadError, Registry, RegistryError, Served};

use super::base64::{Decoder, Fault};
use crate::error::{ApiError, Code};
use crate::multipart::Head;
use crate::multipart::reader::FormReader;

/// Most contents that are written at the same time: their journeys to the disk are made together.
const WRITES: usize = 32;
/// Most bytes of contents that are being written.
const WRITE_BYTES: usize = 8 << 20;

/// Takes the contents of one request.
pub(super) struct Receiver {
    registry: Registry,
    session: Arc<AssetSession>,
    writes: JoinSet<(usize, Result<(), RegistryError>)>,
    writing: usize,
}

impl Receiver {
    pub(super) fn new(registry: Registry, session: Arc<AssetSession>) -> Receiver {
        Receiver { registry, session, writes: JoinSet::new(), writing: 0 }
    }

    /// Takes all contents of a form; they are durable when it returns. Those before a bad one stay.
    pub(super) async fn receive(mut self, form: FormReader) -> Result<(), ApiError> {
        let taken = self.take_all(form).await;
        // Also after a failure: what was taken is on its way, and nothing may be cut off in the middle.
        let mut written = Ok(());
        while !self.writes.is_empty() {
            written = written.and(self.one_written().await);
        }
        taken.and(written)
    }

    async fn take_all(&mut self, mut form: FormReader) -> Result<(), ApiError> {
        let mut any = false;
        while let Some(head) = form.part().await? {
            any = true;
            let (hash, size) = self.declared(&head)?;
            let served = Served::parse(head.content_type.as_deref())
                .map_err(|error| refused(format!("the part {hash}: {error}")))?;
            let content = decode(&mut form, hash, size).await?;
            while !self.writes.is_empty()
                && (self.writes.len() >= WRITES || self.writing + content.len() > WRITE_BYTES)
            {
                self.one_written().await?;
            }
            self.write(hash, served, content);
        }
        if any { Ok(()) } else { Err(refused("The form has no part; send one for each content.")) }
    }

    fn declared(&self, head: &Head) -> Result<(AssetHash, u64), ApiError> {
        let name: String = head.name.chars().take(64).collect();
        let hash: AssetHash = head.name.parse().map_err(|_| {
            refused(format!(
                "The part {name:?} is not called by the hash of a content. Name it by its 32 hex digits."
            ))
        })?;
        let size = self.session.draft.size_of(&hash).ok_or(AssetUploadError::NotDeclared { hash })?;
        Ok((hash, size))
    }

    fn write(&mut self, hash: AssetHash, served: Served, content: Vec<u8>) {
        let (registry, session) = (self.registry.clone(), Arc::clone(&self.session));
        let size = content.len();
        self.writing += size;
        self.writes.spawn(async move {
            (size, registry.put_asset(&session, hash, served, Bytes::from(content)).await)
        });
    }

    async fn one_written(&mut self) -> Result<(), ApiError> {
        let Some(written) = self.writes.join_next().await else { return Ok(()) };
        let (size, written) = written.map_err(ApiError::internal)?;
        self.writing = self.writing.saturating_sub(size);
        Ok(written?)
    }
}

/// Reads one content, which is no longer than declared at any moment.
async fn decode(form: &mut FormReader, hash: AssetHash, size: u64) -> Result<Vec<u8>, ApiError> {
    let most = usize::try_from(size).map_err(ApiError::internal)?;
    let told = |fault| match fault {
        Fault::Damaged => refused(format!(
            "The content of {hash} is not Base64. Encode the file's bytes, and nothing else."
        )),
        Fault::TooLong => refused(format!(
            "The content of {hash} has more than the {size} bytes that the manifest says. Send the file as it was hashed."
        )),
    };
    let mut decoder = Decoder::new(most);
    while let Some(piece) = form.piece().await? {
        decoder.feed(&piece).map_err(told)?;
    }
    decoder.finish().map_err(told)
}

fn refused(message: impl Into<String>) -> ApiError {
    ApiError::new(Code::AssetContent, message)
}
