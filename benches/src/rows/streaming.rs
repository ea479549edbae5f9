//! A large body, up and down again: through a dispatcher that hands it on, and without one. The user script
//! echoes, so that every byte passes through guest memory once in both cases.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;

use super::Effort;
use crate::load::Aim;
use crate::process::Process;
use crate::report::{Reading, Target};
use crate::servers::wasmyard::{Budget, Site};
use crate::{Error, guest, wire};

const MIB: f64 = 1_048_576.0;
const PIECE: usize = 256 << 10;
/// What ends a chunked body.
const END: &[u8] = b"0\r\n\r\n";

pub(super) fn run(effort: &Effort) -> Result<Vec<Reading>, Error> {
    let bytes: u64 = effort.pick(1 << 30, 64 << 20);
    let mut site = Site::new("site-streaming", Budget::Ceiling)?;
    site.customer("echo", &guest("echo_stream")?)?;
    let platform = site.serve()?;
    let (one, two) = (platform.aim("echo.apps.localhost"), platform.aim("echo.localhost"));
    let mut figures: [Vec<f64>; 4] = Default::default();
    let [direct, dispatched, ratios, grown] = &mut figures;
    for turn in 0..=effort.pick(3, 1) {
        let through = |aim: &Aim| echoed(aim, if turn == 0 { bytes / 8 } else { bytes }, &platform.process);
        let (first, second) = (through(&one)?, through(&two)?);
        // The first turn warms up.
        if turn > 0 {
            direct.push(first.rate / MIB);
            dispatched.push(second.rate / MIB);
            ratios.push(second.rate / first.rate);
            grown.push(second.grown as f64 / MIB);
        }
    }
    let size = format!("{} MiB", bytes >> 20);
    Ok(vec![
        Reading::of(&format!("{size} echoed, one hop"), direct, "MiB/s", Target::None),
        Reading::of(&format!("{size} echoed, two hops"), dispatched, "MiB/s", Target::None),
        Reading::of("two hops over one", ratios, "x", Target::AtLeast(0.9)),
        Reading::of("memory added after the first tenth", grown, "MiB", Target::AtMost(4.0)),
    ])
}

struct Echoed {
    /// Bytes of the body per second.
    rate: f64,
    /// Anonymous memory of the server: its most after a tenth of the body, less what it was then.
    grown: u64,
}

/// Sends and reads at the same time, without ever sleeping.
fn echoed(aim: &Aim, bytes: u64, server: &Process) -> Result<Echoed, Error> {
    let mut stream = TcpStream::connect(aim.address)?;
    let host = aim.hosts.first().ok_or("nobody to ask")?;
    let head = format!("POST / HTTP/1.1\r\nhost: {host}\r\ncontent-length: {bytes}\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    stream.set_nonblocking(true)?;
    let (piece, mut buffer) = (vec![0; PIECE], vec![0; PIECE]);
    let begun = std::time::Instant::now();
    let (mut sent, mut received) = (0_u64, 0_u64);
    let (mut first, mut last) = (Vec::new(), [0; END.len()]);
    let (mut sampled, mut base, mut most) = (0, None, 0);
    loop {
        if sent < bytes {
            let rest = usize::try_from(bytes - sent).unwrap_or(PIECE).min(PIECE);
            match stream.write(piece.get(..rest).unwrap_or_default()) {
                Ok(written) => sent += written as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(format!("after {sent} bytes sent: {error}").into()),
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) => return Err(format!("the body ended after {received} of {bytes} bytes").into()),
            Ok(read) => {
                let new = buffer.get(..read).unwrap_or_default();
                received += read as u64;
                if first.len() < 1024 {
                    first.extend_from_slice(new.get(..read.min(1024)).unwrap_or_default());
                }
                let both = [&last[..], new].concat();
                last.copy_from_slice(both.get(both.len() - END.len()..).unwrap_or(END));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Err(error) => return Err(format!("after {received} bytes: {error}").into()),
        }
        if received > sampled + bytes / 20 {
            sampled = received;
            let now = server.memory().anonymous;
            if received > bytes / 10 {
                most = most.max(now);
                base.get_or_insert(now);
            }
        }
        if received > bytes && last == END {
            break;
        }
    }
    let rate = bytes as f64 / begun.elapsed().as_secs_f64();
    let status = wire::head(&first)?.map_or(0, |head| head.status);
    if status != 200 {
        return Err(format!("{host} answered {status}").into());
    }
    Ok(Echoed { rate, grown: most.saturating_sub(base.unwrap_or(most)) })
}
