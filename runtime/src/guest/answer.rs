//! Where a guest's answer appears, and what it means when none does.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::Response;
use tokio::sync::mpsc;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;

use crate::body::Body;
use crate::codes::GuestCode;
use crate::outcome::Failure;

/// Where the guest's answer appears: filled by the response-outparam during a poll of the guest.
#[derive(Default)]
pub(crate) struct HeadSlot {
    head: Mutex<Option<Result<Response<Body>, ErrorCode>>>,
    callee: Mutex<Option<Failure>>,
    handed_over: AtomicBool,
}

/// What the guest still has to write of its answer.
pub(crate) struct Answering {
    pub(crate) sender: mpsc::Sender<Bytes>,
    pub(crate) left: u64,
}

/// Why there is no head of a response.
pub(crate) struct NoHead {
    /// What goes on this invocation's own account.
    pub(crate) own: Failure,
    /// What its caller, and in the end the visitor, is told.
    pub(crate) shown: Failure,
}

impl From<Failure> for NoHead {
    fn from(failure: Failure) -> Self {
        Self { own: failure.clone(), shown: failure }
    }
}

impl HeadSlot {
    pub(crate) fn put(&self, head: Result<Response<Body>, ErrorCode>) {
        *self.head.lock().unwrap_or_else(PoisonError::into_inner) = Some(head);
    }

    pub(crate) fn take(&self) -> Option<Result<Response<Body>, ErrorCode>> {
        self.head.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Notes the failure of a script that this one called, in case it is not caught.
    pub(crate) fn callee_failed(&self, failure: &Failure) {
        *self.callee.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure.clone());
    }

    /// Notes that the answer's body is somebody else's: the guest has no part in it any more.
    pub(crate) fn handed_over(&self) {
        self.handed_over.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_handed_over(&self) -> bool {
        self.handed_over.load(Ordering::Relaxed)
    }

    /// What an error code in place of a response means. `internal-error` with a text is how a guest says
    /// that it did not catch an error. Where that is the error of a script that it called, the visitor is
    /// told what happened to that one.
    pub(crate) fn no_head(&self, code: ErrorCode) -> NoHead {
        let ErrorCode::InternalError(Some(text)) = code else {
            return Failure::ErrorCode(GuestCode(code)).into();
        };
        let callee = self.callee.lock().unwrap_or_else(PoisonError::into_inner).take();
        let uncaught = callee.filter(|failure| failure.to_string() == text);
        let own = Failure::Trapped(text);
        NoHead { shown: uncaught.unwrap_or_else(|| own.clone()), own }
    }
}
