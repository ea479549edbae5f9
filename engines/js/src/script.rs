//! Making an engine, and of an engine a script.

use std::cell::RefCell;

use rquickjs_core::loader::{ImportAttributes, Loader, Resolver};
use rquickjs_core::module::{Declared, Evaluated};
use rquickjs_core::promise::PromiseState;
use rquickjs_core::{
    CatchResultExt as _, CaughtError, Context, Ctx, Error, Exception, Function, Module, Object, Persistent,
    Result, Runtime, Value,
};

use crate::bindings::exports::wasmyard::engine::javascript::{Guest, Handler, Kind, Part};
use crate::{Engine, clock, host, memory};

/// The Web APIs and the dispatcher of events, bundled from `prelude/`.
const PRELUDE: &str = include_str!(env!("WASMYARD_PRELUDE"));
/// Modules that every script may import: name and source.
const BUILT_IN: &[(&str, &str)] = &[("cloudflare:workers", include_str!("../prelude/modules/workers.js"))];
/// How deep functions may call each other, in bytes of the shadow stack, of which there is one mebibyte.
const STACK_BYTES: usize = 240 << 10;
/// A collection runs when so many bytes were allocated.
const COLLECT_AFTER_BYTES: usize = 16 << 20;

/// What is there from `boot` on.
pub(crate) struct Booted {
    pub(crate) context: Context,
    /// Handles a request.
    pub(crate) on_fetch: Persistent<Function<'static>>,
    /// Handles a request that is for a named export, or calls methods.
    pub(crate) on_entry: Persistent<Function<'static>>,
    /// Handles any other event.
    pub(crate) on_event: Persistent<Function<'static>>,
    /// Runs the timers that are due.
    pub(crate) on_timers: Persistent<Function<'static>>,
    /// Takes a script's exports and says what it handles.
    on_load: Persistent<Function<'static>>,
    /// Makes a `WebAssembly.Module` of bytes.
    module_of: Persistent<Function<'static>>,
}

thread_local! {
    static BOOTED: RefCell<Option<Booted>> = const { RefCell::new(None) };
    /// Modules of Node.js: name and source. They are made with the engine, and a source hands them over.
    static OF_NODE: RefCell<Vec<(String, String)>> = const { RefCell::new(Vec::new()) };
    /// The files of the script that is being loaded.
    static PARTS: RefCell<Vec<Part>> = const { RefCell::new(Vec::new()) };
}

unsafe extern "C" {
    fn wasmyard_live_for_ever(ctx: *mut rquickjs_sys::JSContext);
    fn wasmyard_close_arenas(ctx: *mut rquickjs_sys::JSContext);
    fn wasmyard_disable_eval(ctx: *mut rquickjs_sys::JSContext);
    fn wasmyard_forget_seed(ctx: *mut rquickjs_sys::JSContext);
    fn wasmyard_keep_sources();
}

/// Works with what was booted.
pub(crate) fn with<T>(work: impl FnOnce(&Booted) -> T) -> Option<T> {
    BOOTED.with_borrow(|booted| booted.as_ref().map(work))
}

