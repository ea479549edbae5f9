//! What is measured inside one process, without sockets: cold starts, density, metering, and the cost ledger
//! of a request. Prints JSON for the end-to-end runner, or a table for people.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench prints its figures, and what it is doing"
)]

mod clock;
mod cold;
mod counting;
mod density;
mod fixture;
mod ledger;
mod metering;
mod minted;
mod repeat;
mod secrets;

use std::process::ExitCode;

use fixture::Error;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting::NEW;

const USAGE: &str = "\
Usage: in-process cold|density|metering [--quick]    figures as JSON, for the end-to-end runner
       in-process ledger [--quick]                   what the steps of a request cost
       in-process secrets REQUESTS SCRIPTS           that no script sees another one's secrets, in random order
       in-process repeat CHAIN COUNT [--no-ticks]
                                                     requests for a profiler or an instruction counter;
                                                     CHAIN: one, two, tail, three, rotation; script, scripts: one and
                                                     two in JavaScript; FILE.js: a script in JavaScript that is bound
                                                     to DISPATCHER; javascript: a component with its own engine";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let quick = words.get(1) == Some(&"--quick");
    match *words.as_slice() {
        ["cold", ..] => println!("{}", cold::figures(quick)?),
        ["density", ..] => println!("{}", density::figures(quick)?),
        ["metering", ..] => println!("{}", metering::figures(quick)?),
        ["ledger", ..] => ledger::print(quick)?,
        ["whole", ..] => ledger::serve(quick)?,
        ["secrets", requests, scripts] => {
            println!("{}", secrets::search(requests.parse()?, scripts.parse()?)?)
        }
        ["repeat", chain, count] => repeat::repeat(chain, count.parse()?, true)?,
        ["repeat", chain, count, "--no-ticks"] => repeat::repeat(chain, count.parse()?, false)?,
        _ => return Err(USAGE.into()),
    }
    Ok(())
}
