//! What happened on the platform, as one typed [`Event`], and where it goes.
//!
//! A request's thread makes an event and hands it to a [`Sink`]. A sink never blocks: it counts ([`Figures`]), or it puts
//! the event into a bounded queue that a thread of its own empties ([`LogWriter`]). A reader that is too slow loses
//! events, and is told how many.
//!
//! The crate stands below everything that makes events. It knows names of scripts, and neither requests, guests nor
//! sockets.

mod event;
mod figures;
mod form;
mod level;
pub mod metric;
mod moment;
mod queue;
mod ray;
mod sink;
mod tails;
mod writer;

pub use event::{
    ApiRecord, EgressRecord, Event, Fault, InvocationRecord, LogRecord, OriginRecord, RequestHead, Trigger,
    Usage, VisitRecord,
};
pub use figures::Figures;
pub use form::Form;
pub use level::Level;
pub use moment::Moment;
pub use ray::{Carried, InRay, carried, current_ray, within};
pub use sink::{Discard, Sink, Sinks};
pub use tails::{Filter, FilterError, MOST_TAILS, Tail, Tails, TooManyTails, Traced, Watched};
pub use writer::{LineStream, LogWriter, Stream};
