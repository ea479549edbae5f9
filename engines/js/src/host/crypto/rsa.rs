//! RSA. Keys are kept in the form of PKCS#1.

use rquickjs_core::{Array, ArrayBuffer, Ctx, Function, Object, Result, Value};
use rsa::pkcs1::der::{Decode as _, Encode as _};
use rsa::pkcs1::{
    self, DecodeRsaPrivateKey as _, DecodeRsaPublicKey as _, EncodeRsaPrivateKey as _,
    EncodeRsaPublicKey as _,
};
use rsa::{BoxedUint, Oaep, Pkcs1v15Sign, PrivateKey, Pss, PublicKey};

use super::{Chance, hash, or_null, with_hash};
use crate::host::bytes;

pub(super) fn add<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    host.set("rsaGenerate", Function::new(ctx.clone(), generate)?)?;
    host.set("rsaParts", Function::new(ctx.clone(), parts)?)?;
    host.set("rsaOfParts", Function::new(ctx.clone(), of_parts)?)?;
    host.set("rsaSign", Function::new(ctx.clone(), sign)?)?;
    host.set("rsaVerify", Function::new(ctx.clone(), verify)?)?;
    host.set("rsaEncrypt", Function::new(ctx.clone(), encrypt)?)?;
    host.set("rsaDecrypt", Function::new(ctx.clone(), decrypt)?)?;
    Ok(())
}

/// A private key and its public one, or null where there is none with these numbers.
fn generate<'js>(ctx: Ctx<'js>, bits: usize, exponent: ArrayBuffer<'js>) -> Result<Value<'js>> {
    let mut chance = Chance::in_handler(&ctx)?;
    let exponent = BoxedUint::from_be_slice_vartime(&bytes(&ctx, &exponent)?);
    let made = PrivateKey::new_with_exp(&mut chance, bits, exponent).ok().and_then(|key| {
        let private = key.to_pkcs1_der().ok()?;
        Some((private, key.to_public_key().to_pkcs1_der().ok()?))
    });
    let Some((private, public)) = made else { return Ok(Value::new_null(ctx)) };
    let list = Array::new(ctx.clone())?;
    list.set(0, ArrayBuffer::new_copy(ctx.clone(), private.as_bytes())?)?;
    list.set(1, ArrayBuffer::new_copy(ctx, public.as_bytes())?)?;
    Ok(list.into_value())
}

/// The numbers of a key: n, e, and of a private one d, p, q, dp, dq, qi. Null for what is no key.
fn parts<'js>(ctx: Ctx<'js>, is_private: bool, key: ArrayBuffer<'js>) -> Result<Value<'js>> {
    let key = bytes(&ctx, &key)?;
    let numbers = if is_private {
        PrivateKey::from_pkcs1_der(&key).ok().and_then(|_| {
            let key = pkcs1::RsaPrivateKeyRef::from_der(&key).ok()?;
            let all = [
                key.modulus,
                key.public_exponent,
                key.private_exponent,
                key.prime1,
                key.prime2,
                key.exponent1,
                key.exponent2,
                key.coefficient,
            ];
            Some(all.map(|number| number.as_bytes().to_vec()).to_vec())
        })
    } else {
        PublicKey::from_pkcs1_der(&key).ok().and_then(|_| {
            let key = pkcs1::RsaPublicKeyRef::from_der(&key).ok()?;
            Some([key.modulus, key.public_exponent].map(|number| number.as_bytes().to_vec()).to_vec())
        })
    };
    let Some(numbers) = numbers else { return Ok(Value::new_null(ctx)) };
    let list = Array::new(ctx.clone())?;
    for (index, number) in numbers.into_iter().enumerate() {
        list.set(index, ArrayBuffer::new_copy(ctx.clone(), number)?)?;
    }
    Ok(list.into_value())
}

/// The key of its numbers, which are two or eight. Null where they make none.
fn of_parts<'js>(ctx: Ctx<'js>, numbers: Vec<ArrayBuffer<'js>>) -> Result<Value<'js>> {
    let numbers = numbers.iter().map(|number| bytes(&ctx, number)).collect::<Result<Vec<_>>>()?;
    let made = match numbers.as_slice() {
        [n, e] => public(n, e),
        [n, e, d, p, q, dp, dq, qi] => private([n, e, d, p, q, dp, dq, qi]),
        _ => None,
    };
    or_null(ctx, made)
}

