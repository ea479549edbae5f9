//! AES in its four modes. Counter mode and Galois/Counter mode are put together here of the cipher and of GHASH, because
//! callers choose lengths (of counters, nonces, tags) that types of the crates fix.

use aes::cipher::{
    Array, Block, BlockCipherEncrypt, BlockModeDecrypt as _, BlockModeEncrypt as _, InnerIvInit as _,
    KeyInit as _,
};
use aes::{Aes128, Aes192, Aes256};
use aes_kw::{AesKw, InnerInit as _};
use cbc::cipher::block_padding::Pkcs7;
use ghash::GHash;
use ghash::universal_hash::UniversalHash as _;
use rquickjs_core::{ArrayBuffer, Ctx, Function, Object, Result, Value};
use subtle::ConstantTimeEq as _;

use super::or_null;
use crate::host::bytes;

pub(super) fn add<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    host.set("aesCbc", Function::new(ctx.clone(), aes_cbc)?)?;
    host.set("aesCtr", Function::new(ctx.clone(), aes_ctr)?)?;
    host.set("aesGcm", Function::new(ctx.clone(), aes_gcm)?)?;
    host.set("aesKw", Function::new(ctx.clone(), aes_kw)?)?;
    Ok(())
}

/// Does the same with the cipher that a key is for, by its length; null for other lengths.
macro_rules! with_cipher {
    ($key:expr, $cipher:ident => $work:expr) => {
        match $key.len() {
            16 => Aes128::new_from_slice($key).ok().and_then(|$cipher| $work),
            24 => Aes192::new_from_slice($key).ok().and_then(|$cipher| $work),
            32 => Aes256::new_from_slice($key).ok().and_then(|$cipher| $work),
            _ => None,
        }
    };
}

fn aes_cbc<'js>(
    ctx: Ctx<'js>,
    encrypt: bool,
    key: ArrayBuffer<'js>,
    iv: ArrayBuffer<'js>,
    data: ArrayBuffer<'js>,
) -> Result<Value<'js>> {
    let (key, iv, data) = (bytes(&ctx, &key)?, bytes(&ctx, &iv)?, bytes(&ctx, &data)?);
    let made = with_cipher!(&key, cipher => if encrypt {
        cbc::Encryptor::inner_iv_slice_init(cipher, &iv).ok().map(|mode| mode.encrypt_padded_vec::<Pkcs7>(&data))
    } else {
        cbc::Decryptor::inner_iv_slice_init(cipher, &iv).ok().and_then(|mode| mode.decrypt_padded_vec::<Pkcs7>(&data).ok())
    });
    or_null(ctx, made)
}

/// Encrypts and decrypts. The counter is the last `bits` of a block of 16 bytes; more blocks than it can count are null.
fn aes_ctr<'js>(
    ctx: Ctx<'js>,
    key: ArrayBuffer<'js>,
    counter: ArrayBuffer<'js>,
    bits: u32,
    data: ArrayBuffer<'js>,
) -> Result<Value<'js>> {
    let (key, counter, mut data) = (bytes(&ctx, &key)?, bytes(&ctx, &counter)?, bytes(&ctx, &data)?);
    let made = <[u8; 16]>::try_from(counter.as_slice()).ok().and_then(|counter| {
        with_cipher!(&key, cipher => {
            let fits = bits >= 32 || (data.len().div_ceil(16) as u64) <= 1 << bits;
            fits.then(|| {
                count(&cipher, counter, bits, &mut data);
                std::mem::take(&mut data)
            })
        })
    });
    or_null(ctx, made)
}

/// Joins the data with the stream of encrypted counters.
fn count<C: BlockCipherEncrypt<BlockSize = aes::cipher::consts::U16>>(
    cipher: &C,
    first: [u8; 16],
    bits: u32,
    data: &mut [u8],
) {
    let mask = if bits >= 128 { u128::MAX } else { (1 << bits) - 1 };
    let first = u128::from_be_bytes(first);
    let mut counted = first & mask;
    for chunk in data.chunks_mut(16) {
        let mut block: Block<C> = Array((first & !mask | counted).to_be_bytes());
        cipher.encrypt_block(&mut block);
        for (byte, key) in chunk.iter_mut().zip(block) {
            *byte ^= key;
        }
        counted = counted.wrapping_add(1) & mask;
    }
}

