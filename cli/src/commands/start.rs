//! `wasmyard serve` and `wasmyard dev`: the commands that start a node.
//!
//! Owns how options lie over the configuration, and what is said of a node that starts. It must never decide what a
//! node does.

use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use wasmyard_events::{Form, Stream};
use wasmyard_namespaces::Secret;
use wasmyard_node::config::{self, ConfigSource, Faults, Purpose};
use wasmyard_node::{Developing, RemoteServer, ResolvedConfig, Serving, Storage};

use crate::args::{DevArgs, ServeArgs, Token};
use crate::failure::Failure;
use crate::output::Output;

/// Runs the platform from its data directory until it is told to stop.
///
/// # Errors
/// The [`Failure`] that decides the exit code.
pub async fn serve(args: &ServeArgs, output: &Output) -> Result<(), Failure> {
    let config = load_for_serve(args, output)?;
    start_logs(Form::Json, output)?;
    let token = args.token.as_ref().filter(|token| !token.is_empty());
    let storage = Storage::open(&config, token.map(Token::expose)).await?;
    note_token(&storage, output);
    let node = Serving::start(storage, config).await?;
    announce(&node.addresses(), output);
    node.run().await;
    Ok(())
}

/// Runs the platform of a folder, with hot reload, until it is told to stop.
///
/// # Errors
/// The [`Failure`] that decides the exit code.
pub async fn dev(args: &DevArgs, output: &Output) -> Result<(), Failure> {
    let config = load_for_dev(args, output)?;
    if args.trust {
        wasmyard_node::how_to_trust(&config)?.iter().for_each(|line| output.line(line));
        return Ok(());
    }
    start_logs(Form::Text, output)?;
    let token = std::env::var("WASMYARD_API_TOKEN").ok().filter(|token| !token.is_empty());
    let storage = Storage::for_development(&config, token.as_deref()).await?;
    note_token(&storage, output);
    output.note(
        "scripts may send requests to this machine's loopback addresses; `wasmyard serve` refuses them",
    );
    let node = Developing::start(storage, &config, remote(args)?).await?;
    announce(&node.addresses(), output);
    if let Some(path) = node.untrusted() {
        let path = path.display();
        output.note(&format!("https is served with certificates of {path}, made now: `wasmyard dev --trust` says how to trust it"));
    }
    for url in node.worth_trying() {
        output.line(&format!("try       {url}"));
    }
    let stop = CancellationToken::new();
    let reloading = crate::dev::run(config, node.folder() as Arc<_>, output, stop.clone());
    node.run(reloading, stop).await
}

/// The server that remote bindings lead to, with the token for it: a secret, which the command line is no place for.
fn remote(args: &DevArgs) -> Result<Option<RemoteServer>, Failure> {
    let Some(url) = args.remote.clone().filter(|url| !url.is_empty()) else { return Ok(None) };
    let token = std::env::var("WASMYARD_REMOTE_TOKEN").ok().filter(|token| !token.is_empty());
    let token = token.ok_or_else(|| {
        Failure::Usage(
            "a remote server needs WASMYARD_REMOTE_TOKEN; `wasmyard token create dev -p \"Workers Dispatch Run\" -n NS` makes one there"
                .to_owned(),
        )
    })?;
    Ok(Some(RemoteServer { url, token: Secret::new(token) }))
}

/// Starts the log. From here on nothing waits for whoever reads the two streams of this process.
fn start_logs(form: Form, output: &Output) -> Result<(), Failure> {
    let writer = wasmyard_node::start_logs(form)?;
    output.go_through(Box::new(writer.stream(Stream::Output)), Box::new(writer.stream(Stream::Error)));
    Ok(())
}

fn note_token(storage: &Storage, output: &Output) {
    if let Some(path) = storage.made_token() {
        output.note(&format!("admin token: {} (made now, readable by its owner only)", path.display()));
    }
}

/// Says where the node can be reached: on standard output, one line each, for people and scripts.
fn announce(addresses: &[(&str, std::net::SocketAddr)], output: &Output) {
    for (name, address) in addresses {
        let scheme = match *name {
            "https" => "https",
            "dcv" => "dns",
            _ => "http",
        };
        output.line(&format!("{name:<9} {scheme}://{address}"));
    }
}

