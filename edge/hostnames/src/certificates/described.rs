//! What is shown of a certificate, read from the certificate itself.

use aws_lc_rs::digest::{SHA256, digest};
use rustls::pki_types::CertificateDer;
use wasmyard_listener::tls::ClientCertificate;
use wasmyard_model::hostname::{CertificateKey, HostnameCertificate};
use wasmyard_model::ids::CertificateId;
use wasmyard_model::timestamp::Timestamp;
use yasna::models::ObjectIdentifier;
use yasna::tags::{TAG_IA5STRING, TAG_PRINTABLESTRING, TAG_UTF8STRING};
use yasna::{ASN1Result, BERReader, BERReaderSeq, Tag};

use super::pair::Pair;
use super::record::KeyKind;
use crate::name::ServedName;

/// The most letters of a text that is taken from a certificate.
const LONGEST_TEXT: usize = 256;
/// The most bytes of a certificate's number (RFC 5280 section 4.1.2.2), with some to spare.
const LONGEST_SERIAL: usize = 64;

const ORGANIZATION: &[u64] = &[2, 5, 4, 10];
const COMMON_NAME: &[u64] = &[2, 5, 4, 3];

/// What is shown of the leaf of a pair; none of one that cannot be read.
#[must_use]
pub fn describe(pair: &Pair, id: CertificateId, uploaded_on: Timestamp) -> Option<HostnameCertificate> {
    let leaf = pair.chain().first()?;
    let read = yasna::parse_der(leaf, certificate).ok()?;
    let key = match pair.kind() {
        KeyKind::Elliptic => CertificateKey::Ecdsa,
        KeyKind::Rsa => CertificateKey::Rsa,
    };
    let named = |by: &[u64]| read.issuer.iter().find(|(kind, _)| kind == by).map(|(_, name)| name.as_str());
    let issuer = named(ORGANIZATION).or_else(|| named(COMMON_NAME)).unwrap_or_default();
    let fingerprint = digest(&SHA256, leaf);
    Some(HostnameCertificate {
        id,
        key,
        hosts: pair.names().iter().map(|name| ServedName::as_str(name).to_owned()).collect(),
        issuer: issuer.chars().filter(|letter| !letter.is_control()).take(LONGEST_TEXT).collect(),
        serial_number: decimal(&read.serial)?,
        signature: signature(&read.signature).to_owned(),
        not_before: Timestamp::from(pair.not_before()),
        expires_on: Timestamp::from(pair.not_after()),
        fingerprint_sha256: fingerprint.as_ref().iter().map(|byte| format!("{byte:02x}")).collect(),
        uploaded_on,
    })
}

/// What is shown of an authority of clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedAuthority {
    /// Who issued it, as RFC 4514 writes names.
    pub issuer: String,
    /// How it is signed.
    pub signature: String,
    /// Its number.
    pub serial_number: String,
    /// Until when it is valid.
    pub expires_on: Timestamp,
}

/// What is shown of the certificate of an authority; none of one that cannot be read.
#[must_use]
pub fn describe_authority(authority: &CertificateDer<'_>) -> Option<DescribedAuthority> {
    let read = yasna::parse_der(authority, certificate).ok()?;
    let known = ClientCertificate::read(authority)?;
    Some(DescribedAuthority {
        issuer: known.issuer,
        signature: signature(&read.signature).to_owned(),
        serial_number: decimal(&read.serial)?,
        expires_on: Timestamp::from(known.not_after),
    })
}

/// What of a certificate is read here.
struct Read {
    serial: Vec<u8>,
    /// The parts of the issuer's name: what each is, and its text.
    issuer: Vec<(Vec<u64>, String)>,
    signature: Vec<u64>,
}

/// `Certificate` of RFC 5280 section 4.1.
fn certificate(reader: BERReader<'_, '_>) -> ASN1Result<Read> {
    reader.read_sequence(|parts| {
        let (serial, issuer) = parts.next().read_sequence(|body| {
            let version = Tag::context(0);
            body.read_optional(|version_of| version_of.read_tagged(version, |number| number.read_der()))?;
            let (serial, _is_positive) = body.next().read_bigint_bytes()?;
            body.next().read_der()?;
            let issuer = body.next().collect_sequence_of(|set| set.collect_set_of(name_part))?;
            rest(body)?;
            Ok((serial, issuer.into_iter().flatten().flatten().collect()))
        })?;
        let signature = parts.next().read_sequence(|algorithm| {
            let id = algorithm.next().read_oid()?;
            rest(algorithm)?;
            Ok(id)
        })?;
        parts.next().read_der()?;
        Ok(Read { serial, issuer, signature: components(&signature) })
    })
}

