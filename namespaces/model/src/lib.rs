//! What is deployed, as data: names, limits, bindings, routes, scripts, namespaces, the grammars of static files.
//!
//! The lowest floor: it knows neither how any of this is kept nor what runs it. Never reads or writes anything.
//!
//! # Layout, from low to high
//! - [`name`], [`digest`], [`timestamp`], [`clock`], [`secret`], [`limits`], [`tags`]: values, parsed once.
//! - [`domain`], [`ids`], [`tls`]: values of the same kind, for names that are not the platform's own.
//! - [`assets`], [`bindings`], [`code`], [`egress`], [`route`], [`namespace`], [`script`]: what a platform consists of;
//!   [`zone`], [`hostname`], [`csr`], [`client_ca`], [`blocked`]: whose names it answers to, requests for their certificates, whose
//!   clients they let in, names that are nobody's;
//!   [`config_keys`]: which parts of it the operator's configuration owns; [`access`]: who may change which of it;
//!   [`audit`]: who did.

pub mod access;
pub mod alerting;
pub mod assets;
pub mod audit;
pub mod bindings;
pub mod blocked;
pub mod bundle;
pub mod capabilities;
pub mod client_ca;
pub mod clock;
mod closed;
pub mod code;
pub mod config_keys;
pub mod cron;
pub mod csr;
pub mod deployment;
pub mod digest;
pub mod domain;
pub mod egress;
pub mod hex;
pub mod hostname;
pub mod ids;
pub mod limits;
pub mod name;
pub mod namespace;
pub mod route;
pub mod script;
pub mod secret;
pub mod secret_store;
mod serving;
pub mod tags;
pub mod timestamp;
pub mod tls;
pub mod url_path;
pub mod zone;

pub use assets::{
    AssetContent, AssetDraft, AssetEntry, AssetHash, AssetPath, AssetScope, AssetUploadError, AssetsConfig,
    Declared, Encoding, FinishedAssets, HtmlHandling, Manifest, NotFoundHandling, RunWorkerFirst, Served,
    VersionAssets,
};
pub use bindings::{
    BindingDecl, BindingError, BindingInput, BindingKind, BindingType, BucketName, DatabaseId, KvNamespaceId,
    OutboundDecl, QueueName, Reference, StorageKind,
};
pub use blocked::BlockedNames;
pub use capabilities::{CapabilityDiff, CapabilityPolicy};
pub use clock::{Clock, ClockHand};
pub use code::{Beside, Code, CodeKind, CodeUpload, Component, EventKind};
pub use config_keys::ConfigKeys;
pub use deployment::{Deployment, PastDeployment, Share, ShareError};
pub use digest::Digest;
pub use domain::{Domain, DomainError};
pub use egress::{EgressRules, EgressRulesError, HostRule, HostRuleError};
pub use hostname::{CustomHostname, CustomHostnameEdit, CustomName, HostnameError, NewCustomHostname};
pub use ids::{
    CertificateId, CertificatePackId, CustomCsrId, CustomHostnameId, DnsRecordId, IdError, QueueConsumerId,
    QueueId, ZoneId,
};
pub use limits::{ByteSize, LimitError, LimitSpec, Limits};
pub use name::{BindingName, ConfigName, Hostname, NameError, NamespaceName, ScriptName, Tag};
pub use namespace::{Namespace, NamespacePatch, NewNamespace, Origin};
pub use route::{Route, RouteMatch, RouteOrigin, RoutePattern, RouteTable, RouteTarget};
pub use script::{
    AssetsUpload, Gradual, Script, ScriptKey, SettingsPatch, Upload, UploadDraft, UploadError, Version,
};
pub use secret::Secret;
pub use tags::TagFilter;
pub use timestamp::Timestamp;
pub use zone::{DnsRecord, NewZone, Zone, ZoneEdit};
