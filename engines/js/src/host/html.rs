//! HTMLRewriter, by the crate `lol_html`: it reads a page as a stream, and calls the script for what its selectors match.
//!
//! A handler of the script is given what there is to know of a piece as a list, and gives back a list of changes: each is a
//! word, a text or two, and a flag. So no piece of the page is ever held by JavaScript. A handler that gives back a promise
//! is waited for by turning the event loop right there.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::error::Error as StdError;
use std::fmt;
use std::ptr::NonNull;
use std::rc::Rc;

use lol_html::errors::RewritingError;
use lol_html::html_content::{Comment, ContentType, Doctype, DocumentEnd, Element, EndTag, TextChunk};
use lol_html::{
    AsciiCompatibleEncoding, DocumentContentHandlers, ElementContentHandlers, HtmlRewriter, MemorySettings,
    Selector, Settings,
};
use rquickjs_core::promise::PromiseState;
use rquickjs_core::{
    Array, ArrayBuffer, Ctx, Exception, Function, Object, Persistent, Promise, Result, Value,
};

use super::borrowed;
use super::running::Running;
use crate::script;
use crate::turns::{self, End};

/// How much of a page may have to be kept until it is clear what it is.
const MOST_KEPT: usize = 16 << 20;

/// Takes what is written of the new page.
type Sink = Box<dyn FnMut(&[u8])>;
type Rewriter = HtmlRewriter<'static, Sink>;
/// One is taken out while it works, so that a handler may start another.
type Place = Rc<RefCell<Option<Rewriter>>>;

struct Page {
    rewriter: Place,
    output: Rc<RefCell<Vec<u8>>>,
}

thread_local! {
    static PAGES: Running<Page> = const { Running::new() };
    /// Where JavaScript is, while a rewriter works for it.
    static CALLER: Cell<Option<NonNull<rquickjs_sys::JSContext>>> = const { Cell::new(None) };
    /// What a handler threw.
    static THROWN: RefCell<Option<Persistent<Value<'static>>>> = const { RefCell::new(None) };
}

pub(super) fn add<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    host.set("htmlSelector", Function::new(ctx.clone(), selector_error)?)?;
    host.set("htmlBegin", Function::new(ctx.clone(), begin)?)?;
    host.set("htmlWrite", Function::new(ctx.clone(), write)?)?;
    host.set("htmlEnd", Function::new(ctx.clone(), end)?)?;
    Ok(())
}

/// What is wrong with a selector, or null.
fn selector_error(selector: String) -> Option<String> {
    selector.parse::<Selector>().err().map(|error| error.to_string())
}

