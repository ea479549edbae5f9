//! The use cases of the control plane: deploy, and every other change of what is deployed.
//!
//! Owns what a change consists of, in which order it is judged, and what is remarked on it. The API, the
//! configuration file and whatever comes next call the same functions, so that a rule stands once. Must never know
//! HTTP or an engine: components are judged by a [`ComponentChecker`] that the assembler supplies.
//!
//! # Layout
//! - [`checker`]: the seam to the engine
//! - `deploy`: a script's new version, from an upload or from the configuration
//! - `scripts`, `namespaces`, `settings`, `secrets`, `tags`, `routes`, `tokens`, `kv`, `d1`, `queues`, `r2`, `secret_stores`, `zones`: everything else, a file for each
//! - `own`: what scripts keep things in that is their own, and goes some time after them
//! - [`audit`]: what a configuration file changed, told to the audit log
//! - [`alerting`]: who is told of what happens to certificates, and the sending of it
//! - `ownership`: whether a custom hostname is its customer's
//! - `issuance`: certificates of authorities, step by step
//! - `certificates`: what names are served with over TLS, made to follow the record
//! - `uploads`, `csrs`: certificates that customers bring, and keys that are made for them
//! - [`configuration`]: all that a configuration file declares, applied in order
//! - `bindings`, [`referrers`], `configured`: remarks on names that lead nowhere, on names that are in use, on what a
//!   restart undoes
//! - [`error`]: why a change was not made

mod ageing;
pub mod alerting;
pub mod audit;
pub mod checker;
pub mod configuration;
pub mod error;
pub mod referrers;
pub mod tokens;

mod bindings;
mod bound;
mod capabilities;
mod certificates;
mod client_ca;
mod configured;
mod csrs;
mod d1;
mod deploy;
mod in_time;
mod issuance;
mod kv;
mod namespaces;
mod own;
mod ownership;
mod queues;
mod r2;
mod routes;
mod schedules;
mod scripts;
mod secret_stores;
mod secrets;
mod settings;
mod tags;
mod uploads;
mod versions;
mod zones;

use std::fmt;
use std::sync::{Arc, RwLock};

use wasmyard_d1::D1;
use wasmyard_kv::Kv;
use wasmyard_namespaces::domain::Domain;
use wasmyard_namespaces::{BlockedNames, Registry};
use wasmyard_queues::Queues;
use wasmyard_r2::R2;

pub use alerting::{ACCOUNT, Courier};
pub use checker::{Checked, ComponentChecker, Refusal, RefusalCode};
pub use deploy::{Beside, Component, Deploy, Files, NewCode};
pub use error::ControlError;
pub use issuance::{InHandshakes, Issuers, OrdersLeft};
pub use own::{STORAGE_JOB, StorageInfo};
pub use ownership::Lookout;
pub use queues::DeclaredConsumer;
pub use secrets::is_secret;
pub use tokens::{ADMIN_TOKEN, TokenWanted};
pub use uploads::{Brought, BroughtKey};
pub use zones::FallbackState;

/// What use cases return.
pub type Result<T> = std::result::Result<T, ControlError>;

/// The use cases over one registry. Cheap to clone.
#[derive(Clone)]
pub struct Control {
    registry: Registry,
    checker: Arc<dyn ComponentChecker>,
    kv: Kv,
    /// None: this server keeps no queues.
    queues: Option<Queues>,
    /// None where none are kept.
    d1: Option<D1>,
    /// None where no objects are kept.
    r2: Option<R2>,
    certificates: Option<certificates::Certificates>,
    /// Whom certificates are asked of.
    issuers: Option<Issuers>,
    /// Whether customers may have names that are kept for tests and documentation.
    reserved_names: bool,
    /// Names that no zone may claim: one list for all handles, which may be changed.
    blocked: Arc<RwLock<BlockedNames>>,
    /// Who brings notifications to where they go; none: nobody does.
    courier: Option<Arc<dyn Courier>>,
    /// Below which name validation is delegated to the platform; none: below none.
    delegation: Option<Domain>,
    /// How many certificates a zone may ask for within a minute; none: any number.
    per_minute: Option<u64>,
}

/// A change that was made, with what a person should know of it.
#[derive(Clone, Debug)]
pub struct Done<T> {
    /// What there is now.
    pub result: T,
    /// Sentences, or clauses that end in a full stop.
    pub remarks: Vec<String>,
}

/// What becomes of the storage that is a script's own when the script is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Storage {
    /// It is kept for a while, and is the script's again if it comes back.
    #[default]
    Kept,
    /// It goes with the script.
    Deleted,
}

/// Whether a change goes on where the configuration declares what it changes, or others refer to what goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Force {
    /// It is refused.
    #[default]
    No,
    /// It is made, and the remarks say what a restart undoes, or who is left.
    Yes,
}

impl Control {
    /// The use cases over this registry, and over the keys and values that scripts may be bound to.
    #[must_use]
    pub fn new(registry: Registry, checker: Arc<dyn ComponentChecker>, kv: Kv) -> Control {
        Control {
            registry,
            checker,
            kv,
            queues: None,
            d1: None,
            r2: None,
            certificates: None,
            issuers: None,
            reserved_names: false,
            blocked: Arc::default(),
            courier: None,
            delegation: None,
            per_minute: None,
        }
    }

    /// The registry, for what only looks.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The registry for a deletion.
    fn deleting(&self, force: Force, storage: Storage) -> Registry {
        match storage {
            Storage::Kept => self.changing(force),
            Storage::Deleted => self.changing(force).with_storage(),
        }
    }

    /// The registry for a change.
    fn changing(&self, force: Force) -> Registry {
        match force {
            Force::No => self.registry.clone(),
            Force::Yes => self.registry.over_configuration(),
        }
    }
}

impl<T> Done<T> {
    fn new(result: T, remarks: Vec<String>) -> Done<T> {
        Done { result, remarks }
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").field("registry", &self.registry).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
