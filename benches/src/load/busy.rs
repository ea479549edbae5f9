//! A closed loop: a number of connections, each of which sends its next request when it has its answer.

use std::time::{Duration, Instant};

use super::Aim;
use crate::Error;
use crate::line::Line;

/// Loads a server for `time` and returns what it answered in a second. Every answer must be a 200.
///
/// # Errors
/// When an answer is another, or the connection breaks.
pub fn busy(aim: &Aim, connections: usize, time: Duration) -> Result<f64, Error> {
    let requests = aim.requests();
    let mut next = requests.iter().cycle();
    let mut lines = Vec::new();
    for _ in 0..connections {
        lines.push(Line::open(aim.address)?);
    }
    let begun = Instant::now();
    let until = begun + time;
    for line in &mut lines {
        line.send(next.next().ok_or("nothing to ask")?)?;
    }
    let mut answered = 0_u64;
    loop {
        for line in &mut lines {
            let Some(answer) = line.poll()? else { continue };
            if answer.status != 200 {
                return Err(format!("{} answered {}", aim.address, answer.status).into());
            }
            answered += 1;
            line.send(next.next().ok_or("nothing to ask")?)?;
        }
        if Instant::now() >= until {
            break;
        }
    }
    let rate = answered as f64 / begun.elapsed().as_secs_f64();
    // What is under way ends before the server is measured by somebody else.
    let patience = Instant::now() + Duration::from_secs(10);
    let mut open = lines;
    while !open.is_empty() && Instant::now() < patience {
        let mut left = Vec::new();
        for mut line in open {
            if line.poll()?.is_none() {
                left.push(line);
            }
        }
        open = left;
    }
    Ok(rate)
}
