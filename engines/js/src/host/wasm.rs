//! Wasm modules that a script brings: interpreted here, in the engine's own memory, so that the script's limits hold for them
//! without a word, and a view of their memory is a view of it.
//!
//! Everything is named by a number. What lives once lives as long as the instance: a request's own is thrown away with it.

use std::cell::{Cell, RefCell};
use std::ptr::NonNull;

use rquickjs_core::{
    Array, ArrayBuffer, BigInt, Ctx, Exception, Function, Object, Persistent, Result, Value,
};
use wasmi::{
    AsContextMut as _, Caller, Engine, Extern, ExternType, Func, FuncType, Global, Instance, Memory,
    MemoryType, Module, Mutability, Nullable, Ref, RefType, Store, StoreContextMut, Table, TableType, Val,
    ValType,
};

use super::{bytes, failure, number};

/// How often Wasm and JavaScript call each other in turn: each takes some of the stack.
const MOST_NESTED: u32 = 64;

/// What a script has of Wasm.
struct All {
    store: RefCell<Store<()>>,
    engine: Engine,
    modules: RefCell<Vec<Module>>,
    functions: RefCell<Vec<Func>>,
    memories: RefCell<Vec<Viewed>>,
    tables: RefCell<Vec<Table>>,
    globals: RefCell<Vec<Global>>,
    /// Functions of JavaScript that Wasm calls.
    imported: RefCell<Vec<Persistent<Function<'static>>>>,
}

/// A memory, and the buffer by which JavaScript sees it, with where that is.
struct Viewed {
    memory: Memory,
    buffer: Option<(Persistent<ArrayBuffer<'static>>, usize, usize)>,
}

thread_local! {
    static ALL: All = All::new();
    /// The place from which Wasm has called JavaScript: from there it is called again.
    static CALLER: Cell<Option<NonNull<Caller<'static, ()>>>> = const { Cell::new(None) };
    static CONTEXT: Cell<Option<NonNull<rquickjs_sys::JSContext>>> = const { Cell::new(None) };
    static NESTED: Cell<u32> = const { Cell::new(0) };
    /// What JavaScript threw that Wasm had called.
    static THROWN: RefCell<Option<Persistent<Value<'static>>>> = const { RefCell::new(None) };
}

/// JavaScript threw, and Wasm has to be left.
#[derive(Debug)]
struct Threw;

impl std::fmt::Display for Threw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an imported function threw")
    }
}

impl wasmi::errors::HostError for Threw {}

impl All {
    fn new() -> Self {
        let engine = Engine::default();
        Self {
            store: RefCell::new(Store::new(&engine, ())),
            engine,
            modules: RefCell::default(),
            functions: RefCell::default(),
            memories: RefCell::default(),
            tables: RefCell::default(),
            globals: RefCell::default(),
            imported: RefCell::default(),
        }
    }
}

/// Works with the store, wherever that is held just now.
fn in_store<T>(work: impl FnOnce(StoreContextMut<'_, ()>) -> T) -> T {
    match CALLER.get() {
        // SAFETY: it is set in `call_out` alone, for as long as that waits for JavaScript and does not use it, and what is
        // set is what was called last: whoever was called before waits as well.
        Some(mut caller) => work(unsafe { caller.as_mut() }.as_context_mut()),
        None => ALL.with(|all| work(all.store.borrow_mut().as_context_mut())),
    }
}

/// A number for something new.
fn keep<T>(list: &RefCell<Vec<T>>, new: T) -> u32 {
    let mut list = list.borrow_mut();
    list.push(new);
    list.len() as u32 - 1
}

fn one<T: Copy>(ctx: &Ctx<'_>, list: &RefCell<Vec<T>>, id: u32) -> Result<T> {
    let one = list.borrow().get(id as usize).copied();
    one.ok_or_else(|| Exception::throw_type(ctx, "there is no such object of WebAssembly"))
}

fn memory(ctx: &Ctx<'_>, id: u32) -> Result<Memory> {
    let memory = ALL.with(|all| all.memories.borrow().get(id as usize).map(|viewed| viewed.memory));
    memory.ok_or_else(|| Exception::throw_type(ctx, "there is no such memory"))
}

pub(super) fn add<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    let wasm = Object::new(ctx.clone())?;
    wasm.set("module", Function::new(ctx.clone(), module)?)?;
    wasm.set("validate", Function::new(ctx.clone(), validate)?)?;
    wasm.set("imports", Function::new(ctx.clone(), imports)?)?;
    wasm.set("exports", Function::new(ctx.clone(), exports)?)?;
    wasm.set("instantiate", Function::new(ctx.clone(), instantiate)?)?;
    wasm.set("type", Function::new(ctx.clone(), function_type)?)?;
    wasm.set("call", Function::new(ctx.clone(), call)?)?;
    wasm.set("newMemory", Function::new(ctx.clone(), new_memory)?)?;
    wasm.set("buffer", Function::new(ctx.clone(), buffer)?)?;
    wasm.set("growMemory", Function::new(ctx.clone(), grow_memory)?)?;
    wasm.set("newTable", Function::new(ctx.clone(), new_table)?)?;
    wasm.set("tableLength", Function::new(ctx.clone(), table_length)?)?;
    wasm.set("tableGet", Function::new(ctx.clone(), table_get)?)?;
    wasm.set("tableSet", Function::new(ctx.clone(), table_set)?)?;
    wasm.set("tableGrow", Function::new(ctx.clone(), table_grow)?)?;
    wasm.set("newGlobal", Function::new(ctx.clone(), new_global)?)?;
    wasm.set("globalGet", Function::new(ctx.clone(), global_get)?)?;
    wasm.set("globalSet", Function::new(ctx.clone(), global_set)?)?;
    host.set("wasm", wasm)
}

