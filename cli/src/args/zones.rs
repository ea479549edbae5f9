//! What can be typed about zones and custom hostnames.

use std::path::PathBuf;

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
    /// Set where requests for custom hostnames go, and write the zone's DNS record for it
    Origin {
        /// A name in the zone, such as service.saas.example; what your customers point at
        name: String,
        /// Where that is: an address or a name [default: a script, by a route for the name]
        #[arg(long, value_name = "TARGET")]
        target: Option<String>,
        /// Which zone.
        #[command(flatten)]
        zone: InZoneArgs,
    },
    /// List the zones
    List {
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// How many custom hostnames and certificates a zone may have, and when more
    Quota {
        /// Which zone.
        #[command(flatten)]
        zone: InZoneArgs,
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
        /// What it is to be.
        #[command(flatten)]
        wanted: HostnameWanted,
        /// Whether it is waited for.
        #[command(flatten)]
        wait: WaitArgs,
        /// Which zone.
        #[command(flatten)]
        zone: InZoneArgs,
    },
    /// List the custom hostnames of a zone
    List {
        /// Which of them.
        #[command(flatten)]
        filters: HostnameFilters,
        /// Which zone.
        #[command(flatten)]
        zone: InZoneArgs,
    },
    /// Wait until a custom hostname is served, and tell what it waits for
    Wait {
        /// The customer's domain
        hostname: String,
        /// How many seconds at most
        #[arg(long, value_name = "SECONDS", default_value_t = PATIENCE)]
        timeout: u64,
        /// Which zone.
        #[command(flatten)]
        zone: InZoneArgs,
    },
    /// Have all checks of a custom hostname and its certificate begin again
    Refresh {
        /// The customer's domain
        hostname: String,
        /// Whether it is waited for.
        #[command(flatten)]
        wait: WaitArgs,
        /// Which zone.
        #[command(flatten)]
        zone: InZoneArgs,
    },
    /// Have a custom hostname ask its clients for certificates, or ask no more
    Clients {
        /// The customer's domain, or `*.` and one that has a certificate for the names below it
        hostname: String,
        /// What for.
        #[command(flatten)]
        wanted: ClientsWanted,
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

/// How long is waited, in seconds: DNS records take minutes to be seen.
const PATIENCE: u64 = 600;

/// What a new custom hostname is to be.
#[derive(Debug, Clone, Args)]
pub struct HostnameWanted {
    /// The customer's domain, such as shop.customer.example
    pub hostname: String,
    /// How the certificate authority is shown that it is theirs: txt or http
    #[arg(long, value_name = "METHOD", default_value = "txt")]
    pub method: String,
    /// Ask for a certificate that is for all names one label below as well
    #[arg(long)]
    pub wildcard: bool,
    /// Ask for no certificate
    #[arg(long, conflicts_with_all = ["method", "wildcard"])]
    pub no_certificate: bool,
    /// A JSON object for your scripts, such as '{"plan": "gold"}'
    #[arg(long, value_name = "JSON")]
    pub metadata: Option<String>,
    /// Where its requests go, instead of the zone's fallback origin
    #[arg(long, value_name = "NAME")]
    pub origin: Option<String>,
}

/// What clients of a hostname are asked for.
#[derive(Debug, Clone, Args)]
pub struct ClientsWanted {
    /// A file with the certificates of the authorities that issue those of clients, in PEM form
    #[arg(long, value_name = "FILE", required_unless_present = "none")]
    pub ca: Option<PathBuf>,
    /// Let clients in that have none, too, and leave it to the script
    #[arg(long, requires = "ca")]
    pub optional: bool,
    /// Ask for certificates no more
    #[arg(long, conflicts_with = "ca")]
    pub none: bool,
}

/// Whether a command waits until a hostname is served.
#[derive(Debug, Clone, Copy, Args)]
pub struct WaitArgs {
    /// Wait until it is served, and tell what it waits for
    #[arg(long)]
    pub wait: bool,
    /// How many seconds at most
    #[arg(long, value_name = "SECONDS", requires = "wait", default_value_t = PATIENCE)]
    pub timeout: u64,
}

/// Which custom hostnames a list is for.
#[derive(Debug, Clone, Default, Args)]
pub struct HostnameFilters {
    /// Names with this in them
    #[arg(long, value_name = "PART")]
    pub contains: Option<String>,
    /// Those of this status, such as pending or active
    #[arg(long, value_name = "STATUS")]
    pub status: Option<String>,
    /// Those whose certificate has this status, such as pending_validation
    #[arg(long, value_name = "STATUS")]
    pub ssl_status: Option<String>,
    /// Those with this origin of their own
    #[arg(long, value_name = "NAME")]
    pub origin: Option<String>,
    /// Those that ask for a certificate (true), or for none (false)
    #[arg(long, value_name = "BOOL")]
    pub certificate: Option<bool>,
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
