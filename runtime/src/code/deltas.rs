//! What is kept of a script written in JavaScript: the pages of memory that its top level changed.
//!
//! A delta is data, not code: it says what a guest's memory holds, and nothing of the host. Pages are kept as their
//! difference to the engine's image, compressed. It is made by the process that compiles, which ran a stranger's code: all
//! of it is bounded when it is read.

use std::io::Read as _;
use std::sync::Arc;

use wasmyard_namespaces::code::EventKind;
use wasmyard_namespaces::digest::Digest;
use wasmyard_pool::{Content, Image};

/// How a delta begins. The number is that of the format.
const MAGIC: &[u8; 8] = b"\0wyjsd1\n";
/// As many bytes say that something is a delta, and for which engine.
pub(super) const HEAD_BYTES: u64 = 8 + 32;
const PAGE: usize = 4096;
/// The most that a script's pages may take.
pub(super) const MOST_BYTES: usize = 16 << 20;
const LEVEL: i32 = 6;

/// A script's memory, as the difference to its engine's.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Delta {
    /// The engine whose memory it begins from.
    pub(super) engine: Digest,
    pub(super) handlers: Vec<EventKind>,
    /// How large the memory is.
    pub(super) len: usize,
    /// Where changed pages lie, and what they hold.
    pub(super) stretches: Vec<(usize, Box<[u8]>)>,
}

