//! Owns `#[wasmyard::main]` and `#[wasmyard::queue]`, the attributes that turn functions into a worker's entry points.
//!
//! It reads the function's signature by hand: a parser crate would cost every worker several seconds of
//! compile time for the one name that is needed here. It must never change the function itself.

use proc_macro::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

/// Makes a function the entry point of the worker.
///
/// The function takes a `Request` and an `Env`, may be `async`, and returns a `Response` or a `Result`
/// of one. It keeps its name and can still be called, for example from a unit test.
#[proc_macro_attribute]
pub fn main(arguments: TokenStream, item: TokenStream) -> TokenStream {
    with_entry_point(arguments, item, &MAIN, entry_point)
}

/// Has a function be given messages of queues: it takes a `MessageBatch` and an `Env`, may be `async`, and returns nothing or a
/// `Result` of that.
///
/// A message of which nothing is said was handled when the function returns; where it fails, they come again. A worker may have both
/// this and `#[wasmyard::main]`.
#[proc_macro_attribute]
pub fn queue(arguments: TokenStream, item: TokenStream) -> TokenStream {
    with_entry_point(arguments, item, &QUEUE, consumer)
}

/// What an attribute says where it is used in a wrong way.
struct Words {
    no_arguments: &'static str,
    shape: &'static str,
}

const MAIN: Words = Words {
    no_arguments: "#[wasmyard::main] takes no arguments",
    shape: "#[wasmyard::main] goes on a function: `async fn fetch(req: Request, env: Env) -> Result<Response>`",
};

const QUEUE: Words = Words {
    no_arguments: "#[wasmyard::queue] takes no arguments",
    shape: "#[wasmyard::queue] goes on a function: `async fn consume(batch: MessageBatch, env: Env) -> Result<()>`",
};

fn with_entry_point(
    arguments: TokenStream,
    item: TokenStream,
    words: &Words,
    entry_point: impl FnOnce(&Signature) -> TokenStream,
) -> TokenStream {
    match signature(arguments, &item, words) {
        Ok(function) => {
            let mut output = item;
            output.extend(entry_point(&function));
            output
        }
        Err(fault) => {
            let mut output = item;
            output.extend(fault.into_compile_error());
            output
        }
    }
}

/// What the attribute has to know of the function.
struct Signature {
    name: Ident,
    is_async: bool,
}

struct Fault {
    span: Span,
    message: &'static str,
}

impl Fault {
    fn into_compile_error(self) -> TokenStream {
        let mut message = Literal::string(self.message);
        message.set_span(self.span);
        let call = Group::new(Delimiter::Parenthesis, TokenTree::from(message).into());
        [
            TokenTree::from(Ident::new("compile_error", self.span)),
            Punct::new('!', Spacing::Alone).into(),
            call.into(),
            Punct::new(';', Spacing::Alone).into(),
        ]
        .into_iter()
        .collect()
    }
}

fn signature(arguments: TokenStream, item: &TokenStream, words: &Words) -> Result<Signature, Fault> {
    if let Some(first) = arguments.into_iter().next() {
        return Err(Fault { span: first.span(), message: words.no_arguments });
    }
    let mut is_async = false;
    let mut tokens = item.clone().into_iter();
    while let Some(token) = tokens.next() {
        let TokenTree::Ident(word) = &token else { continue };
        match word.to_string().as_str() {
            "async" => is_async = true,
            "fn" => {
                let Some(TokenTree::Ident(name)) = tokens.next() else {
                    return Err(Fault { span: token.span(), message: words.shape });
                };
                return match tokens.next() {
                    Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis => {
                        Ok(Signature { name, is_async })
                    }
                    _ => Err(Fault { span: name.span(), message: "a worker's entry point is not generic" }),
                };
            }
            "struct" | "enum" | "mod" | "impl" | "trait" | "const" | "static" | "use" | "type" => {
                return Err(Fault { span: token.span(), message: words.shape });
            }
            _ => {}
        }
    }
    Err(Fault { span: Span::call_site(), message: words.shape })
}

/// The export is for the wasm target only: elsewhere (unit tests, documentation) there is no host to call it.
fn entry_point(function: &Signature) -> TokenStream {
    let call = function.call("request");
    let source = format!(
        "#[cfg(target_family = \"wasm\")]
        const _: () = {{
            struct Entry;
            impl ::wasmyard::__private::Guest for Entry {{
                fn handle(
                    request: ::wasmyard::__private::IncomingRequest,
                    out: ::wasmyard::__private::ResponseOutparam,
                ) {{
                    ::wasmyard::__private::serve(request, out, |request, env| {call});
                }}
            }}
            ::wasmyard::__private::export!(Entry with_types_in ::wasmyard::__private);
        }};
        #[cfg(not(target_family = \"wasm\"))]
        const _: fn(::wasmyard::Request, ::wasmyard::Env) =
            |request, env| ::wasmyard::__private::check(request, env, |request, env| {call});"
    );
    parsed(&source, function)
}

/// The same for messages of queues.
fn consumer(function: &Signature) -> TokenStream {
    let call = function.call("batch");
    let source = format!(
        "#[cfg(target_family = \"wasm\")]
        const _: () = {{
            struct Entry;
            impl ::wasmyard::__private::queue_consumer::exports::wasmyard::platform::queue::Guest for Entry {{
                fn handle(
                    batch: ::wasmyard::__private::queue_consumer::exports::wasmyard::platform::queue::Batch,
                ) -> ::core::result::Result<
                    ::wasmyard::__private::queue_consumer::exports::wasmyard::platform::queue::Answer,
                    ::std::string::String,
                > {{
                    ::wasmyard::__private::consume(batch, |batch, env| {call})
                }}
            }}
            ::wasmyard::__private::queue_consumer::export_queue!(
                Entry with_types_in ::wasmyard::__private::queue_consumer
            );
        }};
        #[cfg(not(target_family = \"wasm\"))]
        const _: fn(::wasmyard::MessageBatch, ::wasmyard::Env) =
            |batch, env| ::wasmyard::__private::check_consumer(batch, env, |batch, env| {call});"
    );
    parsed(&source, function)
}

impl Signature {
    /// The call of the function, as a future.
    fn call(&self, event: &str) -> String {
        let name = &self.name;
        let call = format!("{name}({event}, env)");
        if self.is_async { call } else { format!("::core::future::ready({call})") }
    }
}

fn parsed(source: &str, function: &Signature) -> TokenStream {
    let name = &function.name;
    match source.parse::<TokenStream>() {
        // Errors about the function's types belong to its name, not to the attribute.
        Ok(tokens) => respan(tokens, name.span()),
        Err(_) => Fault { span: name.span(), message: "this function's name cannot be used here" }
            .into_compile_error(),
    }
}

/// Gives the user's function name its own span, so that a type mismatch is reported there.
fn respan(tokens: TokenStream, span: Span) -> TokenStream {
    tokens
        .into_iter()
        .map(|token| match token {
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), respan(group.stream(), span));
                inner.set_span(Span::call_site().located_at(span));
                inner.into()
            }
            mut other => {
                other.set_span(Span::call_site().located_at(span));
                other
            }
        })
        .collect()
}