/// One part of a name; none of a kind of text that is not read.
fn name_part(reader: BERReader<'_, '_>) -> ASN1Result<Option<(Vec<u64>, String)>> {
    reader.read_sequence(|part| {
        let kind = part.next().read_oid()?;
        let value = part.next().read_tagged_der()?;
        let is_text = [TAG_UTF8STRING, TAG_PRINTABLESTRING, TAG_IA5STRING].contains(&value.tag());
        let text = String::from_utf8_lossy(value.value()).into_owned();
        Ok(is_text.then(|| (components(&kind), text)))
    })
}

fn rest(parts: &mut BERReaderSeq<'_, '_>) -> ASN1Result<()> {
    while parts.read_optional(|part| part.read_der())?.is_some() {}
    Ok(())
}

fn components(id: &ObjectIdentifier) -> Vec<u64> {
    id.components().clone()
}

/// A number as people write it.
fn decimal(bytes: &[u8]) -> Option<String> {
    if bytes.len() > LONGEST_SERIAL {
        return None;
    }
    // Digits of the result, the last first.
    let mut digits = vec![0u32];
    for byte in bytes {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            let value = *digit * 256 + carry;
            *digit = value % 10;
            carry = value / 10;
        }
        while carry > 0 {
            digits.push(carry % 10);
            carry /= 10;
        }
    }
    digits.iter().rev().map(|digit| char::from_digit(*digit, 10)).collect()
}

/// How v4 clients know an algorithm of signatures.
fn signature(id: &[u64]) -> &'static str {
    match id {
        [1, 2, 840, 10_045, 4, 3, 2] => "ECDSAWithSHA256",
        [1, 2, 840, 10_045, 4, 3, 3] => "ECDSAWithSHA384",
        [1, 2, 840, 10_045, 4, 3, 4] => "ECDSAWithSHA512",
        [1, 2, 840, 113_549, 1, 1, 5] => "SHA1WithRSA",
        [1, 2, 840, 113_549, 1, 1, 10] => "SHA256WithRSAPSS",
        [1, 2, 840, 113_549, 1, 1, 11] => "SHA256WithRSA",
        [1, 2, 840, 113_549, 1, 1, 12] => "SHA384WithRSA",
        [1, 2, 840, 113_549, 1, 1, 13] => "SHA512WithRSA",
        [1, 3, 101, 112] => "Ed25519",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{
        CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, SerialNumber,
    };

    use super::*;

    #[test]
    fn a_number_is_written_in_decimal() {
        for (bytes, text) in [
            (&[0u8][..], "0"),
            (&[255], "255"),
            (&[1, 0], "256"),
            (&[1, 0, 0, 0, 0, 0, 0, 0, 0], "18446744073709551616"),
        ] {
            assert_eq!(decimal(bytes).as_deref(), Some(text));
        }
        assert_eq!(decimal(&[1; LONGEST_SERIAL + 1]), None);
    }

    #[test]
    fn what_is_shown_of_a_certificate_is_what_it_says() {
        let mut params = CertificateParams::new(["shop.test".to_owned(), "*.shop.test".to_owned()]).unwrap();
        params.serial_number = Some(SerialNumber::from_slice(&[1, 2, 3]));
        let mut name = DistinguishedName::new();
        name.push(DnType::OrganizationName, "Example Authority");
        name.push(DnType::CommonName, "leaf");
        params.distinguished_name = name;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let made = params.self_signed(&key).unwrap();
        let pair = Pair::from_pem(made.pem().as_bytes(), key.serialize_pem().as_bytes()).unwrap();
        let id = CertificateId::parse("1d74f419-c24c-4619-9ff2-489751b61d27").unwrap();
        let now = Timestamp::now();
        let shown = describe(&pair, id.clone(), now).unwrap();
        assert_eq!((shown.id, shown.key, shown.uploaded_on), (id, CertificateKey::Ecdsa, now));
        assert_eq!(shown.hosts, ["shop.test", "*.shop.test"]);
        assert_eq!((shown.issuer.as_str(), shown.serial_number.as_str()), ("Example Authority", "66051"));
        assert_eq!((shown.signature.as_str(), shown.fingerprint_sha256.len()), ("ECDSAWithSHA256", 64));
        assert!(shown.not_before < shown.expires_on);
    }
}
