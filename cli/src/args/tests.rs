//! What is taken, and what is wrong use.

use clap::CommandFactory;
use clap::error::ErrorKind;
use wasmyard_node::config::{LocalApi, ServerConfig};

use super::*;

fn parse(line: &str) -> Result<Command, clap::Error> {
    Cli::try_parse_from(line.split_whitespace()).map(|cli| cli.command)
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn deploy_takes_a_file_a_place_tags_and_vars() {
    let line = "wasmyard deploy a.wasm --namespace production --name a --tag x --tag y --var K=V=W --var E=";
    let Ok(Command::Deploy(args)) = parse(line) else { panic!("not a deploy") };
    assert_eq!(args.file, Some(PathBuf::from("a.wasm")));
    assert_eq!(args.namespace.as_deref(), Some("production"));
    assert_eq!(args.name.as_deref(), Some("a"));
    assert_eq!(args.tags, ["x", "y"]);
    assert_eq!(args.vars, [("K".to_owned(), "V=W".to_owned()), ("E".to_owned(), String::new())]);
}

#[test]
fn a_var_without_a_name_is_wrong_use() {
    for line in ["wasmyard deploy a.wasm --var K", "wasmyard deploy a.wasm --var =V"] {
        let error = parse(line).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ValueValidation);
        assert!(error.to_string().contains("NAME=VALUE"), "{error}");
        assert_eq!(error.exit_code(), 2);
    }
}

#[test]
fn help_is_a_command_too() {
    assert_eq!(parse("wasmyard help deploy").unwrap_err().kind(), ErrorKind::DisplayHelp);
}

#[test]
fn every_listing_takes_json() {
    for line in [
        "wasmyard namespace list --json",
        "wasmyard namespace get production --json",
        "wasmyard script list --json",
        "wasmyard script list -n production --tags a:yes --json",
        "wasmyard script get a -n production --json",
        "wasmyard secret list --script a --json",
        "wasmyard tags list a -n production --json",
        "wasmyard check --json",
    ] {
        assert!(parse(line).is_ok(), "{line}");
    }
}

#[test]
fn options_may_stand_after_the_command() {
    let Ok(Command::Namespace(NamespaceCommand::List { output })) =
        parse("wasmyard namespace list --api-url http://127.0.0.1:1 --api-token t")
    else {
        panic!("not a list")
    };
    assert_eq!(output.api.api_url.as_deref(), Some("http://127.0.0.1:1"));
    assert_eq!(output.api.api_token.unwrap().expose(), "t");
}

#[test]
fn a_token_does_not_print() {
    let line = "wasmyard namespace list --api-token hunter2";
    let command = parse(line).unwrap();
    assert!(!format!("{command:?}").contains("hunter2"));
}

#[test]
fn serve_takes_the_admin_token() {
    let Ok(Command::Serve(args)) = parse("wasmyard serve --data d --api-token t") else {
        panic!("not serve")
    };
    assert_eq!(args.token.unwrap().expose(), "t");
    assert_eq!(args.data, Some(PathBuf::from("d")));
}

#[test]
fn wrong_use_has_exit_code_two() {
    for line in [
        "wasmyard",
        "wasmyard frobnicate",
        "wasmyard serve --listen nowhere",
        "wasmyard init --template nothing",
        "wasmyard script list --tags a:yes",
        "wasmyard tags list a",
    ] {
        assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
    }
}

#[test]
fn tags_are_set_to_nothing_but_not_added_to_nothing() {
    assert!(parse("wasmyard tags set a -n production").is_ok());
    assert!(parse("wasmyard tags add a -n production").is_err());
}

#[test]
fn the_help_names_the_defaults_that_hold() {
    let folder = std::env::current_dir().unwrap();
    let server = ServerConfig::defaults(&folder);
    let api = LocalApi { listen: server.api_listen, data: server.data.clone() };
    let data = server.data.strip_prefix(&folder).unwrap().display();
    for (command, default) in [
        ("serve", server.listen.to_string()),
        ("serve", server.api_listen.to_string()),
        ("serve", format!("./{data}")),
        ("deploy", format!("server.api_listen of ./wasmyard.toml, or {}", api.url())),
    ] {
        let mut all = Cli::command();
        let command = all.find_subcommand_mut(command).unwrap();
        let help = command.render_long_help().to_string();
        assert!(help.contains(&format!("[default: {default}]")), "{default}: {help}");
    }
}
