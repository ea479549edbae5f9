//! Compression streams: gzip (RFC 1952), deflate (RFC 1950) and deflate-raw (RFC 1951). A call takes a bounded piece and
//! gives what that makes, so that no more of an expanded text is there at once than its reader asked for.

use std::io::Write as _;

use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use flate2::{Compression, Crc, Decompress, FlushDecompress, Status};
use rquickjs_core::{Array, ArrayBuffer, Ctx, Exception, Function, Object, Result, Value};

use super::running::Running;
use super::{borrowed, failure};

/// What one call gives at most, of a text that is expanded.
const PIECE: usize = 64 << 10;
/// The head of a gzip file has a name and a comment without a bound of their own.
const MOST_HEAD: usize = 64 << 10;

thread_local! {
    static COMPRESSORS: Running<Compressor> = const { Running::new() };
    static EXPANDERS: Running<Expander> = const { Running::new() };
}

pub(super) fn add<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    host.set("compressor", Function::new(ctx.clone(), compressor)?)?;
    host.set("compress", Function::new(ctx.clone(), compress)?)?;
    host.set("compressEnd", Function::new(ctx.clone(), compress_end)?)?;
    host.set("expander", Function::new(ctx.clone(), expander)?)?;
    host.set("expand", Function::new(ctx.clone(), expand)?)?;
    host.set("expandEnd", Function::new(ctx.clone(), expand_end)?)?;
    Ok(())
}

enum Compressor {
    Gzip(GzEncoder<Vec<u8>>),
    Zlib(ZlibEncoder<Vec<u8>>),
    Raw(DeflateEncoder<Vec<u8>>),
}

fn compressor(ctx: Ctx<'_>, format: String) -> Result<u32> {
    let level = Compression::default();
    let made = match format.as_str() {
        "gzip" => Compressor::Gzip(GzEncoder::new(Vec::new(), level)),
        "deflate" => Compressor::Zlib(ZlibEncoder::new(Vec::new(), level)),
        "deflate-raw" => Compressor::Raw(DeflateEncoder::new(Vec::new(), level)),
        other => return Err(Exception::throw_type(&ctx, &format!("there is no format {other:?}"))),
    };
    Ok(COMPRESSORS.with(|all| all.begin(made)))
}

fn compress<'js>(
    ctx: Ctx<'js>,
    id: u32,
    buffer: ArrayBuffer<'js>,
    offset: usize,
    length: usize,
) -> Result<ArrayBuffer<'js>> {
    let made = borrowed(&ctx, &buffer, offset, length, |part| {
        COMPRESSORS.with(|all| {
            all.with(id, |compressor| {
                let (written, made) = match compressor {
                    Compressor::Gzip(encoder) => (encoder.write_all(part), encoder.get_mut()),
                    Compressor::Zlib(encoder) => (encoder.write_all(part), encoder.get_mut()),
                    Compressor::Raw(encoder) => (encoder.write_all(part), encoder.get_mut()),
                };
                written.ok().map(|()| std::mem::take(made))
            })
        })
    })?;
    given(ctx, made.flatten())
}

fn compress_end(ctx: Ctx<'_>, id: u32) -> Result<ArrayBuffer<'_>> {
    let made = COMPRESSORS.with(|all| all.end(id)).and_then(|compressor| match compressor {
        Compressor::Gzip(encoder) => encoder.finish().ok(),
        Compressor::Zlib(encoder) => encoder.finish().ok(),
        Compressor::Raw(encoder) => encoder.finish().ok(),
    });
    given(ctx, made)
}

/// Writing to memory cannot fail: what is not there has ended already.
fn given<'js>(ctx: Ctx<'js>, made: Option<Vec<u8>>) -> Result<ArrayBuffer<'js>> {
    match made {
        Some(made) => ArrayBuffer::new_copy(ctx, made),
        None => Err(Exception::throw_type(&ctx, "The stream has ended.")),
    }
}

/// Where an expander is.
enum Place {
    /// In the head of a gzip file, of which this much is there.
    Head(Vec<u8>),
    Body,
    /// Behind the body of a gzip file: its checksum and its length, as far as they are there.
    Foot(Vec<u8>),
    End,
}

struct Expander {
    place: Place,
    is_gzip: bool,
    inflate: Decompress,
    sum: Crc,
}

fn expander(ctx: Ctx<'_>, format: String) -> Result<u32> {
    let is_gzip = format == "gzip";
    let place = if is_gzip { Place::Head(Vec::new()) } else { Place::Body };
    let has_head = match format.as_str() {
        "deflate" => true,
        "gzip" | "deflate-raw" => false,
        other => return Err(Exception::throw_type(&ctx, &format!("there is no format {other:?}"))),
    };
    let made = Expander { place, is_gzip, inflate: Decompress::new(has_head), sum: Crc::new() };
    Ok(EXPANDERS.with(|all| all.begin(made)))
}

