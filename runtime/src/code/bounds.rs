//! What a component may consist of, counted before anything is validated or compiled.
//!
//! One pass over the binary, without building anything from it: counts, sizes and depths against the bounds of
//! [`wasmyard_namespaces::limits::component`]; and which version of WASI it is for, because one that is for another is not
//! valid by rules that nobody would look for. Whether the component is valid is not decided here.

mod instances;

use wasmparser::{
    ComponentExternalKind, ComponentType, ComponentTypeDeclaration, ComponentTypeRef, ElementItems,
    FunctionBody, Instance, InstanceTypeDeclaration, MemoryType, Operator, Parser, Payload, TableType,
};
use wasmyard_namespaces::limits::component;

use crate::code::module::ModuleError;
use instances::Instances;

/// How the versions of WASI begin that are served.
const WASI: &str = "0.2.";

/// Bytes of a page of linear memory.
const PAGE_BYTES: u64 = 64 << 10;

/// One bound: its name in `docs/limits.md`, its value, what it counts, and what helps.
struct Bound {
    name: &'static str,
    most: u64,
    what: &'static str,
    remedy: &'static str,
}

impl Bound {
    const fn new(name: &'static str, most: u64, what: &'static str, remedy: &'static str) -> Self {
        Self { name, most, what, remedy }
    }

    fn check(&self, found: u64) -> Result<(), ModuleError> {
        if found <= self.most {
            return Ok(());
        }
        let Self { name, most, what, remedy } = self;
        Err(ModuleError::Bound(format!(
            "the component has {found} {what}; at most {most} are allowed ({name}). {remedy}"
        )))
    }
}

const OPTIMISE: &str = "Build it for release, with optimisation for size, and without unused code";
const FLATTEN: &str = "Compose it from fewer components";
const REFACTOR: &str = "Split the function, or build it with optimisation";

const DEPTH: Bound =
    Bound::new("component_depth", component::DEPTH, "components nested in each other", FLATTEN);
const MODULES: Bound = Bound::new("modules", component::MODULES, "core modules and components", FLATTEN);
const CORE_INSTANCES: Bound =
    Bound::new("core_instances", component::CORE_INSTANCES, "instances of core modules", FLATTEN);
const INSTANCES: Bound = Bound::new("instances", component::INSTANCES, "instances of components", FLATTEN);
const FUNCTIONS: Bound = Bound::new("functions", component::FUNCTIONS, "functions", OPTIMISE);
const FUNCTION_BYTES: Bound =
    Bound::new("function_bytes", component::FUNCTION_BYTES, "bytes in one function", REFACTOR);
const FUNCTION_LOCALS: Bound =
    Bound::new("function_locals", component::FUNCTION_LOCALS, "locals in one function", REFACTOR);
const FUNCTION_NESTING: Bound =
    Bound::new("function_nesting", component::FUNCTION_NESTING, "blocks nested in one function", REFACTOR);
const LOOPS_BY_LOCALS: Bound = Bound::new(
    "function_loops_by_locals",
    component::FUNCTION_LOOPS_BY_LOCALS,
    "as the product of loops and locals in one function",
    REFACTOR,
);
const CANONICAL: Bound = Bound::new(
    "canonical_functions",
    component::CANONICAL_FUNCTIONS,
    "functions lifted and lowered",
    "Use narrower interfaces",
);
const TYPES: Bound = Bound::new("types", component::TYPES, "types", "Use narrower interfaces");
const IMPORTS: Bound = Bound::new("imports", component::IMPORTS, "imports", FLATTEN);
const EXPORTS: Bound =
    Bound::new("exports", component::EXPORTS, "exports", "Export the handler and nothing else");
const NAME_BYTES: Bound =
    Bound::new("name_bytes", component::NAME_BYTES, "bytes in one name", "Shorten the name");
const GLOBALS: Bound = Bound::new("globals", component::GLOBALS, "globals", OPTIMISE);
const MEMORIES: Bound = Bound::new("memories", component::MEMORIES, "linear memories", FLATTEN);
const TABLES: Bound = Bound::new("tables", component::TABLES, "tables", FLATTEN);
const TABLE_ELEMENTS: Bound =
    Bound::new("table_elements", component::TABLE_ELEMENTS, "elements in one table at its start", OPTIMISE);
const ELEMENT_ITEMS: Bound =
    Bound::new("element_items", component::ELEMENT_ITEMS, "items in element segments", OPTIMISE);
const DATA_SEGMENTS: Bound =
    Bound::new("data_segments", component::DATA_SEGMENTS, "data segments", "Merge its data");
const DATA_BYTES: Bound = Bound::new(
    "data_bytes",
    component::DATA_BYTES,
    "bytes in data segments",
    "Keep large data outside the component, for example as assets",
);

