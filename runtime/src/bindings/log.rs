//! `wasmyard:platform/log`: the log, without the streams that `wasi:cli` makes of it.

use wasmyard_events::Level;

use super::log_wit::{self, Destination, Host};
use crate::guest::state::State;

impl Host for State {
    fn write(&mut self, to: Destination, bytes: Vec<u8>) -> wasmtime::Result<()> {
        let [output, error] = &self.logs;
        match to {
            Destination::Output => output.take(&bytes),
            Destination::Error => error.take(&bytes),
        }
        Ok(())
    }

    fn entry(&mut self, level: log_wit::Level, text: String) -> wasmtime::Result<()> {
        let [output, error] = &self.logs;
        match level {
            log_wit::Level::Debug => output.entry(Level::Debug, &text),
            log_wit::Level::Info => output.entry(Level::Info, &text),
            log_wit::Level::Log => output.entry(Level::Log, &text),
            log_wit::Level::Warn => error.entry(Level::Warn, &text),
            log_wit::Level::Error => error.entry(Level::Error, &text),
        }
        Ok(())
    }
}
