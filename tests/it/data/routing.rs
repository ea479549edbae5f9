//! Host and path decide who answers.

mod dispatch;
mod patterns;
