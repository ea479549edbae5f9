//! The data plane: one request from socket to socket.
//!
//! The request's path, in order; each step is the file of that name:
//!
//! 1. The listener (`edge/listener`) accepts the connection and bounds it; it asks [`Dispatcher`] for each answer.
//! 2. `dispatch` makes the [`context`](RequestContext) and calls the rest by name: read it first.
//! 3. `head` agrees on the host, strips what is only for one hop, and says who the client is.
//! 4. `route` finds who answers; a miss is a 404 of the platform's own.
//! 5. `invoke` runs the script, which may call others; `invoke/hop` is what a script can reach.
//! 6. `assets` answers for a script's static files, so that the script need not run.
//! 7. `admission` decides for each script whether it may run now.
//! 8. `egress` is the single place that opens sockets for guests.
//! 9. `respond` turns every failure into status, code and safe text. `context` hands the record of the request to the
//!    [`Sink`](wasmyard_events::Sink) when all is over; what counts and logs stands behind that.
//!
//! Reads the registry and never writes it. Knows nothing of the control plane.

mod admission;
mod assets;
mod config;
mod context;
mod dispatch;
mod egress;
mod head;
mod incoming;
mod invoke;
mod observe;
mod paced;
mod respond;
mod route;

pub use config::{AdmissionConfig, DispatcherConfig};
pub use context::RequestContext;
pub use dispatch::{Dispatcher, Tracked};
pub use egress::{
    Asker, Egress, EgressConfig, EgressError, EgressFigures, ExtraRoots, NetworkEgress, Policy, Roots, Sender,
};
pub use invoke::Overlay;
pub use observe::Metrics;
