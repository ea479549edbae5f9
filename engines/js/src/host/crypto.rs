//! Digests and keyed digests.

use hmac::{KeyInit as _, Mac as _};
use rquickjs_core::{ArrayBuffer, Ctx, Exception, Function, Object, Result};
use sha2::Digest as _;

use super::bytes;

pub(super) fn add<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    host.set("digest", Function::new(ctx.clone(), digest)?)?;
    host.set("hmac", Function::new(ctx.clone(), hmac_of)?)?;
    Ok(())
}

fn digest<'js>(ctx: Ctx<'js>, name: String, data: ArrayBuffer<'js>) -> Result<ArrayBuffer<'js>> {
    let data = bytes(&ctx, &data)?;
    let digest = match name.as_str() {
        "MD5" => md5::Md5::digest(&data).to_vec(),
        "SHA-1" => sha1::Sha1::digest(&data).to_vec(),
        "SHA-256" => sha2::Sha256::digest(&data).to_vec(),
        "SHA-384" => sha2::Sha384::digest(&data).to_vec(),
        "SHA-512" => sha2::Sha512::digest(&data).to_vec(),
        other => return Err(Exception::throw_type(&ctx, &format!("there is no digest {other:?}"))),
    };
    ArrayBuffer::new_copy(ctx, digest)
}

fn hmac_of<'js>(
    ctx: Ctx<'js>,
    name: String,
    key: ArrayBuffer<'js>,
    data: ArrayBuffer<'js>,
) -> Result<ArrayBuffer<'js>> {
    macro_rules! keyed {
        ($hash:ty) => {
            hmac::Hmac::<$hash>::new_from_slice(&bytes(&ctx, &key)?).map(|mac| {
                mac.chain_update(&bytes(&ctx, &data).unwrap_or_default()).finalize().into_bytes().to_vec()
            })
        };
    }
    let keyed = match name.as_str() {
        "SHA-1" => keyed!(sha1::Sha1),
        "SHA-256" => keyed!(sha2::Sha256),
        "SHA-384" => keyed!(sha2::Sha384),
        "SHA-512" => keyed!(sha2::Sha512),
        other => return Err(Exception::throw_type(&ctx, &format!("there is no digest {other:?} for keys"))),
    };
    match keyed {
        Ok(digest) => ArrayBuffer::new_copy(ctx, digest),
        Err(_) => Err(Exception::throw_type(&ctx, "the key cannot be used")),
    }
}
