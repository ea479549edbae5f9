//! Signatures of the fourth version: what was signed, with which key, and whether that is this request.
//!
//! The rules are those that Amazon documents as "AWS Signature Version 4" for S3: in the field `Authorization`, and in the
//! query of a URL that is good for a time. Must never tell by the time it takes how much of a signature was right.

use aws_lc_rs::{digest, hmac};
use http::header::AUTHORIZATION;
use subtle::ConstantTimeEq as _;
use wasmyard_namespaces::Timestamp;
use wasmyard_r2::checksum::{from_hex, hex};

use crate::chunked::Chain;
use crate::fault::Fault;
use crate::request::Asked;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How far the time of a request may be from the server's, in seconds.
const SKEW: u64 = 15 * 60;
/// The longest time that a URL is good for, in seconds.
const LONGEST: u64 = 7 * 24 * 3_600;
/// Fields of the protocol that need not be signed: they ask for nothing.
const UNSIGNED: [&str; 2] = ["x-amz-content-sha256", "x-amz-user-agent"];

/// What was said of the body.
#[derive(Debug)]
pub(crate) enum Payload {
    /// Its SHA-256.
    Hash(Vec<u8>),
    /// Nothing.
    Unsigned,
    /// It comes in chunks.
    Chunked {
        /// Their signatures, where they are signed.
        chain: Option<Box<Chain>>,
        /// Whether there are fields behind the last one.
        has_trailer: bool,
    },
}

/// A signature, and what it is said to be of.
#[derive(Debug)]
pub(crate) struct Signed {
    key_id: String,
    /// Day, region, service and what ends them.
    scope: String,
    fields: Vec<String>,
    signature: String,
    /// When it was made, as it is written.
    time: String,
    /// For how many seconds it is good, in a query.
    expires: Option<u64>,
    payload: String,
}

impl Signed {
    /// The signature of a request.
    pub(crate) fn of(asked: &Asked<'_>) -> Result<Signed, Fault> {
        match asked.headers.get(AUTHORIZATION) {
            Some(field) => {
                let field = field.to_str().map_err(|_| Fault::UNSIGNED)?;
                Signed::of_field(field.strip_prefix(ALGORITHM).ok_or(Fault::UNSIGNED)?, asked)
            }
            None if asked.parameter("X-Amz-Algorithm") == Some(ALGORITHM) => Signed::of_query(asked),
            None => Err(Fault::UNSIGNED),
        }
    }

    fn of_field(field: &str, asked: &Asked<'_>) -> Result<Signed, Fault> {
        let part = |name: &str| {
            let mut parts = field.split(',').map(str::trim);
            parts.find_map(|part| part.strip_prefix(name)?.strip_prefix('=')).ok_or(Fault::UNSIGNED)
        };
        let payload = asked.field("x-amz-content-sha256");
        let payload =
            payload.ok_or_else(|| Fault::ARGUMENT.saying("the field x-amz-content-sha256 is missing"))?;
        let time = asked
            .field("x-amz-date")
            .ok_or_else(|| Fault::ARGUMENT.saying("the field x-amz-date is missing"))?;
        let names = (part("Credential")?, part("SignedHeaders")?, part("Signature")?);
        Signed::made(names, time, None, payload)
    }

    fn of_query(asked: &Asked<'_>) -> Result<Signed, Fault> {
        let part = |name: &str| asked.parameter(name).ok_or(Fault::UNSIGNED);
        let expires = asked.number("X-Amz-Expires")?.filter(|seconds| (1..=LONGEST).contains(seconds));
        let expires = expires
            .ok_or_else(|| Fault::ARGUMENT.saying(format!("X-Amz-Expires is from 1 to {LONGEST} seconds")))?;
        let payload = asked.field("x-amz-content-sha256").unwrap_or("UNSIGNED-PAYLOAD");
        let names = (part("X-Amz-Credential")?, part("X-Amz-SignedHeaders")?, part("X-Amz-Signature")?);
        Signed::made(names, part("X-Amz-Date")?, Some(expires), payload)
    }

    fn made(
        (credential, fields, signature): (&str, &str, &str),
        time: &str,
        expires: Option<u64>,
        payload: &str,
    ) -> Result<Signed, Fault> {
        let (key_id, scope) = credential.split_once('/').ok_or(Fault::UNSIGNED)?;
        Ok(Signed {
            key_id: key_id.to_owned(),
            scope: scope.to_owned(),
            fields: fields.split(';').map(str::to_owned).collect(),
            signature: signature.to_owned(),
            time: time.to_owned(),
            expires,
            payload: payload.to_owned(),
        })
    }

