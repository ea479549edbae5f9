//! Where logs go: standard error, as JSON lines in production, as readable lines in development.
//! `WASMYARD_LOG` chooses what is logged, in the syntax of `tracing_subscriber::EnvFilter`.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::failure::Failure;

/// Who reads the logs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Machines: one JSON object a line.
    Production,
    /// A person at a terminal.
    Development,
}

/// Starts logging for the whole process.
pub(super) fn start(form: Form) -> Result<(), Failure> {
    let asked = std::env::var("WASMYARD_LOG").unwrap_or_else(|_| "info".to_owned());
    let filter = EnvFilter::try_new(&asked)
        .map_err(|error| Failure::Usage(format!("WASMYARD_LOG={asked:?} is not a filter: {error}")))?;
    let base = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start in one process, as in tests, keeps the first.
    let _already = match form {
        Form::Production => {
            base.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
        }
        Form::Development => {
            base.compact().with_target(false).with_ansi(std::io::stderr().is_terminal()).try_init()
        }
    };
    Ok(())
}
