//! What can be typed about versions and deployments of a script.

use clap::{Args, Subcommand};

use super::{ChangeArgs, ListingArgs};

/// Which script, by its name alone.
#[derive(Debug, Args)]
pub struct OfScript {
    /// The script
    #[arg(value_name = "SCRIPT")]
    pub script: String,
    /// The namespace of a user script
    #[arg(long, short = 'n', value_name = "NS")]
    pub namespace: Option<String>,
}

/// `wasmyard versions`.
#[derive(Debug, Subcommand)]
pub enum VersionsCommand {
    /// List the versions that are kept of a script, and what each serves
    List {
        /// Which script.
        #[command(flatten)]
        of: OfScript,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// Show one version
    Show {
        /// Which script.
        #[command(flatten)]
        of: OfScript,
        /// Its number or its id
        #[arg(value_name = "VERSION")]
        version: String,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// Show what differs between two versions: code, bindings, limits, flags
    Diff {
        /// Which script.
        #[command(flatten)]
        of: OfScript,
        /// The number or id of the one
        #[arg(value_name = "VERSION")]
        from: String,
        /// The number or id of the other [default: the version that serves]
        #[arg(value_name = "VERSION")]
        to: Option<String>,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// Have a version serve that is kept, or two with their percentages
    Deploy {
        /// Which script.
        #[command(flatten)]
        of: OfScript,
        /// The number or id of a version; with a second one, each with its percentage, like `4@90 5@10`
        #[arg(value_name = "VERSION[@PERCENT]", required = true, num_args = 1..=2)]
        versions: Vec<String>,
        /// The cookie whose value decides which of two versions a visitor meets
        #[arg(long, value_name = "NAME")]
        cookie: Option<String>,
        /// When it is rolled back by itself.
        #[command(flatten)]
        rollback: RollbackIf,
        /// Why, for whoever reads the list of deployments
        #[arg(long, short = 'm', value_name = "TEXT")]
        message: Option<String>,
        /// Whether it goes on.
        #[command(flatten)]
        change: ChangeArgs,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
}

/// When what served before serves again by itself.
#[derive(Debug, Default, Args)]
pub struct RollbackIf {
    /// Roll back when more than this percentage of the invocations fail, or answer with a status from 500 up
    #[arg(long, value_name = "PERCENT")]
    pub rollback_errors: Option<f64>,
    /// Roll back when the invocations take more CPU time than this in the mean, in milliseconds
    #[arg(long, value_name = "MS")]
    pub rollback_cpu: Option<u32>,
    /// How many invocations are judged together
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    pub rollback_over: u32,
}

impl RollbackIf {
    /// The rule as the API takes it; none where nothing was said.
    #[must_use]
    pub fn to_json(&self) -> Option<serde_json::Value> {
        let RollbackIf { rollback_errors: errors, rollback_cpu: cpu, rollback_over: over } = self;
        if errors.is_none() && cpu.is_none() {
            return None;
        }
        let mut rule = serde_json::Map::from_iter([("over".to_owned(), (*over).into())]);
        rule.extend(errors.map(|percent| ("errors_percent".to_owned(), percent.into())));
        rule.extend(cpu.map(|ms| ("cpu_ms".to_owned(), ms.into())));
        Some(rule.into())
    }
}

/// `wasmyard deployments`.
#[derive(Debug, Subcommand)]
pub enum DeploymentsCommand {
    /// List which versions serve, and which did before
    List {
        /// Which script.
        #[command(flatten)]
        of: OfScript,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
}

/// `wasmyard rollback`.
#[derive(Debug, Args)]
pub struct RollbackArgs {
    /// Which script.
    #[command(flatten)]
    pub of: OfScript,
    /// The number or id of the version to go back to [default: the one that served before]
    #[arg(value_name = "VERSION")]
    pub version: Option<String>,
    /// Why, for whoever reads the list of deployments
    #[arg(long, short = 'm', value_name = "TEXT")]
    pub message: Option<String>,
    /// Whether it goes on.
    #[command(flatten)]
    pub change: ChangeArgs,
    /// How it is printed.
    #[command(flatten)]
    pub output: ListingArgs,
}
