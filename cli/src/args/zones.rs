//! What can be typed about zones and custom hostnames.

use clap::{Args, Subcommand};

use super::{ApiArgs, ListingArgs};

/// `wasmyard zone`.
#[derive(Debug, Subcommand)]
pub enum ZoneCommand {
    /// Make a zone: a domain of yours, to which custom hostnames belong
    Add {
        /// The domain, such as saas.example
        name: String,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// List the zones
    List {
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// Delete a zone with its DNS records and custom hostnames
    Delete {
        /// The domain
        name: String,
        /// Go on although it has custom hostnames
        #[arg(long)]
        yes: bool,
        /// Where the API is.
        #[command(flatten)]
        api: ApiArgs,
    },
}

/// `wasmyard hostname`.
#[derive(Debug, Subcommand)]
pub enum HostnameCommand {
    /// Make a custom hostname, and print the DNS records that your customer needs
    Add {
        /// The customer's domain, such as shop.customer.example
        hostname: String,
        /// How the certificate authority is shown that it is theirs: txt or http
        #[arg(long, value_name = "METHOD", default_value = "txt")]
        method: String,
        /// Ask for a certificate that is for all names one label below as well
        #[arg(long)]
        wildcard: bool,
        /// Ask for no certificate
        #[arg(long, conflicts_with_all = ["method", "wildcard"])]
        no_certificate: bool,
        /// A JSON object for your scripts, such as '{"plan": "gold"}'
        #[arg(long, value_name = "JSON")]
        metadata: Option<String>,
        /// Where its requests go, instead of the zone's fallback origin
        #[arg(long, value_name = "NAME")]
        origin: Option<String>,
        /// Which zone.
        #[command(flatten)]
        zone: InZoneArgs,
    },
    /// List the custom hostnames of a zone
    List {
        /// Which zone.
        #[command(flatten)]
        zone: InZoneArgs,
    },
    /// Show a custom hostname, and the DNS records that your customer needs
    Show {
        /// The customer's domain
        hostname: String,
        /// Which zone.
        #[command(flatten)]
        zone: InZoneArgs,
    },
    /// Delete a custom hostname: nobody is served under its name any more
    Delete {
        /// The customer's domain
        hostname: String,
        /// Which zone.
        #[command(flatten)]
        zone: InZoneArgs,
    },
}

/// Which zone a command is about.
#[derive(Debug, Clone, Default, Args)]
pub struct InZoneArgs {
    /// The zone [default: the one that there is]
    #[arg(long, short, value_name = "ZONE")]
    pub zone: Option<String>,
    /// How it is printed.
    #[command(flatten)]
    pub output: ListingArgs,
}
