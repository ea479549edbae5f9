//! Requests for certificates whose keys are made here: the customer gets the request, and the key never leaves.
//!
//! Making a key of RSA takes a quarter of a second: blocks.

use rcgen::{
    CertificateParams, DistinguishedName, DnType, DnValue, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256,
};
use wasmyard_model::csr::{CsrKeyType, CsrSubject};
use zeroize::Zeroizing;

/// A request, and the key that it is signed with.
pub struct Made {
    /// The request, in PEM form.
    pub request: String,
    /// The key, as PKCS#8.
    pub private: Zeroizing<Vec<u8>>,
}

/// No request could be made of a subject.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no request can be made: {0}")]
pub struct RequestError(String);

impl From<rcgen::Error> for RequestError {
    fn from(error: rcgen::Error) -> Self {
        Self(error.to_string())
    }
}

/// Makes a key, and a request that is signed with it. Blocks.
///
/// # Errors
/// [`RequestError`] where the subject cannot be written down.
pub fn make(subject: &CsrSubject, key: CsrKeyType) -> Result<Made, RequestError> {
    let key = match key {
        CsrKeyType::Rsa2048 => KeyPair::generate_for(&PKCS_RSA_SHA256)?,
        CsrKeyType::P256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?,
    };
    let mut params = CertificateParams::new(subject.sans.clone())?;
    let mut name = DistinguishedName::new();
    // A country is a PrintableString (RFC 5280 appendix A.1).
    name.push(DnType::CountryName, DnValue::PrintableString(subject.country.as_str().try_into()?));
    for (kind, text) in [
        (DnType::StateOrProvinceName, &subject.state),
        (DnType::LocalityName, &subject.locality),
        (DnType::OrganizationName, &subject.organization),
        (DnType::OrganizationalUnitName, &subject.organizational_unit),
        (DnType::CommonName, &subject.common_name),
    ] {
        if !text.is_empty() {
            name.push(kind, text.as_str());
        }
    }
    params.distinguished_name = name;
    let request = params.serialize_request(&key)?.pem()?;
    Ok(Made { request, private: Zeroizing::new(key.serialize_der()) })
}

impl std::fmt::Debug for Made {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Made").field("request", &self.request).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    fn subject() -> CsrSubject {
        let text = str::to_owned;
        CsrSubject {
            common_name: text("app.customer.dev"),
            sans: vec![text("app.customer.dev"), text("*.app.customer.dev")],
            country: text("US"),
            state: text("MA"),
            locality: text("Boston"),
            organization: text("City of Boston"),
            organizational_unit: String::new(),
        }
    }

    /// OpenSSL reads what we made, finds it signed with its own key, and shows what was asked for.
    #[test]
    fn openssl_takes_requests_of_both_kinds() {
        for (kind, shown) in [(CsrKeyType::P256, "prime256v1"), (CsrKeyType::Rsa2048, "(2048 bit)")] {
            let made = make(&subject(), kind).unwrap();
            let mut openssl = Command::new("openssl")
                .args(["req", "-verify", "-noout", "-text"])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            openssl.stdin.take().unwrap().write_all(made.request.as_bytes()).unwrap();
            let output = openssl.wait_with_output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned()
                + &String::from_utf8_lossy(&output.stderr);
            for part in ["verify OK", "DNS:app.customer.dev, DNS:*.app.customer.dev", "City of Boston", shown]
            {
                assert!(text.contains(part), "{kind}: {part}: {text}");
            }
            assert!(output.status.success(), "{text}");
        }
    }

    #[test]
    fn a_country_that_cannot_be_written_down_is_refused_and_no_key_prints() {
        let error =
            make(&CsrSubject { country: "ÖÖ".to_owned(), ..subject() }, CsrKeyType::P256).unwrap_err();
        assert!(error.to_string().contains("no request can be made"), "{error}");
        let shown = format!("{:?}", make(&subject(), CsrKeyType::P256).unwrap());
        assert!(shown.contains("CERTIFICATE REQUEST") && !shown.contains("private"), "{shown}");
    }
}
