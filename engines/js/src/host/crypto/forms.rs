//! The forms in which keys travel: SubjectPublicKeyInfo, PKCS#8, and the private keys of SEC 1 inside of it.

use pkcs8::der::asn1::{AnyRef, BitStringRef, Null, OctetStringRef};
use pkcs8::der::{Decode as _, Encode as _};
use pkcs8::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use pkcs8::{ObjectIdentifier, PrivateKeyInfoRef};
use rquickjs_core::{Array, ArrayBuffer, Ctx, Function, Object, Result, Value};
use sec1::EcPrivateKey;

use super::or_null;
use crate::host::bytes;

pub(super) fn add<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    host.set("readKey", Function::new(ctx.clone(), read)?)?;
    host.set("writeKey", Function::new(ctx.clone(), write)?)?;
    Ok(())
}

/// A list: what algorithm it is for and what its parameters name (both as dotted numbers), the key, and where one of an
/// elliptic curve tells it the public one. Null for what is no key.
fn read<'js>(ctx: Ctx<'js>, is_private: bool, der: ArrayBuffer<'js>) -> Result<Value<'js>> {
    let der = bytes(&ctx, &der)?;
    let told = if is_private { private_of(&der) } else { public_of(&der) };
    let Some((algorithm, parameter, key, public)) = told else { return Ok(Value::new_null(ctx)) };
    let list = Array::new(ctx.clone())?;
    list.set(0, algorithm.to_string())?;
    list.set(1, parameter.map(|parameter| parameter.to_string()))?;
    list.set(2, ArrayBuffer::new_copy(ctx.clone(), key)?)?;
    if let Some(public) = public {
        list.set(3, ArrayBuffer::new_copy(ctx, public)?)?;
    }
    Ok(list.into_value())
}

type Told = (ObjectIdentifier, Option<ObjectIdentifier>, Vec<u8>, Option<Vec<u8>>);

fn public_of(der: &[u8]) -> Option<Told> {
    let info = SubjectPublicKeyInfoRef::from_der(der).ok()?;
    let (algorithm, parameter) = oids(&info.algorithm);
    Some((algorithm, parameter, info.subject_public_key.as_bytes()?.to_vec(), None))
}

fn private_of(der: &[u8]) -> Option<Told> {
    let info = PrivateKeyInfoRef::from_der(der).ok()?;
    let (algorithm, parameter) = oids(&info.algorithm);
    let key = info.private_key.as_bytes();
    if algorithm == OF_CURVES {
        let inner = EcPrivateKey::from_der(key).ok()?;
        return Some((
            algorithm,
            parameter,
            inner.private_key.to_vec(),
            inner.public_key.map(<[u8]>::to_vec),
        ));
    }
    if parameter.is_none() && info.algorithm.parameters.is_none() {
        // Curve25519: the key is once more a string of bytes (RFC 8410).
        let inner = <&OctetStringRef>::from_der(key).ok()?;
        return Some((algorithm, None, inner.as_bytes().to_vec(), None));
    }
    Some((algorithm, parameter, key.to_vec(), None))
}

fn oids(algorithm: &AlgorithmIdentifierRef<'_>) -> (ObjectIdentifier, Option<ObjectIdentifier>) {
    let parameter =
        algorithm.parameters.and_then(|parameters| parameters.decode_as::<ObjectIdentifier>().ok());
    (algorithm.oid, parameter)
}

/// id-ecPublicKey of RFC 5480.
const OF_CURVES: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// rsaEncryption of RFC 8017.
const OF_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// The other way round. `public` is what a private key of an elliptic curve tells of its point.
fn write<'js>(
    ctx: Ctx<'js>,
    is_private: bool,
    algorithm: String,
    parameter: Option<String>,
    key: ArrayBuffer<'js>,
    public: Option<ArrayBuffer<'js>>,
) -> Result<Value<'js>> {
    let key = bytes(&ctx, &key)?;
    let public = public.map(|public| bytes(&ctx, &public)).transpose()?;
    let made = written(is_private, &algorithm, parameter.as_deref(), &key, public.as_deref());
    or_null(ctx, made)
}

fn written(
    is_private: bool,
    algorithm: &str,
    parameter: Option<&str>,
    key: &[u8],
    public: Option<&[u8]>,
) -> Option<Vec<u8>> {
    let oid = ObjectIdentifier::new(algorithm).ok()?;
    let parameter = parameter.map(ObjectIdentifier::new).transpose().ok()?;
    let parameters = match &parameter {
        Some(parameter) => Some(AnyRef::from(parameter)),
        None => (oid == OF_RSA).then(|| AnyRef::from(Null)),
    };
    let algorithm = AlgorithmIdentifierRef { oid, parameters };
    if !is_private {
        let subject_public_key = BitStringRef::from_bytes(key).ok()?;
        return SubjectPublicKeyInfoRef { algorithm, subject_public_key }.to_der().ok();
    }
    let inner = if oid == OF_CURVES {
        EcPrivateKey { private_key: key, parameters: None, public_key: public }.to_der().ok()?
    } else if oid == OF_RSA {
        key.to_vec()
    } else {
        OctetStringRef::new(key).ok()?.to_der().ok()?
    };
    PrivateKeyInfoRef::new(algorithm, OctetStringRef::new(&inner).ok()?).to_der().ok()
}