/// A module of bytes: its number, or why it is none.
fn module<'js>(ctx: Ctx<'js>, code: ArrayBuffer<'js>) -> Result<Value<'js>> {
    let code = bytes(&ctx, &code)?;
    match ALL.with(|all| Module::new(&all.engine, &code).map(|module| keep(&all.modules, module))) {
        Ok(id) => Ok(number(&ctx, id)),
        Err(error) => failure(&ctx, "CompileError", &error.to_string()),
    }
}

fn validate<'js>(ctx: Ctx<'js>, code: ArrayBuffer<'js>) -> Result<bool> {
    let code = bytes(&ctx, &code)?;
    Ok(ALL.with(|all| Module::validate(&all.engine, &code).is_ok()))
}

fn kind_of(kind: &ExternType) -> &'static str {
    match kind {
        ExternType::Func(_) => "function",
        ExternType::Memory(_) => "memory",
        ExternType::Table(_) => "table",
        ExternType::Global(_) => "global",
    }
}

fn described(ctx: &Ctx<'_>, id: u32, describe: impl FnOnce(&Module) -> Vec<String>) -> Result<Vec<String>> {
    let described = ALL.with(|all| all.modules.borrow().get(id as usize).map(describe));
    described.ok_or_else(|| Exception::throw_type(ctx, "there is no such module"))
}

/// What a module imports: module, name, kind, and the letters of a function's results or a global's type, and so on.
fn imports(ctx: Ctx<'_>, id: u32) -> Result<Vec<String>> {
    described(&ctx, id, |module| {
        let each = |import: wasmi::ImportType<'_>| {
            let letters = match import.ty() {
                ExternType::Func(kind) => letters(kind.results()),
                ExternType::Global(kind) => letter(kind.content()).to_string(),
                _ => String::new(),
            };
            let kind = kind_of(import.ty()).to_owned();
            [import.module().to_owned(), import.name().to_owned(), kind, letters]
        };
        module.imports().flat_map(each).collect()
    })
}

/// What a module exports: name and kind, and so on.
fn exports(ctx: Ctx<'_>, id: u32) -> Result<Vec<String>> {
    described(&ctx, id, |module| {
        let each =
            |export: wasmi::ExportType<'_>| [export.name().to_owned(), kind_of(export.ty()).to_owned()];
        module.exports().flat_map(each).collect()
    })
}

