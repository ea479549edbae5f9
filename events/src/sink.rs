//! Where events go: the one seam that a tail, a push of logs or a usage report joins.

use std::sync::Arc;

use wasmyard_model::script::ScriptKey;

use crate::event::Event;

/// Takes events.
pub trait Sink: Send + Sync + 'static {
    /// Takes one event. Called on the thread of the request that it tells of: must not block, wait or fail. A sink that
    /// has work to do keeps a clone, which is one reference, and does the work elsewhere.
    fn event(&self, event: &Event);

    /// Whether it wants to know the heads of requests to a script, which are not kept otherwise.
    fn wants_heads(&self, script: &ScriptKey) -> bool {
        let _ = script;
        false
    }
}

/// Several sinks as one. Each sees every event, in the order in which they were given.
#[derive(Clone)]
pub struct Sinks(Arc<[Arc<dyn Sink>]>);

impl Sinks {
    /// Puts sinks together.
    #[must_use]
    pub fn new(sinks: Vec<Arc<dyn Sink>>) -> Self {
        Self(sinks.into())
    }
}

impl Sink for Sinks {
    fn event(&self, event: &Event) {
        for sink in self.0.iter() {
            sink.event(event);
        }
    }

    fn wants_heads(&self, script: &ScriptKey) -> bool {
        self.0.iter().any(|sink| sink.wants_heads(script))
    }
}

/// Takes events and forgets them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Discard;

impl Sink for Discard {
    fn event(&self, _: &Event) {}
}
