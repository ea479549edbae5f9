//! Objects in buckets: what stands behind an R2 binding.
//!
//! Owns the rules of keys, metadata, ranges, conditions, checksums and uploads in parts, their limits, the index and the
//! files of contents. Whoever acts for a script, for the API or for a client of the S3 protocol does it through [`R2`], so
//! that a rule stands once. Must never know a guest, a request or who asks: a [`Bucket`] leads to no other.
//!
//! # Layout
//! - [`limits`]: what a bucket may hold, and how large its parts may be
//! - [`object`], [`condition`], [`range`], [`checksum`], [`list`]: what is asked for, and what is found
//! - [`info`]: what is known of buckets and uploads
//! - [`service`], [`bucket`], [`uploads`]: the rules, and how much may be under way
//! - [`body`]: a content on its way out
//! - [`contents`]: where contents are kept; [`sqlite`]: the index, which says what is there
//!
//! # What is there
//! An object is what the index says. A content is written whole and made durable before the index names it, and removed
//! after the index has let go of it: a process that is killed leaves contents that nothing names, and never an object
//! without its content.

pub mod body;
pub mod bucket;
pub mod checksum;
pub mod condition;
pub mod contents;
pub mod error;
pub mod info;
pub mod limits;
pub mod list;
pub mod object;
pub mod range;
pub mod service;
pub mod sqlite;
pub mod uploads;

mod incoming;
mod pins;
mod shared;
mod sweep;
mod turns;

pub use body::Body;
pub use bucket::{Bucket, Found, GetOptions, PutOptions};
pub use checksum::{Algorithm, Checksums, OfParts, Promise};
pub use condition::Condition;
pub use contents::{Contents, LocalContents};
pub use error::R2Error;
pub use incoming::Incoming;
pub use info::{BucketInfo, Part, PartInfo, UploadInfo};
pub use limits::R2Limits;
pub use list::{ListOptions, Page};
pub use object::{HttpMetadata, Key, Metadata, Object, StorageClass};
pub use range::Range;
pub use service::R2;
pub use sqlite::Index;
pub use uploads::CompleteOptions;