/// Makes an instance. What it imports is given in order, each a number or a function of JavaScript. Returns what it exports:
/// name, kind and number, and so on; or why there is none.
fn instantiate<'js>(ctx: Ctx<'js>, id: u32, given: Array<'js>) -> Result<Value<'js>> {
    let module = ALL.with(|all| all.modules.borrow().get(id as usize).cloned());
    let Some(module) = module else { return Err(Exception::throw_type(&ctx, "there is no such module")) };
    let mut externs = Vec::new();
    for (index, import) in module.imports().enumerate() {
        let value: Value<'js> = given.get(index)?;
        externs.push(imported(&ctx, import.ty(), value)?);
    }
    let made = entered(&ctx, || in_store(|mut store| Instance::new(&mut store, &module, &externs)))?;
    let instance = match made {
        Ok(instance) => instance,
        Err(error) => return failed(&ctx, &error, "LinkError"),
    };
    let list = Array::new(ctx.clone())?;
    for (index, export) in module.exports().enumerate() {
        let Some(value) = in_store(|store| instance.get_export(&store, export.name())) else { continue };
        let id = ALL.with(|all| match value {
            Extern::Func(function) => keep(&all.functions, function),
            Extern::Memory(memory) => keep(&all.memories, Viewed { memory, buffer: None }),
            Extern::Table(table) => keep(&all.tables, table),
            Extern::Global(global) => keep(&all.globals, global),
        });
        // A number first would be no failure: those begin with a word and have two.
        list.set(index * 3, id)?;
        list.set(index * 3 + 1, export.name())?;
        list.set(index * 3 + 2, kind_of(export.ty()))?;
    }
    Ok(list.into_value())
}

/// What is given for an import.
fn imported<'js>(ctx: &Ctx<'js>, kind: &ExternType, value: Value<'js>) -> Result<Extern> {
    let id = value.as_number().map(|id| id as u32);
    ALL.with(|all| match (kind, id) {
        (ExternType::Func(_), Some(id)) => Ok(Extern::Func(one(ctx, &all.functions, id)?)),
        (ExternType::Func(kind), None) => {
            let function =
                value.into_function().ok_or_else(|| Exception::throw_type(ctx, "it is no function"))?;
            let at = keep(&all.imported, Persistent::save(ctx, function)) as usize;
            let call = move |caller: Caller<'_, ()>, given: &[Val], taken: &mut [Val]| {
                call_out(caller, at, given, taken)
            };
            Ok(Extern::Func(in_store(|mut store| Func::new(&mut store, kind.clone(), call))))
        }
        (ExternType::Memory(_), Some(id)) => Ok(Extern::Memory(memory(ctx, id)?)),
        (ExternType::Table(_), Some(id)) => Ok(Extern::Table(one(ctx, &all.tables, id)?)),
        (ExternType::Global(_), Some(id)) => Ok(Extern::Global(one(ctx, &all.globals, id)?)),
        _ => Err(Exception::throw_type(ctx, "an import is of another kind")),
    })
}

/// Wasm calls a function of JavaScript.
fn call_out(
    mut caller: Caller<'_, ()>,
    at: usize,
    given: &[Val],
    taken: &mut [Val],
) -> std::result::Result<(), wasmi::Error> {
    let Some(context) = CONTEXT.get() else { return Err(wasmi::Error::host(Threw)) };
    // SAFETY: Wasm runs in `entered` alone, which was given the context of the JavaScript that called it: it lives, and its
    // runtime is locked, until that returns.
    let ctx = unsafe { Ctx::from_raw(context) };
    let function = ALL.with(|all| all.imported.borrow().get(at).cloned());
    let before = CALLER.replace(Some(NonNull::from(&mut caller).cast()));
    let result = function.ok_or(rquickjs_core::Error::Unknown).and_then(|function| {
        detach_moved(&ctx);
        let function = function.restore(&ctx)?;
        let values = Array::new(ctx.clone())?;
        for (index, value) in given.iter().enumerate() {
            values.set(index, to_js(&ctx, value)?)?;
        }
        // Always a list: what JavaScript returns is brought into its form there.
        let results: Array<'_> = function.call((values,))?;
        for (index, result) in taken.iter_mut().enumerate() {
            *result = to_wasm(&ctx, result.ty(), results.get(index)?)?;
        }
        Ok(())
    });
    CALLER.set(before);
    result.map_err(|error| {
        if error.is_exception() {
            THROWN.set(Some(Persistent::save(&ctx, ctx.catch())));
        }
        wasmi::Error::host(Threw)
    })
}

/// Runs Wasm for a caller in JavaScript.
fn entered<T>(ctx: &Ctx<'_>, run: impl FnOnce() -> T) -> Result<T> {
    if NESTED.get() >= MOST_NESTED {
        return Err(Exception::throw_range(ctx, "Maximum call stack size exceeded"));
    }
    NESTED.set(NESTED.get() + 1);
    let before = CONTEXT.replace(Some(ctx.as_raw()));
    let result = run();
    CONTEXT.set(before);
    NESTED.set(NESTED.get() - 1);
    detach_moved(ctx);
    Ok(result)
}

