//! Owns the tokens of uploads of assets: JSON Web Tokens, signed with HMAC-SHA-256 and nothing else.
//! Must never look at what a token says of its own algorithm: its header is compared as a whole with the only one
//! that this server writes.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};
use wasmyard_namespaces::{AssetScope, AssetSession, Secret, Timestamp};

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
const ISSUER: &str = "wasmyard";
/// Longer texts are not looked at.
const LONGEST: usize = 4_096;

/// What a token is good for. One for one thing is good for nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Purpose {
    /// Uploading contents.
    #[serde(rename = "assets-upload")]
    Upload,
    /// Deploying the script with the uploaded contents.
    #[serde(rename = "assets-deploy")]
    Deploy,
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claims {
    iss: String,
    aud: Purpose,
    /// The account of the session.
    acc: String,
    /// Where its contents are kept.
    scp: AssetScope,
    /// The script.
    #[serde(rename = "sub")]
    pub(super) script: String,
    /// The session.
    #[serde(rename = "sid")]
    pub(super) session: String,
    /// The declared manifest.
    #[serde(rename = "man")]
    pub(super) manifest: String,
    exp: u64,
}

/// Why a token is worth nothing. Safe to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("send the token of an upload session as \"Authorization: Bearer <jwt>\"")]
    Unreadable,
    #[error("the token was not made by this server, or was altered; begin another upload session")]
    Signature,
    #[error("the upload session is over; begin another one, which asks only for what is missing")]
    Expired,
    #[error("the token is for another step of the upload; session tokens upload, completion tokens deploy")]
    Purpose,
    #[error("the token is for another account")]
    Account,
    #[error("the token is for another script; begin an upload session for this one")]
    OtherScript,
}

impl Claims {
    pub(super) fn new(purpose: Purpose, account: &str, script: String, session: &AssetSession) -> Claims {
        Claims {
            iss: ISSUER.to_owned(),
            aud: purpose,
            acc: account.to_owned(),
            scp: session.scope.clone(),
            script,
            session: session.id.clone(),
            manifest: session.manifest.to_string(),
            exp: session.expires_on.unix_seconds(),
        }
    }

    pub(super) fn scope(&self) -> AssetScope {
        self.scp.clone()
    }

    pub(super) fn sign(&self, key: &Secret) -> String {
        // Texts and numbers: writing them as JSON cannot fail.
        let claims = serde_json::to_vec(self).unwrap_or_default();
        let mut token = BASE64.encode(HEADER);
        token.push('.');
        BASE64.encode_string(claims, &mut token);
        let signature = hmac::sign(&signing(key), token.as_bytes());
        token.push('.');
        BASE64.encode_string(signature, &mut token);
        token
    }

    /// Reads a token that is good for this purpose and account at this moment.
    pub(super) fn verify(
        key: &Secret,
        token: &str,
        purpose: Purpose,
        account: &str,
        now: Timestamp,
    ) -> Result<Claims, Fault> {
        if token.len() > LONGEST {
            return Err(Fault::Unreadable);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Fault::Unreadable)?;
        let (header, claims) = signed.split_once('.').ok_or(Fault::Unreadable)?;
        let signature = BASE64.decode(signature).map_err(|_| Fault::Signature)?;
        // Nothing of the token is interpreted before this.
        hmac::verify(&signing(key), signed.as_bytes(), &signature).map_err(|_| Fault::Signature)?;
        if BASE64.decode(header).ok().as_deref() != Some(HEADER.as_bytes()) {
            return Err(Fault::Signature);
        }
        let claims = BASE64.decode(claims).map_err(|_| Fault::Signature)?;
        let claims: Claims = serde_json::from_slice(&claims).map_err(|_| Fault::Signature)?;
        if claims.iss != ISSUER {
            return Err(Fault::Signature);
        }
        if claims.aud != purpose {
            return Err(Fault::Purpose);
        }
        if claims.acc != account {
            return Err(Fault::Account);
        }
        if claims.exp <= now.unix_seconds() {
            return Err(Fault::Expired);
        }
        Ok(claims)
    }
}

