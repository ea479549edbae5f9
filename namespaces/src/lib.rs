//! What is deployed: names, limits, bindings, routes, and the registry with its stores.
//!
//! This crate is the lowest floor. The control plane writes through [`Registry`], the data plane reads
//! through it, and neither knows the other. It never runs code, opens a socket or speaks HTTP.
//!
//! # Layout, from low to high
//! - [`name`], [`digest`], [`timestamp`], [`clock`], [`secret`], [`limits`], [`tags`]: values, parsed once.
//! - [`assets`], [`binding`], [`egress`], [`route`], [`namespace`], [`script`]: what a platform consists of;
//!   [`config_keys`]: which parts of it the operator's configuration owns.
//! - [`store`], [`blob`]: where it is kept. Narrow, replaceable.
//! - [`registry`]: the authority. Changes go in, lookups come out.
//! - [`error`]: what the registry says when it does not.

pub mod assets;
pub mod binding;
pub mod blob;
pub mod clock;
pub mod config_keys;
pub mod digest;
pub mod egress;
pub mod error;
pub mod hex;
pub mod limits;
pub mod name;
pub mod namespace;
pub mod registry;
pub mod route;
pub mod script;
pub mod secret;
pub mod store;
pub mod tags;
pub mod timestamp;

pub use assets::{
    AssetContent, AssetDraft, AssetEntry, AssetHash, AssetPath, AssetScope, AssetUploadError, AssetsConfig,
    Declared, Encoding, FinishedAssets, HtmlHandling, Manifest, NotFoundHandling, RunWorkerFirst, Served,
    VersionAssets,
};
pub use binding::{BindingDecl, BindingError, BindingInput, BindingKind, BindingType, OutboundDecl};
pub use blob::{BlobError, Blobs};
pub use clock::{Clock, ClockHand};
pub use config_keys::ConfigKeys;
pub use digest::Digest;
pub use egress::{EgressRules, EgressRulesError, HostRule, HostRuleError};
pub use error::{ErrorKind, RegistryError};
pub use limits::{ByteSize, LimitError, LimitSpec, Limits};
pub use name::{BindingName, ConfigName, Hostname, NameError, NamespaceName, ScriptName, Tag};
pub use namespace::{Namespace, NamespacePatch, NewNamespace, Origin};
pub use registry::{Applied, AssetSession, Registry, RegistryEvent, RegistryOptions};
pub use route::{Route, RouteMatch, RouteOrigin, RoutePattern, RouteTable, RouteTarget};
pub use script::{AssetsUpload, Script, ScriptKey, SettingsPatch, Upload, UploadDraft, UploadError, Version};
pub use secret::Secret;
pub use store::{Cause, Health, Revision, Store};
pub use tags::TagFilter;
pub use timestamp::Timestamp;
