//! Requests to user scripts from a node of somebody who develops: how they are written down, and who answers them.
//!
//! Owns the form: the head of a request or of an answer as JSON with its length before it, and then the body as it comes, so that
//! nothing of a request collides with the call that carries it. Must never hold a body.

use axum::body::Body;
use bytes::{BufMut as _, Bytes, BytesMut};
use futures::future::BoxFuture;
use futures::{StreamExt as _, stream};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wasmyard_listener::Client;
use wasmyard_namespaces::limits::LimitSpec;
use wasmyard_namespaces::script::ScriptKey;

/// The content type of both directions.
pub const CONTENT_TYPE: &str = "application/vnd.wasmyard.dispatch";

/// Bytes that a head may have.
const MOST_HEAD_BYTES: usize = 256 << 10;

/// Answers requests to user scripts: the data plane of this node.
pub trait Dispatch: Send + Sync {
    /// The answer of a script, or why there is none. Dropping the future, or the answer's body, cancels what runs for it.
    fn dispatch(
        &self,
        script: ScriptKey,
        limits: LimitSpec,
        client: Client,
        request: Request<Body>,
    ) -> BoxFuture<'_, Result<Response<Body>, NotAnswered>>;
}

/// Why a script gave no answer, so that whoever called can tell as it could beside the script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotAnswered {
    /// A short stable word.
    pub kind: String,
    /// The text that a calling script sees.
    pub message: String,
}

/// The head of a request.
#[derive(Debug, Serialize, Deserialize)]
pub struct RequestHead {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    /// What the caller limits the script to.
    #[serde(default)]
    pub limits: LimitSpec,
}

/// The head of an answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AnswerHead {
    /// There is one.
    Answered {
        /// Its status.
        status: u16,
        /// Its fields.
        headers: Vec<(String, String)>,
    },
    /// There is none.
    Failed {
        /// Why.
        failure: NotAnswered,
    },
}

/// A head that is none.
#[derive(Debug, thiserror::Error)]
pub enum Unframed {
    /// It says that it is too long.
    #[error("a head may have {MOST_HEAD_BYTES} bytes; send less")]
    TooLong,
    /// The body ended, or broke off, before it was whole.
    #[error("the head is not whole; send its length in four bytes, the head as JSON, and the body")]
    Broken,
    /// It is not the JSON that it is to be.
    #[error("the head is no head of a request or an answer: {0}")]
    Malformed(String),
}

impl RequestHead {
    /// The head of a request, and its body.
    #[must_use]
    pub fn of<B>(request: Request<B>, limits: LimitSpec) -> (RequestHead, B) {
        let (head, body) = request.into_parts();
        let (method, url) = (head.method.to_string(), head.uri.to_string());
        (RequestHead { method, url, headers: written(&head.headers), limits }, body)
    }

    /// The request, with what it limits the script to.
    ///
    /// # Errors
    /// [`Unframed::Malformed`] with the part that is none.
    pub fn request(self, body: Body) -> Result<(Request<Body>, LimitSpec), Unframed> {
        let malformed = |error: http::Error| Unframed::Malformed(error.to_string());
        let request = Request::builder().method(self.method.as_str()).uri(self.url.as_str());
        let mut request = request.body(body).map_err(malformed)?;
        *request.headers_mut() = read(self.headers)?;
        Ok((request, self.limits))
    }
}

impl AnswerHead {
    /// The head of an answer, and its body.
    #[must_use]
    pub fn of<B>(answer: Response<B>) -> (AnswerHead, B) {
        let (head, body) = answer.into_parts();
        (AnswerHead::Answered { status: head.status.as_u16(), headers: written(&head.headers) }, body)
    }

    /// The answer, or why there is none.
    ///
    /// # Errors
    /// [`Unframed::Malformed`] with the part that is none.
    pub fn answer(self, body: Body) -> Result<Result<Response<Body>, NotAnswered>, Unframed> {
        match self {
            AnswerHead::Failed { failure } => Ok(Err(failure)),
            AnswerHead::Answered { status, headers } => {
                let mut answer = Response::new(body);
                *answer.status_mut() =
                    StatusCode::from_u16(status).map_err(|error| Unframed::Malformed(error.to_string()))?;
                *answer.headers_mut() = read(headers)?;
                Ok(Ok(answer))
            }
        }
    }
}

/// A head, and the body behind it.
///
/// # Errors
/// [`Unframed::TooLong`], or [`Unframed::Malformed`] where it cannot be written.
pub fn framed<T: Serialize>(head: &T, body: Body) -> Result<Body, Unframed> {
    let json = serde_json::to_vec(head).map_err(|error| Unframed::Malformed(error.to_string()))?;
    let length = u32::try_from(json.len()).ok().filter(|length| *length as usize <= MOST_HEAD_BYTES);
    let mut first = BytesMut::with_capacity(4 + json.len());
    first.put_u32(length.ok_or(Unframed::TooLong)?);
    first.extend_from_slice(&json);
    Ok(behind(first.freeze(), body))
}

