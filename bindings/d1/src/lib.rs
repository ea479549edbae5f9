//! SQL databases: what stands behind a D1 binding.
//!
//! Owns the rules of statements and results, their limits, a SQLite file for each database, and each file's past. Whoever
//! acts for a script or for the API does it through [`D1`], so that a rule stands once. Must never know a guest, a request
//! or who asks: a database is named by its identifier, and nothing leads from one to another.
//!
//! # Layout
//! - [`limits`]: what one database may hold, and how much a call may take
//! - [`value`]: statements, and what they answer
//! - [`service`]: the rules, and how much may be under way
//! - [`catalog`], [`sqlite`]: which databases there are
//! - `open`, `run`, `guard`, `budget`: one open file, what may be done with it, and for how long
//! - `history`: the past of a file, and the way back
//! - [`bookmark`]: names of moments
//! - `dump`, `load`, `split`: databases as text

pub mod bookmark;
pub mod catalog;
pub mod error;
pub mod limits;
pub mod service;
pub mod sqlite;
pub mod value;

mod budget;
mod dump;
mod guard;
mod history;
mod load;
mod open;
mod pool;
mod run;
mod split;

pub use bookmark::Bookmark;
pub use catalog::{Catalog, DatabaseRecord};
pub use dump::DumpOptions;
pub use error::D1Error;
pub use limits::D1Limits;
pub use load::Loaded;
pub use service::{Arriving, Bounds, D1, D1Handle, Made, Progress, Restored, Wanted};
pub use sqlite::SqliteCatalog;
pub use value::{Answers, Meta, ResultSet, SqlValue, Statement};