/// Expands the begin of a part: a list of how much of it was taken, and what it made. Both are nothing where all of it is
/// done with. A failure is a word and a text.
fn expand<'js>(
    ctx: Ctx<'js>,
    id: u32,
    buffer: ArrayBuffer<'js>,
    offset: usize,
    length: usize,
) -> Result<Value<'js>> {
    let step = borrowed(&ctx, &buffer, offset, length, |part| {
        EXPANDERS.with(|all| all.with(id, |expander| expander.step(part)))
    })?;
    let list = Array::new(ctx.clone())?;
    match step {
        Some(Ok((taken, made))) => {
            list.set(0, taken)?;
            list.set(1, ArrayBuffer::new_copy(ctx, made)?)?;
            Ok(list.into_value())
        }
        Some(Err(Broken(text))) => failure(&ctx, "broken", text),
        None => failure(&ctx, "ended", "The stream has ended."),
    }
}

/// Whether all of a text was there.
fn expand_end(id: u32) -> bool {
    EXPANDERS.with(|all| all.end(id)).is_some_and(|expander| matches!(expander.place, Place::End))
}

struct Broken(&'static str);

impl Expander {
    /// How much of the part was taken, and what that made.
    fn step(&mut self, part: &[u8]) -> std::result::Result<(usize, Vec<u8>), Broken> {
        match &mut self.place {
            Place::Head(head) => {
                let before = head.len();
                head.extend_from_slice(part);
                match head_length(head)? {
                    Some(length) => {
                        self.place = Place::Body;
                        Ok((length.saturating_sub(before), Vec::new()))
                    }
                    None if head.len() > MOST_HEAD => Err(Broken("The head of the gzip file is too long.")),
                    None => Ok((part.len(), Vec::new())),
                }
            }
            Place::Body => self.inflate(part),
            Place::Foot(foot) => {
                let taken = part.len().min(8 - foot.len());
                foot.extend_from_slice(part.get(..taken).unwrap_or_default());
                if let Ok([a, b, c, d, e, f, g, h]) = <[u8; 8]>::try_from(foot.as_slice()) {
                    let sum = u32::from_le_bytes([a, b, c, d]);
                    let length = u32::from_le_bytes([e, f, g, h]);
                    if (sum, length) != (self.sum.sum(), self.sum.amount()) {
                        return Err(Broken("The checksum of the gzip file is another."));
                    }
                    self.place = Place::End;
                }
                Ok((taken, Vec::new()))
            }
            Place::End if part.is_empty() => Ok((0, Vec::new())),
            Place::End => Err(Broken("There is more behind the end of the compressed data.")),
        }
    }

    fn inflate(&mut self, part: &[u8]) -> std::result::Result<(usize, Vec<u8>), Broken> {
        let mut made = Vec::with_capacity(PIECE);
        let before = self.inflate.total_in();
        let status = self.inflate.decompress_vec(part, &mut made, FlushDecompress::None);
        let taken = (self.inflate.total_in() - before) as usize;
        self.sum.update(&made);
        match status {
            Ok(Status::StreamEnd) => {
                self.place = if self.is_gzip { Place::Foot(Vec::new()) } else { Place::End };
                Ok((taken, made))
            }
            // What can go no further without more to read, or more room, is no failure.
            Ok(Status::Ok | Status::BufError) => Ok((taken, made)),
            Err(_) => Err(Broken("The compressed data is not valid.")),
        }
    }
}

/// How long the head of a gzip file is, once all of it is there.
fn head_length(head: &[u8]) -> std::result::Result<Option<usize>, Broken> {
    let strange = Broken("The data is no gzip file.");
    if !b"\x1f\x8b\x08".starts_with(head.get(..3).unwrap_or(head)) {
        return Err(strange);
    }
    let Some((fixed, _)) = head.split_at_checked(10) else { return Ok(None) };
    let flags = fixed.get(3).copied().unwrap_or_default();
    if flags & 0xe0 != 0 {
        return Err(strange);
    }
    let mut at = 10;
    if flags & 4 != 0 {
        let Some([low, high]) = head.get(at..at + 2) else { return Ok(None) };
        at += 2 + usize::from(u16::from_le_bytes([*low, *high]));
    }
    // A name and a comment, each of which ends with a zero.
    for flag in [8, 16] {
        if flags & flag != 0 {
            let rest = head.get(at..).unwrap_or_default();
            let Some(end) = rest.iter().position(|byte| *byte == 0) else { return Ok(None) };
            at += end + 1;
        }
    }
    if flags & 2 != 0 {
        at += 2;
    }
    Ok((at <= head.len()).then_some(at))
}
