//! One file of SQLite that a process keeps for itself.
//!
//! Owns what every such file needs: one thread that writes ([`Writer`]) and makes the changes that wait for it durable with one
//! fsync ([`Changes`]), a few connections that read beside it ([`Readers`]), and what is asked of a file before it is trusted
//! ([`Opening`]). Knows no table and no record: those are the callers'. Must never change a file that is not the caller's.

mod changes;
mod fault;
mod file;
mod readers;
mod writer;

pub use changes::{Changes, Outcome, Together};
pub use fault::{Fault, sync_folder, try_folder};
pub use file::{FileFormat, Opening, checkpoint, open_reader};
pub use readers::Readers;
pub use writer::{Work, Writer};
