//! One node: what is configured, put together and run. The only crate that knows all parts of the platform.
//!
//! The way of a start, in order:
//! 1. `config` - from the text of `wasmyard.toml` to a configuration that holds together
//! 2. `machine` - whether this machine can give what is configured
//! 3. `storage` - the registry, keys and values, and who administers them
//! 4. `node` - engine, data plane and control plane on their ports
//! 5. `apply` - what the configuration declares becomes part of the registry
//! 6. `serve` or `development` - the node runs until it is told to stop
//!
//! Beside them `tls` has the certificates for visitors over TLS, `hostnames` has custom hostnames checked, `delegation` answers for delegated validation, `sweep` removes
//! what nothing refers to, `recompile` compiles what is missing, `reload` reads the file again. Nothing in here prints: whoever starts a node asks it what there is to say. `logs` alone writes, to the log.

mod apply;
pub mod assets;
mod cache_figures;
mod caches;
mod certificates;
mod challenges;
mod checker;
pub mod config;
mod delegation;
mod development;
mod error;
mod hostnames;
mod issuers;
mod javascript;
mod logs;
pub mod machine;
mod master_key;
mod node;
mod ports;
mod recompile;
mod reload;
mod remote;
mod rollbacks;
mod s3;
mod schedule;
mod serve;
pub mod sources;
mod stop;
mod storage;
mod store_figures;
mod sweep;
mod tls;
mod token;
mod triggers;
mod webhooks;

pub use checker::FileChecker;
pub use config::ResolvedConfig;
pub use development::{DevNode, Developing};
pub use error::StartError;
pub use logs::{finish as finish_logs, start as start_logs};
pub use master_key::{new_master_key, rewrap};
pub use remote::RemoteServer;
pub use serve::Serving;
pub use storage::Storage;
pub use tls::how_to_trust;
