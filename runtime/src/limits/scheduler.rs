//! Who may compute next: short requests at once, long-running guests in turns.
//!
//! A guest that has burned [`credit::CREDIT`] of CPU time goes on in the *background*: it runs only while it has one
//! of a few places, fewer than there are threads, so that a request that has just come finds a thread. It
//! runs a number of slices and passes its place on. Waiting gives credit back, so that a guest that streams
//! and mostly waits is never in the background.
//!
//! Where many guests compute at once, most of them take turns from their second slice on, whatever they have burned:
//! who stands between two slices in front of a request that has just come costs it half a millisecond, and a request
//! that is to be refused must hear of it soon.
//!
//! Turns belong to the outermost guest of a task: the guests that it calls inside its own poll run in its
//! turn. It is asked for before anything of the task is polled, and ends when the guest waits for anything
//! but the processor. So nobody waits while it is their turn, and there is no way to a deadlock: a turn whose
//! guest is not polled any more is taken from it after [`turns::RETRY`].

mod credit;
mod fair;
mod habit;
mod poll;
#[cfg(test)]
mod tests;
mod turns;

pub(crate) use fair::Fair;
pub(crate) use habit::Habit;
pub(crate) use poll::stepped_back;
pub(crate) use turns::Background;