/// The head that comes first, and the body behind it.
///
/// # Errors
/// [`Unframed`].
///
/// # Cancel safety
/// Dropping it drops the body.
pub async fn unframed<T: DeserializeOwned>(body: Body) -> Result<(T, Body), Unframed> {
    let mut pieces = body.into_data_stream();
    let mut seen = BytesMut::new();
    let length = loop {
        if let Some(length) = seen.first_chunk::<4>() {
            let length = u32::from_be_bytes(*length) as usize;
            if length > MOST_HEAD_BYTES {
                return Err(Unframed::TooLong);
            }
            if seen.len() >= 4 + length {
                break length;
            }
        }
        match pieces.next().await {
            Some(Ok(piece)) => seen.extend_from_slice(&piece),
            Some(Err(_)) | None => return Err(Unframed::Broken),
        }
    };
    let mut head = seen.split_to(4 + length);
    let json = head.split_off(4);
    let head = serde_json::from_slice(&json).map_err(|error| Unframed::Malformed(error.to_string()))?;
    Ok((head, behind(seen.freeze(), Body::from_stream(pieces))))
}

/// Bytes, and a body behind them.
fn behind(first: Bytes, body: Body) -> Body {
    if first.is_empty() {
        return body;
    }
    let first = stream::once(async move { Ok::<Bytes, axum::Error>(first) });
    Body::from_stream(first.chain(body.into_data_stream()))
}

/// Values may be any bytes: each is written as the character of its number.
fn written(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| value.as_bytes().iter().map(|byte| char::from(*byte)).collect();
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

fn read(fields: Vec<(String, String)>) -> Result<HeaderMap, Unframed> {
    let mut headers = HeaderMap::with_capacity(fields.len());
    for (name, value) in fields {
        let wrong = || Unframed::Malformed(format!("the field {name:?}"));
        let bytes: Option<Vec<u8>> = value.chars().map(|byte| u8::try_from(byte).ok()).collect();
        let value = HeaderValue::from_bytes(&bytes.ok_or_else(wrong)?).map_err(|_| wrong())?;
        headers.append(HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    async fn whole(body: Body) -> Bytes {
        body.collect().await.unwrap().to_bytes()
    }

    #[tokio::test]
    async fn a_request_comes_out_as_it_went_in_whatever_the_pieces() {
        let request = Request::post("https://shop.test/a?b=c")
            .header("x-a", "1")
            .header("x-a", HeaderValue::from_bytes(b"\xe4").unwrap())
            .header("authorization", "Bearer of the visitor")
            .body(Body::from("a body"))
            .unwrap();
        let (head, body) = RequestHead::of(request, LimitSpec::default());
        let bytes = whole(framed(&head, body).unwrap()).await;
        for size in [1, 3, bytes.len()] {
            let pieces: Vec<_> =
                bytes.chunks(size).map(|piece| Ok::<_, axum::Error>(Bytes::copy_from_slice(piece))).collect();
            let (head, body) =
                unframed::<RequestHead>(Body::from_stream(stream::iter(pieces))).await.unwrap();
            let (request, _) = head.request(body).unwrap();
            assert_eq!(
                (request.method().as_str(), request.uri().to_string().as_str()),
                ("POST", "https://shop.test/a?b=c")
            );
            let values: Vec<&[u8]> =
                request.headers().get_all("x-a").iter().map(HeaderValue::as_bytes).collect();
            assert_eq!(values, [&b"1"[..], b"\xe4"]);
            assert_eq!(request.headers()["authorization"], "Bearer of the visitor");
            assert_eq!(whole(request.into_body()).await, "a body");
        }
    }

    #[tokio::test]
    async fn a_head_that_is_none_is_refused_before_it_is_held() {
        let refused =
            async |bytes: &[u8]| unframed::<RequestHead>(Body::from(bytes.to_vec())).await.unwrap_err();
        assert!(matches!(refused(b"").await, Unframed::Broken));
        assert!(matches!(refused(&[0, 0, 0, 9, b'{']).await, Unframed::Broken));
        assert!(matches!(refused(&[255, 0, 0, 0]).await, Unframed::TooLong));
        assert!(matches!(refused(&[0, 0, 0, 2, b'{', b'}']).await, Unframed::Malformed(_)));
    }

    #[tokio::test]
    async fn a_failure_comes_out_as_one() {
        let failure = NotAnswered { kind: "scriptNotFound".into(), message: "Worker not found.".into() };
        let head = AnswerHead::Failed { failure: failure.clone() };
        let (head, body) = unframed::<AnswerHead>(framed(&head, Body::empty()).unwrap()).await.unwrap();
        assert_eq!(head.answer(body).unwrap().unwrap_err(), failure);
    }
}
