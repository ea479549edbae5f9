//! WebSockets that an answer of the API names the address of.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{StatusCode, Upgraded, Url, header};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::{Client, ClientError};

impl Client {
    /// Opens a WebSocket. No token goes with it: who knows the address may read.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn socket(
        &self,
        url: &str,
        subprotocol: &str,
    ) -> Result<WebSocketStream<Upgraded>, ClientError> {
        let bad = |reason| ClientError::BadUrl { url: url.to_owned(), reason };
        // What a WebSocket begins with is a request of HTTP.
        let http = url.replacen("ws", "http", 1);
        let parsed = Url::parse(&http).ok().filter(|parsed| matches!(parsed.scheme(), "http" | "https"));
        let parsed = parsed.ok_or_else(|| bad("it is none of ws: or wss:"))?;
        let key = STANDARD.encode(uuid::Uuid::new_v4().as_bytes());
        let request = self.http.get(parsed).version(reqwest::Version::HTTP_11);
        let request = request
            .header(header::CONNECTION, "upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_KEY, key)
            .header(header::SEC_WEBSOCKET_PROTOCOL, subprotocol);
        let answer = request.send().await.map_err(|error| self.failed(&error))?;
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(ClientError::NotTheApi { url: url.to_owned(), status: answer.status() });
        }
        let upgraded = answer.upgrade().await.map_err(|error| self.failed(&error))?;
        Ok(WebSocketStream::from_raw_socket(upgraded, Role::Client, None).await)
    }
}
