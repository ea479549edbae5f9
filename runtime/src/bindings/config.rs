//! `wasi:config/store`: what the script was given as values, and what this invocation was given beside them.

use super::config_wit::{Error, Host};
use crate::guest::state::State;

impl Host for State {
    fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<String>, Error>> {
        let own = self.entry.config.iter().find(|given| given.name == key).map(|given| given.text.as_str());
        Ok(Ok(own.or_else(|| self.version.bindings.text(&key)).map(str::to_owned)))
    }

    fn get_all(&mut self) -> wasmtime::Result<Result<Vec<(String, String)>, Error>> {
        let own = self.entry.config.iter().map(|given| (given.name.as_str(), given.text.as_str()));
        let all = own.chain(self.version.bindings.texts());
        Ok(Ok(all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()))
    }
}
