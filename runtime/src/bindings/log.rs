//! `wasmyard:platform/log`: the log, without the streams that `wasi:cli` makes of it.

use super::log_wit::{Destination, Host};
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
}
