//! Signatures of the fourth version: what was signed, with which key, and whether that is this request.
//!
//! The rules are those that Amazon documents as "AWS Signature Version 4" for S3: in the field `Authorization`, and in the
//! query of a URL that is good for a time. Must never tell by the time it takes how much of a signature was right.

use aws_lc_rs::{digest, hmac};
use http::header::AUTHORIZATION;
use subtle::ConstantTimeEq as _;
use wasmyard_namespaces::Timestamp;
use wasmyard_r2::checksum::{from_hex, hex};

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    /// Its SHA-256.
    Hash(Vec<u8>),
    /// Nothing.
    Unsigned,
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
        match self.payload.as_str() {
            "UNSIGNED-PAYLOAD" => Ok(Payload::Unsigned),
            digits => match from_hex(digits).filter(|hash| hash.len() == 32) {
                Some(hash) => Ok(Payload::Hash(hash)),
                None => Err(Fault::MISSING.saying(format!(
                    "a body of the form {digits:?} is not taken: send it whole, with its SHA-256 or UNSIGNED-PAYLOAD"
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
mod tests {
    use http::Request;

    use super::*;

    /// The example that Amazon's documentation gives of a signed URL, with its secret.
    const URL: &str = "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
        &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
        &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    fn verified(uri: &str, field: Option<(&str, &str)>, secret: &str, now: &str) -> Result<Payload, Fault> {
        let mut request = Request::get(uri).header("host", "examplebucket.s3.amazonaws.com");
        if let Some((name, value)) = field {
            request = request.header(name, value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let path = Asked::of(&parts).unwrap();
        Signed::of(&path)?.verify(&path, secret, now.parse().unwrap())
    }

    #[test]
    fn the_url_of_the_documentation_is_good_for_its_day_and_for_its_secret() {
        let good = verified(URL, None, SECRET, "2013-05-24T12:00:00Z");
        assert_eq!(good.unwrap(), Payload::Unsigned);
        assert!(verified(URL, None, "another", "2013-05-24T12:00:00Z").is_err());
        assert!(verified(URL, None, SECRET, "2013-05-25T00:00:01Z").is_err());
    }

    #[test]
    fn times_are_read_as_they_are_written() {
        assert_eq!(seconds("20130524T000000Z"), Some(1_369_353_600));
        for bad in
            ["20130524T000000", "2013-05-24T0000Z", "20131324T000000Z", "2013052AT000000Z", "å013052400000Z"]
        {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }

    /// A URL that is signed here, to see what does not hold of it.
    fn url(time: &str, expires: u64) -> String {
        let unsigned = format!(
            "/bucket/a%20b?X-Amz-Algorithm={ALGORITHM}&X-Amz-Credential=key%2F{}%2Fauto%2Fs3%2Faws4_request\
             &X-Amz-Date={time}&X-Amz-Expires={expires}&X-Amz-SignedHeaders=host",
            &time[..8]
        );
        let (parts, ()) = Request::get(format!("{unsigned}&X-Amz-Signature=0"))
            .header("host", "examplebucket.s3.amazonaws.com")
            .body(())
            .unwrap()
            .into_parts();
        let asked = Asked::of(&parts).unwrap();
        let signature = Signed::of(&asked).unwrap();
        let hash = hex(digest::digest(&digest::SHA256, signature.canonical(&asked).as_bytes()).as_ref());
        let text = format!("{ALGORITHM}\n{time}\n{}\n{hash}", signature.scope);
        let parts = [&time[..8], "auto", "s3", "aws4_request", &text];
        let key = parts.iter().fold(format!("AWS4{SECRET}").into_bytes(), |key, part| {
            signed(&key, part.as_bytes()).as_ref().to_vec()
        });
        format!("{unsigned}&X-Amz-Signature={}", hex(&key))
    }

    #[test]
    fn a_url_is_good_until_it_expires_and_as_it_was_signed() {
        let now = "2026-01-02T03:04:05Z";
        let good = url("20260102T030000Z", 300);
        assert_eq!(verified(&good, None, SECRET, now).unwrap(), Payload::Unsigned);
        let refused =
            |uri: &str, field, secret, now| format!("{:?}", verified(uri, field, secret, now).unwrap_err());
        assert!(refused(&good, None, "another", now).contains("SignatureDoesNotMatch"));
        assert!(refused(&good.replace("a%20b", "c"), None, SECRET, now).contains("SignatureDoesNotMatch"));
        assert!(
            refused(&good.replace("Expires=300", "Expires=900"), None, SECRET, now)
                .contains("SignatureDoesNotMatch")
        );
        assert!(refused(&good, None, SECRET, "2026-01-02T03:05:01Z").contains("is over"));
        assert!(refused(&good, Some(("x-amz-copy-source", "/a/b")), SECRET, now).contains("not signed"));
        assert!(refused(&url("20260102T032000Z", 300), None, SECRET, now).contains("RequestTimeTooSkewed"));
        assert!(refused(&good.replace("300", "604801"), None, SECRET, now).contains("X-Amz-Expires"));
        assert!(refused("/bucket/k", None, SECRET, now).contains("no signature"));
    }
}
