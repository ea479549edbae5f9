//! Another key for the account that is had with an authority (RFC 8555 section 7.3.5).
//!
//! Owns the order of it: the new key is sealed beside the old one before the authority hears of it, and takes the old one's place
//! when the authority has taken it. Who ends in between finds both, and asks the authority which of them it knows. The library
//! makes a key where it changes it, so that nobody could keep it before: the request is made here.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use instant_acme::{Account, Error, Key};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wasmyard_hostnames::certificates::PutError;
use zeroize::{Zeroize, Zeroizing};

use crate::account::Authority;
use crate::authority::Failure;
use crate::calls::{again, told};
use crate::waits::listening;

/// How often the request is made again that was refused for its nonce.
const TRIES: usize = 6;
/// Bytes in front of the two coordinates of a public key.
const UNCOMPRESSED: usize = 1;
/// Bytes of each of them.
const COORDINATE: usize = 32;

/// An account as it is kept: as the library writes it.
#[derive(Serialize, Deserialize)]
struct Kept {
    id: String,
    /// As base64url.
    key_pkcs8: String,
    directory: Option<String>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.key_pkcs8.zeroize();
    }
}

/// What of a directory is needed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Directory {
    new_nonce: String,
    key_change: Option<String>,
}

impl Authority {
    /// Gives the account another key. Whoever asks the authority meanwhile waits.
    ///
    /// # Errors
    /// [`Failure`]. Where it is not known whether the authority took the key, that is found out with the next use of the account.
    pub(crate) async fn roll(&self) -> Result<(), Failure> {
        let mut account = self.account.lock().await;
        // The account is there, and nothing of an earlier change is left.
        let opened = self.open_account().await?;
        // What is signed from now on is signed with what is kept then.
        *account = None;
        let kept = self.kept(&self.label()).await?.ok_or_else(|| damaged(&"it is gone"))?;
        let old = pair(&kept)?;
        let fresh = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        let fresh = fresh.map_err(|_| Failure::Refused("no key can be made".to_owned()))?;
        let next = Kept {
            id: kept.id.clone(),
            key_pkcs8: BASE64_URL_SAFE_NO_PAD.encode(fresh.as_ref()),
            directory: kept.directory.clone(),
        };
        let new = pair(&next)?;
        self.keep(&self.next_label(), &next).await?;
        match self.change(&kept.id, &old, &new).await {
            Ok(()) => self.promote(&next).await?,
            Err(refused @ Failure::Refused(_)) => {
                self.forget(&self.next_label()).await?;
                return Err(refused);
            }
            // It may have taken the key or not: both are kept.
            Err(failure) => return Err(failure),
        }
        tracing::info!(directory = self.directory(), account = opened.id(), "an account has another key");
        Ok(())
    }

    /// Finds out what became of a change that was not seen to its end.
    pub(crate) async fn settle(&self) -> Result<(), Failure> {
        let Some(next) = self.kept(&self.next_label()).await? else { return Ok(()) };
        let known = again(|| {
            let builder = Account::builder_with_http(Box::new(self.requests.clone()));
            let key = key(&next);
            let directory = self.directory().to_owned();
            async move { builder.from_key(key?, directory).await }
        });
        match known.await {
            Ok(((account, _), _)) if account.id() == next.id => {
                self.promote(&next).await?;
                tracing::info!(
                    account = next.id,
                    "an account has another key: its authority took it before the process ended"
                );
                Ok(())
            }
            // Of nobody's account: the old key is the one that it knows.
            Ok(_) | Err(Failure::Refused(_)) => self.forget(&self.next_label()).await,
            Err(failure) => Err(failure),
        }
    }

    /// Puts the new key in the place of the old one.
    async fn promote(&self, next: &Kept) -> Result<(), Failure> {
        self.keep(&self.label(), next).await?;
        self.forget(&self.next_label()).await
    }