/// Checks a component against every bound. `max_memory_bytes` is the engine's ceiling.
///
/// # Errors
///
/// [`ModuleError::Bound`] with the bound, the value found and the most that is allowed; [`ModuleError::OtherWasi`] with the
/// interface;
/// [`ModuleError::Invalid`] where the binary cannot be read that far.
pub(crate) fn check(component: &[u8], max_memory_bytes: u64) -> Result<(), ModuleError> {
    let mut found = Found { max_memory_bytes, ..Found::default() };
    for payload in Parser::new(0).parse_all(component) {
        found.payload(payload.map_err(invalid)?)?;
    }
    Ok(())
}

fn invalid(error: wasmparser::BinaryReaderError) -> ModuleError {
    ModuleError::Invalid(error.to_string())
}

/// What was counted so far, in the whole component.
#[derive(Default)]
struct Found {
    max_memory_bytes: u64,
    depth: u64,
    modules: u64,
    unfolded: Instances,
    functions: u64,
    canonical: u64,
    types: u64,
    imports: u64,
    exports: u64,
    globals: u64,
    memories: u64,
    /// Those of the core module that is being read, imported ones among them.
    of_module: u64,
    tables: u64,
    element_items: u64,
    data_segments: u64,
    data_bytes: u64,
}

/// Adds to a count and checks it.
fn add(count: &mut u64, more: u64, bound: &Bound) -> Result<(), ModuleError> {
    *count = count.saturating_add(more);
    bound.check(*count)
}

/// Lengths in memory fit.
fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn name(name: &str) -> Result<(), ModuleError> {
    NAME_BYTES.check(wide(name.len()))
}

impl Found {
    fn payload(&mut self, payload: Payload<'_>) -> Result<(), ModuleError> {
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                self.unfolded.open(matches!(payload, Payload::ComponentSection { .. }));
                self.of_module = 0;
                add(&mut self.depth, 1, &DEPTH)?;
                add(&mut self.modules, 1, &MODULES)
            }
            Payload::End(_) => {
                self.depth = self.depth.saturating_sub(1);
                self.unfolded.close();
                Ok(())
            }
            Payload::CodeSectionStart { count, .. } => add(&mut self.functions, count.into(), &FUNCTIONS),
            Payload::CodeSectionEntry(body) => function(&body),
            Payload::InstanceSection(section) => {
                for instance in section {
                    // The other kind names things that exist already.
                    if let Instance::Instantiate { .. } = instance.map_err(invalid)? {
                        self.unfolded.core()?;
                    }
                }
                Ok(())
            }
            Payload::ComponentInstanceSection(section) => {
                section.into_iter().try_for_each(|made| self.unfolded.instance(&made.map_err(invalid)?))
            }
            Payload::ComponentAliasSection(section) => section.into_iter().try_for_each(|alias| {
                self.unfolded.alias(&alias.map_err(invalid)?);
                Ok(())
            }),
            Payload::ComponentCanonicalSection(section) => {
                add(&mut self.canonical, section.count().into(), &CANONICAL)
            }
            other => self.definitions(other),
        }
    }

    fn definitions(&mut self, payload: Payload<'_>) -> Result<(), ModuleError> {
        match payload {
            Payload::TypeSection(section) => {
                for group in section {
                    let types = group.map_err(invalid)?.types().len();
                    add(&mut self.types, wide(types), &TYPES)?;
                }
                Ok(())
            }
            Payload::CoreTypeSection(section) => add(&mut self.types, section.count().into(), &TYPES),
            Payload::ComponentTypeSection(section) => {
                for ty in section {
                    let types = 1 + declared(&ty.map_err(invalid)?);
                    add(&mut self.types, types, &TYPES)?;
                }
                Ok(())
            }
            Payload::TableSection(section) => {
                add(&mut self.tables, section.count().into(), &TABLES)?;
                section.into_iter().try_for_each(|table| table_type(&table.map_err(invalid)?.ty))
            }
            Payload::MemorySection(section) => {
                add(&mut self.memories, section.count().into(), &MEMORIES)?;
                self.one_memory(section.count().into())?;
                section.into_iter().try_for_each(|memory| self.memory(&memory.map_err(invalid)?))
            }
            Payload::GlobalSection(section) => add(&mut self.globals, section.count().into(), &GLOBALS),
            Payload::ElementSection(section) => {
                for segment in section {
                    let items = match segment.map_err(invalid)?.items {
                        ElementItems::Functions(items) => items.count(),
                        ElementItems::Expressions(_, items) => items.count(),
                    };
                    add(&mut self.element_items, items.into(), &ELEMENT_ITEMS)?;
                }
                Ok(())
            }
            Payload::DataSection(section) => {
                add(&mut self.data_segments, section.count().into(), &DATA_SEGMENTS)?;
                for segment in section {
                    let bytes = wide(segment.map_err(invalid)?.data.len());
                    add(&mut self.data_bytes, bytes, &DATA_BYTES)?;
                }
                Ok(())
            }
            other => self.names(other),
        }
    }

    fn names(&mut self, payload: Payload<'_>) -> Result<(), ModuleError> {
        match payload {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.map_err(invalid)?;
                    add(&mut self.imports, 1, &IMPORTS)?;
                    name(import.module)?;
                    name(import.name)?;
                    match import.ty {
                        wasmparser::TypeRef::Memory(memory) => {
                            self.one_memory(1)?;
                            self.memory(&memory)?;
                        }
                        wasmparser::TypeRef::Table(table) => table_type(&table)?,
                        _ => {}
                    }
                }
                Ok(())
            }
            Payload::ExportSection(section) => {
                add(&mut self.exports, section.count().into(), &EXPORTS)?;
                section.into_iter().try_for_each(|export| name(export.map_err(invalid)?.name))
            }
            Payload::ComponentImportSection(section) => {
                add(&mut self.imports, section.count().into(), &IMPORTS)?;
                section.into_iter().try_for_each(|import| {
                    let import = import.map_err(invalid)?;
                    if let ComponentTypeRef::Component(_) = import.ty {
                        self.unfolded.import();
                    }
                    self.wasi("imports", import.name.name)?;
                    name(import.name.name)
                })
            }
            Payload::ComponentExportSection(section) => {
                add(&mut self.exports, section.count().into(), &EXPORTS)?;
                section.into_iter().try_for_each(|export| {
                    let export = export.map_err(invalid)?;
                    if export.kind == ComponentExternalKind::Component {
                        self.unfolded.export(export.index);
                    }
                    self.wasi("exports", export.name.name)?;
                    name(export.name.name)
                })
            }
            // Custom sections and headers: bounded by the size of the component.
            _ => Ok(()),
        }
    }

    /// Interfaces of the component itself; those of components in it are their affair among each other.
    fn wasi(&self, does: &str, interface: &str) -> Result<(), ModuleError> {
        let version = interface.split_once('@').map(|(_, version)| version);
        let is_other = version.is_some_and(|version| !version.starts_with(WASI));
        if self.depth > 0 || !is_other || !interface.starts_with("wasi:") || name(interface).is_err() {
            return Ok(());
        }
        Err(ModuleError::OtherWasi(format!("{does} {interface}")))
    }

    /// A core module has one memory at most. Where components call each other the engine makes modules with two, so the
    /// proposal is on, but not for what is uploaded.
    fn one_memory(&mut self, more: u64) -> Result<(), ModuleError> {
        self.of_module = self.of_module.saturating_add(more);
        if self.of_module <= 1 {
            return Ok(());
        }
        let rule =
            "a core module in it has multiple memories, and one is allowed; build it without the proposal";
        Err(ModuleError::Invalid(rule.to_owned()))
    }

    fn memory(&self, memory: &MemoryType) -> Result<(), ModuleError> {
        let bytes = memory.initial.saturating_mul(PAGE_BYTES);
        if bytes <= self.max_memory_bytes {
            return Ok(());
        }
        Err(ModuleError::Bound(format!(
            "the component asks for {bytes} bytes of memory at its start; at most {} are allowed (memory_bytes). Lower its initial memory",
            self.max_memory_bytes
        )))
    }
}

