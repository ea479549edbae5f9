//! Places for what runs by itself: so many in all, so many of one namespace, so that no namespace has all of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use wasmyard_namespaces::NamespaceName;
use wasmyard_runtime::Failure;

/// The places. Clones share them.
#[derive(Clone)]
pub(crate) struct Places(Arc<Shared>);

struct Shared {
    at_once: usize,
    per_namespace: usize,
    taken: Mutex<Taken>,
    /// Told of each place that becomes free.
    freed: Notify,
}

#[derive(Default)]
struct Taken {
    all: usize,
    /// None: platform scripts.
    of: HashMap<Option<NamespaceName>, usize>,
}

/// A place among those that run, given back when it is dropped.
pub(crate) struct Place {
    places: Places,
    namespace: Option<NamespaceName>,
}

/// Why there is no place.
pub(crate) enum Full {
    /// All are taken.
    All,
    /// The namespace has as many as it may have.
    Namespace,
}

impl Places {
    /// So many, and so many of one namespace.
    pub(crate) fn new(at_once: usize, per_namespace: usize) -> Places {
        let (taken, freed) = (Mutex::default(), Notify::new());
        Places(Arc::new(Shared { at_once, per_namespace, taken, freed }))
    }

    /// Resolves when a place becomes free after it was first polled, or enabled.
    pub(crate) fn freed(&self) -> Notified<'_> {
        self.0.freed.notified()
    }

    pub(crate) fn take(&self, namespace: Option<&NamespaceName>) -> Result<Place, Full> {
        let mut taken = self.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= self.0.at_once {
            return Err(Full::All);
        }
        let own = taken.of.entry(namespace.cloned()).or_default();
        if *own >= self.0.per_namespace {
            return Err(Full::Namespace);
        }
        *own += 1;
        taken.all += 1;
        Ok(Place { places: self.clone(), namespace: namespace.cloned() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let shared = &self.places.0;
        let mut taken = shared.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all = taken.all.saturating_sub(1);
        if let Some(own) = taken.of.get_mut(&self.namespace) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                taken.of.remove(&self.namespace);
            }
        }
        drop(taken);
        shared.freed.notify_waiters();
    }
}

/// When it is worth trying again, where a script did not begin to run.
pub(crate) fn not_begun(failure: &Failure) -> Option<Duration> {
    match failure {
        Failure::Overloaded { retry_after }
        | Failure::TooManyInvocations { retry_after, .. }
        | Failure::BeingMadeReady { retry_after } => Some(*retry_after),
        _ => None,
    }
}