/// Whether these bytes are a delta, to look at.
pub(super) fn is_delta(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// How a delta for an engine begins.
pub(super) fn head_for(engine: &Digest) -> Vec<u8> {
    [MAGIC.as_slice(), engine.as_bytes()].concat()
}

/// How many bytes of pages a delta has. None: it is none, or not for this engine. For what feeds it any bytes.
pub fn delta_bytes(bytes: &[u8], engine: &Digest, image: &[u8]) -> Option<usize> {
    let delta = Delta::read(bytes, engine, image)?;
    Some(delta.stretches.iter().map(|(_, run)| run.len()).sum())
}

impl Delta {
    /// What differs from the image in `memory`, from `first` on: before that lies the stack.
    ///
    /// # Errors
    ///
    /// How many bytes of pages it has, where that is more than [`MOST_BYTES`].
    pub(super) fn of(
        engine: Digest,
        handlers: Vec<EventKind>,
        image: &[u8],
        memory: &[u8],
        first: usize,
    ) -> Result<Self, usize> {
        let mut stretches: Vec<(usize, Vec<u8>)> = Vec::new();
        let mut bytes = 0;
        const ZEROS: [u8; PAGE] = [0; PAGE];
        for (index, page) in memory.chunks(PAGE).enumerate().skip(first / PAGE) {
            let at = index * PAGE;
            let before =
                image.get(at..at + page.len()).unwrap_or_else(|| ZEROS.get(..page.len()).unwrap_or_default());
            if page == before {
                continue;
            }
            bytes += page.len();
            match stretches.last_mut() {
                Some((start, run)) if *start + run.len() == at => run.extend_from_slice(page),
                _ => stretches.push((at, page.to_vec())),
            }
        }
        if bytes > MOST_BYTES {
            return Err(bytes);
        }
        let stretches = stretches.into_iter().map(|(at, run)| (at, run.into_boxed_slice())).collect();
        Ok(Self { engine, handlers, len: memory.len(), stretches })
    }

    /// As it is kept.
    ///
    /// # Errors
    ///
    /// When it cannot be compressed: memory is short.
    pub(super) fn written(&self, image: &[u8]) -> std::io::Result<Vec<u8>> {
        let handlers = EventKind::ALL
            .iter()
            .enumerate()
            .filter(|(_, kind)| self.handlers.contains(kind))
            .fold(0_u8, |all, (bit, _)| all | (1 << bit));
        let mut out = head_for(&self.engine);
        out.push(handlers);
        out.extend_from_slice(&(self.len as u64).to_le_bytes());
        out.extend_from_slice(&(self.stretches.len() as u32).to_le_bytes());
        let mut pages = Vec::new();
        for (at, run) in &self.stretches {
            out.extend_from_slice(&(*at as u32).to_le_bytes());
            out.extend_from_slice(&(run.len() as u32).to_le_bytes());
            pages.extend(
                run.iter().enumerate().map(|(offset, byte)| byte ^ image.get(at + offset).unwrap_or(&0)),
            );
        }
        out.extend_from_slice(&zstd::encode_all(pages.as_slice(), LEVEL)?);
        Ok(out)
    }

    /// Reads what [`Delta::written`] wrote. None: it is none, or not for this engine.
    pub(super) fn read(bytes: &[u8], engine: &Digest, image: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(MAGIC)?.strip_prefix(engine.as_bytes())?;
        let (&bits, after) = rest.split_first()?;
        rest = after;
        let handlers = EventKind::ALL
            .into_iter()
            .enumerate()
            .filter(|(bit, _)| bits & (1 << bit) != 0)
            .map(|(_, kind)| kind);
        let len = usize::try_from(u64::from_le_bytes(taken(&mut rest)?)).ok()?;
        let count = u32::from_le_bytes(taken(&mut rest)?) as usize;
        // Each takes eight bytes here and a page at least.
        if count > MOST_BYTES / PAGE || count.checked_mul(8)? > rest.len() {
            return None;
        }
        let (mut places, mut all) = (Vec::with_capacity(count), 0_usize);
        for _ in 0..count {
            let at = u32::from_le_bytes(taken(&mut rest)?) as usize;
            let run = u32::from_le_bytes(taken(&mut rest)?) as usize;
            all = all.checked_add(run).filter(|all| *all <= MOST_BYTES)?;
            places.push((at, run));
        }
        let mut pages = Vec::with_capacity(all);
        zstd::Decoder::new(rest).ok()?.take(all as u64 + 1).read_to_end(&mut pages).ok()?;
        if pages.len() != all {
            return None;
        }
        let mut from = pages.as_slice();
        let mut stretches = Vec::with_capacity(count);
        for (at, run) in places {
            let (now, later) = from.split_at_checked(run)?;
            from = later;
            let page = |(offset, byte): (usize, &u8)| byte ^ image.get(at + offset).unwrap_or(&0);
            stretches.push((at, now.iter().enumerate().map(page).collect()));
        }
        Some(Self { engine: *engine, handlers: handlers.collect(), len, stretches })
    }

    /// What a memory begins with.
    pub(super) fn content(self, image: &Arc<Image>) -> Option<Arc<Content>> {
        Content::new(Arc::clone(image), self.len.max(image.len()), self.stretches)
    }
}

fn taken<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (&now, later) = rest.split_first_chunk()?;
    *rest = later;
    Some(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memories() -> (Vec<u8>, Vec<u8>) {
        let image: Vec<u8> = (0..10 * PAGE).map(|at| (at % 251) as u8).collect();
        let mut memory = image.clone();
        memory.resize(16 * PAGE, 0);
        // The stack, one page, two side by side, and one behind the image.
        memory[5] = 1;
        for at in [3 * PAGE + 7, 6 * PAGE, 7 * PAGE + 1, 12 * PAGE + 9] {
            memory[at] ^= 0xff;
        }
        (image, memory)
    }

    #[test]
    fn a_delta_is_the_pages_that_changed_behind_the_stack_and_comes_back_as_it_was() {
        let (image, memory) = memories();
        let engine = Digest::of(b"engine");
        let delta =
            Delta::of(engine, vec![EventKind::Fetch, EventKind::Tail], &image, &memory, PAGE).unwrap();
        let places: Vec<_> = delta.stretches.iter().map(|(at, run)| (at / PAGE, run.len() / PAGE)).collect();
        assert_eq!(places, [(3, 1), (6, 2), (12, 1)]);
        let written = delta.written(&image).unwrap();
        assert!(is_delta(&written) && written.len() < 300, "{}", written.len());
        assert_eq!(Delta::read(&written, &engine, &image), Some(delta));
        assert_eq!(Delta::read(&written, &Digest::of(b"another"), &image), None);
    }

    #[test]
    fn what_is_broken_is_none_and_takes_no_memory() {
        let (image, memory) = memories();
        let engine = Digest::of(b"engine");
        let written = Delta::of(engine, Vec::new(), &image, &memory, PAGE).unwrap().written(&image).unwrap();
        for len in 0..written.len() {
            assert_eq!(Delta::read(&written[..len], &engine, &image), None, "{len}");
        }
        // As many stretches, and as long ones, as can be written.
        for at in [49, 53, 57] {
            let mut lies = written.clone();
            lies[at..at + 4].fill(0xff);
            assert!(
                Delta::read(&lies, &engine, &image)
                    .is_none_or(|delta| delta.content(&Image::new(&image).unwrap()).is_none())
            );
        }
    }

    #[test]
    fn a_script_that_changes_too_much_is_refused_by_how_much() {
        let memory = vec![1; MOST_BYTES + PAGE];
        assert_eq!(Delta::of(Digest::of(b""), Vec::new(), &[], &memory, 0), Err(MOST_BYTES + PAGE));
    }
}
