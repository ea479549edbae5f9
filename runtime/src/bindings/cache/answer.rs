//! A response from a cache, as every other one that the host has.

use futures::stream;
use http::Response;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use wasmyard_cache::{Answer, Reader, Stored};

use crate::body::{self, Body, BodyError};

pub(super) fn response(found: Answer) -> Response<Body> {
    let Answer { status, headers, body } = found;
    let body = match body {
        None => body::empty(),
        Some(Stored::Whole(bytes)) => body::full(bytes),
        Some(Stored::File(reader)) => read(*reader),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// A body that is read from the disk as it is taken. Where it breaks off, the log of the cache says why.
fn read(reader: Reader) -> Body {
    let frames = stream::try_unfold(reader, |mut reader| async move {
        let next = reader.next().await;
        let broke_off =
            |_| BodyError::InternalError(Some("the cached response could not be read".to_owned()));
        Ok(next.map_err(broke_off)?.map(|bytes| (Frame::data(bytes), reader)))
    });
    StreamBody::new(frames).boxed_unsync()
}
