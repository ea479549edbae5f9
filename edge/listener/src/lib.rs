//! The front door: sockets in, for visitors and for the control plane alike.
//!
//! Owns what a stranger can make us hold before somebody answers, and after: connections, heads, streams, bytes that
//! are ready to be sent, and how long each may take. A [`Handler`] answers requests. Must never know what a request is
//! for.
//!
//! The way of a connection, in order; each step is the file of that name:
//!
//! 1. [`listener`](serve) accepts it, if there is a place for it, and one for its `clients` address.
//! 2. `open` reads what comes before HTTP: a header of the [`proxy_protocol`], a [`Handshake`], the first bytes.
//!    [`tls`] is one such handshake.
//! 3. `connection` speaks HTTP/1.1 on it, or has `http2` speak that, and ends it when the listener drains.
//! 4. `patience` bounds how long it may keep us waiting, `slow` how little it may read, `frames` what else it may say;
//!    `framing` refuses what another reader may cut in another place.
//! 5. `exchange` is one request and its answer: who the [`Client`] is, by [`Proxies`] that are trusted; `received` is
//!    the body on its way in, `sent` the one on its way out; both count until the socket is done with them.
//! 6. `socket` writes; what lies in memory files (`sealed`) is not copied.
//!
//! [`http3`](serve_http3) is the same by UDP, from its first datagram to its last; `heads` and `interim` are what answers of
//! HTTP/2 and HTTP/3 have in common.

mod activity;
mod clients;
mod config;
mod connection;
mod exchange;
mod figures;
mod frames;
mod framing;
mod heads;
mod http2;
mod http3;
mod interim;
mod listener;
mod open;
mod patience;
mod places;
pub mod proxies;
pub mod proxy_protocol;
mod received;
pub mod sealed;
mod sent;
mod slow;
mod socket;
pub mod tls;
mod transport;

pub use config::ListenerConfig;
pub use exchange::{Client, Handler};
pub use figures::{Figures, TlsFigures};
pub use http3::{bind_udp, serve_http3};
pub use interim::Interim;
pub use listener::{bind, serve};
pub use places::Places;
pub use proxies::{ForwardedField, Proxies};
pub use received::{ReceiveError, Received};
pub use slow::LEAST_BYTES_PER_SECOND;
pub use socket::Socket;
pub use transport::{Handshake, Peeked, Plain, Rewound, Shaken, Transport};
