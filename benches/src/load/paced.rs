//! An open loop: requests are due at a fixed rate, whatever became of those before. A request's time begins
//! when it was due, so that a server that stalls pays for every request that it kept from being sent:
//! nobody's omission is coordinated with the server's.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Aim;
use crate::Error;
use crate::line::Line;
use crate::stats::Latencies;

/// How long answers are waited for after the last request was due.
const PATIENCE: Duration = Duration::from_secs(5);

/// What became of the requests.
pub struct Paced {
    /// Those that were due.
    pub due: u64,
    /// From due to the last byte of a 200.
    pub served: Latencies,
    /// From due to the last byte of a 503 or 429.
    pub refused: Latencies,
    /// 200s that came while requests were still due, in a second.
    pub goodput: f64,
    /// Not answered when patience ended, or on a connection that broke.
    pub lost: u64,
}

/// Sends `per_second` requests a second for `time`, over at most `connections`.
///
/// # Errors
/// When the server cannot be reached, or answers with something else than 200, 429 and 503.
pub fn paced(aim: &Aim, connections: usize, per_second: f64, time: Duration) -> Result<Paced, Error> {
    let requests = aim.requests();
    let mut next = requests.iter().cycle();
    let mut free = VecDeque::new();
    for _ in 0..connections {
        free.push_back(Line::open(aim.address)?);
    }
    let total = (per_second * time.as_secs_f64()) as u64;
    let begun = Instant::now();
    let due_at = |index: u64| begun + Duration::from_secs_f64(index as f64 / per_second);
    let (mut sent, mut lost, mut in_time) = (0, 0, 0_u64);
    let (mut served, mut refused) = (Vec::new(), Vec::new());
    let mut waiting: Vec<(Instant, Line)> = Vec::with_capacity(connections);
    loop {
        let now = Instant::now();
        while sent < total && due_at(sent) <= now {
            let Some(mut line) = free.pop_front() else { break };
            line.send(next.next().ok_or("nothing to ask")?)?;
            waiting.push((due_at(sent), line));
            sent += 1;
        }
        let mut index = 0;
        while let Some((due, line)) = waiting.get_mut(index) {
            let polled = line.poll();
            let took = due.elapsed().as_nanos() as u64;
            match polled {
                Ok(None) => {
                    index += 1;
                    continue;
                }
                Ok(Some(answer)) => {
                    match answer.status {
                        200 => {
                            in_time += u64::from(begun.elapsed() <= time);
                            served.push(took);
                        }
                        429 | 503 => refused.push(took),
                        other => return Err(format!("{} answered {other}", aim.address).into()),
                    }
                    free.push_back(waiting.swap_remove(index).1);
                }
                // A connection that broke under load: a new one takes its place.
                Err(_broken) => {
                    lost += 1;
                    waiting.swap_remove(index);
                    free.push_back(Line::open(aim.address)?);
                }
            }
        }
        let over = begun + time;
        if (sent == total && waiting.is_empty()) || now > over + PATIENCE {
            break;
        }
    }
    lost += waiting.len() as u64 + (total - sent);
    Ok(Paced {
        due: total,
        served: Latencies::of(served),
        refused: Latencies::of(refused),
        goodput: in_time as f64 / time.as_secs_f64(),
        lost,
    })
}