/// Reads the configuration of `wasmyard dev`, with its options laid over it; warnings are printed.
fn load_for_dev(args: &DevArgs, output: &Output) -> Result<ResolvedConfig, Failure> {
    let source = config::required(ConfigSource::find(args.config.as_deref(), &args.dir)?, &args.dir)?;
    let (mut config, warnings) = config::load(source, Purpose::Dev)?;
    warn(&warnings, output);
    config.server.listen = args.listen.unwrap_or(config.server.listen);
    config.server.api_listen = args.api_listen.unwrap_or(config.server.api_listen);
    config.tls.listen = args.listen_tls.or(config.tls.listen);
    config::two_listeners(&config)?;
    Ok(config)
}

/// Reads the configuration of `wasmyard serve`, with its options laid over it; warnings are printed.
fn load_for_serve(args: &ServeArgs, output: &Output) -> Result<ResolvedConfig, Failure> {
    let (mut config, warnings) =
        config::load(ConfigSource::find(args.config.as_deref(), Path::new("."))?, Purpose::Serve)?;
    warn(&warnings, output);
    config.server.listen = args.listen.unwrap_or(config.server.listen);
    config.server.api_listen = args.api_listen.unwrap_or(config.server.api_listen);
    config.tls.listen = args.listen_tls.or(config.tls.listen);
    if let Some(data) = &args.data {
        config.server.data = std::path::absolute(data)
            .map_err(|error| Failure::Usage(format!("--data {}: {error}", data.display())))?;
    }
    config::two_listeners(&config)?;
    Ok(config)
}

fn warn(warnings: &Faults, output: &Output) {
    if !warnings.list.is_empty() {
        output.note(&warnings.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::tests::captured;

    #[test]
    fn options_lie_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(config::CONFIG_FILE), "[server]\nlisten = \"127.0.0.1:1000\"\n")
            .unwrap();
        let output = captured().0;
        let mut args = DevArgs {
            dir: folder.path().to_owned(),
            config: None,
            listen: None,
            listen_tls: None,
            api_listen: None,
            remote: None,
            trust: false,
        };
        assert_eq!(load_for_dev(&args, &output).unwrap().server.listen.port(), 1000);
        args.listen = Some("127.0.0.1:2000".parse().unwrap());
        assert_eq!(load_for_dev(&args, &output).unwrap().server.listen.port(), 2000);
        args.listen_tls = args.listen;
        assert_eq!(load_for_dev(&args, &output).unwrap_err().exit_code(), 64);
        args.listen_tls = None;
        args.api_listen = args.listen;
        assert_eq!(load_for_dev(&args, &output).unwrap_err().exit_code(), 64);
    }

    #[test]
    fn dev_needs_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let output = captured().0;
        let args = DevArgs {
            dir: folder.path().to_owned(),
            config: None,
            listen: None,
            listen_tls: None,
            api_listen: None,
            remote: None,
            trust: false,
        };
        let failure = load_for_dev(&args, &output).unwrap_err();
        assert_eq!(failure.exit_code(), 64);
        assert!(failure.to_string().contains("wasmyard init"), "{failure}");
    }

    #[test]
    fn serve_needs_no_file() {
        let data = tempfile::tempdir().unwrap();
        let output = captured().0;
        let args = ServeArgs {
            config: None,
            data: Some(data.path().to_owned()),
            listen: Some("127.0.0.1:0".parse().unwrap()),
            listen_tls: Some("127.0.0.1:0".parse().unwrap()),
            api_listen: Some("127.0.0.1:0".parse().unwrap()),
            token: None,
        };
        // Tests run in the folder of the crate, which has no configuration.
        let config = load_for_serve(&args, &output).unwrap();
        assert_eq!(config.source.file, None);
        assert_eq!(config.server.data, data.path());
        assert_eq!(config.server.listen.port(), 0);
        assert_eq!(config.tls.listen.map(|listen| listen.port()), Some(0));
        assert!(config.scripts.is_empty() && config.routes.is_empty());
    }
}
