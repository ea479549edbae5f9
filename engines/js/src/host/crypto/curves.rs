//! Elliptic curves: P-256, P-384, P-521, Curve25519. A private key is its scalar, a public one its point: for the first
//! three in the form of SEC 1 that is not compressed.

use curve25519_dalek::MontgomeryPoint;
use ed25519_dalek::{SigningKey, VerifyingKey};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::signature::hazmat::{PrehashSigner as _, PrehashVerifier as _};
use p256::elliptic_curve::Generate as _;
use rquickjs_core::{ArrayBuffer, Ctx, Exception, Function, Object, Result, Value};

use super::{Chance, hash, or_null};
use crate::host::bytes;

pub(super) fn add<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    host.set("ecGenerate", Function::new(ctx.clone(), ec_generate)?)?;
    host.set("ecPublic", Function::new(ctx.clone(), ec_public)?)?;
    host.set("ecPoint", Function::new(ctx.clone(), ec_point)?)?;
    host.set("ecSign", Function::new(ctx.clone(), ec_sign)?)?;
    host.set("ecVerify", Function::new(ctx.clone(), ec_verify)?)?;
    host.set("ecShared", Function::new(ctx.clone(), ec_shared)?)?;
    host.set("edPublic", Function::new(ctx.clone(), ed_public)?)?;
    host.set("edSign", Function::new(ctx.clone(), ed_sign)?)?;
    host.set("edVerify", Function::new(ctx.clone(), ed_verify)?)?;
    host.set("x25519", Function::new(ctx.clone(), x25519)?)?;
    Ok(())
}

/// Does the same with the crate of the curve that a name means.
macro_rules! with_curve {
    ($ctx:expr, $name:expr, $curve:ident => $work:expr) => {
        match $name.as_str() {
            "P-256" => {
                use p256 as $curve;
                $work
            }
            "P-384" => {
                use p384 as $curve;
                $work
            }
            "P-521" => {
                use p521 as $curve;
                $work
            }
            other => return Err(Exception::throw_type($ctx, &format!("there is no curve {other:?}"))),
        }
    };
}

/// A scalar.
fn ec_generate(ctx: Ctx<'_>, name: String) -> Result<Value<'_>> {
    let mut chance = Chance::in_handler(&ctx)?;
    let made = with_curve!(&ctx, name, curve => curve::SecretKey::generate_from_rng(&mut chance).to_bytes().to_vec());
    or_null(ctx, Some(made))
}

/// The point of a scalar, or null.
fn ec_public<'js>(ctx: Ctx<'js>, name: String, private: ArrayBuffer<'js>) -> Result<Value<'js>> {
    let private = bytes(&ctx, &private)?;
    let made = with_curve!(&ctx, name, curve => curve::SecretKey::from_slice(&private)
        .ok()
        .map(|key| key.public_key().to_sec1_bytes().to_vec()));
    or_null(ctx, made)
}

/// A point in the form that is not compressed, or null for what is none of the curve.
fn ec_point<'js>(ctx: Ctx<'js>, name: String, point: ArrayBuffer<'js>) -> Result<Value<'js>> {
    let point = bytes(&ctx, &point)?;
    let made = with_curve!(&ctx, name, curve => curve::PublicKey::from_sec1_bytes(&point)
        .ok()
        .map(|key| key.to_sec1_bytes().to_vec()));
    or_null(ctx, made)
}

/// ECDSA with the nonce of RFC 6979: no signature depends on how good the randomness is.
fn ec_sign<'js>(
    ctx: Ctx<'js>,
    name: String,
    digest: String,
    private: ArrayBuffer<'js>,
    data: ArrayBuffer<'js>,
) -> Result<Value<'js>> {
    let hashed = hash(&ctx, &digest, &bytes(&ctx, &data)?)?;
    let private = bytes(&ctx, &private)?;
    let made = with_curve!(&ctx, name, curve => {
        let signature: Option<curve::ecdsa::Signature> = curve::ecdsa::SigningKey::from_slice(&private)
            .ok()
            .and_then(|key| key.sign_prehash(&hashed).ok());
        signature.map(|signature| signature.to_bytes().to_vec())
    });
    or_null(ctx, made)
}

