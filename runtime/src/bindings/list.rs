//! `wasmyard:platform/bindings`: the names under which a script was given something.

use super::bindings_wit::Host;
use crate::guest::state::State;

impl Host for State {
    fn list(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        let given = self.entry.config.iter().map(|given| (given.name.as_str(), given.kind()));
        let all = given.chain(self.version.bindings.types());
        Ok(all.map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect())
    }
}