impl Guest for Engine {
    fn boot() -> std::result::Result<(), String> {
        let runtime = Runtime::new_with_alloc(memory::ForQuickJs).map_err(|error| error.to_string())?;
        runtime.set_max_stack_size(STACK_BYTES);
        runtime.set_gc_threshold(COLLECT_AFTER_BYTES);
        runtime.set_loader(Files, Files);
        host::rejections::track(&runtime);
        let context = Context::full(&runtime).map_err(|error| error.to_string())?;
        let booted = context.with(|ctx| {
            let host = host::object(&ctx)?;
            let prelude: Function<'_> = ctx.eval(PRELUDE)?;
            let made: Object<'_> = prelude.call((host,))?;
            let modules: Vec<Vec<String>> = made.get("modules")?;
            let pair = |module: Vec<String>| {
                <[String; 2]>::try_from(module).ok().map(|[name, source]| (name, source))
            };
            OF_NODE.set(modules.into_iter().filter_map(pair).collect());
            while ctx.execute_pending_job() {}
            ctx.run_gc();
            let function = |name| Ok::<_, Error>(Persistent::save(&ctx, made.get::<_, Function<'_>>(name)?));
            let [on_fetch, on_entry] = [function("onFetch")?, function("onEntry")?];
            let [on_event, on_timers] = [function("onEvent")?, function("onTimers")?];
            let [on_load, module_of] = [function("onLoad")?, function("moduleOf")?];
            Ok((on_fetch, on_entry, on_event, on_timers, on_load, module_of))
        });
        let (on_fetch, on_entry, on_event, on_timers, on_load, module_of) =
            context.with(|ctx| match booted {
                Ok(functions) => Ok(functions),
                Err(error) => Err(told(Err::<(), Error>(error).catch(&ctx))),
            })?;
        context.with(|ctx| {
            ctx.run_gc();
            // SAFETY: the context lives as long as it is borrowed.
            unsafe { wasmyard_live_for_ever(ctx.as_raw().as_ptr().cast()) };
        });
        // From here on functions are the script's, and show their text.
        // SAFETY: it sets a flag that only this thread looks at.
        unsafe { wasmyard_keep_sources() };
        BOOTED.set(Some(Booted { context, on_fetch, on_entry, on_event, on_timers, on_load, module_of }));
        next_phase();
        Ok(())
    }

    fn load(parts: Vec<Part>) -> std::result::Result<Vec<Handler>, String> {
        PARTS.set(parts);
        let loaded = with(|booted| booted.context.with(|ctx| evaluate(&ctx, booted)))
            .unwrap_or_else(|| Err("the engine was not booted".to_owned()));
        PARTS.take();
        let handlers = loaded?;
        with(|booted| {
            // SAFETY: the context lives as long as it is borrowed.
            booted.context.with(|ctx| unsafe {
                wasmyard_disable_eval(ctx.as_raw().as_ptr().cast());
                wasmyard_forget_seed(ctx.as_raw().as_ptr().cast());
            });
        });
        next_phase();
        clock::seal();
        Ok(handlers)
    }
}

fn next_phase() {
    with(|booted| {
        // SAFETY: the context lives as long as it is borrowed.
        booted.context.with(|ctx| unsafe { wasmyard_close_arenas(ctx.as_raw().as_ptr().cast()) });
    });
    memory::ALLOCATOR.next_phase();
}

fn evaluate(ctx: &Ctx<'_>, booted: &Booted) -> std::result::Result<Vec<Handler>, String> {
    let exports = run_main(ctx).catch(ctx).map_err(|error| told(Err::<(), _>(error)))?;
    let names: Vec<String> = booted
        .on_load
        .clone()
        .restore(ctx)
        .and_then(|on_load| on_load.call((exports,)))
        .catch(ctx)
        .map_err(|error| told(Err::<(), _>(error)))?;
    while ctx.execute_pending_job() {}
    let handler = |name: &String| match name.as_str() {
        "fetch" => Some(Handler::Fetch),
        "scheduled" => Some(Handler::Scheduled),
        "queue" => Some(Handler::Queue),
        "tail" => Some(Handler::Tail),
        _ => None,
    };
    Ok(names.iter().filter_map(handler).collect())
}

/// Evaluates the main file; what it exports, or nothing where it is a script of the older syntax.
fn run_main<'js>(ctx: &Ctx<'js>) -> Result<Value<'js>> {
    let (name, kind) = PARTS.with_borrow(|parts| {
        let main = parts.first().ok_or(Error::Unknown)?;
        Ok::<_, Error>((main.name.clone(), main.kind))
    })?;
    if kind == Kind::Script {
        let source = source(&name).ok_or(Error::Unknown)?;
        let mut options = rquickjs_core::context::EvalOptions::default();
        options.strict = false;
        ctx.eval_with_options::<(), _>(source, options)?;
        while ctx.execute_pending_job() {}
        return Ok(Value::new_undefined(ctx.clone()));
    }
    let main = declare(ctx, &name)?;
    let (main, evaluated): (Module<'js, Evaluated>, _) = main.eval()?;
    while ctx.execute_pending_job() {}
    match evaluated.state() {
        PromiseState::Pending => {
            return Err(Exception::throw_message(ctx, "Top-level await in module is unsettled."));
        }
        PromiseState::Resolved | PromiseState::Rejected => evaluated.finish::<()>()?,
    }
    // What is only imported later, by a name that is computed, has to be there by then: no code is made any more.
    let rest: Vec<String> =
        PARTS.with_borrow(|parts| parts.iter().skip(1).map(|part| part.name.clone()).collect());
    for name in rest {
        if !is_declared(&name) {
            declare(ctx, &name)?;
        }
    }
    Ok(main.namespace()?.into_value())
}

thread_local! {
    static DECLARED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn is_declared(name: &str) -> bool {
    DECLARED.with_borrow(|declared| declared.iter().any(|other| other == name))
}

/// The source of a file: what is no code exports what it holds.
fn source(name: &str) -> Option<Vec<u8>> {
    if let Some((_, source)) = BUILT_IN.iter().find(|(built_in, _)| *built_in == name) {
        return Some(source.as_bytes().to_vec());
    }
    let of_node = OF_NODE.with_borrow(|all| Some(all.iter().find(|(of_node, _)| of_node == name)?.1.clone()));
    if let Some(source) = of_node {
        return Some(source.into_bytes());
    }
    PARTS.with_borrow_mut(|parts| {
        let index = parts.iter().position(|part| part.name == name)?;
        let part = &mut parts[index];
        Some(match part.kind {
            Kind::Module | Kind::Script => std::mem::take(&mut part.bytes),
            Kind::Text | Kind::Data | Kind::Json | Kind::Wasm => {
                format!("export default globalThis[Symbol.for('wasmyard.part')]({index})").into_bytes()
            }
        })
    })
}

/// What a file that is no code holds, for the module that is made of it.
pub(crate) fn part<'js>(ctx: Ctx<'js>, index: usize) -> Result<Value<'js>> {
    let part = PARTS.with_borrow_mut(|parts| {
        let part = parts.get_mut(index)?;
        Some((part.kind, std::mem::take(&mut part.bytes)))
    });
    let Some((kind, bytes)) = part else { return Ok(Value::new_undefined(ctx)) };
    match kind {
        Kind::Text => {
            Ok(rquickjs_core::String::from_str(ctx, &String::from_utf8_lossy(&bytes))?.into_value())
        }
        Kind::Json => ctx.json_parse(bytes),
        Kind::Wasm => {
            let code = rquickjs_core::ArrayBuffer::new_copy(ctx.clone(), bytes)?;
            let module = with(|booted| booted.module_of.clone()).ok_or(Error::Unknown)?;
            module.restore(&ctx)?.call((code,))
        }
        _ => Ok(rquickjs_core::ArrayBuffer::new_copy(ctx, bytes)?.into_value()),
    }
}

