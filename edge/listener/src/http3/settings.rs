//! What QUIC may hold for a connection, and for how long: the bounds of the listener in its words.

use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicServerConfig;
use quinn::{IdleTimeout, ServerConfig, TransportConfig, VarInt};

use crate::config::ListenerConfig;

/// Streams in one direction that a client may have: one that controls, two of QPACK, and some that mean nothing.
const ONE_WAY: u32 = 8;
/// Bytes of one stream that a client may send ahead of whoever reads them.
const STREAM_WINDOW: u32 = 256 << 10;
/// The same of all streams of a connection.
const WINDOW: u32 = 1 << 20;
/// Bytes of answers that are sent and not confirmed, on one connection: as many as may wait on one by TCP.
const UNCONFIRMED: u64 = 512 << 10;
/// Handshakes that wait to be looked at. They are looked at as they come.
const WAITING: usize = 1 << 10;
/// Bytes that one, and all of them, may send meanwhile.
const WAITING_BYTES: u64 = 64 << 10;
const ALL_WAITING_BYTES: u64 = 8 << 20;

/// Settings of QUIC, for all connections of a listener.
pub(super) struct Settings(ServerConfig);

impl Settings {
    pub(super) fn new(config: &ListenerConfig, crypto: Arc<QuicServerConfig>) -> Self {
        let mut transport = TransportConfig::default();
        transport
            .max_concurrent_bidi_streams(VarInt::from_u32(config.max_streams))
            .max_concurrent_uni_streams(VarInt::from_u32(ONE_WAY))
            .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
            .receive_window(VarInt::from_u32(WINDOW))
            .send_window(UNCONFIRMED)
            .datagram_receive_buffer_size(None)
            // How long there may be no request is counted elsewhere. Here a client is asked whether it is still there while it is
            // answered, as often as over HTTP/2.
            .keep_alive_interval(Some(config.idle_timeout))
            .max_idle_timeout(idle(config.idle_timeout.saturating_add(config.header_timeout)));
        let mut server = ServerConfig::with_crypto(crypto);
        server
            .transport_config(Arc::new(transport))
            .max_incoming(WAITING)
            .incoming_buffer_size(WAITING_BYTES)
            .incoming_buffer_size_total(ALL_WAITING_BYTES);
        Self(server)
    }

    /// The configuration that first words are understood by.
    pub(super) fn first(&self) -> ServerConfig {
        self.0.clone()
    }

    /// The configuration of one connection.
    pub(super) fn with(&self, crypto: Arc<dyn quinn::crypto::ServerConfig>) -> ServerConfig {
        let mut server = self.0.clone();
        server.crypto = crypto;
        server
    }
}

/// A time as QUIC says it. One that it has no number for is none.
fn idle(time: Duration) -> Option<IdleTimeout> {
    IdleTimeout::try_from(time).ok()
}
