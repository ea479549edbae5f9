//! Texts and bytes (Encoding standard).

use encoding_rs::{CoderResult, Decoder, DecoderResult, Encoding, REPLACEMENT};
use rquickjs_core::{
    Array, ArrayBuffer, Ctx, Exception, Function, Object, Result, String as JsString, Value,
};

use super::running::Running;
use super::{borrowed, bytes};

/// What a decoder says of bytes that are no text, where it is to say so.
const BROKEN: &str = "Failed to decode input.";

thread_local! {
    /// Decoders of texts that come in pieces.
    static DECODERS: Running<Decoder> = const { Running::new() };
}

pub(super) fn add<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    host.set("encode", Function::new(ctx.clone(), encode)?)?;
    host.set("encodeInto", Function::new(ctx.clone(), encode_into)?)?;
    host.set("decode", Function::new(ctx.clone(), decode)?)?;
    host.set("encodingOf", Function::new(ctx.clone(), encoding_of)?)?;
    host.set("decoder", Function::new(ctx.clone(), decoder)?)?;
    host.set("decodePart", Function::new(ctx.clone(), decode_part)?)?;
    host.set("latin1", Function::new(ctx.clone(), latin1)?)?;
    Ok(())
}

/// UTF-8 of a text that is well formed.
fn encode<'js>(ctx: Ctx<'js>, text: String) -> Result<ArrayBuffer<'js>> {
    ArrayBuffer::new_copy(ctx, text.as_bytes())
}

/// As much of a text in UTF-8 as fits whole: the bytes, and how many units of UTF-16 they stand for.
fn encode_into<'js>(ctx: Ctx<'js>, text: String, room: usize) -> Result<Array<'js>> {
    let fits = text.floor_char_boundary(room);
    let (fits, _) = text.split_at(fits);
    let units: usize = fits.chars().map(char::len_utf16).sum();
    let list = Array::new(ctx.clone())?;
    list.set(0, ArrayBuffer::new_copy(ctx, fits.as_bytes())?)?;
    list.set(1, units)?;
    Ok(list)
}

/// The text that a part of a buffer is in UTF-8: what is none becomes U+FFFD, or is an error.
fn decode<'js>(
    ctx: Ctx<'js>,
    buffer: ArrayBuffer<'js>,
    offset: usize,
    length: usize,
    fatal: bool,
) -> Result<JsString<'js>> {
    // SAFETY: no JavaScript runs while the bytes are borrowed.
    let part = unsafe { buffer.as_bytes() }.and_then(|all| all.get(offset..offset.checked_add(length)?));
    let Some(part) = part else { return Err(Exception::throw_range(&ctx, "outside of the buffer")) };
    match std::str::from_utf8(part) {
        Ok(text) => JsString::from_str(ctx, text),
        Err(_) if fatal => Err(Exception::throw_type(&ctx, BROKEN)),
        Err(_) => JsString::from_str(ctx.clone(), &String::from_utf8_lossy(part)),
    }
}

/// The encoding that a label names, or null.
fn encoding_of(ctx: Ctx<'_>, label: String) -> Result<Value<'_>> {
    match Encoding::for_label(label.as_bytes()) {
        Some(encoding) if encoding != REPLACEMENT => {
            Ok(JsString::from_str(ctx, &encoding.name().to_lowercase())?.into_value())
        }
        _ => Ok(Value::new_null(ctx)),
    }
}

/// A decoder for a text in pieces, by the name of its encoding.
fn decoder(ctx: Ctx<'_>, encoding: String, keep_bom: bool) -> Result<u32> {
    let Some(encoding) = Encoding::for_label(encoding.as_bytes()) else {
        return Err(Exception::throw_range(&ctx, "there is no such encoding"));
    };
    let decoder = if keep_bom {
        encoding.new_decoder_without_bom_handling()
    } else {
        encoding.new_decoder_with_bom_removal()
    };
    Ok(DECODERS.with(|all| all.begin(decoder)))
}

/// The text that the next piece adds. The decoder ends with the last piece, and with an error.
fn decode_part<'js>(
    ctx: Ctx<'js>,
    id: u32,
    buffer: ArrayBuffer<'js>,
    offset: usize,
    length: usize,
    fatal: bool,
    last: bool,
) -> Result<JsString<'js>> {
    let text = borrowed(&ctx, &buffer, offset, length, |part| {
        DECODERS.with(|all| all.with(id, |decoder| decoded(decoder, part, fatal, last))).flatten()
    })?;
    if last || text.is_none() {
        DECODERS.with(|all| all.end(id));
    }
    match text {
        Some(text) => JsString::from_str(ctx, &text),
        None => Err(Exception::throw_type(&ctx, BROKEN)),
    }
}

fn decoded(decoder: &mut Decoder, part: &[u8], fatal: bool, last: bool) -> Option<String> {
    let room = if fatal {
        decoder.max_utf8_buffer_length_without_replacement(part.len())
    } else {
        decoder.max_utf8_buffer_length(part.len())
    };
    let mut text = String::new();
    text.try_reserve(room?).ok()?;
    if fatal {
        let (result, _) = decoder.decode_to_string_without_replacement(part, &mut text, last);
        return (result == DecoderResult::InputEmpty).then_some(text);
    }
    let (result, _, _) = decoder.decode_to_string(part, &mut text, last);
    (result == CoderResult::InputEmpty).then_some(text)
}

/// Each byte as a character.
fn latin1<'js>(ctx: Ctx<'js>, buffer: ArrayBuffer<'js>) -> Result<JsString<'js>> {
    let bytes = bytes(&ctx, &buffer)?;
    JsString::from_str(ctx, &super::from_bytes(&bytes))
}