fn declare<'js>(ctx: &Ctx<'js>, name: &str) -> Result<Module<'js, Declared>> {
    let Some(source) = source(name) else {
        return Err(Exception::throw_message(ctx, &format!("No such module \"{name}\".")));
    };
    DECLARED.with_borrow_mut(|declared| declared.push(name.to_owned()));
    Module::declare(ctx.clone(), name, source)
}

/// Finds files among those that were uploaded.
struct Files;

impl Resolver for Files {
    fn resolve<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        base: &str,
        name: &str,
        _attributes: Option<ImportAttributes<'js>>,
    ) -> Result<String> {
        let resolved = resolve(base, name);
        let is_there = |name: &str| {
            is_declared(name)
                || BUILT_IN.iter().any(|(built_in, _)| *built_in == name)
                || OF_NODE.with_borrow(|all| all.iter().any(|(of_node, _)| of_node == name))
                || PARTS.with_borrow(|parts| parts.iter().any(|part| part.name == name))
        };
        // Node's modules have names with and without their scheme.
        let of_node = format!("node:{name}");
        for candidate in [resolved, name.to_owned(), of_node] {
            if is_there(&candidate) {
                return Ok(candidate);
            }
        }
        Err(Exception::throw_message(ctx, &format!("No such module \"{name}\".\n  imported from \"{base}\"")))
    }
}

impl Loader for Files {
    fn load<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        name: &str,
        _attributes: Option<ImportAttributes<'js>>,
    ) -> Result<Module<'js, Declared>> {
        declare(ctx, name)
    }
}

/// The file that a relative name means, seen from another file.
fn resolve(base: &str, name: &str) -> String {
    let is_relative = name.starts_with("./") || name.starts_with("../");
    let mut path: Vec<&str> = Vec::new();
    if is_relative {
        path.extend(base.split('/'));
        path.pop();
    }
    for step in name.split('/') {
        match step {
            "" | "." => {}
            ".." => drop(path.pop()),
            step => path.push(step),
        }
    }
    path.join("/")
}

/// What an error says, with where it was.
pub(crate) fn told<T>(caught: std::result::Result<T, CaughtError<'_>>) -> String {
    match caught {
        Ok(_) => String::new(),
        Err(CaughtError::Exception(exception)) => {
            let name: String = exception.as_object().get("name").unwrap_or_else(|_| "Error".to_owned());
            let message = exception.message().unwrap_or_default();
            let stack = exception.stack().unwrap_or_default();
            format!("{name}: {message}\n{stack}").trim_end().to_owned()
        }
        Err(CaughtError::Value(value)) => match value.as_string().map(rquickjs_core::String::to_string) {
            Some(Ok(text)) => format!("Uncaught {text}"),
            _ => format!("Uncaught {}", value.type_name()),
        },
        Err(CaughtError::Error(error)) => error.to_string(),
    }
}
