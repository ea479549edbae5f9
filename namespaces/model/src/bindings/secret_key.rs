//! `secret_key`: a key for cryptography that no view ever shows: its material with what it is for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::fields::Fields;
use super::{Binding, BindingError};
use crate::secret::Secret;

/// A key for cryptography.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretKey {
    /// How the material is written.
    pub format: KeyFormat,
    /// The algorithm that it is for, as Web Crypto names it: a text, or an object with `name` and parameters.
    pub algorithm: Value,
    /// What it may be used for, each once.
    pub usages: Vec<&'static str>,
    /// The material: Base64, or for `jwk` its JSON.
    pub material: Secret,
}

/// How the material of a key is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFormat {
    /// The bytes of the key.
    Raw,
    /// A private key, in DER.
    Pkcs8,
    /// A public key, in DER.
    Spki,
    /// JSON Web Key.
    Jwk,
}

/// Where material that is no JSON is.
const BASE64: &str = "key_base64";
/// Where a JSON Web Key is.
const JWK: &str = "key_jwk";
/// What keys may be used for in Web Crypto.
const USAGES: [&str; 8] =
    ["encrypt", "decrypt", "sign", "verify", "deriveKey", "deriveBits", "wrapKey", "unwrapKey"];

impl KeyFormat {
    const ALL: [Self; 4] = [Self::Raw, Self::Pkcs8, Self::Spki, Self::Jwk];

    /// The name in Web Crypto.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Pkcs8 => "pkcs8",
            Self::Spki => "spki",
            Self::Jwk => "jwk",
        }
    }
}

impl SecretKey {
    /// What a script is handed: the key with what it is for, as JSON.
    #[must_use]
    pub fn handed(&self) -> String {
        let mut fields = Map::new();
        self.record(&mut fields);
        Value::Object(fields).to_string()
    }
}

impl Binding for SecretKey {
    const TYPE: &'static str = "secret_key";
    const FIELDS: &'static [&'static str] = &["format", "algorithm", "usages", BASE64, JWK];
    const IS_VARIABLE: bool = true;

    fn parse(fields: &Fields<'_>) -> Result<Self, BindingError> {
        let format = fields.text("format")?;
        let format = KeyFormat::ALL.into_iter().find(|known| known.as_str() == format);
        let format = format.ok_or_else(|| fields.wrong("format", "one of raw, pkcs8, spki and jwk"))?;
        let algorithm = fields.any("algorithm", ALGORITHM)?;
        let name = algorithm.get("name").unwrap_or(algorithm).as_str();
        if name.is_none_or(str::is_empty) {
            return Err(fields.wrong("algorithm", ALGORITHM));
        }
        fields.within_bound(algorithm.to_string().len())?;
        Ok(Self {
            format,
            algorithm: algorithm.clone(),
            usages: usages(fields)?,
            material: material(fields, format)?,
        })
    }

    fn view(&self, fields: &mut Map<String, Value>) {
        fields.insert("format".to_owned(), Value::from(self.format.as_str()));
        fields.insert("algorithm".to_owned(), self.algorithm.clone());
        fields.insert("usages".to_owned(), Value::from(self.usages.clone()));
    }

    fn record(&self, fields: &mut Map<String, Value>) {
        self.view(fields);
        let text = self.material.expose();
        let (field, value) = match self.format {
            KeyFormat::Jwk => (JWK, serde_json::from_str(text).unwrap_or_default()),
            _ => (BASE64, Value::from(text)),
        };
        fields.insert(field.to_owned(), value);
    }

    fn weight(&self) -> usize {
        self.material.expose().len() * 2 + self.algorithm.to_string().len() * 4
    }
}

const ALGORITHM: &str =
    "the name of an algorithm of Web Crypto, or an object with \"name\" and its parameters";

