//! What can be typed about SQL databases.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{ApiArgs, ChangeArgs, ListingArgs};

/// `wasmyard d1`.
#[derive(Debug, Subcommand)]
pub enum D1Command {
    /// Make a database
    Create {
        /// Its name
        name: String,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// List the databases
    List {
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// Show a database
    Info {
        /// Its name, or its identifier
        database: String,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// Delete a database with its past
    Delete {
        /// Its name, or its identifier
        database: String,
        /// Do not ask, even though there are tables in it
        #[arg(long, short = 'y')]
        yes: bool,
        /// Whether it goes on.
        #[command(flatten)]
        change: ChangeArgs,
        /// Where the API is.
        #[command(flatten)]
        api: ApiArgs,
    },
    /// Carry out statements, all of them or none, and show their rows
    Execute {
        /// Its name, or its identifier
        database: String,
        /// The statements
        #[arg(long, short = 'c', value_name = "SQL")]
        command: String,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// Carry out a file of statements, all of them or none
    Import {
        /// Its name, or its identifier
        database: String,
        /// The file
        file: PathBuf,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// Write a database as a file of statements
    Export(ExportArgs),
    /// Name moments of a database, and go back to them
    #[command(subcommand)]
    TimeTravel(TimeTravelCommand),
}

/// `wasmyard d1 export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Its name, or its identifier
    pub database: String,
    /// The file to write; one that is there is replaced
    pub file: PathBuf,
    /// This table alone; repeat it for more
    #[arg(long = "table", value_name = "NAME")]
    pub tables: Vec<String>,
    /// Without tables, indexes, triggers and views
    #[arg(long, conflicts_with = "no_data")]
    pub no_schema: bool,
    /// Without rows
    #[arg(long)]
    pub no_data: bool,
    /// Where the API is.
    #[command(flatten)]
    pub api: ApiArgs,
}

/// `wasmyard d1 time-travel`.
#[derive(Debug, Subcommand)]
pub enum TimeTravelCommand {
    /// Name the present, or an earlier moment
    Info {
        /// Its name, or its identifier
        database: String,
        /// The moment, in RFC 3339
        #[arg(long, value_name = "TIME")]
        timestamp: Option<String>,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// Go back to a moment. What was there before can be gone back to, too
    Restore {
        /// Its name, or its identifier
        database: String,
        /// The name of the moment
        #[arg(
            long,
            value_name = "BOOKMARK",
            conflicts_with = "timestamp",
            required_unless_present = "timestamp"
        )]
        bookmark: Option<String>,
        /// The moment itself, in RFC 3339
        #[arg(long, value_name = "TIME")]
        timestamp: Option<String>,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
}