/// An error as JavaScript gets it: what it threw itself, or a word and a text.
fn failed<'js>(ctx: &Ctx<'js>, error: &wasmi::Error, otherwise: &str) -> Result<Value<'js>> {
    if error.downcast_ref::<Threw>().is_some()
        && let Some(thrown) = THROWN.take()
    {
        return Err(ctx.throw(thrown.restore(ctx)?));
    }
    match error.as_trap_code() {
        Some(wasmi::TrapCode::StackOverflow) => {
            Err(Exception::throw_range(ctx, "Maximum call stack size exceeded"))
        }
        Some(trap) => failure(ctx, "RuntimeError", said_of(trap)),
        None => failure(ctx, otherwise, &error.to_string()),
    }
}

/// A trap in the words that scripts know.
fn said_of(trap: wasmi::TrapCode) -> &'static str {
    use wasmi::TrapCode as T;
    match trap {
        T::UnreachableCodeReached => "unreachable",
        T::MemoryOutOfBounds => "memory access out of bounds",
        T::TableOutOfBounds => "table index is out of bounds",
        T::IndirectCallToNull => "null function or function signature mismatch",
        T::IntegerDivisionByZero => "divide by zero",
        T::IntegerOverflow => "divide result unrepresentable",
        T::BadConversionToInteger => "float unrepresentable in integer range",
        T::BadSignature => "null function or function signature mismatch",
        T::GrowthOperationLimited | T::OutOfSystemMemory => "memory cannot be grown",
        T::OutOfFuel | T::StackOverflow => "it was stopped",
    }
}

/// Buffers of memories that were grown have no bytes any more. Called whenever JavaScript goes on after Wasm has run: in
/// between nobody looks at them.
fn detach_moved(ctx: &Ctx<'_>) {
    ALL.with(|all| {
        for viewed in all.memories.borrow_mut().iter_mut() {
            let memory = viewed.memory;
            let now = in_store(|store| (memory.data_ptr(&store) as usize, memory.data_size(&store)));
            let moved = viewed.buffer.take_if(|(_, at, len)| (*at, *len) != now);
            if let Some(buffer) = moved.and_then(|(buffer, ..)| buffer.restore(ctx).ok()) {
                // SAFETY: it is a buffer of this context, and detaching one twice does nothing.
                unsafe {
                    rquickjs_sys::JS_DetachArrayBuffer(ctx.as_raw().as_ptr(), buffer.as_value().as_raw())
                };
            }
        }
    });
}

fn function_type(ctx: Ctx<'_>, id: u32) -> Result<Vec<String>> {
    let function = ALL.with(|all| one(&ctx, &all.functions, id))?;
    let kind: FuncType = in_store(|store| function.ty(&store));
    Ok(vec![letters(kind.params()), letters(kind.results())])
}

fn letters(types: &[ValType]) -> String {
    types.iter().map(|each| letter(*each)).collect()
}

/// A type as JavaScript is told.
fn letter(kind: ValType) -> char {
    match kind {
        ValType::I32 => 'i',
        ValType::I64 => 'I',
        ValType::F32 => 'f',
        ValType::F64 => 'F',
        ValType::FuncRef => 'r',
        ValType::ExternRef | ValType::V128 => 'x',
    }
}

fn type_of(ctx: &Ctx<'_>, letter: &str) -> Result<ValType> {
    Ok(match letter {
        "i" => ValType::I32,
        "I" => ValType::I64,
        "f" => ValType::F32,
        "F" => ValType::F64,
        "r" => ValType::FuncRef,
        _ => return Err(Exception::throw_type(ctx, "values of this type are not supported")),
    })
}

/// Calls a function with values that have the forms of its types. Returns a list of results, or why there is none.
fn call<'js>(ctx: Ctx<'js>, id: u32, given: Array<'js>) -> Result<Value<'js>> {
    let function = ALL.with(|all| one(&ctx, &all.functions, id))?;
    let kind = in_store(|store| function.ty(&store));
    let mut values = Vec::with_capacity(kind.params().len());
    for (index, kind) in kind.params().iter().enumerate() {
        values.push(to_wasm(&ctx, *kind, given.get(index)?)?);
    }
    let mut results: Vec<Val> = Vec::with_capacity(kind.results().len());
    for kind in kind.results() {
        results.push(default_of(&ctx, *kind)?);
    }
    let called = entered(&ctx, || in_store(|mut store| function.call(&mut store, &values, &mut results)))?;
    if let Err(error) = called {
        return failed(&ctx, &error, "RuntimeError");
    }
    let list = Array::new(ctx.clone())?;
    for (index, result) in results.iter().enumerate() {
        list.set(index, to_js(&ctx, result)?)?;
    }
    Ok(list.into_value())
}

