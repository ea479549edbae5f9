//! Ownership of hostnames from outside, on times and name servers of the tests' own.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers as well"
)]

mod dns;
mod mistakes;
mod rules;
mod schedule;
mod signed;
mod web;
