//! What is known of the certificate that a client showed, once it was verified.
//!
//! Owns how names in it are written: whoever compares texts must not be deceived by what stands in a name.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use rustls::pki_types::CertificateDer;
use x509_parser::asn1_rs::ToDer as _;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// A client's certificate, which one of the authorities that were asked for vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Whose it is, as RFC 4514 writes names.
    pub subject: String,
    /// Who issued it.
    pub issuer: String,
    /// Its number, in hexadecimal digits.
    pub serial: String,
    /// SHA-256 of it, in hexadecimal digits.
    pub fingerprint_sha256: String,
    /// SHA-1 of it, for those who know it by that.
    pub fingerprint_sha1: String,
    /// From when on it is valid.
    pub not_before: SystemTime,
    /// Until when it is valid.
    pub not_after: SystemTime,
    /// The identifier of its key, in hexadecimal digits; none where it has none.
    pub subject_key: Option<String>,
    /// The identifier of its issuer's key.
    pub issuer_key: Option<String>,
}

impl ClientCertificate {
    /// Reads a certificate; none of one that cannot be read here. Whether anybody vouches for it is another question.
    #[must_use]
    pub fn read(leaf: &CertificateDer<'_>) -> Option<Self> {
        let (rest, read) = X509Certificate::from_der(leaf).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let validity = read.validity();
        let (mut subject_key, mut issuer_key) = (None, None);
        for extension in read.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::SubjectKeyIdentifier(key) => subject_key = Some(hex(key.0)),
                ParsedExtension::AuthorityKeyIdentifier(key) => {
                    issuer_key = key.key_identifier.as_ref().map(|key| hex(key.0));
                }
                _ => {}
            }
        }
        Some(Self {
            subject: text_of(read.subject()),
            issuer: text_of(read.issuer()),
            serial: hex(read.raw_serial()),
            fingerprint_sha256: fingerprint(&SHA256, leaf),
            fingerprint_sha1: fingerprint(&SHA1_FOR_LEGACY_USE_ONLY, leaf),
            not_before: time(validity.not_before.timestamp())?,
            not_after: time(validity.not_after.timestamp())?,
            subject_key,
            issuer_key,
        })
    }
}

fn fingerprint(by: &'static Algorithm, leaf: &[u8]) -> String {
    hex(digest(by, leaf).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a text cannot fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

fn time(seconds: i64) -> Option<SystemTime> {
    let length = Duration::from_secs(seconds.unsigned_abs());
    let start = SystemTime::UNIX_EPOCH;
    if seconds < 0 { start.checked_sub(length) } else { start.checked_add(length) }
}

/// A name as RFC 4514 writes it: the last part first, and nothing in a value that could be taken for the end of it.
pub(super) fn text_of(name: &X509Name<'_>) -> String {
    let parts: Vec<_> = name.iter().collect();
    let part = |values: &Vec<String>| values.join("+");
    let values = |part: &&x509_parser::x509::RelativeDistinguishedName<'_>| -> Vec<String> {
        part.iter().map(attribute).collect()
    };
    parts.iter().rev().map(values).map(|values| part(&values)).collect::<Vec<_>>().join(",")
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let id = attribute.attr_type().to_id_string();
    match (short(&id), attribute.as_str()) {
        (Some(short), Ok(text)) => format!("{short}={}", escaped(text)),
        // What has no name, and what is no text, is written as it is encoded.
        (short, _) => {
            let value = attribute.attr_value().to_der_vec().map(|der| hex(&der)).unwrap_or_default();
            format!("{}=#{value}", short.unwrap_or(&id))
        }
    }
}

/// The kinds of parts that have names of letters (RFC 4514 section 3), and the two that are as common.
fn short(id: &str) -> Option<&'static str> {
    Some(match id {
        "2.5.4.3" => "CN",
        "2.5.4.5" => "serialNumber",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "STREET",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "0.9.2342.19200300.100.1.1" => "UID",
        "0.9.2342.19200300.100.1.25" => "DC",
        "1.2.840.113549.1.9.1" => "emailAddress",
        _ => return None,
    })
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let last = text.chars().count().saturating_sub(1);
    for (place, letter) in text.chars().enumerate() {
        let at_an_end = (letter == ' ' && (place == 0 || place == last)) || (letter == '#' && place == 0);
        if letter.is_control() {
            for byte in letter.to_string().bytes() {
                let _infallible = write!(escaped, "\\{byte:02x}");
            }
            continue;
        }
        if at_an_end || matches!(letter, ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair, SerialNumber};

    use super::*;

    fn made(parts: &[(DnType, DnValue)]) -> ClientCertificate {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.serial_number = Some(SerialNumber::from_slice(&[1, 0xab]));
        let mut name = DistinguishedName::new();
        parts.iter().cloned().for_each(|(kind, value)| name.push(kind, value));
        params.distinguished_name = name;
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        ClientCertificate::read(made.der()).unwrap()
    }

    fn text(value: &str) -> DnValue {
        DnValue::Utf8String(value.to_owned())
    }

    #[test]
    fn a_certificate_is_known_by_what_it_says() {
        let known = made(&[
            (DnType::CountryName, text("DE")),
            (DnType::OrganizationName, text("Shop")),
            (DnType::CommonName, text("till 7")),
        ]);
        assert_eq!(known.subject, "CN=till 7,O=Shop,C=DE");
        assert_eq!((known.issuer.as_str(), known.serial.as_str()), ("CN=till 7,O=Shop,C=DE", "01ab"));
        assert_eq!((known.fingerprint_sha256.len(), known.fingerprint_sha1.len()), (64, 40));
        assert!(known.not_before < known.not_after);
    }

    #[test]
    fn nothing_in_a_value_passes_for_another_part() {
        for (value, written) in [
            ("a,CN=admin", r"CN=a\,CN\=admin"),
            (r"a\", r"CN=a\\"),
            (" a ", r"CN=\ a\ "),
            ("#a+b", r"CN=\#a\+b"),
            ("a\nb\0", r"CN=a\0ab\00"),
            ("\u{85}", r"CN=\c2\85"),
        ] {
            assert_eq!(made(&[(DnType::CommonName, text(value))]).subject, written, "{value:?}");
        }
    }

    #[test]
    fn what_has_no_name_or_is_no_text_is_written_as_it_is_encoded() {
        let unknown = made(&[(DnType::CustomDnType(vec![1, 2, 3, 4]), text("ab"))]);
        assert_eq!(unknown.subject, "1.2.3.4=#0c026162");
        let wide = "a".parse::<rcgen::string::BmpString>().unwrap();
        let known = made(&[(DnType::CommonName, DnValue::BmpString(wide))]);
        assert_eq!(known.subject, "CN=#1e020061");
    }

    #[test]
    fn what_is_no_certificate_is_none() {
        let params = CertificateParams::new(Vec::new()).unwrap();
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let whole = made.der().to_vec();
        for length in 0..whole.len() {
            assert_eq!(ClientCertificate::read(&whole[..length].to_vec().into()), None, "{length}");
        }
        assert_eq!(ClientCertificate::read(&[whole, vec![0]].concat().into()), None);
    }
}
