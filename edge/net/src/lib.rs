//! Sockets out: from the name of an origin to a connection that a request goes over. The only place where the data plane
//! opens sockets outwards.
//!
//! A [`Network`] is what all senders of a node share; each sender has a [`Client`] of its own, because a connection was
//! judged by one sender's rules and says nothing about another's. The way of a request, in order; each step is the file
//! of that name:
//!
//! 1. [`client`](Client) takes a connection that is kept, or has one opened.
//! 2. `places` bounds how many there may be; `kept` closes those that only take up a place.
//! 3. `way` says where to: what the URI names, or one place for all requests of a client. [`resolver`](Resolve) finds addresses. Every one of them is put before the sender's [`Judge`], with what it stands
//!    for ([`address`]).
//! 4. `connect` opens a connection to an address that was judged, and to no other; `tls` says who is believed, and what this end
//!    shows of itself.
//! 5. `progress` watches the request going out, `fault` tells how an answer went wrong.
//!
//! Must never know for whom a request is, nor what an answer means.

pub mod address;
mod client;
mod config;
mod connect;
mod fault;
mod figures;
mod kept;
mod places;
mod progress;
mod resolver;
mod sync;
mod tls;
mod way;

pub use client::{Answered, Client, Network, NoAnswer, Share, Waits};
pub use config::NetworkConfig;
pub use connect::{Judge, NoConnection};
pub use fault::Fault;
pub use figures::NetworkFigures;
pub use kept::InUse;
pub use resolver::{NameServers, NoAddress, Resolve, named_by};
pub use tls::{ExtraRoots, Identity, Roots, TlsError, trusted};
pub use way::{Handshake, Way};
