//! Keys made of secrets and of passwords. How long that takes is the script's own CPU time.

use hkdf::Hkdf;
use rquickjs_core::{ArrayBuffer, Ctx, Function, Object, Result, Value};

use super::{or_null, with_hash};
use crate::host::bytes;

pub(super) fn add<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    host.set("hkdf", Function::new(ctx.clone(), hkdf_of)?)?;
    host.set("pbkdf2", Function::new(ctx.clone(), pbkdf2_of)?)?;
    Ok(())
}

/// RFC 5869. Null for more than 255 digests.
fn hkdf_of<'js>(
    ctx: Ctx<'js>,
    hash: String,
    secret: ArrayBuffer<'js>,
    salt: ArrayBuffer<'js>,
    info: ArrayBuffer<'js>,
    length: usize,
) -> Result<Value<'js>> {
    let (secret, salt, info) = (bytes(&ctx, &secret)?, bytes(&ctx, &salt)?, bytes(&ctx, &info)?);
    // Before anything is allocated: the longest that any digest allows.
    if length > 255 * 64 {
        return or_null(ctx, None);
    }
    let mut made = vec![0; length];
    let done = with_hash!(&ctx, hash.as_str(), Hash => {
        Hkdf::<Hash>::new(Some(&salt), &secret).expand(&info, &mut made).is_ok()
    });
    or_null(ctx, done.then_some(made))
}

/// RFC 8018. Null without a single round.
fn pbkdf2_of<'js>(
    ctx: Ctx<'js>,
    hash: String,
    password: ArrayBuffer<'js>,
    salt: ArrayBuffer<'js>,
    rounds: u32,
    length: usize,
) -> Result<Value<'js>> {
    let (password, salt) = (bytes(&ctx, &password)?, bytes(&ctx, &salt)?);
    let mut made = Vec::new();
    if rounds == 0 || made.try_reserve_exact(length).is_err() {
        return or_null(ctx, None);
    }
    made.resize(length, 0);
    with_hash!(&ctx, hash.as_str(), Hash => pbkdf2::pbkdf2_hmac::<Hash>(&password, &salt, rounds, &mut made));
    or_null(ctx, Some(made))
}