fn usages(fields: &Fields<'_>) -> Result<Vec<&'static str>, BindingError> {
    let wrong = || fields.wrong("usages", "a list of usages of Web Crypto, such as [\"sign\", \"verify\"]");
    let given = fields.any("usages", "a list of usages of Web Crypto")?.as_array().ok_or_else(wrong)?;
    let mut usages = Vec::new();
    for usage in given {
        let known = USAGES.into_iter().find(|known| Some(*known) == usage.as_str()).ok_or_else(wrong)?;
        if !usages.contains(&known) {
            usages.push(known);
        }
    }
    Ok(usages)
}

/// The material, in the field that goes with its format and in no other.
fn material(fields: &Fields<'_>, format: KeyFormat) -> Result<Secret, BindingError> {
    let (wanted, other) = if format == KeyFormat::Jwk { (JWK, BASE64) } else { (BASE64, JWK) };
    if fields.get(other).is_some() {
        return Err(fields.wrong(other, "left out: the format says in which field the key is"));
    }
    if format == KeyFormat::Jwk {
        let jwk = fields.any(wanted, "a JSON Web Key")?;
        if jwk.get("kty").and_then(Value::as_str).is_none() {
            return Err(fields.wrong(wanted, "a JSON Web Key: an object with \"kty\""));
        }
        let text = jwk.to_string();
        fields.within_bound(text.len())?;
        return Ok(Secret::new(text));
    }
    let text = fields.variable(wanted)?;
    match STANDARD.decode(&text) {
        Ok(bytes) if !bytes.is_empty() => Ok(Secret::new(text)),
        _ => Err(fields.wrong(wanted, "the key's bytes in Base64")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::bindings::{BindingDecl, BindingInput, BindingType};

    #[test]
    fn a_key_comes_back_from_its_record_and_is_in_no_view() {
        let hmac = json!({"type": "secret_key", "name": "K", "format": "raw", "usages": ["sign", "verify"],
            "algorithm": {"name": "HMAC", "hash": "SHA-256"}, "key_base64": "aHVudGVyMg=="});
        let jwk = json!({"type": "secret_key", "name": "K", "format": "jwk", "usages": ["encrypt"],
            "algorithm": "AES-GCM", "key_jwk": {"kty": "oct", "k": "aHVudGVyMmh1bnRlcg"}});
        for json in [hmac, jwk] {
            let decl = BindingDecl::from_json(&json).unwrap();
            assert_eq!(decl.to_record(), json);
            let seen = format!("{decl:?} {}", serde_json::to_string(&decl).unwrap());
            assert!(!seen.contains("aHVudGVy") && seen.contains("usages"), "{seen}");
        }
    }

    #[test]
    fn each_rule_is_named_and_the_key_never() {
        let good = json!({"type": "secret_key", "name": "K", "format": "raw", "usages": ["sign"],
            "algorithm": "HMAC", "key_base64": "aHVudGVyMg=="});
        for (field, value, named) in [
            ("format", json!("pem"), "one of raw"),
            ("usages", json!(["signing"]), "a list of usages"),
            ("usages", json!("sign"), "a list of usages"),
            ("algorithm", json!({"hash": "SHA-256"}), "the name of an algorithm"),
            ("algorithm", json!(7), "the name of an algorithm"),
            ("key_base64", json!("hunter2!"), "in Base64"),
            ("key_base64", json!(""), "in Base64"),
            ("key_jwk", json!({"kty": "oct", "k": "hunter2"}), "left out"),
            ("format", json!("jwk"), "left out"),
        ] {
            let mut changed = good.clone();
            changed[field] = value;
            let error = BindingDecl::from_json(&changed).unwrap_err().to_string();
            assert!(error.contains(named) && !error.contains("hunter"), "{field}: {error}");
        }
    }

    #[test]
    fn one_without_its_material_is_one_to_keep() {
        let seen = json!({"type": "secret_key", "name": "K", "format": "raw", "usages": ["sign"], "algorithm": "HMAC"});
        let input = BindingInput::from_json(&seen).unwrap();
        assert!(
            matches!(input, BindingInput::Inherit { binding_type: Some(BindingType::SecretKey), .. }),
            "{input:?}"
        );
    }
}
