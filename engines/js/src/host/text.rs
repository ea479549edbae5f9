//! Texts and bytes.

use rquickjs_core::{ArrayBuffer, Ctx, Exception, Function, Object, Result, String as JsString};

use super::bytes;

pub(super) fn add<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    host.set("encode", Function::new(ctx.clone(), encode)?)?;
    host.set("decode", Function::new(ctx.clone(), decode)?)?;
    host.set("latin1", Function::new(ctx.clone(), latin1)?)?;
    Ok(())
}

/// UTF-8 of a text that is well formed.
fn encode<'js>(ctx: Ctx<'js>, text: String) -> Result<ArrayBuffer<'js>> {
    ArrayBuffer::new_copy(ctx, text.as_bytes())
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
        Err(_) if fatal => Err(Exception::throw_type(&ctx, "Failed to decode input.")),
        Err(_) => JsString::from_str(ctx.clone(), &String::from_utf8_lossy(part)),
    }
}

/// Each byte as a character.
fn latin1<'js>(ctx: Ctx<'js>, buffer: ArrayBuffer<'js>) -> Result<JsString<'js>> {
    let bytes = bytes(&ctx, &buffer)?;
    JsString::from_str(ctx, &super::from_bytes(&bytes))
}