/// Begins a page. There are three numbers for each selector: the handlers of elements, comments and texts, below zero where
/// there are none; and for each of the document's four: of the doctype, comments, texts and the end.
fn begin<'js>(
    ctx: Ctx<'js>,
    encoding: String,
    call: Function<'js>,
    selectors: Vec<String>,
    of_each: Vec<Vec<i32>>,
    document: Vec<Vec<i32>>,
) -> Result<u32> {
    let call = Rc::new(Persistent::save(&ctx, call));
    let encoding = encoding_rs::Encoding::for_label(encoding.as_bytes())
        .and_then(AsciiCompatibleEncoding::new)
        .unwrap_or_else(AsciiCompatibleEncoding::utf_8);
    let memory = MemorySettings::new().with_max_allowed_memory_usage(MOST_KEPT);
    let mut settings = Settings::new()
        .with_encoding(encoding)
        .with_memory_settings(memory)
        // What is ambiguous for a parser without a tree is passed over, as the product does.
        .with_strict(false);
    for (selector, numbers) in selectors.into_iter().zip(of_each) {
        let number = |at: usize| handler_of(&call, numbers.get(at).copied().unwrap_or(-1));
        let selector =
            selector.parse::<Selector>().map_err(|error| Exception::throw_type(&ctx, &error.to_string()))?;
        let mut handlers = ElementContentHandlers::default();
        if let Some(handler) = number(0) {
            handlers = handlers.element(move |element: &mut Element<'_, '_>| on_element(&handler, element));
        }
        if let Some(handler) = number(1) {
            handlers = handlers.comments(move |comment: &mut Comment<'_>| on_comment(&handler, comment));
        }
        if let Some(handler) = number(2) {
            handlers = handlers.text(move |text: &mut TextChunk<'_>| on_text(&handler, text));
        }
        settings = settings.append_element_content_handler((Cow::Owned(selector), handlers));
    }
    for numbers in document {
        let number = |at: usize| handler_of(&call, numbers.get(at).copied().unwrap_or(-1));
        let mut handlers = DocumentContentHandlers::default();
        if let Some(handler) = number(0) {
            handlers = handlers.doctype(move |doctype: &mut Doctype<'_>| on_doctype(&handler, doctype));
        }
        if let Some(handler) = number(1) {
            handlers = handlers.comments(move |comment: &mut Comment<'_>| on_comment(&handler, comment));
        }
        if let Some(handler) = number(2) {
            handlers = handlers.text(move |text: &mut TextChunk<'_>| on_text(&handler, text));
        }
        if let Some(handler) = number(3) {
            handlers = handlers.end(move |end: &mut DocumentEnd<'_>| on_end(&handler, end));
        }
        settings = settings.append_document_content_handler(handlers);
    }
    let output = Rc::new(RefCell::new(Vec::new()));
    let sink = Rc::clone(&output);
    let write: Sink = Box::new(move |piece| sink.borrow_mut().extend_from_slice(piece));
    let rewriter = Rc::new(RefCell::new(Some(HtmlRewriter::new(settings, write))));
    Ok(PAGES.with(|all| all.begin(Page { rewriter, output })))
}

/// The next piece of a page: what is known of the new page by then.
fn write<'js>(
    ctx: Ctx<'js>,
    id: u32,
    buffer: ArrayBuffer<'js>,
    offset: usize,
    length: usize,
) -> Result<ArrayBuffer<'js>> {
    // A copy: handlers run JavaScript while it is read.
    let piece = borrowed(&ctx, &buffer, offset, length, <[u8]>::to_vec)?;
    let Some((place, output)) = place(id) else { return Err(ended(&ctx)) };
    let Some(mut rewriter) = place.take() else { return Err(ended(&ctx)) };
    let written = calling(&ctx, || rewriter.write(&piece));
    match written {
        Ok(()) => {
            place.replace(Some(rewriter));
            ArrayBuffer::new_copy(ctx, output.take())
        }
        Err(error) => Err(thrown(&ctx, id, &error)),
    }
}

/// The end of a page: what is left of the new one.
fn end(ctx: Ctx<'_>, id: u32) -> Result<ArrayBuffer<'_>> {
    let Some((place, output)) = place(id) else { return Err(ended(&ctx)) };
    let Some(rewriter) = place.take() else { return Err(ended(&ctx)) };
    let written = calling(&ctx, || rewriter.end());
    PAGES.with(|all| all.end(id));
    match written {
        Ok(()) => ArrayBuffer::new_copy(ctx, output.take()),
        Err(error) => Err(thrown(&ctx, id, &error)),
    }
}

fn place(id: u32) -> Option<(Place, Rc<RefCell<Vec<u8>>>)> {
    PAGES.with(|all| all.with(id, |page| (Rc::clone(&page.rewriter), Rc::clone(&page.output))))
}

fn ended(ctx: &Ctx<'_>) -> rquickjs_core::Error {
    Exception::throw_type(ctx, "The page has ended, or is being written.")
}

/// Works with a rewriter, whose handlers call JavaScript from here.
fn calling<T>(ctx: &Ctx<'_>, work: impl FnOnce() -> T) -> T {
    let before = CALLER.replace(Some(ctx.as_raw()));
    let done = work();
    CALLER.set(before);
    done
}

/// What a handler threw, or what is wrong with the page.
fn thrown(ctx: &Ctx<'_>, id: u32, error: &RewritingError) -> rquickjs_core::Error {
    PAGES.with(|all| all.end(id));
    match THROWN.take().and_then(|thrown| thrown.restore(ctx).ok()) {
        Some(thrown) => ctx.throw(thrown),
        None => Exception::throw_type(ctx, &error.to_string()),
    }
}

/// A function of the script, by its number.
#[derive(Clone)]
struct Handler {
    call: Rc<Persistent<Function<'static>>>,
    number: i32,
}

fn handler_of(call: &Rc<Persistent<Function<'static>>>, number: i32) -> Option<Handler> {
    (number >= 0).then(|| Handler { call: Rc::clone(call), number })
}

/// One change: a word, what it is about, and a flag or a number.
type Change = (String, String, String, i32);

/// A handler threw; what it threw is in `THROWN`.
#[derive(Debug)]
struct Threw;

impl fmt::Display for Threw {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a handler threw an exception")
    }
}

impl StdError for Threw {}

type Handled = std::result::Result<(), Box<dyn StdError + Send + Sync>>;

impl Handler {
    /// Calls the script with what there is to know, and makes its changes.
    fn run(
        &self,
        kind: &str,
        about: Vec<Option<String>>,
        mut change: impl FnMut(&Change) -> Handled,
    ) -> Handled {
        let Some(caller) = CALLER.get() else { return Err(Box::new(Threw)) };
        // SAFETY: handlers are called by a rewriter alone, and that is asked to work only in `calling`, which is given the
        // context of the JavaScript that called it: it lives, and its runtime is locked, until `calling` returns.
        let ctx = unsafe { Ctx::from_raw(caller) };
        let changes = self.changes(&ctx, kind, about).map_err(|error| {
            if error.is_exception() {
                THROWN.set(Some(Persistent::save(&ctx, ctx.catch())));
            }
            Threw
        })?;
        changes.iter().try_for_each(&mut change)
    }

    fn changes(&self, ctx: &Ctx<'_>, kind: &str, about: Vec<Option<String>>) -> Result<Vec<Change>> {
        let call = (*self.call).clone().restore(ctx)?;
        let mut given: Value<'_> = call.call((self.number, kind, about))?;
        if let Some(promise) = given.as_promise().cloned() {
            given = awaited(ctx, &promise)?;
        }
        let Some(list) = given.as_array() else { return Ok(Vec::new()) };
        list.iter::<Array<'_>>()
            .map(|item| {
                let item = item?;
                Ok((item.get(0)?, item.get(1)?, item.get(2)?, item.get(3)?))
            })
            .collect()
    }
}

/// Turns the event loop until a promise of a handler is settled.
fn awaited<'js>(ctx: &Ctx<'js>, promise: &Promise<'js>) -> Result<Value<'js>> {
    let turned = script::with(|booted| turns::run(ctx, promise, &booted.on_timers));
    match turned.unwrap_or(Err(rquickjs_core::Error::Unknown))? {
        End::Settled if promise.state() != PromiseState::Pending => promise.finish(),
        End::Settled | End::Never => {
            Err(Exception::throw_message(ctx, "A handler of HTMLRewriter waits for what will never happen."))
        }
    }
}

fn kind_of(flag: i32) -> ContentType {
    if flag == 0 { ContentType::Text } else { ContentType::Html }
}

fn on_element(handler: &Handler, element: &mut Element<'_, '_>) -> Handled {
    let can_have_content = element.can_have_content();
    let mut about = vec![
        Some(element.tag_name()),
        Some(element.namespace_uri().to_owned()),
        can_have_content.then(String::new),
        element.removed().then(String::new),
    ];
    for attribute in element.attributes() {
        about.push(Some(attribute.name()));
        about.push(Some(attribute.value()));
    }
    handler.run("element", about, |(word, text, value, flag)| {
        match word.as_str() {
            "before" => element.before(text, kind_of(*flag)),
            "after" => element.after(text, kind_of(*flag)),
            "prepend" => element.prepend(text, kind_of(*flag)),
            "append" => element.append(text, kind_of(*flag)),
            "replace" => element.replace(text, kind_of(*flag)),
            "inner" => element.set_inner_content(text, kind_of(*flag)),
            "remove" => element.remove(),
            "keep" => element.remove_and_keep_content(),
            "name" => element.set_tag_name(text)?,
            "set" => element.set_attribute(text, value)?,
            "unset" => element.remove_attribute(text),
            "end" => {
                let handler = Handler { number: *flag, ..handler.clone() };
                if let Some(handlers) = element.end_tag_handlers() {
                    handlers.push(Box::new(move |tag: &mut EndTag<'_>| on_end_tag(&handler, tag)));
                }
            }
            _ => {}
        }
        Ok(())
    })
}

fn on_end_tag(handler: &Handler, tag: &mut EndTag<'_>) -> Handled {
    handler.run("endTag", vec![Some(tag.name())], |(word, text, _, flag)| {
        match word.as_str() {
            "before" => tag.before(text, kind_of(*flag)),
            "after" => tag.after(text, kind_of(*flag)),
            "replace" => tag.replace(text, kind_of(*flag)),
            "remove" => tag.remove(),
            "name" => tag.set_name(text.clone()),
            _ => {}
        }
        Ok(())
    })
}

fn on_comment(handler: &Handler, comment: &mut Comment<'_>) -> Handled {
    let about = vec![Some(comment.text()), comment.removed().then(String::new)];
    handler.run("comments", about, |(word, text, _, flag)| {
        match word.as_str() {
            "before" => comment.before(text, kind_of(*flag)),
            "after" => comment.after(text, kind_of(*flag)),
            "replace" => comment.replace(text, kind_of(*flag)),
            "remove" => comment.remove(),
            "text" => comment.set_text(text)?,
            _ => {}
        }
        Ok(())
    })
}

fn on_text(handler: &Handler, chunk: &mut TextChunk<'_>) -> Handled {
    let is_last = chunk.last_in_text_node().then(String::new);
    let about = vec![Some(chunk.as_str().to_owned()), chunk.removed().then(String::new), is_last];
    handler.run("text", about, |(word, text, _, flag)| {
        match word.as_str() {
            "before" => chunk.before(text, kind_of(*flag)),
            "after" => chunk.after(text, kind_of(*flag)),
            "replace" => chunk.replace(text, kind_of(*flag)),
            "remove" => chunk.remove(),
            _ => {}
        }
        Ok(())
    })
}

fn on_doctype(handler: &Handler, doctype: &mut Doctype<'_>) -> Handled {
    handler.run("doctype", vec![doctype.name(), doctype.public_id(), doctype.system_id()], |_| Ok(()))
}

fn on_end(handler: &Handler, end: &mut DocumentEnd<'_>) -> Handled {
    handler.run("end", Vec::new(), |(word, text, _, flag)| {
        if word == "append" {
            end.append(text, kind_of(*flag));
        }
        Ok(())
    })
}
