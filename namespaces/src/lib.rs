//! What is deployed, and where it is kept, under one name: for crates that need all three floors of it.
//!
//! Holds nothing of its own. A crate that needs one floor alone imports that: [`wasmyard_model`] is data,
//! [`wasmyard_stores`] keeps it, [`wasmyard_registry`] is the authority.

pub use wasmyard_model::*;
pub use wasmyard_registry as registry;
pub use wasmyard_registry::{
    Applied, AssetSession, AuditRange, ErrorKind, Registry, RegistryError, RegistryEvent, RegistryOptions,
    error,
};
pub use wasmyard_stores as store;
pub use wasmyard_stores::{BlobError, Blobs, Cause, Health, Revision, Store, blob};
