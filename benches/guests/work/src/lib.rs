//! Work for the benches: `/spin/TURNS`, `/sieve/LIMIT`, `/fib/NUMBER`. Answers with the result, so that no
//! compiler can leave the work out.

use wasmyard::{Env, Request, Response, Result};

#[wasmyard::main]
async fn fetch(req: Request, _env: Env) -> Result<Response> {
    let mut words = req.path().trim_start_matches('/').split('/');
    let work = words.next().unwrap_or_default();
    let size: u64 = words.next().and_then(|word| word.parse().ok()).unwrap_or(1);
    let result = match work {
        "spin" => spin(size),
        "sieve" => sieve(size as usize),
        "fib" => fib(size),
        _ => return Ok(Response::text("no such work\n").with_status(404)),
    };
    Ok(Response::text(format!("{result}\n")))
}

/// Turns of a generator of random numbers: arithmetic in one long chain.
fn spin(turns: u64) -> u64 {
    (0..turns).fold(0x9e37_79b9_7f4a_7c15, |mut state, _| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    })
}

/// Primes below `limit`: tight loops over memory, where a check in every turn costs most.
fn sieve(limit: usize) -> u64 {
    let mut composite = vec![false; limit];
    let mut primes = 0;
    for number in 2..limit {
        if !composite[number] {
            primes += 1;
            let mut multiple = number * number;
            while multiple < limit {
                composite[multiple] = true;
                multiple += number;
            }
        }
    }
    primes
}

/// The slow way: calls, and little else.
fn fib(number: u64) -> u64 {
    if number < 2 { number } else { fib(number - 1) + fib(number - 2) }
}
