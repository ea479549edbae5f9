//! The name server of one zone: the one below which customers have the validation of their certificates looked for, once and
//! for all, by `_acme-challenge.<host> CNAME <host>.<label>.<suffix>`.
//!
//! Owns what is said over UDP and TCP, and what a stranger can make us hold and send. Says texts of names below the suffix, who
//! the zone's name server is, and nothing else: it resolves for nobody. Never knows which texts there are, nor whose.
//!
//! - [`zone`]: from the bytes of a question to those of its answer
//! - [`server`]: the sockets, within bounds
//! - `rate`: how often one network is answered over UDP
//! - `figures`: what is counted

pub mod server;
pub mod zone;

mod figures;
mod rate;

pub use figures::DelegationFigures;
pub use server::{Ports, serve};
pub use zone::{DelegatedZone, Outcome, Texts, Transport};
