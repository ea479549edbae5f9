//! Whose a custom hostname is: what to look for, what was found, what follows from it, and when to look again.
//!
//! Owns the rules of ownership and their schedule, and the questions to the DNS. Must never keep anything: the record of a
//! hostname is the registry's, and the time is the caller's.

pub mod dns;
pub mod flaws;
mod name_server;
mod networks;
pub mod rules;
pub mod schedule;
mod seen;
mod sight;
pub mod step;
pub mod validation;
pub mod web;

pub use dns::Dns;
pub use name_server::{Anchors, Dnssec, NameServer};
pub use rules::{Expected, Finding, Leads, NoToken, Proof, Web};
pub use step::{Step, step};
pub use web::Tokens;
