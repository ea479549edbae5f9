//! JSON Web Tokens, signed with HMAC-SHA256 (RFC 7519).

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use wasmyard::{Error, Result};

/// How long a token is good for.
const VALID: Duration = Duration::from_secs(60);

/// A token for the customer, good from now on for a short time.
pub(crate) fn signed(customer: &str, key: &[u8]) -> Result<String> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    sign(&serde_json::json!({ "sub": customer, "iat": now, "exp": now + VALID.as_secs() }), key)
}

fn sign(claims: &serde_json::Value, key: &[u8]) -> Result<String> {
    let header = serde_json::json!({ "alg": "HS256", "typ": "JWT" });
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&header), part(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| Error::msg("the key cannot be used"))?;
    mac.update(signed.as_bytes());
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_three_parts_and_its_signature_depends_on_the_key() {
        let claims = serde_json::json!({ "sub": "customer-a" });
        let token = sign(&claims, b"key").unwrap();
        let parts: Vec<&str> = token.split('.').collect();
        assert_eq!(parts[..2], ["eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9", "eyJzdWIiOiJjdXN0b21lci1hIn0"]);
        assert_eq!(parts[2].len(), 43);
        assert_ne!(sign(&claims, b"other").unwrap(), token);
        assert_eq!(sign(&claims, b"key").unwrap(), token);
    }
}
