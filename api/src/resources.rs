//! The calls of the API, a file for each resource: what a client said becomes a use case, and what came of it a view.
//! Must never hold a rule about what is deployed: those are in `wasmyard_control`.

pub(crate) mod acme_accounts;
pub(crate) mod alerting;
pub(crate) mod assets;
pub(crate) mod audit_logs;
pub(crate) mod bindings;
pub(crate) mod client_ca;
pub(crate) mod clients;
pub(crate) mod content;
pub(crate) mod custom_csrs;
pub(crate) mod custom_hostnames;
pub(crate) mod d1;
pub(crate) mod deployments;
pub(crate) mod dns_records;
pub(crate) mod fallback_origin;
pub(crate) mod graphql;
pub(crate) mod health;
pub(crate) mod kv;
pub(crate) mod namespaces;
pub(crate) mod queues;
pub(crate) mod r2;
pub(crate) mod routes;
pub(crate) mod run;
pub(crate) mod schedules;
pub(crate) mod scripts;
pub(crate) mod secret_stores;
pub(crate) mod secrets;
pub(crate) mod services;
pub(crate) mod settings;
pub(crate) mod subdomain;
pub(crate) mod tags;
pub(crate) mod tails;
pub(crate) mod tokens;
pub(crate) mod versions;
pub(crate) mod zone_routes;
pub(crate) mod zones;
