//! Requests per second of Wasmyard beside bare hyper and, where it is installed, `wasmtime serve`.
//!
//! All servers are up at the same time; rounds of load alternate between them, so that a drift of the
//! machine's speed meets all of them alike. What counts are the ratios, not the absolute figures.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a bench prints its figures and opens connections to servers that it started itself"
)]

mod load;
mod peers;

use std::time::Duration;

use peers::{Error, Peer};

/// Connections that are kept alive and busy.
const CONNECTIONS: usize = 16;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    if std::env::args().nth(1).as_deref() == Some("hyper") {
        return peers::bare_hyper().await;
    }
    let number = |name: &str, default: u64| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let rounds = number("ROUNDS", 5);
    let round = Duration::from_millis(number("ROUND_MS", 2_000));

    let peers = peers::start_all().await?;
    let mut figures: Vec<Vec<f64>> = vec![Vec::new(); peers.len()];
    for turn in 0..=rounds {
        for (peer, figures) in peers.iter().zip(&mut figures) {
            let rate = load::requests_per_second(peer.address, &peer.host, CONNECTIONS, round).await?;
            // The first turn warms up.
            if turn > 0 {
                figures.push(rate);
            }
        }
    }
    report(&peers, &mut figures);
    Ok(())
}

fn report(peers: &[Peer], figures: &mut [Vec<f64>]) {
    let summaries: Vec<(f64, f64, f64)> = figures.iter_mut().map(|rates| summary(rates)).collect();
    println!("| server | requests/s: median | min | max | over bare hyper | over wasmtime serve |");
    println!("| --- | --- | --- | --- | --- | --- |");
    let median_of = |name: &str| {
        peers.iter().position(|peer| peer.name == name).and_then(|at| summaries.get(at)).map(|(m, ..)| *m)
    };
    let hyper = median_of(peers::HYPER);
    let wasmtime = median_of(peers::WASMTIME);
    let ratio = |mine: f64, other: Option<f64>| {
        other.filter(|other| *other > 0.0).map_or("-".to_owned(), |other| format!("{:.3}", mine / other))
    };
    for (peer, (median, min, max)) in peers.iter().zip(&summaries) {
        println!(
            "| {} | {median:.0} | {min:.0} | {max:.0} | {} | {} |",
            peer.name,
            ratio(*median, hyper),
            ratio(*median, wasmtime)
        );
    }
    if wasmtime.is_none() {
        println!(
            "\n`wasmtime` is not installed, so its row is missing: cargo install wasmtime-cli --version 48.0.8"
        );
    }
}

fn summary(rates: &mut [f64]) -> (f64, f64, f64) {
    rates.sort_by(f64::total_cmp);
    let at = |index: usize| rates.get(index).copied().unwrap_or(0.0);
    (at(rates.len() / 2), at(0), at(rates.len().saturating_sub(1)))
}