fn public(n: &[u8], e: &[u8]) -> Option<Vec<u8>> {
    let key =
        PublicKey::new(BoxedUint::from_be_slice_vartime(n), BoxedUint::from_be_slice_vartime(e)).ok()?;
    Some(key.to_pkcs1_der().ok()?.as_bytes().to_vec())
}

fn private(numbers: [&[u8]; 8]) -> Option<Vec<u8>> {
    let [n, e, d, p, q, dp, dq, qi] = numbers.map(|number| pkcs1::UintRef::new(number).ok());
    let der = pkcs1::RsaPrivateKeyRef {
        modulus: n?,
        public_exponent: e?,
        private_exponent: d?,
        prime1: p?,
        prime2: q?,
        exponent1: dp?,
        exponent2: dq?,
        coefficient: qi?,
        other_prime_infos: None,
    };
    let der = der.to_der().ok()?;
    PrivateKey::from_pkcs1_der(&der).ok()?;
    Some(der)
}

/// Signs; with a salt where it is PSS, below zero where it is PKCS#1.
fn sign<'js>(
    ctx: Ctx<'js>,
    digest: String,
    salt: i32,
    key: ArrayBuffer<'js>,
    data: ArrayBuffer<'js>,
) -> Result<Value<'js>> {
    let mut chance = Chance::in_handler(&ctx)?;
    let hashed = hash(&ctx, &digest, &bytes(&ctx, &data)?)?;
    let Ok(key) = PrivateKey::from_pkcs1_der(&bytes(&ctx, &key)?) else { return or_null(ctx, None) };
    let made = with_hash!(&ctx, digest.as_str(), Hash => match usize::try_from(salt) {
        Ok(salt) => key.sign_with_rng(&mut chance, Pss::<Hash>::new_with_salt(salt), &hashed),
        Err(_) => key.sign_with_rng(&mut chance, Pkcs1v15Sign::new::<Hash>(), &hashed),
    });
    or_null(ctx, made.ok())
}

fn verify<'js>(
    ctx: Ctx<'js>,
    digest: String,
    salt: i32,
    key: ArrayBuffer<'js>,
    signature: ArrayBuffer<'js>,
    data: ArrayBuffer<'js>,
) -> Result<bool> {
    let hashed = hash(&ctx, &digest, &bytes(&ctx, &data)?)?;
    let signature = bytes(&ctx, &signature)?;
    let Ok(key) = PublicKey::from_pkcs1_der(&bytes(&ctx, &key)?) else { return Ok(false) };
    Ok(with_hash!(&ctx, digest.as_str(), Hash => match usize::try_from(salt) {
        Ok(salt) => key.verify(Pss::<Hash>::new_with_salt(salt), &hashed, &signature).is_ok(),
        Err(_) => key.verify(Pkcs1v15Sign::new::<Hash>(), &hashed, &signature).is_ok(),
    }))
}

/// OAEP, with the same digest for both of its uses.
fn encrypt<'js>(
    ctx: Ctx<'js>,
    digest: String,
    label: ArrayBuffer<'js>,
    key: ArrayBuffer<'js>,
    data: ArrayBuffer<'js>,
) -> Result<Value<'js>> {
    let mut chance = Chance::in_handler(&ctx)?;
    let (label, data) = (bytes(&ctx, &label)?, bytes(&ctx, &data)?);
    let Ok(key) = PublicKey::from_pkcs1_der(&bytes(&ctx, &key)?) else { return or_null(ctx, None) };
    let made = with_hash!(&ctx, digest.as_str(), Hash => key.encrypt(&mut chance, Oaep::<Hash>::new_with_label(label), &data));
    or_null(ctx, made.ok())
}

fn decrypt<'js>(
    ctx: Ctx<'js>,
    digest: String,
    label: ArrayBuffer<'js>,
    key: ArrayBuffer<'js>,
    data: ArrayBuffer<'js>,
) -> Result<Value<'js>> {
    let mut chance = Chance::in_handler(&ctx)?;
    let (label, data) = (bytes(&ctx, &label)?, bytes(&ctx, &data)?);
    let Ok(key) = PrivateKey::from_pkcs1_der(&bytes(&ctx, &key)?) else { return or_null(ctx, None) };
    let made = with_hash!(&ctx, digest.as_str(), Hash => {
        key.decrypt_blinded(&mut chance, Oaep::<Hash>::new_with_label(label), &data)
    });
    or_null(ctx, made.ok())
}