fn table_type(table: &TableType) -> Result<(), ModuleError> {
    TABLE_ELEMENTS.check(table.initial)
}

/// Declarations inside the type of a component or instance.
fn declared(ty: &ComponentType<'_>) -> u64 {
    match ty {
        ComponentType::Component(declarations) => declarations
            .iter()
            .map(|declaration| match declaration {
                ComponentTypeDeclaration::Type(ty) => 1 + declared(ty),
                _ => 1,
            })
            .sum(),
        ComponentType::Instance(declarations) => declarations
            .iter()
            .map(|declaration| match declaration {
                InstanceTypeDeclaration::Type(ty) => 1 + declared(ty),
                _ => 1,
            })
            .sum(),
        _ => 0,
    }
}

fn function(body: &FunctionBody<'_>) -> Result<(), ModuleError> {
    FUNCTION_BYTES.check(wide(body.range().len()))?;
    let mut locals = 0_u64;
    for group in body.get_locals_reader().map_err(invalid)? {
        let (count, _) = group.map_err(invalid)?;
        add(&mut locals, count.into(), &FUNCTION_LOCALS)?;
    }
    let (mut depth, mut loops) = (0_u64, 0_u64);
    let mut operators = body.get_operators_reader().map_err(invalid)?;
    while !operators.eof() {
        match operators.read().map_err(invalid)? {
            Operator::Loop { .. } => {
                loops += 1;
                add(&mut depth, 1, &FUNCTION_NESTING)?;
            }
            Operator::Block { .. }
            | Operator::If { .. }
            | Operator::TryTable { .. }
            | Operator::Try { .. } => {
                add(&mut depth, 1, &FUNCTION_NESTING)?;
            }
            Operator::End => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    LOOPS_BY_LOCALS.check(loops.saturating_mul(locals))
}

#[cfg(test)]
mod tests;