fn default_of(ctx: &Ctx<'_>, kind: ValType) -> Result<Val> {
    match kind {
        ValType::ExternRef | ValType::V128 => {
            Err(Exception::throw_type(ctx, "values of this type are not supported"))
        }
        other => Ok(Val::default_for_ty(other)),
    }
}

fn to_js<'js>(ctx: &Ctx<'js>, value: &Val) -> Result<Value<'js>> {
    Ok(match value {
        Val::I32(value) => Value::new_int(ctx.clone(), *value),
        Val::I64(value) => BigInt::from_i64(ctx.clone(), *value)?.into_value(),
        Val::F32(value) => Value::new_number(ctx.clone(), f64::from(f32::from(*value))),
        Val::F64(value) => Value::new_number(ctx.clone(), f64::from(*value)),
        Val::FuncRef(Nullable::Val(function)) => {
            let id = ALL.with(|all| keep(&all.functions, *function));
            number(ctx, id)
        }
        Val::FuncRef(Nullable::Null) => Value::new_null(ctx.clone()),
        Val::ExternRef(_) | Val::V128(_) => {
            return Err(Exception::throw_type(ctx, "values of this type are not supported"));
        }
    })
}

fn to_wasm(ctx: &Ctx<'_>, kind: ValType, value: Value<'_>) -> Result<Val> {
    let as_number = || value.as_number().ok_or_else(|| Exception::throw_type(ctx, "it is no number"));
    Ok(match kind {
        ValType::I32 => Val::I32(as_number()? as i32),
        ValType::I64 => {
            let big = value.clone().into_big_int();
            Val::I64(big.ok_or_else(|| Exception::throw_type(ctx, "it is no BigInt"))?.to_i64()?)
        }
        ValType::F32 => Val::F32((as_number()? as f32).into()),
        ValType::F64 => Val::F64(as_number()?.into()),
        ValType::FuncRef if value.is_null() => Val::FuncRef(Nullable::Null),
        ValType::FuncRef => {
            let id = as_number()? as u32;
            Val::FuncRef(Nullable::Val(ALL.with(|all| one(ctx, &all.functions, id))?))
        }
        ValType::ExternRef | ValType::V128 => {
            return Err(Exception::throw_type(ctx, "values of this type are not supported"));
        }
    })
}

/// A function, or nothing, as tables have them.
fn to_ref(ctx: &Ctx<'_>, value: Value<'_>) -> Result<Ref> {
    match to_wasm(ctx, ValType::FuncRef, value)? {
        Val::FuncRef(function) => Ok(Ref::Func(function)),
        _ => Err(Exception::throw_type(ctx, "it is no function of WebAssembly")),
    }
}

/// Pages; below zero where there is no limit.
fn new_memory<'js>(ctx: Ctx<'js>, least: f64, most: f64) -> Result<Value<'js>> {
    let mut kind = MemoryType::builder();
    kind.min(least as u64).max((most >= 0.0).then_some(most as u64));
    let made = kind
        .build()
        .map_err(wasmi::Error::from)
        .and_then(|kind| in_store(|mut store| Memory::new(&mut store, kind)));
    match made {
        Ok(memory) => {
            let id = ALL.with(|all| keep(&all.memories, Viewed { memory, buffer: None }));
            Ok(number(&ctx, id))
        }
        Err(error) => failure(&ctx, "RangeError", &error.to_string()),
    }
}

/// The buffer that is a memory's bytes.
fn buffer<'js>(ctx: Ctx<'js>, id: u32) -> Result<ArrayBuffer<'js>> {
    detach_moved(&ctx);
    let memory = memory(&ctx, id)?;
    let known = ALL.with(|all| {
        let memories = all.memories.borrow();
        memories.get(id as usize).and_then(|viewed| viewed.buffer.as_ref().map(|(buffer, ..)| buffer.clone()))
    });
    if let Some(known) = known {
        return known.restore(&ctx);
    }
    let (at, len) = in_store(|store| (memory.data_ptr(&store), memory.data_size(&store)));
    // SAFETY: the bytes are there until the memory is grown, after which the buffer is detached before any JavaScript runs
    // (`detach_moved`); nothing frees them with the buffer.
    let made = unsafe {
        let raw = rquickjs_sys::JS_NewArrayBuffer(
            ctx.as_raw().as_ptr(),
            at,
            len as u32,
            0,
            None,
            std::ptr::null_mut(),
            false,
        );
        Value::from_raw(ctx.clone(), raw)
    };
    let made =
        ArrayBuffer::from_value(made).ok_or_else(|| Exception::throw_message(&ctx, "out of memory"))?;
    ALL.with(|all| {
        if let Some(viewed) = all.memories.borrow_mut().get_mut(id as usize) {
            viewed.buffer = Some((Persistent::save(&ctx, made.clone()), at as usize, len));
        }
    });
    Ok(made)
}

