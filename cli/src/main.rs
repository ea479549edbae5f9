//! The `wasmyard` program: reads the command line, runs one command, ends with its exit code.

use std::process::ExitCode;

use clap::Parser;
use wasmyard_cli::args::{Cli, Command};
use wasmyard_cli::failure::Failure;
use wasmyard_cli::output::Output;

/// A request allocates a few hundred times, mostly small things that die with it: what an allocator with a heap
/// per thread is made for. docs/performance.md has the figure.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            error.print().ok();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    if let Command::CompileComponent(args) = &cli.command {
        // Before anything else is made: that process is to have one thread and no open files.
        return wasmyard_compiler::run(args);
    }
    let output = Output::stdio();
    let code = match run(cli.command, &output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.note(&failure.to_string());
            ExitCode::from(failure.exit_code())
        }
    };
    wasmyard_node::finish_logs();
    code
}

/// The platform uses every core; a client command waits for one answer and needs no more than one thread.
fn run(command: Command, output: &Output) -> Result<(), Failure> {
    let mut builder = match command {
        Command::Dev(_) | Command::Serve(_) => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime =
        builder.enable_all().build().map_err(|error| Failure::failed(format!("cannot start: {error}")))?;
    let result = runtime.block_on(wasmyard_cli::commands::run(command, output));
    // A thread that waits for a line of standard input would hold the process up.
    runtime.shutdown_background();
    result
}
