//! What can be typed on the command line, and nothing of what it means.
//!
//! Owns the clap types. It must never read a file, the network or a clock: what was typed and what it
//! means are two things, and `config` and `commands` own the second.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use queues::QueuesCommand;

pub use access::{AuditArgs, TokenCommand, TokenWanted, When};
pub use databases::{D1Command, ExportArgs, TimeTravelCommand};
pub use objects::{BucketCommand, ObjectCommand, R2Command};
pub use versions::{DeploymentsCommand, OfScript, RollbackArgs, RollbackIf, VersionsCommand};
pub use zones::{
    ClientsWanted, HostnameCommand, HostnameFilters, HostnameWanted, InZoneArgs, WaitArgs, ZoneCommand,
};

mod access;
mod databases;
mod objects;
pub mod queues;
mod versions;
mod zones;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "wasmyard",
    version,
    about = "A self-hosted platform for running other people's code on WebAssembly",
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong use, 64 bad configuration.",
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// One variant for each command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a project folder that builds and runs as it is
    Init(InitArgs),
    /// Run the whole platform of a folder, with hot reload
    Dev(DevArgs),
    /// Run the platform, keeping everything in one data directory
    Serve(ServeArgs),
    /// Create, list, look at, rename and delete namespaces
    #[command(subcommand, visible_alias = "namespaces")]
    Namespace(NamespaceCommand),
    /// Upload a script: a component, or what wasmyard.toml says
    Deploy(DeployArgs),
    /// List, look at and delete scripts
    #[command(subcommand, visible_alias = "scripts")]
    Script(ScriptCommand),
    /// Put, list and delete a script's secrets
    #[command(subcommand, visible_alias = "secrets")]
    Secret(SecretCommand),
    /// List, set, add and remove the tags of a user script
    #[command(subcommand, visible_alias = "tag")]
    Tags(TagsCommand),
    /// Make, list and delete SQL databases, carry out statements, import, export, go back in time
    #[command(subcommand)]
    D1(D1Command),
    /// Make, list and delete buckets; put, get, list and delete objects
    #[command(subcommand)]
    R2(R2Command),
    /// Make any call of the v4 API: `wasmyard api GET zones`
    Api(AnyCallArgs),
    /// Make a master key, or wrap the key of the data directory by another one
    #[command(subcommand)]
    Key(KeyCommand),
    /// Show or set when a script runs by itself, or have it run at once
    #[command(subcommand)]
    Cron(CronCommand),
    /// Watch what becomes of the invocations of a script, or of all scripts of a namespace, as they happen
    Tail(TailArgs),
    /// List, make, change and empty queues, say who consumes them, send and look at messages
    #[command(subcommand, visible_alias = "queue")]
    Queues(QueuesCommand),
    /// List, compare and deploy the versions of a script
    #[command(subcommand, visible_alias = "version")]
    Versions(VersionsCommand),
    /// List which versions of a script serve, and which did before
    #[command(subcommand)]
    Deployments(DeploymentsCommand),
    /// Have a version of a script serve again
    Rollback(RollbackArgs),
    /// Make, list and delete zones: domains of yours, for your customers' hostnames
    #[command(subcommand, visible_alias = "zones")]
    Zone(ZoneCommand),
    /// Make, list, look at and delete your customers' hostnames
    #[command(subcommand, visible_alias = "hostnames")]
    Hostname(HostnameCommand),
    /// Change what is had with authorities of certificates
    #[command(subcommand)]
    Authority(AuthorityCommand),
    /// List, create and revoke the tokens of the API
    #[command(subcommand, visible_alias = "tokens")]
    Token(TokenCommand),
    /// Show who changed what, the newest first
    Audit(AuditArgs),
    /// Validate the configuration and every module, without starting anything
    Check(CheckArgs),
    /// Write the platform's interfaces (WIT) for other languages
    Wit(WitArgs),
    /// Write the types of what scripts in JavaScript have, for editors and TypeScript
    Types(TypesArgs),
    /// Print the script that completes commands in a shell
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Compile one component, for the platform that started this process
    #[command(hide = true)]
    CompileComponent(wasmyard_compiler::CompileArgs),
}

