//! SQL databases of a configuration, by their names.

use wasmyard_d1::limits::MAX_NAME_BYTES;
use wasmyard_namespaces::{BindingDecl, BindingName};

use super::Resolver;
use crate::config::fault::Fault;
use crate::config::keys::RawScript;
use crate::config::{D1ByName, KvByTitle};

impl Resolver<'_> {
    /// The databases of a script. Their bindings' names are unique, those of the others included.
    pub(super) fn d1_databases(
        &mut self,
        raw: &RawScript,
        others: &[BindingDecl],
        kv: &[KvByTitle],
    ) -> Vec<D1ByName> {
        let mut found: Vec<D1ByName> = Vec::new();
        for database in &raw.d1_databases {
            let (Some(binding), Some(named)) = (&database.binding, &database.database_name) else {
                let place = &database.place;
                let fault = Fault::new(
                    place.line,
                    place.key("database_name"),
                    "a database needs a binding and a name",
                );
                self.faults.push(fault.remedy("write { binding = \"DB\", database_name = \"...\" }"));
                continue;
            };
            let Some(name) = self.name::<BindingName>(binding) else { continue };
            if named.value.trim().is_empty() || named.value.len() > MAX_NAME_BYTES {
                self.faults.push(named.fault(format!("a name has 1 to {MAX_NAME_BYTES} bytes")));
                continue;
            }
            let others = others.iter().map(|decl| &decl.name).chain(kv.iter().map(|known| &known.binding));
            let mut taken = others.chain(found.iter().map(|known| &known.binding));
            if taken.any(|known| *known == name) {
                self.faults.push(binding.fault("another name: there is a binding of this one already"));
                continue;
            }
            found.push(D1ByName { binding: name, database: named.value.clone() });
        }
        found
    }
}
