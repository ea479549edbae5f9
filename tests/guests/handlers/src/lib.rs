//! Handles times, messages of queues and traces, and no request. It prints what it is given, and what it is told to do it does:
//! a message, a line or an expression of the right text makes it fail.
//!
//! `generated.rs` was made from `sdk/wit` by wit-bindgen, with a world that exports the three interfaces.

#[allow(unsafe_code, dead_code, unused_imports, clippy::all, clippy::restriction, reason = "generated")]
#[rustfmt::skip]
mod generated;

use generated::exports::wasmyard::platform::queue::{Answer, Batch, Verdict};
use generated::exports::wasmyard::platform::tail::Trace;
use generated::exports::wasmyard::platform::{queue, scheduled, tail};

struct Handlers;

#[allow(unsafe_code, reason = "generated: the functions by which the host calls")]
mod exported {
    use super::{Handlers, generated};

    generated::export!(Handlers with_types_in generated);
}

impl scheduled::Guest for Handlers {
    fn handle(cron: String, due: u64) -> Result<(), String> {
        println!("{cron} at {due}");
        obey(&cron)
    }
}

impl queue::Guest for Handlers {
    fn handle(batch: Batch) -> Result<Answer, String> {
        let mut each = Vec::new();
        for message in batch.messages {
            let text = String::from_utf8_lossy(&message.body).into_owned();
            let shown = text.get(..20).unwrap_or(&text);
            println!(
                "{} {} {} {} {} {shown}",
                batch.queue, message.id, message.timestamp, message.content_type, message.attempts
            );
            obey(&text)?;
            let verdict = match text.as_str() {
                "ack" => Verdict::Ack,
                "later" => Verdict::Retry(Some(30)),
                "far" => Verdict::Retry(Some(90_000)),
                "stranger" => {
                    each.push(("nobody".to_owned(), Verdict::Ack));
                    continue;
                }
                "flood" => {
                    each = vec![("nobody".to_owned(), Verdict::Ack); 200_000];
                    continue;
                }
                _ => continue,
            };
            each.push((message.id, verdict));
        }
        Ok(Answer { rest: Verdict::Retry(None), each })
    }
}

impl tail::Guest for Handlers {
    fn handle(traces: Vec<Trace>) -> Result<(), String> {
        for trace in traces {
            println!("{trace:?}");
            for line in trace.logs {
                obey(&line.text)?;
            }
        }
        Ok(())
    }
}

/// Fails in the way that a text asks for.
fn obey(text: &str) -> Result<(), String> {
    match text {
        "error" => Err("no such luck".to_owned()),
        "trap" => std::process::abort(),
        "spin" => loop {
            core::hint::spin_loop();
        },
        "grow" => {
            let mut kept = Vec::new();
            loop {
                kept.push(vec![1_u8; 1 << 20]);
            }
        }
        _ => Ok(()),
    }
}
