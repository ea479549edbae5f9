//! Names that customers bring, and the certificates that they are served with.
//!
//! Owns where certificates are kept and how they are found: millions on the disk, each sealed, a few thousand in memory,
//! and for each name that is served sixteen bytes by which a handshake knows whether to look for one at all. Must never
//! print a private key, write one down in clear, or read anything for a name that nobody has.

pub mod authority;
pub mod certificates;
pub mod requests;
pub mod uploads;

mod installation;
mod key_error;
mod master_key;
mod name;

pub use installation::InstallationKey;
pub use key_error::{KEY_FILE, KeyError};
pub use master_key::MasterKey;
pub use name::{InvalidName, ServedName};
