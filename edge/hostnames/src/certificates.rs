//! Certificates of names: brought in and checked, sealed and kept, found at the handshake.
//!
//! The way of one, in order; each step is the file of that name: `pair` checks what somebody brings, `record` seals it,
//! `vault` keeps it on the disk, `claimed` knows that its name is served, `kept` holds its keys in memory while they are
//! used, `intern` the certificates of authorities that many share. `packs` are certificates that are kept before, and after,
//! a name is served with them. `files` are those of an operator, who keeps them. `store` is all of it, for the node.

mod claimed;
mod described;
mod error;
mod files;
mod intern;
mod kept;
mod names;
mod packs;
mod pair;
mod record;
mod rows;
mod served;
mod settings;
mod store;
mod vault;

pub use claimed::Kind;
pub use described::{DescribedAuthority, describe, describe_authority};
pub use error::{OpenError, PutError};
pub use pair::{LARGEST_FILE, Pair, PairError};
pub use record::{CertificateDigest, Damaged, KeyKind, Leaf, Owner, Record};
pub use rows::{VAULT_FILE, VaultError};
pub use served::Served;
pub use settings::{settings_of, zone_settings_of};
pub use store::{CertificateStore, ServedWith};

pub(crate) use record::{LARGEST_CERTIFICATE, MOST_INTERMEDIATES};
