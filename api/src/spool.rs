//! Uploads on their way in: each is whole before it takes the place in memory of one that is being looked at, so that a
//! client that stands still keeps nobody waiting. What is small stays in memory, the rest lies in a file without a name.
//! Must never keep anything when the call is over.

use std::io;
use std::path::Path;

use axum::body::Body;
use axum::extract::Request;
use bytes::BytesMut;
use tokio::fs::File;
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};
use tokio_util::io::ReaderStream;

use crate::body::{Bounds, Pieces, announced};
use crate::error::ApiError;
use crate::state::Shared;

/// What stays in memory.
const SMALL: usize = 64 << 10;
/// What is read at once of a file.
const CHUNK: usize = 64 << 10;

/// The request with its body arrived.
pub(crate) async fn arrived(shared: &Shared, request: Request, bounds: Bounds) -> Result<Request, ApiError> {
    let (parts, body) = request.into_parts();
    announced(&parts.headers, bounds.bytes)?;
    let _place = shared.arriving_permit().await?;
    let mut pieces = Pieces::of(body, bounds);
    let (mut small, mut file) = (BytesMut::new(), None);
    while let Some(data) = pieces.next().await? {
        if file.is_none() && small.len() + data.len() <= SMALL {
            small.extend_from_slice(&data);
            continue;
        }
        let file = match &mut file {
            Some(file) => file,
            None => {
                let made = file.insert(nameless(&shared.api.spool).await.map_err(ApiError::spool)?);
                made.write_all(&std::mem::take(&mut small)).await.map_err(ApiError::spool)?;
                made
            }
        };
        file.write_all(&data).await.map_err(ApiError::spool)?;
    }
    let body = match file {
        None => Body::from(small.freeze()),
        Some(mut file) => {
            file.flush().await.map_err(ApiError::spool)?;
            file.rewind().await.map_err(ApiError::spool)?;
            Body::from_stream(ReaderStream::with_capacity(file, CHUNK))
        }
    };
    Ok(Request::from_parts(parts, body))
}

async fn nameless(folder: &Path) -> io::Result<File> {
    let folder = folder.to_owned();
    let made = tokio::task::spawn_blocking(move || tempfile::tempfile_in(folder)).await;
    made.map_err(io::Error::other)?.map(File::from_std)
}
