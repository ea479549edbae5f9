//! Placeholder head; see Cargo.toml for what this crate is.
