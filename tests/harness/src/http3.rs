//! Visitors over HTTP/3: a connection by UDP that shows everything, answers that go ahead included.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use h3::client::{RequestStream, SendRequest};
use h3_quinn::{BidiStream, OpenStreams};
use http::{Method, Request, Response};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::rustls::pki_types::CertificateDer;
use quinn::rustls::{ClientConfig, RootCertStore, crypto};

use super::{Answer, within};

/// One connection of a visitor over HTTP/3.
pub struct Http3 {
    sender: SendRequest<OpenStreams, Bytes>,
    /// What the connection lives in.
    endpoint: quinn::Endpoint,
}

/// A request that was sent.
pub struct Asked(RequestStream<BidiStream<Bytes>, Bytes>);

impl Http3 {
    /// A connection for a name, by somebody who trusts this certificate.
    ///
    /// # Errors
    /// Why the handshake came to nothing.
    pub async fn connect(
        to: SocketAddr,
        name: &str,
        trusted: &CertificateDer<'static>,
    ) -> Result<Http3, String> {
        let mut roots = RootCertStore::empty();
        roots.add(trusted.clone()).unwrap();
        let provider = Arc::new(crypto::aws_lc_rs::default_provider());
        let config =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"h3".to_vec()];
        let config = QuicClientConfig::try_from(config).unwrap();
        let mut endpoint = quinn::Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(config)));
        let connecting = endpoint.connect(to, name).map_err(|error| error.to_string())?;
        let quic = within("a handshake over QUIC", connecting).await.map_err(|error| error.to_string())?;
        let (mut driver, sender) =
            h3::client::new(h3_quinn::Connection::new(quic)).await.map_err(|error| error.to_string())?;
        tokio::spawn(async move { std::future::poll_fn(|cx| driver.poll_close(cx)).await });
        Ok(Http3 { sender, endpoint })
    }

    /// Sends a request, with a body if there is one.
    pub async fn send(&mut self, request: Request<()>, body: impl Into<Bytes>) -> Asked {
        let sent = async {
            let mut stream = self.sender.send_request(request).await.unwrap();
            let body = body.into();
            if !body.is_empty() {
                stream.send_data(body).await.unwrap();
            }
            stream.finish().await.unwrap();
            stream
        };
        Asked(within("a request over HTTP/3", sent).await)
    }

    /// GET, to the end of its answer.
    pub async fn get(&mut self, host: &str, path: &str) -> Answer {
        self.send(get(host, path), "").await.answer().await
    }

    /// Says goodbye, and waits until it was said.
    pub async fn leave(self) {
        drop(self.sender);
        self.endpoint.close(0x100_u32.into(), b"");
        within("a goodbye", self.endpoint.wait_idle()).await;
    }
}

/// A request for a page of a host.
pub fn get(host: &str, path: &str) -> Request<()> {
    Request::builder().method(Method::GET).uri(format!("https://{host}{path}")).body(()).unwrap()
}

impl Asked {
    /// The next head that comes: one that goes ahead, or the answer's.
    pub async fn head(&mut self) -> Response<()> {
        within("a head over HTTP/3", self.0.recv_response()).await.unwrap()
    }

    /// The answer, whole.
    pub async fn answer(mut self) -> Answer {
        let mut head = self.head().await;
        while head.status().is_informational() {
            head = self.head().await;
        }
        self.rest(head).await
    }

    /// What follows the answer's head.
    pub async fn rest(mut self, head: Response<()>) -> Answer {
        let read = async {
            let mut body = Vec::new();
            while let Some(mut data) = self.0.recv_data().await.unwrap() {
                body.extend_from_slice(&data.copy_to_bytes(data.remaining()));
            }
            body
        };
        let body = within("the end of an answer", read).await.into();
        let (head, ()) = head.into_parts();
        Answer { status: head.status.as_u16(), headers: head.headers, body }
    }
}
