//! Certificate authorities that speak ACME (RFC 8555): what is asked of one, and the one that is asked over HTTP.
//!
//! Owns accounts, orders, keys and requests, and the times of it all. Never knows for whom a certificate is, and never
//! decides whether one is asked for.
//!
//! - [`authority`]: what an order looks like, whoever is asked
//! - `account`: an authority over HTTP, and the account that is had with it
//! - `calls`: how they are made, and what a failed one says
//! - `rollover`: another key for the account
//! - `waits`: how long it says to wait
//! - `renewal`: when it would have certificates renewed
//! - `http`: requests to it, within bounds
//! - [`handshake`]: what one is shown in a handshake
//! - [`keys`]: keys and requests for certificates
//! - [`schedule`]: when to look again, and when to renew

pub mod authority;
pub mod handshake;
pub mod keys;
pub mod schedule;

mod account;
mod calls;
mod http;
mod renewal;
mod rollover;
mod waits;

pub use account::{Authority, AuthorityConfig, ExternalAccount};
pub use authority::{Authorities, Failure, Order, Proof, Stage, Wanted, Window};
