//! What an authority of certificates is shown in a handshake (RFC 8737): a certificate that nobody believes, with the answer
//! that it waits for.
//!
//! Owns how such a handshake is told from a visitor's, and that it ends with itself: nothing is asked over the connection, no
//! session outlives it. Whether somebody waits for a name is looked up in memory, behind [`Challenges`]: what a stranger asks
//! for in vain costs no more than a name that nobody has.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::{ClientHello, NoServerSessionStorage};
use tokio::io::AsyncWriteExt as _;
use tokio_rustls::StartHandshake;

use super::certificates::Keys;
use super::groups::Nobody;
use crate::socket::Socket;
use crate::transport::Rewound;

/// What an authority speaks over such a connection, and nothing else.
const PROTOCOL: &[u8] = b"acme-tls/1";

/// Where answers are that authorities wait for.
pub trait Challenges: Send + Sync + 'static {
    /// What an authority is shown that asks for a name; none where none was told to ask. Anybody may ask for any name as
    /// often as they like, so that this looks into memory and nowhere else. The name is in lower case and has no dot at its
    /// end.
    fn shown(&self, name: &str) -> Option<Keys>;
}

/// The handshakes of authorities.
#[derive(Clone)]
pub(super) struct Validation {
    challenges: Arc<dyn Challenges>,
    config: Arc<ServerConfig>,
}

impl Validation {
    pub(super) fn new(challenges: Arc<dyn Challenges>) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Nobody));
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self { challenges, config: Arc::new(config) })
    }

    /// What is shown to this client; none where it is no authority, or nobody waits for the name.
    pub(super) fn shown(&self, hello: &ClientHello<'_>) -> Option<Keys> {
        self.challenges.shown(hello.server_name().filter(|_| is_asked(hello))?)
    }

    /// Carries the handshake out, and the connection with it.
    pub(super) async fn show(&self, start: StartHandshake<Rewound<Socket>>, keys: Keys) -> io::Result<()> {
        let mut config = ServerConfig::clone(&self.config);
        config.cert_resolver = keys;
        let mut stream = start.into_stream(Arc::new(config)).await?;
        stream.shutdown().await
    }
}

/// Whether a client speaks what authorities speak, and nothing else (RFC 8737 section 3).
fn is_asked(hello: &ClientHello<'_>) -> bool {
    let mut protocols = hello.alpn().into_iter().flatten();
    protocols.next() == Some(PROTOCOL) && protocols.next().is_none()
}