    /// The access key that it names.
    pub(crate) fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Whether it is this secret's, of this request, and good now: what it says of the body.
    pub(crate) fn verify(&self, asked: &Asked<'_>, secret: &str, now: Timestamp) -> Result<Payload, Fault> {
        let mut scope = self.scope.split('/');
        let (Some(day), Some(region), Some("s3"), Some("aws4_request"), None) =
            (scope.next(), scope.next(), scope.next(), scope.next(), scope.next())
        else {
            return Err(Fault::ARGUMENT.saying("the credential is KEY/DAY/REGION/s3/aws4_request"));
        };
        let made = seconds(&self.time).filter(|_| self.time.starts_with(day));
        let made = made.ok_or_else(|| {
            Fault::ARGUMENT.saying("the time is like 20260102T030405Z, of the credential's day")
        })?;
        self.covers_fields(asked)?;
        let canonical = self.canonical(asked);
        let hash = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
        let text = format!("{ALGORITHM}\n{}\n{}\n{hash}", self.time, self.scope);
        let key = [day, region, "s3", "aws4_request"]
            .iter()
            .fold(format!("AWS4{secret}").into_bytes(), |key, part| {
                signed(&key, part.as_bytes()).as_ref().to_vec()
            });
        let expected = hex(signed(&key, text.as_bytes()).as_ref());
        if !bool::from(expected.as_bytes().ct_eq(self.signature.as_bytes())) {
            return Err(Fault::SIGNATURE);
        }
        self.is_good(made, now.unix_seconds())?;
        self.payload(&key)
    }

    /// What was said of the body, whose chunks are signed with the same key.
    fn payload(&self, key: &[u8]) -> Result<Payload, Fault> {
        let chunked = |is_signed: bool, has_trailer| {
            let chain =
                is_signed.then(|| Box::new(Chain::new(key, &self.time, &self.scope, &self.signature)));
            Payload::Chunked { chain, has_trailer }
        };
        match self.payload.as_str() {
            "UNSIGNED-PAYLOAD" => Ok(Payload::Unsigned),
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => Ok(chunked(false, true)),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => Ok(chunked(true, false)),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => Ok(chunked(true, true)),
            digits => match from_hex(digits).filter(|hash| hash.len() == 32) {
                Some(hash) => Ok(Payload::Hash(hash)),
                None => Err(Fault::MISSING.saying(format!(
                    "a body of the form {digits:?} is not taken: send it with its SHA-256, as UNSIGNED-PAYLOAD, or in chunks \
                     that are signed by AWS4-HMAC-SHA256 or not at all"
                ))),
            },
        }
    }

    fn is_good(&self, made: u64, now: u64) -> Result<(), Fault> {
        if made > now.saturating_add(SKEW) {
            return Err(Fault::SKEWED);
        }
        match self.expires {
            Some(expires) if now > made.saturating_add(expires) => Err(Fault::EXPIRED),
            None if now > made.saturating_add(SKEW) => Err(Fault::SKEWED),
            Some(_) | None => Ok(()),
        }
    }

    /// Whoever has a signed URL adds nothing to it that says what is to be done.
    fn covers_fields(&self, asked: &Asked<'_>) -> Result<(), Fault> {
        let is_signed = |name: &str| self.fields.iter().any(|field| field == name);
        if !is_signed("host") {
            return Err(Fault::DENIED.saying("the field host is not signed"));
        }
        let needed = asked.headers.keys().map(http::HeaderName::as_str);
        let mut needed = needed.filter(|name| name.starts_with("x-amz-") && !UNSIGNED.contains(name));
        match needed.find(|name| !is_signed(name)) {
            Some(name) => Err(Fault::DENIED.saying(format!("the field {name} is not signed"))),
            None => Ok(()),
        }
    }

    /// The request as it is signed.
    fn canonical(&self, asked: &Asked<'_>) -> String {
        let mut fields = String::new();
        for name in &self.fields {
            let values = asked.headers.get_all(name.as_str()).iter();
            let values: Vec<String> = match name.as_str() {
                "host" => vec![asked.host.clone()],
                _ => values.map(|value| one_line(value.as_bytes())).collect(),
            };
            fields.push_str(&format!("{name}:{}\n", values.join(",")));
        }
        let (method, path, query) = (asked.method, asked.signed_path(), asked.signed_query());
        format!("{method}\n{path}\n{query}\n{fields}\n{}\n{}", self.fields.join(";"), self.payload)
    }
}

/// A value without space around it, and with one space for many.
fn one_line(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn signed(key: &[u8], bytes: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), bytes)
}

/// Seconds since 1970 of a time like `20260102T030405Z`.
fn seconds(time: &str) -> Option<u64> {
    let digits = |from: usize, to: usize| {
        time.get(from..to).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    if time.len() != 16 || time.get(8..9) != Some("T") || !time.ends_with('Z') {
        return None;
    }
    let (year, month, day) = (digits(0, 4)?, digits(4, 6)?, digits(6, 8)?);
    let (hour, minute, second) = (digits(9, 11)?, digits(11, 13)?, digits(13, 15)?);
    let written = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
    written.parse::<Timestamp>().ok().map(|time| time.unix_seconds())
}

#[cfg(test)]
mod tests;
