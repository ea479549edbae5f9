//! A handshake that is held until the keys of its name are in memory.
//!
//! QUIC asks for a certificate in the middle of its work, and nobody may wait there. So what a client says first is read ahead
//! here, and kept from the session as long as the keys are fetched. The client hears meanwhile that it was heard, and asks again
//! after a moment, as it has to (RFC 9002 section 6.2.2.1): with that the handshake goes on. Owns nothing of which names there are.

use std::any::Any;
use std::io;
use std::sync::Arc;

use quinn::crypto::{
    ExportKeyingMaterialError, HeaderKey, KeyPair, Keys, PacketKey, ServerConfig, Session,
    UnsupportedVersion, rustls::QuicServerConfig,
};
use quinn::{ConnectionId, Side};
use quinn_proto::transport_parameters::TransportParameters;
use quinn_proto::{TransportError, TransportErrorCode};
use rustls::server::Acceptor;

use super::Asked;

/// The most bytes of a first message: as many as rustls reads.
const LONGEST: usize = 0xffff;
/// The alert of that name (RFC 8446 section 6).
const UNEXPECTED_MESSAGE: u8 = 10;
/// The most bytes of one record.
const RECORD: usize = 1 << 14;

/// The configuration of one connection.
pub(super) struct Holding {
    pub(super) inner: Arc<QuicServerConfig>,
    pub(super) asked: Arc<Asked>,
}

impl ServerConfig for Holding {
    fn initial_keys(&self, version: u32, dst_cid: &ConnectionId) -> Result<Keys, UnsupportedVersion> {
        self.inner.initial_keys(version, dst_cid)
    }

    fn retry_tag(&self, version: u32, orig_dst_cid: &ConnectionId, packet: &[u8]) -> [u8; 16] {
        self.inner.retry_tag(version, orig_dst_cid, packet)
    }

    fn start_session(self: Arc<Self>, version: u32, params: &TransportParameters) -> Box<dyn Session> {
        let inner = Arc::clone(&self.inner).start_session(version, params);
        let hello = Hello::Awaited { acceptor: Box::default(), said: Vec::new() };
        Box::new(Held { inner, asked: Arc::clone(&self.asked), hello, failed: None })
    }
}

/// What a client said first.
enum Hello {
    /// It has not said all of it.
    Awaited { acceptor: Box<Acceptor>, said: Vec<u8> },
    /// The keys of its name are fetched.
    Held { said: Vec<u8> },
    /// The session has it.
    Passed,
}

struct Held {
    inner: Box<dyn Session>,
    asked: Arc<Asked>,
    hello: Hello,
    failed: Option<TransportError>,
}

impl Held {
    /// Gives the session what was kept from it.
    fn pass(&mut self) -> Result<bool, TransportError> {
        match std::mem::replace(&mut self.hello, Hello::Passed) {
            Hello::Awaited { said, .. } | Hello::Held { said } => self.inner.read_handshake(&said),
            Hello::Passed => Ok(false),
        }
    }

    /// Reads ahead. Whether all is said that there is to say, or nothing can come of it.
    fn is_said(&mut self, bytes: &[u8]) -> bool {
        let Hello::Awaited { acceptor, said } = &mut self.hello else { return true };
        said.extend_from_slice(bytes);
        if said.len() > LONGEST {
            return true;
        }
        for piece in bytes.chunks(RECORD) {
            if read(acceptor, piece).is_err() {
                return true;
            }
        }
        match acceptor.accept() {
            Ok(None) => false,
            Ok(Some(accepted)) => {
                self.asked.look(&accepted.client_hello());
                true
            }
            // The session refuses it in its own words.
            Err(_) => true,
        }
    }
}

/// Has an acceptor read a piece of a message, in the record that it would be in over TCP.
fn read(acceptor: &mut Acceptor, piece: &[u8]) -> io::Result<()> {
    let length = u16::try_from(piece.len()).map_err(io::Error::other)?.to_be_bytes();
    let record = [&[0x16, 3, 1], &length[..], piece].concat();
    let mut record = record.as_slice();
    while !record.is_empty() {
        if acceptor.read_tls(&mut record)? == 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    Ok(())
}

impl Session for Held {
    fn read_handshake(&mut self, bytes: &[u8]) -> Result<bool, TransportError> {
        if let Some(failed) = self.failed.take() {
            return Err(failed);
        }
        match self.hello {
            Hello::Passed => return self.inner.read_handshake(bytes),
            // There is nothing more for it to say before it is answered.
            Hello::Held { .. } => return Err(TransportErrorCode::crypto(UNEXPECTED_MESSAGE).into()),
            Hello::Awaited { .. } => {}
        }
        if !self.is_said(bytes) {
            return Ok(false);
        }
        if !self.asked.is_fetching() {
            return self.pass();
        }
        if let Hello::Awaited { said, .. } = &mut self.hello {
            self.hello = Hello::Held { said: std::mem::take(said) };
        }
        Ok(false)
    }

    fn write_handshake(&mut self, bytes: &mut Vec<u8>) -> Option<Keys> {
        match self.hello {
            Hello::Held { .. } if !self.asked.is_fetching() => {
                if let Err(error) = self.pass() {
                    self.failed = Some(error);
                    self.asked.gives_up();
                    return None;
                }
                self.inner.write_handshake(bytes)
            }
            Hello::Held { .. } | Hello::Awaited { .. } => None,
            Hello::Passed => self.inner.write_handshake(bytes),
        }
    }

    fn initial_keys(&self, dst_cid: &ConnectionId, side: Side) -> Keys {
        self.inner.initial_keys(dst_cid, side)
    }

    fn handshake_data(&self) -> Option<Box<dyn Any>> {
        self.inner.handshake_data()
    }

    fn peer_identity(&self) -> Option<Box<dyn Any>> {
        self.inner.peer_identity()
    }

    fn early_crypto(&self) -> Option<(Box<dyn HeaderKey>, Box<dyn PacketKey>)> {
        self.inner.early_crypto()
    }

    fn early_data_accepted(&self) -> Option<bool> {
        self.inner.early_data_accepted()
    }

    fn is_handshaking(&self) -> bool {
        self.inner.is_handshaking()
    }

    fn transport_parameters(&self) -> Result<Option<TransportParameters>, TransportError> {
        self.inner.transport_parameters()
    }

    fn next_1rtt_keys(&mut self) -> Option<KeyPair<Box<dyn PacketKey>>> {
        self.inner.next_1rtt_keys()
    }

    fn is_valid_retry(&self, orig_dst_cid: &ConnectionId, header: &[u8], payload: &[u8]) -> bool {
        self.inner.is_valid_retry(orig_dst_cid, header, payload)
    }

    fn export_keying_material(
        &self,
        output: &mut [u8],
        label: &[u8],
        context: &[u8],
    ) -> Result<(), ExportKeyingMaterialError> {
        self.inner.export_keying_material(output, label, context)
    }
}
