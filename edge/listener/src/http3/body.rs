//! The body of a request over HTTP/3 on its way in.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h3::error::StreamError;
use h3::server::RequestStream;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::streams::Receiving;
use crate::received::ReceiveError;

/// A request's body. `B` is what answers on its stream are made of.
pub(super) struct Body<B> {
    stream: RequestStream<Receiving, B>,
    /// What was read to see whether there is a body at all.
    ahead: Option<Result<Frame<Bytes>, ReceiveError>>,
    /// How much of what was declared is still to come.
    left: Option<u64>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Data,
    Trailers,
    Over,
}

impl<B: Buf> Body<B> {
    /// What follows a head on its stream. Looks whether anything does, as far as it is there.
    pub(super) async fn after_head(stream: RequestStream<Receiving, B>, declared: Option<u64>) -> Self {
        let mut body = Self { stream, ahead: None, left: declared, state: State::Data };
        poll_fn(|cx| {
            if let Poll::Ready(next) = body.poll_next(cx) {
                body.ahead = next;
            }
            Poll::Ready(())
        })
        .await;
        body
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ReceiveError>>> {
        let next = match self.state {
            State::Data => match ready!(self.stream.poll_recv_data(cx)) {
                Ok(Some(mut data)) => Some(self.came(data.copy_to_bytes(data.remaining()))),
                Ok(None) => {
                    self.state = State::Trailers;
                    return self.poll_next(cx);
                }
                Err(error) => Some(Err(broken(&error))),
            },
            State::Trailers => {
                let trailers = ready!(self.stream.poll_recv_trailers(cx));
                self.state = State::Over;
                match trailers {
                    // One that ends before what was declared of it is not whole (RFC 9114 section 4.1.2).
                    Ok(_) if self.left.is_some_and(|left| left > 0) => Some(Err(ReceiveError::Length)),
                    Ok(trailers) => trailers.map(|trailers| Ok(Frame::trailers(trailers))),
                    Err(error) => Some(Err(broken(&error))),
                }
            }
            State::Over => None,
        };
        if matches!(next, Some(Err(_))) {
            self.state = State::Over;
        }
        Poll::Ready(next)
    }

    /// Takes note of bytes, which must be among those that were declared.
    fn came(&mut self, bytes: Bytes) -> Result<Frame<Bytes>, ReceiveError> {
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(bytes.len() as u64).ok_or(ReceiveError::Length)?;
        }
        Ok(Frame::data(bytes))
    }
}

fn broken(error: &StreamError) -> ReceiveError {
    tracing::debug!(%error, "the body of a request over HTTP/3 broke off");
    ReceiveError::Reset
}

impl<B: Buf> HttpBody for Body<B> {
    type Data = Bytes;
    type Error = ReceiveError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ReceiveError>>> {
        match self.ahead.take() {
            Some(ahead) => Poll::Ready(Some(ahead)),
            None => self.poll_next(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.state == State::Over && self.ahead.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let ahead = self.ahead.as_ref().and_then(|ahead| ahead.as_ref().ok()?.data_ref());
        let ahead = ahead.map_or(0, |data| data.len() as u64);
        match (self.left, self.state) {
            (Some(left), _) => SizeHint::with_exact(left.saturating_add(ahead)),
            (None, State::Over) => SizeHint::with_exact(ahead),
            (None, _) => SizeHint::default(),
        }
    }
}

/// A request says in two ways how long its body is, or in one that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadLength;

/// How long a body is said to be.
pub(super) fn declared(headers: &HeaderMap) -> Result<Option<u64>, BadLength> {
    let mut said = headers.get_all(CONTENT_LENGTH).iter();
    let Some(first) = said.next() else { return Ok(None) };
    let text = first.to_str().map_err(|_| BadLength)?;
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || said.any(|other| other != first) {
        return Err(BadLength);
    }
    text.parse().map(Some).map_err(|_| BadLength)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_length_is_one_number() {
        let of = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_LENGTH, HeaderValue::from_static(value));
            }
            declared(&headers)
        };
        assert_eq!(of(&[]), Ok(None));
        assert_eq!((of(&["0"]), of(&["12", "12"])), (Ok(Some(0)), Ok(Some(12))));
        for wrong in [&["12", "13"][..], &[""], &["+1"], &["1, 1"], &["99999999999999999999"]] {
            assert_eq!(of(wrong), Err(BadLength), "{wrong:?}");
        }
    }
}
