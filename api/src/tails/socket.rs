//! Owns the WebSocket that a tail is read over: the change of protocol, and what is said then.
//! Source: RFC 6455; `trace-v1` is the subprotocol of the hosted product's tails.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::{SinkExt as _, StreamExt as _};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::Taken;
use crate::error::ApiError;
use crate::state::Shared;

/// What clients ask for, and are given.
const SUBPROTOCOL: &str = "trace-v1";
/// What RFC 6455 section 1.3 adds to a key.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// The longest message that a reader may send.
const LONGEST: usize = 4 << 10;
/// A reader that is not heard for so long is asked whether it is there.
const ASKED: Duration = Duration::from_secs(30);
/// And is gone when it says nothing for that long.
const GONE: Duration = Duration::from_secs(90);
/// How long one message may take to be sent.
const SENDING: Duration = Duration::from_secs(30);

/// What a client asks for when it changes the protocol: what it is answered with.
pub(crate) struct Handshake {
    accept: HeaderValue,
    subprotocol: bool,
}

impl Handshake {
    /// Reads the fields of a request.
    pub(crate) fn read(headers: &HeaderMap) -> Result<Self, ApiError> {
        let has = |name: header::HeaderName, wanted: &str| {
            let texts = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
            texts.flat_map(|text| text.split(',')).any(|word| word.trim().eq_ignore_ascii_case(wanted))
        };
        let refused = |rule: &str| ApiError::parameter(format_args!("this is read over a WebSocket: {rule}"));
        if !has(header::CONNECTION, "upgrade") || !has(header::UPGRADE, "websocket") {
            return Err(refused("send Connection: Upgrade and Upgrade: websocket"));
        }
        if !has(header::SEC_WEBSOCKET_VERSION, "13") {
            return Err(refused("send Sec-WebSocket-Version: 13"));
        }
        let key = headers.get(header::SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes);
        let key = key.filter(|key| STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 16));
        let key = key.ok_or_else(|| refused("send a Sec-WebSocket-Key of 16 bytes"))?;
        let accept = STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &[key, GUID.as_bytes()].concat()));
        let accept = HeaderValue::from_str(&accept).map_err(ApiError::internal)?;
        Ok(Self { accept, subprotocol: has(header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL) })
    }

    /// The answer that changes the protocol.
    pub(crate) fn answer(self) -> Response {
        let mut answer = StatusCode::SWITCHING_PROTOCOLS.into_response();
        let headers = answer.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, self.accept);
        if self.subprotocol {
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
        }
        answer
    }
}

/// Tells a reader what it watches until it goes, the tail ends, or the reader takes nothing any more.
pub(crate) async fn serve(shared: Arc<Shared>, id: String, taken: Taken, upgrade: OnUpgrade) {
    if let Ok(upgraded) = upgrade.await {
        let mut config = WebSocketConfig::default();
        config.max_message_size = Some(LONGEST);
        config.max_frame_size = Some(LONGEST);
        // The first frame of wrangler has no mask.
        config.accept_unmasked_frames = true;
        let socket =
            WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
        tell(&shared, socket, taken).await;
    }
    shared.tails.left(&id);
}

async fn tell<S>(shared: &Shared, mut socket: WebSocketStream<S>, mut taken: Taken)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let clock = shared.registry().clock();
    let mut heard = Instant::now();
    let mut asked = false;
    // What was lost before what the filters let through.
    let mut lost = 0;
    let why = loop {
        let wait = if asked { GONE } else { ASKED };
        tokio::select! {
            () = taken.stop.notified() => break "the tail was ended",
            () = clock.sleep_until(taken.expires) => break "the tail is over; begin another one",
            said = socket.next() => match said {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                // Requests to be there are answered by the library when it next sends.
                Some(Ok(Message::Ping(_))) => {
                    (heard, asked) = (Instant::now(), false);
                    if !matches!(timeout(SENDING, socket.flush()).await, Ok(Ok(()))) {
                        return;
                    }
                }
                Some(Ok(_)) => (heard, asked) = (Instant::now(), false),
            },
            traced = taken.tail.next() => {
                let Some((traced, missed)) = traced else { return };
                lost += missed;
                if !taken.filters.iter().all(|filter| filter.takes(&traced)) {
                    continue;
                }
                let text = traced.message(std::mem::take(&mut lost)).to_string();
                if !matches!(timeout(SENDING, socket.send(Message::text(text))).await, Ok(Ok(()))) {
                    return;
                }
            }
            () = sleep_until(heard + wait) => {
                if asked {
                    return;
                }
                asked = true;
                if !matches!(timeout(SENDING, socket.send(Message::Ping("there?".into()))).await, Ok(Ok(()))) {
                    return;
                }
            }
        }
    };
    let close = CloseFrame { code: CloseCode::Normal, reason: why.into() };
    let _closed = timeout(SENDING, socket.close(Some(close))).await;
}