    /// Asks the authority for it.
    async fn change(&self, id: &str, old: &EcdsaKeyPair, new: &EcdsaKeyPair) -> Result<(), Failure> {
        let directory = self.fetch(Method::GET, self.directory(), Bytes::new()).await?;
        let directory: Directory =
            serde_json::from_slice(&body(directory).await).map_err(|error| unreachable(&error))?;
        let Some(url) = directory.key_change else {
            return Err(Failure::Refused("it does not change keys of accounts".to_owned()));
        };
        let inner = signed(
            &json!({"alg": "ES256", "jwk": jwk(new)?, "url": url}),
            &json!({"account": id, "oldKey": jwk(old)?}),
            new,
        )?;
        for _ in 0..TRIES {
            let nonce = self.fetch(Method::HEAD, &directory.new_nonce, Bytes::new()).await?;
            let nonce = nonce.headers().get("replay-nonce").and_then(|nonce| nonce.to_str().ok());
            let nonce = nonce.ok_or_else(|| unreachable(&"it gives no nonce"))?;
            let outer = signed(&json!({"alg": "ES256", "kid": id, "nonce": nonce, "url": url}), &inner, old)?;
            let posted = listening(self.fetch(Method::POST, &url, outer.to_string().into())).await;
            let (answer, after) = (posted.0?, posted.1);
            let status = answer.status();
            if status == StatusCode::OK {
                return Ok(());
            }
            let problem: Option<instant_acme::Problem> = serde_json::from_slice(&body(answer).await).ok();
            let text = problem.as_ref().map_or_else(|| status.to_string(), told);
            let is_nonce =
                problem.and_then(|problem| problem.r#type).is_some_and(|kind| kind.ends_with(":badNonce"));
            match status {
                _ if is_nonce => {}
                StatusCode::TOO_MANY_REQUESTS => return Err(Failure::TooOften { after, text }),
                status if status.is_client_error() => return Err(Failure::Refused(text)),
                _ => return Err(Failure::Unreachable(text)),
            }
        }
        Err(unreachable(&"it takes none of its nonces"))
    }

    async fn fetch(&self, method: Method, url: &str, body: Bytes) -> Result<Response<Full<Bytes>>, Failure> {
        let request = Request::builder()
            .method(method)
            .uri(url)
            .header(header::CONTENT_TYPE, "application/jose+json")
            .header(header::USER_AGENT, "wasmyard");
        let request = request.body(Full::new(body)).map_err(|error| unreachable(&error))?;
        self.requests.fetch(request).await.map_err(|error| unreachable(&error))
    }

    async fn kept(&self, label: &str) -> Result<Option<Kept>, Failure> {
        let kept = self.store.secret(label).await.map_err(|error| failed(&error))?;
        kept.map(|kept| serde_json::from_slice(&kept).map_err(|error| damaged(&error))).transpose()
    }

    async fn keep(&self, label: &str, kept: &Kept) -> Result<(), Failure> {
        let bytes = serde_json::to_vec(kept).map(Zeroizing::new).map_err(|error| damaged(&error))?;
        self.store.keep_secret(label, bytes).await.map_err(|error| failed(&error))
    }

    async fn forget(&self, label: &str) -> Result<(), Failure> {
        self.store.forget_secret(label).await.map_err(|error| failed(&error))
    }
}

async fn body(answer: Response<Full<Bytes>>) -> Bytes {
    answer.into_body().collect().await.map_or_else(|never| match never {}, |body| body.to_bytes())
}

fn failed(error: &PutError) -> Failure {
    Failure::Unreachable(error.to_string())
}

fn unreachable(error: &dyn std::fmt::Display) -> Failure {
    Failure::Unreachable(error.to_string())
}

fn damaged(error: &dyn std::fmt::Display) -> Failure {
    Failure::Refused(format!("the account that is kept is damaged: {error}"))
}

fn der(kept: &Kept) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let decoded = BASE64_URL_SAFE_NO_PAD.decode(&kept.key_pkcs8).map(Zeroizing::new);
    decoded.map_err(|error| damaged(&error))
}

fn pair(kept: &Kept) -> Result<EcdsaKeyPair, Failure> {
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der(kept)?).map_err(|error| damaged(&error))
}

/// The key as the library has it.
fn key(kept: &Kept) -> Result<(Key, PrivateKeyDer<'static>), Error> {
    let der = der(kept).map_err(|_| Error::Str("the key that is kept is damaged"))?;
    let der = PrivatePkcs8KeyDer::from(der.to_vec());
    Ok((Key::from_pkcs8_der(der.clone_key())?, der.into()))
}

/// A public key as JSON (RFC 7517).
fn jwk(key: &EcdsaKeyPair) -> Result<Value, Failure> {
    let point = key.public_key().as_ref().get(UNCOMPRESSED..).unwrap_or_default();
    let (x, y) = point.split_at_checked(COORDINATE).ok_or_else(|| damaged(&"its key is no point"))?;
    let encode = |bytes| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    Ok(json!({"crv": "P-256", "kty": "EC", "x": encode(x), "y": encode(y)}))
}

/// A signed message (RFC 7515).
fn signed(protected: &Value, payload: &Value, key: &EcdsaKeyPair) -> Result<Value, Failure> {
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let (protected, payload) =
        (encode(protected.to_string().as_bytes()), encode(payload.to_string().as_bytes()));
    let signature = key.sign(&SystemRandom::new(), format!("{protected}.{payload}").as_bytes());
    let signature = signature.map_err(|_| Failure::Refused("nothing can be signed".to_owned()))?;
    Ok(json!({"protected": protected, "payload": payload, "signature": encode(signature.as_ref())}))
}