/// `wasmyard init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The folder to write; made if it is missing. Files that exist are never overwritten
    #[arg(default_value = ".", value_name = "DIR")]
    pub dir: PathBuf,
    /// What to start from
    #[arg(long, value_enum, default_value_t = Template::Hello)]
    pub template: Template,
}

/// `wasmyard wit`.
#[derive(Debug, Args)]
pub struct WitArgs {
    /// The folder to write; made if it is missing. Files that exist are never overwritten
    #[arg(default_value = "wit", value_name = "DIR")]
    pub dir: PathBuf,
    /// The version of WASI that the toolchain builds for, 0.2.0 to 0.2.12
    #[arg(long, default_value = "0.2.12", value_name = "VERSION")]
    pub wasi: String,
}

/// `wasmyard types`.
#[derive(Debug, Args)]
pub struct TypesArgs {
    /// The file to write: one that this command has written is replaced
    #[arg(default_value = "worker-configuration.d.ts", value_name = "FILE")]
    pub file: PathBuf,
    /// The script, where wasmyard.toml declares several: its environment is called Env. Without it each has a name of its own
    #[arg(long, value_name = "SCRIPT")]
    pub name: Option<String>,
    /// The namespace of a user script
    #[arg(long, short = 'n', value_name = "NS")]
    pub namespace: Option<String>,
    /// Leave out what every script has: for projects with the package @wasmyard/types
    #[arg(long)]
    pub env_only: bool,
    /// Ask the running platform for the names of the scripts' secrets
    #[arg(long)]
    pub secrets: bool,
    /// The configuration file to read
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The API to ask.
    #[command(flatten)]
    pub api: ApiArgs,
}

/// The project templates that `init` knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Template {
    /// One script that answers every request
    Hello,
    /// A dispatcher written in Wasm, and two customers in the namespace `production`
    Dispatcher,
    /// A customer whose requests pass an outbound worker
    Outbound,
    /// A dispatcher, two customers and an outbound worker in JavaScript: nothing is built
    Javascript,
    /// A component in Rust that wrangler deploys
    Wrangler,
}

impl Template {
    /// Whether it is written in Rust, and comes with the SDK.
    #[must_use]
    pub const fn is_rust(self) -> bool {
        !matches!(self, Self::Javascript)
    }
}

/// `wasmyard dev`.
#[derive(Debug, Args)]
pub struct DevArgs {
    /// The folder that holds wasmyard.toml
    #[arg(default_value = ".", value_name = "DIR")]
    pub dir: PathBuf,
    /// A configuration file of another name or place
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where visitors connect, instead of server.listen
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub listen: Option<SocketAddr>,
    /// Where visitors connect over TLS, instead of server.listen_tls
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub listen_tls: Option<SocketAddr>,
    /// Where the v4 API listens, instead of server.api_listen
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub api_listen: Option<SocketAddr>,
    /// The API of the server that dispatch bindings with `remote = true` lead to; its token is WASMYARD_REMOTE_TOKEN
    #[arg(long, env = "WASMYARD_REMOTE_URL", value_name = "URL")]
    pub remote: Option<String>,
    /// Say how to have this machine trust the certificates that https is served with, and how to undo that; starts nothing
    #[arg(long)]
    pub trust: bool,
}

/// `wasmyard serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The configuration file [default: ./wasmyard.toml where there is one]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The data directory, instead of server.data [default: ./.wasmyard]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Where visitors connect, instead of server.listen [default: 127.0.0.1:8787]
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub listen: Option<SocketAddr>,
    /// Where visitors connect over TLS, instead of server.listen_tls [default: nowhere]
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub listen_tls: Option<SocketAddr>,
    /// Where the v4 API listens, instead of server.api_listen [default: 127.0.0.1:8788]
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub api_listen: Option<SocketAddr>,
    /// The admin token of the v4 API [default: made at first start, kept in DATA/admin-token]
    #[arg(long = "api-token", env = "WASMYARD_API_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub token: Option<Token>,
}

/// `wasmyard check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The configuration file [default: ./wasmyard.toml]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print the findings as JSON
    #[arg(long)]
    pub json: bool,
}

