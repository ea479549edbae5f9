//! Where the API is, and whether it is this machine's: a token that was found on this disk goes nowhere else.

use std::net::IpAddr;
use std::path::Path;

use reqwest::Url;
use wasmyard_node::config::TOKEN_FILE;

use super::error::ClientError;
use crate::args::Token;

/// Takes `http://host:port`, with or without `/client/v4`.
pub(super) fn parse_base(given: &str) -> Result<Url, ClientError> {
    let bad = |reason| ClientError::BadUrl { url: without_password(given), reason };
    let mut url = Url::parse(given).map_err(|_| bad("it does not parse as a URL"))?;
    match url.scheme() {
        "http" => {}
        "https" => {
            return Err(bad(
                "this version speaks plain HTTP only; reach a remote API through an SSH tunnel to its loopback port",
            ));
        }
        _ => return Err(bad("it does not begin with http://")),
    }
    if url.host_str().is_none() {
        return Err(bad("it has no host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("a token goes in WASMYARD_API_TOKEN, not in the address"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad("it must have no query and no fragment"));
    }
    let path = url.path().trim_end_matches('/').to_owned();
    let path = if path.ends_with("/client/v4") { format!("{path}/") } else { format!("{path}/client/v4/") };
    url.set_path(&path);
    Ok(url)
}

/// The address without what stands before `@`, for messages.
fn without_password(given: &str) -> String {
    match (given.split_once("://"), given.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://…@{rest}"),
        _ => given.to_owned(),
    }
}

pub(super) fn is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => bare == "localhost" || bare.ends_with(".localhost"),
    }
}

/// The admin token that a server of this data directory made, if this user may read it.
pub(super) fn local_token(data: &Path) -> Option<Token> {
    let text = std::fs::read_to_string(data.join(TOKEN_FILE)).ok()?;
    let token = text.trim();
    (!token.is_empty()).then(|| Token::new(token))
}