/// NIST SP 800-38D. The tag is behind the data, `tag_bytes` of it.
fn aes_gcm<'js>(
    ctx: Ctx<'js>,
    encrypt: bool,
    key: ArrayBuffer<'js>,
    iv: ArrayBuffer<'js>,
    data: ArrayBuffer<'js>,
    additional: ArrayBuffer<'js>,
    tag_bytes: usize,
) -> Result<Value<'js>> {
    let (key, iv) = (bytes(&ctx, &key)?, bytes(&ctx, &iv)?);
    let (data, additional) = (bytes(&ctx, &data)?, bytes(&ctx, &additional)?);
    let made = with_cipher!(&key, cipher => {
        if encrypt { seal(&cipher, &iv, data, &additional, tag_bytes) } else { open(&cipher, &iv, data, &additional, tag_bytes) }
    });
    or_null(ctx, made)
}

fn seal<C: BlockCipherEncrypt<BlockSize = aes::cipher::consts::U16>>(
    cipher: &C,
    iv: &[u8],
    mut data: Vec<u8>,
    additional: &[u8],
    tag_bytes: usize,
) -> Option<Vec<u8>> {
    let (hash, first) = begin(cipher, iv);
    count(cipher, next(first), 32, &mut data);
    let tag = tag(cipher, hash, first, &data, additional);
    data.extend_from_slice(tag.get(..tag_bytes)?);
    Some(data)
}

fn open<C: BlockCipherEncrypt<BlockSize = aes::cipher::consts::U16>>(
    cipher: &C,
    iv: &[u8],
    mut data: Vec<u8>,
    additional: &[u8],
    tag_bytes: usize,
) -> Option<Vec<u8>> {
    let (hash, first) = begin(cipher, iv);
    let given = data.split_off(data.len().checked_sub(tag_bytes)?);
    let tag = tag(cipher, hash, first, &data, additional);
    if !bool::from(tag.get(..tag_bytes)?.ct_eq(&given)) {
        return None;
    }
    count(cipher, next(first), 32, &mut data);
    Some(data)
}

/// The hash with its key, and the first counter.
fn begin<C: BlockCipherEncrypt<BlockSize = aes::cipher::consts::U16>>(
    cipher: &C,
    iv: &[u8],
) -> (GHash, [u8; 16]) {
    let mut key: Block<C> = Block::<C>::default();
    cipher.encrypt_block(&mut key);
    let hash = GHash::new(&key);
    let mut first = [0; 16];
    if let Ok(iv) = <[u8; 12]>::try_from(iv) {
        let (name, counter) = first.split_at_mut(12);
        name.copy_from_slice(&iv);
        counter.copy_from_slice(&[0, 0, 0, 1]);
    } else {
        let mut of_iv = hash.clone();
        of_iv.update_padded(iv);
        of_iv.update(&[lengths(0, iv.len())]);
        first.copy_from_slice(&of_iv.finalize());
    }
    (hash, first)
}

/// The counter behind one: its last 32 bits count.
fn next(counter: [u8; 16]) -> [u8; 16] {
    let counter = u128::from_be_bytes(counter);
    let last = (counter as u32).wrapping_add(1);
    (counter >> 32 << 32 | u128::from(last)).to_be_bytes()
}

fn tag<C: BlockCipherEncrypt<BlockSize = aes::cipher::consts::U16>>(
    cipher: &C,
    mut hash: GHash,
    first: [u8; 16],
    encrypted: &[u8],
    additional: &[u8],
) -> [u8; 16] {
    hash.update_padded(additional);
    hash.update_padded(encrypted);
    hash.update(&[lengths(additional.len(), encrypted.len())]);
    let mut tag: [u8; 16] = hash.finalize().into();
    count(cipher, first, 32, &mut tag);
    tag
}

fn lengths(additional: usize, data: usize) -> ghash::Block {
    Array(((additional as u128 * 8) << 64 | (data as u128 * 8)).to_be_bytes())
}

/// RFC 3394. Null for what is no whole number of eight bytes, at least sixteen, and for what does not unwrap.
fn aes_kw<'js>(
    ctx: Ctx<'js>,
    wrap: bool,
    key: ArrayBuffer<'js>,
    data: ArrayBuffer<'js>,
) -> Result<Value<'js>> {
    let (key, data) = (bytes(&ctx, &key)?, bytes(&ctx, &data)?);
    let least = if wrap { 16 } else { 24 };
    let made = with_cipher!(&key, cipher => {
        if data.len() < least {
            return None;
        }
        let mut made = vec![0; data.len() + 8];
        let by = AesKw::inner_init(cipher);
        let length = if wrap { by.wrap_key(&data, &mut made) } else { by.unwrap_key(&data, &mut made) }.ok().map(<[u8]>::len);
        length.map(|length| {
            made.truncate(length);
            made
        })
    });
    or_null(ctx, made)
}
