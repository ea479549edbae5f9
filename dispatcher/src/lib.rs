//! The data plane: one request from socket to socket.
//!
//! The path of a request is one function, [`dispatch`](dispatch::Dispatcher): read it first. Its steps, in order; each is
//! the file of that name:
//!
//! 1. The listener (`edge/listener`) accepts the connection and bounds it; it asks [`Dispatcher`] for each answer.
//! 2. `trace` names the request; `visit` is what the steps work on, and notes what happens.
//! 3. `head` agrees on one host and one path, and strips what is only for one hop or only claims something.
//!    `challenge` answers authorities of certificates, before anybody is sent elsewhere.
//! 4. `zone` finds whose the host is, `route` who answers; a miss is a 404 of the platform's own.
//! 5. `incoming` bounds the body in time.
//! 6. `answer/script` answers: by `assets`, a file of the script, if there is one; else `admission` finds it a place, it
//!    is made ready, and runs. `answer/script/host` is what it can reach: other scripts, and the outside through
//!    `answer/script/outbound` and `egress`, which says what guests may reach.
//!    `answer/origin` answers for custom hostnames and names of zones that no route leads to a script: with an HTTP server
//!    outside.
//! 7. `remote` has calls of dispatchers that somebody develops answered by another server, and answers such calls.
//! 8. `respond` turns every failure into status, code and safe text.
//!
//! Reads the registry and never writes it. Knows nothing of the control plane.

mod admission;
mod answer;
mod assets;
mod broken;
mod challenge;
mod config;
mod dispatch;
mod egress;
mod head;
mod hints;
mod https;
mod incoming;
mod observe;
mod paced;
mod remote;
mod respond;
mod route;
mod sync;
mod trace;
mod visit;
mod zone;

pub use admission::AdmissionConfig;
pub use answer::origin::OriginsConfig;
pub use answer::script::Overlay;
pub use broken::Broken;
pub use config::DispatcherConfig;
pub use dispatch::{Dispatcher, Unmade};
pub use egress::{
    Asker, Egress, EgressConfig, EgressFigures, ExtraRoots, NetworkEgress, Policy, Roots, Sender, TlsError,
};
pub use https::HttpsConfig;
pub use observe::Metrics;
pub use remote::{Remote, RemoteCall};
pub use visit::Tracked;