/// How many pages it had before; below zero where it cannot be grown.
fn grow_memory(ctx: Ctx<'_>, id: u32, pages: f64) -> Result<f64> {
    let memory = memory(&ctx, id)?;
    let before = in_store(|mut store| memory.grow(&mut store, pages as u64));
    detach_moved(&ctx);
    Ok(before.map_or(-1.0, |before| before as f64))
}

fn new_table<'js>(ctx: Ctx<'js>, least: u32, most: f64) -> Result<Value<'js>> {
    let kind = TableType::new(RefType::Func, least, (most >= 0.0).then_some(most as u32));
    match in_store(|mut store| Table::new(&mut store, kind, Ref::Func(Nullable::Null))) {
        Ok(table) => Ok(number(&ctx, ALL.with(|all| keep(&all.tables, table)))),
        Err(error) => failure(&ctx, "RangeError", &error.to_string()),
    }
}

fn table_length(ctx: Ctx<'_>, id: u32) -> Result<f64> {
    let table = ALL.with(|all| one(&ctx, &all.tables, id))?;
    Ok(in_store(|store| table.size(&store)) as f64)
}

/// The number of a function, null for nothing, undefined outside of the table.
fn table_get<'js>(ctx: Ctx<'js>, id: u32, at: f64) -> Result<Value<'js>> {
    let table = ALL.with(|all| one(&ctx, &all.tables, id))?;
    match in_store(|store| table.get(&store, at as u64)) {
        Some(Ref::Func(function)) => to_js(&ctx, &Val::FuncRef(function)),
        Some(Ref::Extern(_)) => Err(Exception::throw_type(&ctx, "values of this type are not supported")),
        None => Ok(Value::new_undefined(ctx)),
    }
}

fn table_set<'js>(ctx: Ctx<'js>, id: u32, at: f64, value: Value<'js>) -> Result<bool> {
    let table = ALL.with(|all| one(&ctx, &all.tables, id))?;
    let value = to_ref(&ctx, value)?;
    Ok(in_store(|mut store| table.set(&mut store, at as u64, value)).is_ok())
}

fn table_grow<'js>(ctx: Ctx<'js>, id: u32, by: f64, value: Value<'js>) -> Result<f64> {
    let table = ALL.with(|all| one(&ctx, &all.tables, id))?;
    let value = to_ref(&ctx, value)?;
    let before = in_store(|mut store| table.grow(&mut store, by as u64, value));
    Ok(before.map_or(-1.0, |before| before as f64))
}

fn new_global<'js>(ctx: Ctx<'js>, kind: String, changes: bool, value: Value<'js>) -> Result<u32> {
    let value = to_wasm(&ctx, type_of(&ctx, &kind)?, value)?;
    let mutability = if changes { Mutability::Var } else { Mutability::Const };
    let global = in_store(|mut store| Global::new(&mut store, value, mutability));
    Ok(ALL.with(|all| keep(&all.globals, global)))
}

fn global_get<'js>(ctx: Ctx<'js>, id: u32) -> Result<Value<'js>> {
    let global = ALL.with(|all| one(&ctx, &all.globals, id))?;
    let value = in_store(|store| global.get(&store));
    to_js(&ctx, &value)
}

/// Sets it to a value that `form` brings into the form of its type, by its letter. False where it does not change.
fn global_set<'js>(ctx: Ctx<'js>, id: u32, form: Function<'js>, value: Value<'js>) -> Result<bool> {
    let global = ALL.with(|all| one(&ctx, &all.globals, id))?;
    let kind = in_store(|store| global.ty(&store)).content();
    let formed: Value<'js> = form.call((letter(kind).to_string(), value))?;
    let value = to_wasm(&ctx, kind, formed)?;
    Ok(in_store(|mut store| global.set(&mut store, value)).is_ok())
}
