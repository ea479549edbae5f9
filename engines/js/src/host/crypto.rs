//! Cryptography: what `crypto` of the prelude is made of. Names, usages and formats are checked there; here are the
//! algorithms, as the crates of RustCrypto and of dalek have them.
//!
//! A failure of an algorithm (a tag that is wrong, a point that is none) is null: why is nobody's business. Randomness is
//! the host's, and there is none until a script is sealed.

mod aes;
mod curves;
mod derive;
mod forms;
mod rsa;

use std::convert::Infallible;

use hmac::{KeyInit as _, Mac as _};
use rand_core::{TryCryptoRng, TryRng};
use rquickjs_core::{ArrayBuffer, Ctx, Exception, Function, Object, Result, Value};
use sha2::Digest;

use super::running::Running;
use super::{borrowed, bytes, in_handler};
use crate::bindings::wasi::random::random;

pub(super) fn add<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    host.set("digest", Function::new(ctx.clone(), digest)?)?;
    host.set("digestBegin", Function::new(ctx.clone(), digest_begin)?)?;
    host.set("digestUpdate", Function::new(ctx.clone(), digest_update)?)?;
    host.set("digestEnd", Function::new(ctx.clone(), digest_end)?)?;
    host.set("hmac", Function::new(ctx.clone(), hmac_of)?)?;
    aes::add(ctx, host)?;
    curves::add(ctx, host)?;
    derive::add(ctx, host)?;
    forms::add(ctx, host)?;
    rsa::add(ctx, host)
}

/// The host's randomness, in the form that the crates ask for.
struct Chance;

impl Chance {
    /// # Errors
    ///
    /// At the top level of a script, where there is no chance.
    fn in_handler(ctx: &Ctx<'_>) -> Result<Self> {
        in_handler(ctx).map(|()| Self)
    }
}

impl TryRng for Chance {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> std::result::Result<u32, Infallible> {
        Ok(random::get_random_u64() as u32)
    }

    fn try_next_u64(&mut self) -> std::result::Result<u64, Infallible> {
        Ok(random::get_random_u64())
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> std::result::Result<(), Infallible> {
        into.copy_from_slice(&random::get_random_bytes(into.len() as u64));
        Ok(())
    }
}

impl TryCryptoRng for Chance {}

/// Does the same with whichever digest a name means; names that are none are the prelude's mistake.
macro_rules! with_hash {
    ($ctx:expr, $name:expr, $hash:ident => $work:expr) => {
        match $name {
            "SHA-1" => {
                type $hash = sha1::Sha1;
                $work
            }
            "SHA-256" => {
                type $hash = sha2::Sha256;
                $work
            }
            "SHA-384" => {
                type $hash = sha2::Sha384;
                $work
            }
            "SHA-512" => {
                type $hash = sha2::Sha512;
                $work
            }
            other => return Err($crate::host::crypto::no_digest($ctx, other)),
        }
    };
}
use with_hash;

fn no_digest(ctx: &Ctx<'_>, name: &str) -> rquickjs_core::Error {
    Exception::throw_type(ctx, &format!("there is no digest {name:?}"))
}

/// Bytes, or null where there are none.
fn or_null<'js>(ctx: Ctx<'js>, made: Option<Vec<u8>>) -> Result<Value<'js>> {
    match made {
        Some(made) => Ok(ArrayBuffer::new_copy(ctx, made)?.into_value()),
        None => Ok(Value::new_null(ctx)),
    }
}

fn digest<'js>(ctx: Ctx<'js>, name: String, data: ArrayBuffer<'js>) -> Result<ArrayBuffer<'js>> {
    let data = bytes(&ctx, &data)?;
    let digest = hash(&ctx, &name, &data)?;
    ArrayBuffer::new_copy(ctx, digest)
}

fn hash(ctx: &Ctx<'_>, name: &str, data: &[u8]) -> Result<Vec<u8>> {
    if name == "MD5" {
        return Ok(md5::Md5::digest(data).to_vec());
    }
    with_hash!(ctx, name, Hash => Ok(Hash::digest(data).to_vec()))
}

/// A digest of what comes in pieces.
enum Partial {
    Md5(md5::Md5),
    Sha1(sha1::Sha1),
    Sha256(sha2::Sha256),
    Sha384(sha2::Sha384),
    Sha512(sha2::Sha512),
}

thread_local! {
    static PARTIAL: Running<Partial> = const { Running::new() };
}

fn digest_begin(ctx: Ctx<'_>, name: String) -> Result<u32> {
    let partial = match name.as_str() {
        "MD5" => Partial::Md5(md5::Md5::new()),
        "SHA-1" => Partial::Sha1(sha1::Sha1::new()),
        "SHA-256" => Partial::Sha256(sha2::Sha256::new()),
        "SHA-384" => Partial::Sha384(sha2::Sha384::new()),
        "SHA-512" => Partial::Sha512(sha2::Sha512::new()),
        other => return Err(no_digest(&ctx, other)),
    };
    Ok(PARTIAL.with(|all| all.begin(partial)))
}

fn digest_update<'js>(
    ctx: Ctx<'js>,
    id: u32,
    data: ArrayBuffer<'js>,
    offset: usize,
    length: usize,
) -> Result<()> {
    borrowed(&ctx, &data, offset, length, |part| {
        PARTIAL.with(|all| {
            all.with(id, |partial| match partial {
                Partial::Md5(partial) => partial.update(part),
                Partial::Sha1(partial) => partial.update(part),
                Partial::Sha256(partial) => partial.update(part),
                Partial::Sha384(partial) => partial.update(part),
                Partial::Sha512(partial) => partial.update(part),
            })
        });
    })
}

/// Null for one that has ended already.
fn digest_end(ctx: Ctx<'_>, id: u32) -> Result<Value<'_>> {
    let digest = PARTIAL.with(|all| all.end(id)).map(|partial| match partial {
        Partial::Md5(partial) => partial.finalize().to_vec(),
        Partial::Sha1(partial) => partial.finalize().to_vec(),
        Partial::Sha256(partial) => partial.finalize().to_vec(),
        Partial::Sha384(partial) => partial.finalize().to_vec(),
        Partial::Sha512(partial) => partial.finalize().to_vec(),
    });
    or_null(ctx, digest)
}

fn hmac_of<'js>(
    ctx: Ctx<'js>,
    name: String,
    key: ArrayBuffer<'js>,
    data: ArrayBuffer<'js>,
) -> Result<Value<'js>> {
    let (key, data) = (bytes(&ctx, &key)?, bytes(&ctx, &data)?);
    let keyed = with_hash!(&ctx, name.as_str(), Hash => hmac::Hmac::<Hash>::new_from_slice(&key)
        .map(|mac| mac.chain_update(&data).finalize().into_bytes().to_vec()));
    or_null(ctx, keyed.ok())
}