fn signing(key: &Secret) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Claims {
        Claims {
            iss: ISSUER.to_owned(),
            aud: Purpose::Upload,
            acc: "acc1".to_owned(),
            scp: AssetScope::platform(),
            script: "site".to_owned(),
            session: "s".to_owned(),
            manifest: "m".to_owned(),
            exp: 99_999_999_999,
        }
    }

    fn verify(token: &str) -> Result<Claims, Fault> {
        verify_at(token, "2026-01-02T03:04:05Z")
    }

    fn verify_at(token: &str, now: &str) -> Result<Claims, Fault> {
        Claims::verify(&Secret::new("key"), token, Purpose::Upload, "acc1", now.parse().unwrap())
    }

    #[test]
    fn a_token_is_good_until_the_second_in_which_it_expires() {
        let expires: Timestamp = "2026-01-02T04:00:00Z".parse().unwrap();
        let token = Claims { exp: expires.unix_seconds(), ..claims() }.sign(&Secret::new("key"));
        assert!(verify_at(&token, "2026-01-02T03:59:59Z").is_ok());
        for late in ["2026-01-02T04:00:00Z", "2026-01-09T00:00:00Z"] {
            assert_eq!(verify_at(&token, late), Err(Fault::Expired), "{late}");
        }
    }

    #[test]
    fn a_token_comes_back_as_it_was_and_others_can_read_its_expiry() {
        let token = claims().sign(&Secret::new("key"));
        assert_eq!(verify(&token).unwrap(), claims());
        let middle = token.split('.').nth(1).unwrap();
        let read: serde_json::Value = serde_json::from_slice(&BASE64.decode(middle).unwrap()).unwrap();
        assert_eq!(read["exp"], 99_999_999_999_u64);
        assert_eq!(token.split('.').count(), 3);
    }

    #[test]
    fn a_known_signature() {
        // The example of RFC 7515, appendix A.1: its key and its text, and the signature that it gives.
        let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
        let key = hmac::Key::new(hmac::HMAC_SHA256, &BASE64.decode(key).unwrap());
        let text = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        assert_eq!(
            BASE64.encode(hmac::sign(&key, text.as_bytes())),
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        );
    }

    #[test]
    fn every_other_token_is_refused() {
        let key = Secret::new("key");
        let good = claims().sign(&key);
        assert_eq!(verify(&claims().sign(&Secret::new("other"))), Err(Fault::Signature));
        assert_eq!(verify(&Claims { aud: Purpose::Deploy, ..claims() }.sign(&key)), Err(Fault::Purpose));
        assert_eq!(verify(&Claims { acc: "acc2".to_owned(), ..claims() }.sign(&key)), Err(Fault::Account));
        assert_eq!(verify(&Claims { exp: 1, ..claims() }.sign(&key)), Err(Fault::Expired));
        assert_eq!(verify(&Claims { iss: "x".to_owned(), ..claims() }.sign(&key)), Err(Fault::Signature));
        // Any altered character, and a signature that is gone.
        for at in (0..good.len()).step_by(7) {
            let mut altered = good.clone().into_bytes();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            assert!(verify(&String::from_utf8(altered).unwrap()).is_err(), "{at}");
        }
        let unsigned = good.rsplit_once('.').unwrap().0;
        assert_eq!(verify(&format!("{unsigned}.")), Err(Fault::Signature));
        for text in ["", ".", "..", "a.b", "a.b.c", &"x".repeat(5_000)] {
            assert!(verify(text).is_err(), "{text}");
        }
    }

    #[test]
    fn another_algorithm_is_refused_even_when_the_signature_is_right() {
        let key = Secret::new("key");
        for header in
            [r#"{"alg":"none"}"#, r#"{"alg":"HS512","typ":"JWT"}"#, r#"{"typ":"JWT","alg":"HS256"}"#]
        {
            let claims = BASE64.encode(serde_json::to_vec(&claims()).unwrap());
            let signed = format!("{}.{claims}", BASE64.encode(header));
            let signature = BASE64.encode(hmac::sign(&signing(&key), signed.as_bytes()));
            assert_eq!(verify(&format!("{signed}.{signature}")), Err(Fault::Signature), "{header}");
        }
    }
}
