//! Objects, whose contents pass in pieces.

use std::path::Path;

use reqwest::Method;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio_util::io::ReaderStream;

use wasmyard_namespaces::Digest;

use super::{Body, Client, ClientError, Envelope};

/// What is read at once of a file.
const PIECE: usize = 256 << 10;

impl Client {
    /// The access key of the S3 protocol that the token is: its id, and the SHA-256 of its text in hexadecimal digits.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn access_key(&self) -> Result<(String, String), ClientError> {
        let verified = self.call_tokens(Method::GET, &["verify"], Body::Empty).await?;
        let id = verified.get("id").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        let secret = self.token.as_ref().map(|token| Digest::of(token.expose().as_bytes()).to_string());
        Ok((id, secret.unwrap_or_default()))
    }

    /// Puts a file as an object.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn put_object(
        &self,
        path: [&str; 2],
        file: tokio::fs::File,
        length: u64,
        content_type: Option<&str>,
    ) -> Result<Value, ClientError> {
        let [bucket, key] = path;
        let pieces = ReaderStream::with_capacity(file, PIECE);
        let mut request = self
            .account_request(Method::PUT, &["r2", "buckets", bucket, "objects", key], &[])
            .header(CONTENT_LENGTH, length)
            .body(reqwest::Body::wrap_stream(pieces));
        if let Some(kind) = content_type {
            request = request.header(CONTENT_TYPE, kind);
        }
        self.send(request).await
    }

    /// Writes an object to a file: how many bytes. A file that cannot be written is told by the second error.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn get_object(
        &self,
        bucket: &str,
        key: &str,
        file: &Path,
    ) -> Result<std::io::Result<u64>, ClientError> {
        let path = ["r2", "buckets", bucket, "objects", key];
        let request = self.account_request(Method::GET, &path, &[]);
        let mut response = request.send().await.map_err(|error| self.failed(&error))?;
        if !response.status().is_success() {
            // What is wrong is said as for any other call.
            let status = response.status();
            let bytes = self.read(response).await?;
            let errors = serde_json::from_slice::<Envelope>(&bytes).map(|envelope| envelope.errors);
            return Err(errors.map_or_else(
                |_| ClientError::NotTheApi { url: self.address(), status },
                |errors| ClientError::Refused { status, errors },
            ));
        }
        let mut file = match tokio::fs::File::create(file).await {
            Ok(file) => file,
            Err(error) => return Ok(Err(error)),
        };
        let mut written = 0;
        while let Some(piece) = response.chunk().await.map_err(|error| self.failed(&error))? {
            if let Err(error) = file.write_all(&piece).await {
                return Ok(Err(error));
            }
            written += piece.len() as u64;
        }
        Ok(file.flush().await.map(|()| written))
    }
}
