//! What comes before HTTP on a new connection: what a proxy says of it, a handshake, and the bytes that tell which HTTP
//! it is. Runs in the connection's own task, within the time for a head.

use std::io;
use std::net::IpAddr;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::exchange::Client;
use crate::proxy_protocol::{self, Parsed};
use crate::socket::Socket;
use crate::transport::{Handshake, Rewound, Shaken};

/// What HTTP/2 begins with, as far as it decides: no method of HTTP/1.1 is called `PRI` (RFC 9113 section 3.4).
const BEGINS_HTTP2: &[u8] = b"PRI";
/// The first bytes are read in pieces of so many at most: most heads are one.
const FIRST_BYTES: usize = 2 << 10;

/// A connection on which HTTP begins.
pub(crate) struct Opened<T> {
    pub(crate) transport: Rewound<T>,
    pub(crate) is_http2: bool,
    pub(crate) peer: Client,
}

/// Why a connection came to nothing.
#[derive(Debug)]
pub(crate) enum NotOpened {
    /// The client went, or kept silent, or broke a rule of the handshake.
    Broken(io::Error),
    /// It had to begin with a header of the PROXY protocol.
    NoProxyHeader,
}

impl From<io::Error> for NotOpened {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

/// Reads the header that a trusted proxy begins with, and says whom it names.
pub(crate) async fn proxied(
    mut socket: Socket,
    proxy: IpAddr,
) -> Result<(Rewound<Socket>, Client), NotOpened> {
    let mut ahead = BytesMut::new();
    let header = loop {
        match proxy_protocol::parse(&ahead) {
            Parsed::Header(header) => break header,
            Parsed::Invalid => return Err(NotOpened::NoProxyHeader),
            Parsed::Incomplete => more(&mut socket, &mut ahead).await?,
        }
    };
    let ahead = ahead.split_off(header.length);
    let client = Client::at(header.client.unwrap_or(proxy), header.secure.unwrap_or(false));
    Ok((Rewound::new(ahead.freeze(), socket), client))
}

/// Carries out the handshake, and reads until it is known which HTTP follows.
pub(crate) async fn opened<H: Handshake>(
    handshake: &H,
    socket: Rewound<Socket>,
    peer: Client,
) -> Result<Opened<H::Transport>, NotOpened> {
    let Shaken { mut transport, is_http2: agreed, encrypted } = handshake.shake(socket).await?;
    let mut ahead = BytesMut::new();
    let is_http2 = loop {
        match agreed {
            Some(is_http2) if !ahead.is_empty() => break is_http2,
            None if ahead.starts_with(BEGINS_HTTP2) => break true,
            None if !BEGINS_HTTP2.starts_with(&ahead) => break false,
            Some(_) | None => more(&mut transport, &mut ahead).await?,
        }
    };
    let peer = Client { secure: peer.secure || H::SECURE, encrypted, ..peer };
    Ok(Opened { transport: Rewound::new(ahead.freeze(), transport), is_http2, peer })
}

/// Reads what is there, or waits for it.
async fn more(stream: &mut (impl AsyncRead + Unpin), ahead: &mut BytesMut) -> io::Result<()> {
    ahead.reserve(FIRST_BYTES);
    match stream.read_buf(ahead).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

/// A socket of which nothing was read.
pub(crate) fn untouched(socket: Socket) -> Rewound<Socket> {
    Rewound::new(Bytes::new(), socket)
}
