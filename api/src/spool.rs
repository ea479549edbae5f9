//! Uploads on their way in: each is whole before it takes the place in memory of one that is being looked at, so that a
//! client that stands still keeps nobody waiting. What is small stays in memory, the rest lies in a file without a name.
//! Must never keep anything when the call is over.

use std::io;
use std::path::Path;

use axum::body::Body;
use axum::extract::Request;
use bytes::BytesMut;
use http_body_util::BodyExt as _;
use tokio::fs::File;
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout_at};
use tokio_util::io::ReaderStream;

use crate::body::{Bounds, announced, broken, slow, too_large};
use crate::error::ApiError;
use crate::state::Shared;

/// What stays in memory.
const SMALL: usize = 64 << 10;
/// What is read at once of a file.
const CHUNK: usize = 64 << 10;

/// The request with its body arrived.
pub(crate) async fn arrived(shared: &Shared, request: Request, bounds: Bounds) -> Result<Request, ApiError> {
    let (parts, mut body) = request.into_parts();
    announced(&parts.headers, bounds.bytes)?;
    let _place = shared.arriving_permit().await?;
    let deadline = Instant::now() + bounds.total;
    let (mut seen, mut small, mut file) = (0_usize, BytesMut::new(), None);
    loop {
        let wait = deadline.min(Instant::now() + bounds.idle);
        let data = match timeout_at(wait, body.frame()).await.map_err(|_| slow(bounds))? {
            None => break,
            Some(Err(_)) => return Err(broken()),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => data,
                Err(_trailers) => continue,
            },
        };
        seen = seen.saturating_add(data.len());
        if seen > bounds.bytes {
            return Err(too_large(bounds.bytes));
        }
        if file.is_none() && seen <= SMALL {
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