fn ec_verify<'js>(
    ctx: Ctx<'js>,
    name: String,
    digest: String,
    public: ArrayBuffer<'js>,
    signature: ArrayBuffer<'js>,
    data: ArrayBuffer<'js>,
) -> Result<bool> {
    let hashed = hash(&ctx, &digest, &bytes(&ctx, &data)?)?;
    let (public, signature) = (bytes(&ctx, &public)?, bytes(&ctx, &signature)?);
    Ok(with_curve!(&ctx, name, curve => {
        let key = curve::ecdsa::VerifyingKey::from_sec1_bytes(&public);
        let signature = curve::ecdsa::Signature::from_slice(&signature);
        matches!((key, signature), (Ok(key), Ok(signature)) if key.verify_prehash(&hashed, &signature).is_ok())
    }))
}

/// What two share: the coordinate x.
fn ec_shared<'js>(
    ctx: Ctx<'js>,
    name: String,
    private: ArrayBuffer<'js>,
    public: ArrayBuffer<'js>,
) -> Result<Value<'js>> {
    let (private, public) = (bytes(&ctx, &private)?, bytes(&ctx, &public)?);
    let made = with_curve!(&ctx, name, curve => {
        let private = curve::SecretKey::from_slice(&private).ok();
        let public = curve::PublicKey::from_sec1_bytes(&public).ok();
        private.zip(public).map(|(private, public)| private.diffie_hellman(&public).raw_secret_bytes().to_vec())
    });
    or_null(ctx, made)
}

fn ed_key(seed: &[u8]) -> Option<SigningKey> {
    Some(SigningKey::from_bytes(seed.try_into().ok()?))
}

fn ed_public<'js>(ctx: Ctx<'js>, seed: ArrayBuffer<'js>) -> Result<Value<'js>> {
    let seed = bytes(&ctx, &seed)?;
    or_null(ctx, ed_key(&seed).map(|key| key.verifying_key().to_bytes().to_vec()))
}

fn ed_sign<'js>(ctx: Ctx<'js>, seed: ArrayBuffer<'js>, data: ArrayBuffer<'js>) -> Result<Value<'js>> {
    let (seed, data) = (bytes(&ctx, &seed)?, bytes(&ctx, &data)?);
    or_null(ctx, ed_key(&seed).map(|key| key.sign(&data).to_bytes().to_vec()))
}

/// Strictly: keys and signatures of small order are refused, as the standard has it.
fn ed_verify<'js>(
    ctx: Ctx<'js>,
    public: ArrayBuffer<'js>,
    signature: ArrayBuffer<'js>,
    data: ArrayBuffer<'js>,
) -> Result<bool> {
    let (public, signature) = (bytes(&ctx, &public)?, bytes(&ctx, &signature)?);
    let data = bytes(&ctx, &data)?;
    let key = public.as_slice().try_into().ok().and_then(|public| VerifyingKey::from_bytes(public).ok());
    let signature = ed25519_dalek::Signature::from_slice(&signature).ok();
    Ok(key.zip(signature).is_some_and(|(key, signature)| key.verify_strict(&data, &signature).is_ok()))
}

/// RFC 7748: a point times a scalar, or the base point where none is given. Null where all of it is zero.
fn x25519<'js>(
    ctx: Ctx<'js>,
    private: ArrayBuffer<'js>,
    public: Option<ArrayBuffer<'js>>,
) -> Result<Value<'js>> {
    let Ok(private) = <[u8; 32]>::try_from(bytes(&ctx, &private)?) else { return or_null(ctx, None) };
    let made = match public {
        None => MontgomeryPoint::mul_base_clamped(private),
        Some(public) => match <[u8; 32]>::try_from(bytes(&ctx, &public)?) {
            Ok(public) => MontgomeryPoint(public).mul_clamped(private),
            Err(_) => return or_null(ctx, None),
        },
    };
    let made = made.to_bytes();
    or_null(ctx, made.iter().any(|byte| *byte != 0).then(|| made.to_vec()))
}
