//! Which versions are being read, so that none of their contents is removed before the last reader is done.
//!
//! A reader pins a version and then looks whether the index still names it. Who removes lets the index forget first and
//! looks for pins then. Whichever of the two comes first, the other sees it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The pins of all readers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pins(Arc<Mutex<HashMap<String, usize>>>);

/// One reader's.
#[derive(Debug)]
pub(crate) struct Pin {
    version: String,
    pins: Pins,
}

impl Pins {
    pub(crate) fn pin(&self, version: &str) -> Pin {
        let mut pins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *pins.entry(version.to_owned()).or_default() += 1;
        Pin { version: version.to_owned(), pins: self.clone() }
    }

    pub(crate) fn holds(&self, version: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(version)
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut pins = self.pins.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = pins.get_mut(&self.version).map(|count| {
            *count -= 1;
            *count
        });
        if left == Some(0) {
            pins.remove(&self.version);
        }
    }
}
