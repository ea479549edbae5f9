//! What can be said of buckets and of objects.

use std::path::PathBuf;

use clap::Subcommand;

use super::{ChangeArgs, ListingArgs};

/// `wasmyard r2`.
#[derive(Debug, Subcommand)]
pub enum R2Command {
    /// Make, list and delete buckets
    #[command(subcommand, visible_alias = "buckets")]
    Bucket(BucketCommand),
    /// Put, get, list and delete objects
    #[command(subcommand, visible_alias = "objects")]
    Object(ObjectCommand),
    /// Show the access key of the S3 protocol that the token is: its id, and the secret that is made of it
    Key {
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
}

/// `wasmyard r2 bucket`.
#[derive(Debug, Subcommand)]
pub enum BucketCommand {
    /// List the buckets
    List {
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// Make a bucket
    Create {
        /// Its name: 3 to 63 lower-case letters, digits and hyphens
        bucket: String,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// Delete a bucket that holds no objects
    Delete {
        /// Its name
        bucket: String,
        /// Whether it goes on.
        #[command(flatten)]
        change: ChangeArgs,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
}

/// `wasmyard r2 object`.
#[derive(Debug, Subcommand)]
pub enum ObjectCommand {
    /// List objects by their keys
    List {
        /// In which bucket
        bucket: String,
        /// Keys that begin with this
        #[arg(long, default_value = "")]
        prefix: String,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// Put a file as an object
    Put {
        /// In which bucket
        bucket: String,
        /// Under which key
        key: String,
        /// The file
        file: PathBuf,
        /// What it is, such as image/png
        #[arg(long)]
        content_type: Option<String>,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// Write an object to a file
    Get {
        /// In which bucket
        bucket: String,
        /// Under which key
        key: String,
        /// The file, which is made or replaced
        file: PathBuf,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// Delete objects, those of them that are there
    Delete {
        /// In which bucket
        bucket: String,
        /// Under which keys
        #[arg(value_name = "KEY", required = true)]
        keys: Vec<String>,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
}
