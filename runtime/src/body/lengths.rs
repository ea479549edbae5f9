//! Has what a head says of a body's length be what comes (RFC 9112, 6.2 and 6.3; RFC 9113, 8.1.1).

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;

use super::{Body, BodyError};

/// Has a head's `content-length` say what the body is (RFC 9112, 6.2 and 6.3; RFC 9113, 8.1.1), whoever wrote the one
/// and the other: a length that is known is the one that is said; one that is only said must be one number.
///
/// Returns the length to which the body has to be held, where nobody knows it but it is said.
pub(crate) fn framed(headers: &mut HeaderMap, body: &Body) -> Option<u64> {
    if !headers.contains_key(header::CONTENT_LENGTH) {
        return None;
    }
    if let Some(length) = body.size_hint().exact() {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        return None;
    }
    let mut said = headers.get_all(header::CONTENT_LENGTH).iter();
    let length = match (said.next(), said.next()) {
        (Some(one), None) => digits(one),
        _ => None,
    };
    if length.is_none() {
        headers.remove(header::CONTENT_LENGTH);
    }
    length
}

/// A request whose head and body agree on its length.
pub(crate) fn agreed(request: Request<Body>) -> Request<Body> {
    let (mut head, body) = request.into_parts();
    let body = match framed(&mut head.headers, &body) {
        Some(length) => held(body, length),
        None => body,
    };
    Request::from_parts(head, body)
}

/// A number as RFC 9110, 8.6 has it: digits, no sign.
fn digits(value: &HeaderValue) -> Option<u64> {
    let text = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    text.parse().ok()
}

/// A body that is held to the length that its head says: it breaks off where more or less comes.
pub(crate) fn held(body: Body, length: u64) -> Body {
    Held { body, left: Some(length) }.boxed_unsync()
}

struct Held {
    body: Body,
    /// None when it broke off.
    left: Option<u64>,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(left) = self.left else { return Poll::Ready(None) };
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        let bytes = match &frame {
            Some(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len) as u64,
            Some(Err(_)) => return Poll::Ready(frame),
            None if left == 0 => return Poll::Ready(None),
            None => {
                self.left = None;
                return Poll::Ready(Some(Err(too_short())));
            }
        };
        self.left = left.checked_sub(bytes);
        match self.left {
            Some(_) => Poll::Ready(frame),
            None => Poll::Ready(Some(Err(too_long()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_none_or(|left| left == 0 && self.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Less came than was announced.
pub(crate) fn too_short() -> BodyError {
    BodyError::InternalError(Some("the body ended before its length".to_owned()))
}

/// More came than was announced.
pub(crate) fn too_long() -> BodyError {
    BodyError::InternalError(Some("the body is longer than its length".to_owned()))
}