/// How a client command finds the v4 API and what it shows there.
///
/// The token is the first of: `--api-token`, `WASMYARD_API_TOKEN`, the file `admin-token` in the data
/// directory of the `wasmyard.toml` in this folder (or in `./.wasmyard`). The file is read only for an API
/// on this machine: a local token is never sent elsewhere.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "API options")]
pub struct ApiArgs {
    /// The v4 API [default: server.api_listen of ./wasmyard.toml, or http://127.0.0.1:8788]
    #[arg(long, env = "WASMYARD_API_URL", value_name = "URL")]
    pub api_url: Option<String>,
    /// The API token [default: admin-token in a data directory of this folder]
    #[arg(long, env = "WASMYARD_API_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub api_token: Option<Token>,
}

/// A token, which no log line, panic message or `{:?}` can show.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// Takes the text of a token.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether there is anything in it. An environment variable that is set to nothing is as good as unset.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The token itself: for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[token]")
    }
}

impl From<String> for Token {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// `wasmyard namespace`.
#[derive(Debug, Subcommand)]
pub enum NamespaceCommand {
    /// Create a namespace
    Create {
        /// 1 to 64 of a-z 0-9 _ -
        name: String,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// List the namespaces
    List {
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// Show one namespace
    Get {
        /// The namespace
        name: String,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// Rename a namespace; its scripts stay as they are
    Rename {
        /// The name it has
        name: String,
        /// The name it gets
        new_name: String,
        /// Whether it goes on.
        #[command(flatten)]
        change: ChangeArgs,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// Delete a namespace with all its scripts
    Delete {
        /// The namespace
        name: String,
        /// Do not ask, even though scripts will be deleted
        #[arg(long, short = 'y')]
        yes: bool,
        /// What scripts keep things in that is their own goes with them, at once
        #[arg(long)]
        purge: bool,
        /// Whether it goes on.
        #[command(flatten)]
        change: ChangeArgs,
        /// Where the API is.
        #[command(flatten)]
        api: ApiArgs,
    },
}

/// The option of a command that changes what is there.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct ChangeArgs {
    /// Go on although others refer to it, or the server's wasmyard.toml declares it and the next start puts it back
    #[arg(long)]
    pub force: bool,
}

/// What to do with an authority of certificates.
#[derive(Debug, Subcommand)]
pub enum AuthorityCommand {
    /// Give the account that is had with an authority another key
    RollKey {
        /// Its name, as under [certificates.authorities]: digicert, google, lets_encrypt or ssl_com
        name: String,
        /// Where the API is.
        #[command(flatten)]
        api: ApiArgs,
    },
}

/// The options of a command that prints a listing.
#[derive(Debug, Clone, Default, Args)]
pub struct ListingArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Where the API is.
    #[command(flatten)]
    pub api: ApiArgs,
}

/// `wasmyard deploy`.
#[derive(Debug, Args)]
pub struct DeployArgs {
    /// The component to upload. Without it: the scripts that ./wasmyard.toml declares, from their `main`,
    /// with their bindings, vars, limits and tags
    #[arg(value_name = "FILE.wasm")]
    pub file: Option<PathBuf>,
    /// A folder of static assets to serve; with FILE.wasm beside it, with --name and without FILE.wasm by itself
    #[arg(long, value_name = "DIR")]
    pub assets: Option<PathBuf>,
    /// The namespace of a user script; without it, a platform script is deployed
    #[arg(long, short = 'n', value_name = "NS")]
    pub namespace: Option<String>,
    /// The script's name [default: the file's name without `.wasm`]
    #[arg(long, value_name = "SCRIPT")]
    pub name: Option<String>,
    /// Upload a version that does not serve: `wasmyard versions deploy` makes it serve. The script must be there
    #[arg(long)]
    pub only_upload: bool,
    /// What changed, for whoever reads the list of versions
    #[arg(long, short = 'm', value_name = "TEXT")]
    pub message: Option<String>,
    /// When it is rolled back by itself.
    #[command(flatten)]
    pub rollback: RollbackIf,
    /// A tag; may be repeated, up to eight
    #[arg(long = "tag", value_name = "T")]
    pub tags: Vec<String>,
    /// A plain text variable; may be repeated
    #[arg(long = "var", value_name = "K=V", value_parser = key_value)]
    pub vars: Vec<(String, String)>,
    /// The configuration file to read when FILE.wasm is left out
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How it is printed.
    #[command(flatten)]
    pub output: ListingArgs,
}

/// `wasmyard script`.
#[derive(Debug, Subcommand)]
pub enum ScriptCommand {
    /// List the scripts of a namespace, or the platform scripts
    List {
        /// The namespace; without it, platform scripts are listed
        #[arg(long, short = 'n', value_name = "NS")]
        namespace: Option<String>,
        /// Only scripts that match, such as `paid:yes,trial:no`
        #[arg(long, value_name = "FILTER", requires = "namespace")]
        tags: Option<String>,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// Show one script
    Get {
        /// The script
        name: String,
        /// The namespace of a user script
        #[arg(long, short = 'n', value_name = "NS")]
        namespace: Option<String>,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// List what a script keeps things in that is its own, or remove what nothing leads to any more
    Storage {
        /// The script; it may be gone
        name: String,
        /// The namespace of a user script
        #[arg(long, short = 'n', value_name = "NS")]
        namespace: Option<String>,
        /// Remove what no version of the script leads to, without waiting
        #[arg(long)]
        remove_unused: bool,
        /// Whether it goes on.
        #[command(flatten)]
        change: ChangeArgs,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// Delete one script
    Delete {
        /// The script
        name: String,
        /// The namespace of a user script
        #[arg(long, short = 'n', value_name = "NS")]
        namespace: Option<String>,
        /// What it keeps things in that is its own goes with it, at once
        #[arg(long)]
        purge: bool,
        /// Whether it goes on.
        #[command(flatten)]
        change: ChangeArgs,
        /// Where the API is.
        #[command(flatten)]
        api: ApiArgs,
    },
}

/// Which script a command is about.
#[derive(Debug, Args)]
pub struct ScriptArgs {
    /// The script
    #[arg(long, visible_alias = "name", value_name = "SCRIPT")]
    pub script: String,
    /// The namespace of a user script
    #[arg(long, short = 'n', value_name = "NS")]
    pub namespace: Option<String>,
}

/// `wasmyard secret`.
#[derive(Debug, Subcommand)]
pub enum SecretCommand {
    /// Give a script a secret, whose value is read from standard input
    Put {
        /// The name under which the script reads it
        key: String,
        /// Which script.
        #[command(flatten)]
        script: ScriptArgs,
        /// Whether it goes on.
        #[command(flatten)]
        change: ChangeArgs,
        /// Where the API is.
        #[command(flatten)]
        api: ApiArgs,
    },
    /// List the names of a script's secrets; values are never shown
    List {
        /// Which script.
        #[command(flatten)]
        script: ScriptArgs,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// Take a secret away
    Delete {
        /// The name of the secret
        key: String,
        /// Which script.
        #[command(flatten)]
        script: ScriptArgs,
        /// Whether it goes on.
        #[command(flatten)]
        change: ChangeArgs,
        /// Where the API is.
        #[command(flatten)]
        api: ApiArgs,
    },
}

/// `wasmyard api`.
#[derive(Debug, Args)]
pub struct AnyCallArgs {
    /// GET, POST, PUT, PATCH or DELETE
    #[arg(value_name = "METHOD")]
    pub method: String,
    /// What stands behind /client/v4 in docs/api.md; `{account_id}` may stay as it is
    #[arg(value_name = "PATH")]
    pub path: String,
    /// A parameter of the query; may be repeated
    #[arg(long = "query", short = 'q', value_name = "K=V", value_parser = key_value)]
    pub query: Vec<(String, String)>,
    /// The body: JSON, `@FILE`, or `-` for standard input
    #[arg(long, short = 'd', value_name = "BODY")]
    pub data: Option<String>,
    /// The type of the body
    #[arg(long, value_name = "TYPE", default_value = "application/json")]
    pub content_type: String,
    /// Where to write the answer [default: standard output]
    #[arg(long, short = 'o', value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Print the whole envelope, with messages and pages
    #[arg(long)]
    pub envelope: bool,
    /// Where the API is.
    #[command(flatten)]
    pub api: ApiArgs,
}

/// `wasmyard key`.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Print a new master key: 32 random bytes in hexadecimal
    New,
    /// Wrap the data directory's key by another master key than the one in the configuration; a server that runs goes on
    Rewrap {
        /// Where the other one comes from: file:PATH, env:NAME or command:LINE; `none` leaves the key as it is
        #[arg(long, value_name = "SOURCE")]
        to: String,
        /// The configuration file [default: ./wasmyard.toml where there is one]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

/// `wasmyard tail`.
#[derive(Debug, Args)]
pub struct TailArgs {
    /// The script [default: all scripts of --namespace]
    #[arg(value_name = "SCRIPT", required_unless_present = "namespace")]
    pub script: Option<String>,
    /// The namespace of a user script; without it, a platform script is meant
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// Only those that ended so: ok, error, canceled; repeatable
    #[arg(long, value_name = "STATUS")]
    pub status: Vec<String>,
    /// Only requests with this method; repeatable
    #[arg(long, value_name = "METHOD")]
    pub method: Vec<String>,
    /// Only requests with this field, or with a text in it: NAME or NAME:TEXT
    #[arg(long, value_name = "FIELD")]
    pub header: Option<String>,
    /// Only requests of this visitor; `self` is this machine as the server sees it; repeatable
    #[arg(long, value_name = "ADDRESS")]
    pub ip: Vec<String>,
    /// Only those with this text in a line, a failure or the address
    #[arg(long, value_name = "TEXT")]
    pub search: Option<String>,
    /// Only this version
    #[arg(long, value_name = "ID")]
    pub version_id: Option<String>,
    /// A part of them, from 0 to 1
    #[arg(long, value_name = "RATE")]
    pub sampling_rate: Option<f64>,
    /// How it is printed.
    #[command(flatten)]
    pub output: ListingArgs,
}

/// `wasmyard cron`.
#[derive(Debug, Subcommand)]
pub enum CronCommand {
    /// List a script's cron expressions
    List {
        /// Which script.
        #[command(flatten)]
        of: OfScript,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// Replace all cron expressions of a script; no CRON removes them all
    Set {
        /// Which script.
        #[command(flatten)]
        of: OfScript,
        /// The expressions it is to have: minute, hour, day of the month, month, weekday, in UTC, in one word each
        #[arg(value_name = "CRON")]
        crons: Vec<String>,
        /// Whether it goes on.
        #[command(flatten)]
        change: ChangeArgs,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// Have a script run at once for one of its cron expressions, beside its schedule
    Run {
        /// Which script.
        #[command(flatten)]
        of: OfScript,
        /// The expression [default: the only one]
        #[arg(value_name = "CRON")]
        cron: Option<String>,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
}

/// `wasmyard tags`.
#[derive(Debug, Subcommand)]
pub enum TagsCommand {
    /// List a script's tags
    List {
        /// Which script.
        #[command(flatten)]
        target: TagTarget,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// Replace all tags of a script; no TAG removes them all
    Set {
        /// Which script.
        #[command(flatten)]
        target: TagTarget,
        /// The tags it is to have
        #[arg(value_name = "TAG")]
        tags: Vec<String>,
        /// Whether it goes on.
        #[command(flatten)]
        change: ChangeArgs,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// Add tags to a script
    Add {
        /// Which script.
        #[command(flatten)]
        target: TagTarget,
        /// The tags to add
        #[arg(value_name = "TAG", required = true)]
        tags: Vec<String>,
        /// Whether it goes on.
        #[command(flatten)]
        change: ChangeArgs,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// Remove tags from a script
    Remove {
        /// Which script.
        #[command(flatten)]
        target: TagTarget,
        /// The tags to remove
        #[arg(value_name = "TAG", required = true)]
        tags: Vec<String>,
        /// Whether it goes on.
        #[command(flatten)]
        change: ChangeArgs,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
}

/// The user script whose tags are meant: tags exist in namespaces only.
#[derive(Debug, Args)]
pub struct TagTarget {
    /// The script
    pub script: String,
    /// Its namespace
    #[arg(long, short = 'n', value_name = "NS")]
    pub namespace: String,
}

/// An address to listen on.
fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "write an IP address and a port, such as 127.0.0.1:8787 or [::]:8787".to_owned())
}

/// Splits `K=V` at the first `=`.
fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as NAME=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests;
