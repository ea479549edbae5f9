//! `wasmyard dev` and `wasmyard init`: a folder, served while it changes.

mod reload;
mod remote;
mod templates;
