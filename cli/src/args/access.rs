//! What can be typed about tokens of the API, and about who changed what.

use clap::{Args, Subcommand};

use super::{ApiArgs, ListingArgs};

/// `wasmyard token`.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// List the tokens of the API and what they may do; their texts are never shown
    List {
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// Make a token, and print its text: this once. Without --permission it may do what the token may do that makes it
    Create {
        /// What it is for
        name: String,
        /// What it may do, and where.
        #[command(flatten)]
        wanted: Box<TokenWanted>,
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// List the permissions that a token can be given
    Permissions {
        /// How it is printed.
        #[command(flatten)]
        output: ListingArgs,
    },
    /// Revoke a token: it is refused at once
    Revoke {
        /// The token's id, as `wasmyard token list` shows it
        id: String,
        /// Where the API is.
        #[command(flatten)]
        api: ApiArgs,
    },
}

/// What a token may do, where, from where and until when.
#[derive(Debug, Args)]
pub struct TokenWanted {
    /// A permission, such as "Workers Scripts Write"; repeat it for more. `wasmyard token permissions` lists them
    #[arg(long = "permission", short = 'p', value_name = "NAME")]
    pub permissions: Vec<String>,
    /// A namespace where they hold, with all its scripts; or, with --script, where these are
    #[arg(long, short = 'n', value_name = "NS", requires = "permissions")]
    pub namespace: Option<String>,
    /// A script where they hold: a platform script, or with --namespace a user script. Repeat it for more
    #[arg(long = "script", value_name = "SCRIPT", requires = "permissions")]
    pub scripts: Vec<String>,
    /// A zone where they hold, by its name or its id; or "all". Repeat it for more
    #[arg(long = "zone", value_name = "ZONE", requires = "permissions")]
    pub zones: Vec<String>,
    /// A network from which it may be used, such as 192.0.2.0/24. Repeat it for more [default: everywhere]
    #[arg(long = "ip", value_name = "CIDR")]
    pub networks: Vec<String>,
    /// A network from which it may not be used. Repeat it for more
    #[arg(long = "not-ip", value_name = "CIDR")]
    pub not_networks: Vec<String>,
    /// When it ends: a time such as 2027-01-31T00:00:00Z, or a while from now such as 30d, 12h or 15m [default: never]
    #[arg(long, value_name = "WHEN", value_parser = When::parse)]
    pub expires: Option<When>,
}

/// `wasmyard audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// Changes since then: a time or a day, or a while before now such as 7d, 12h or 15m
    #[arg(long, value_name = "WHEN", value_parser = When::parse)]
    pub since: Option<When>,
    /// Changes by the token with this name
    #[arg(long, value_name = "TOKEN")]
    pub actor: Option<String>,
    /// Changes in the zone with this name
    #[arg(long, value_name = "ZONE")]
    pub zone: Option<String>,
    /// Changes of this kind: create, update or delete; or the name of a call, such as userScripts.upload
    #[arg(long, value_name = "KIND")]
    pub action: Option<String>,
    /// Only what was refused
    #[arg(long)]
    pub failed: bool,
    /// How many are shown, the newest first
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    pub limit: usize,
    /// How it is printed.
    #[command(flatten)]
    pub output: ListingArgs,
}

/// A moment, or how far away from now one is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// As it was written: the API judges it.
    At(String),
    /// So many seconds before or after now.
    Away(u64),
}

impl When {
    fn parse(text: &str) -> Result<When, String> {
        let wrong =
            || "write a time such as 2027-01-31T00:00:00Z, or a while such as 30d, 12h or 15m".to_owned();
        let (number, unit) = text.split_at(text.len().saturating_sub(1).min(floor(text)));
        let seconds = match unit {
            "d" => 86_400,
            "h" => 3_600,
            "m" => 60,
            "s" => 1,
            _ if text.starts_with(|first: char| first.is_ascii_digit()) && text.contains('-') => {
                return Ok(When::At(text.to_owned()));
            }
            _ => return Err(wrong()),
        };
        let number = number.parse::<u64>().ok().and_then(|number| number.checked_mul(seconds));
        number.filter(|seconds| *seconds > 0).map(When::Away).ok_or_else(wrong)
    }
}

/// Where the last character begins.
fn floor(text: &str) -> usize {
    text.char_indices().last().map_or(0, |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_while_has_a_unit_and_a_time_is_left_to_the_api() {
        for (text, seconds) in [("7d", 604_800), ("12h", 43_200), ("15m", 900), ("30s", 30)] {
            assert_eq!(When::parse(text), Ok(When::Away(seconds)));
        }
        for text in ["2027-01-31T00:00:00Z", "2027-01-31"] {
            assert_eq!(When::parse(text), Ok(When::At(text.to_owned())));
        }
        for text in ["", "7", "d", "0d", "-1d", "7w", "soon", "7é", "99999999999999999999d"] {
            assert!(When::parse(text).is_err(), "{text}");
        }
    }
}
