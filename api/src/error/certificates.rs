//! Owns what clients are told of certificates that they bring, and of requests for certificates: the fixed text of each
//! code, and beside it the value.
//! Must never put anything of a key into a reply.

use wasmyard_namespaces::csr::{CsrError, CsrField, LONGEST_COMMON_NAME};
use wasmyard_namespaces::domain::DomainError;
use wasmyard_namespaces::hostname::CertificateError;

use super::{ApiError, Code, CsrCode};

fn again(text: &str) -> String {
    format!("{text} Check your input and try again.")
}

fn review(text: &str) -> String {
    format!("{text} Review your input and try again.")
}

/// The code and text of a rule about a certificate.
pub(super) fn text(error: &CertificateError) -> (Code, String) {
    match error {
        CertificateError::Unparsable(_) => {
            (Code::CertificateUnparsable, again("The certificate that you uploaded cannot be parsed."))
        }
        CertificateError::Empty => {
            (Code::CertificateEmpty, again("The certificate that you uploaded is empty."))
        }
        CertificateError::Key(_) => {
            (Code::CertificateKey, again("The private key you uploaded cannot be parsed."))
        }
        CertificateError::Mismatch => {
            (Code::CertificateMismatch, again("The private key you uploaded does not match the certificate."))
        }
        CertificateError::CsrId(_) => (Code::CertificateCsrId, again("The custom CSR ID is invalid.")),
        CertificateError::CsrNotFound(_) => {
            (Code::CertificateCsrNotFound, "The custom CSR was not found.".to_owned())
        }
        CertificateError::Bundle(_) => (
            Code::CertificateBundle,
            again(
                "The certificate that you uploaded is having trouble bundling against the public trust store.",
            ),
        ),
        CertificateError::ManyLeaves(_) => (
            Code::CertificateLeaves,
            again("The certificate chain that you uploaded has multiple leaf certificates."),
        ),
        CertificateError::NoLeaf => (
            Code::CertificateNoLeaf,
            again("The certificate chain that you uploaded has no leaf certificates."),
        ),
        CertificateError::OtherName { name, .. } => (
            Code::CertificateName,
            review(&format!(
                "The certificate that you uploaded does not include the custom hostname - {name}."
            )),
        ),
        CertificateError::Signature(_) => (
            Code::CertificateSignature,
            review(
                "The certificate that you uploaded does not use a supported signature algorithm. Only SHA-256/ECDSA, \
                 SHA-256/RSA, and SHA-1/RSA signature algorithms are supported.",
            ),
        ),
    }
}

impl From<CsrError> for ApiError {
    fn from(error: CsrError) -> Self {
        let (code, text) = csr_text(&error);
        Self::new(code, text).with_detail(error.to_string())
    }
}

fn csr_text(error: &CsrError) -> (CsrCode, String) {
    let required = |code, name| (code, again(&format!("{name} field is required.")));
    match error {
        CsrError::Field { field, .. } => match field {
            CsrField::Country => required(CsrCode::Country, "Country"),
            CsrField::State => required(CsrCode::State, "State"),
            CsrField::Locality => required(CsrCode::Locality, "Locality"),
            CsrField::Organization => required(CsrCode::Organization, "Organization"),
            CsrField::CommonName => required(CsrCode::CommonName, "Common Name"),
        },
        CsrError::CommonNameLong(_) => (
            CsrCode::CommonNameLong,
            again(&format!(
                "The specified Common Name is too long. Maximum allowed length is {LONGEST_COMMON_NAME} characters."
            )),
        ),
        CsrError::NoSans => {
            (CsrCode::NoSans, again("At least one subject alternative name (SAN) is required."))
        }
        CsrError::San(name) => san_text(name),
        CsrError::ManySans(_) => invalid_san(),
        CsrError::Other(_) => (CsrCode::Json, again("Unable to decode the JSON request body.")),
        CsrError::KeyType(_) => {
            (CsrCode::KeyType, again("Invalid key type. Only 'rsa2048' or 'p256v1' is accepted."))
        }
        CsrError::Id(_) => (CsrCode::Id, again("The custom CSR ID is invalid.")),
        CsrError::NotFound(_) => (CsrCode::NotFound, "The custom CSR was not found.".to_owned()),
        CsrError::TooMany => (CsrCode::Quota, "No quota has been allocated for this zone.".to_owned()),
        CsrError::NoKeys => {
            (CsrCode::Access, "Access to generating CSRs has not been granted for this zone.".to_owned())
        }
        CsrError::InUse(_) => (
            CsrCode::InUse,
            "The custom CSR is associated with an active certificate pack. You will need to delete all associated active \
             certificate packs before you can delete the custom CSR."
                .to_owned(),
        ),
    }
}

fn invalid_san() -> (CsrCode, String) {
    let text = "Invalid subject alternative name(s) (SAN). SANs have to be smaller than 256 characters in length, cannot be \
                IP addresses, cannot contain any special characters such as ~`!@#$%^&*()=+[]";
    (CsrCode::San, text.to_owned())
}

fn san_text(name: &DomainError) -> (CsrCode, String) {
    match name {
        DomainError::Grammar { .. } => invalid_san(),
        DomainError::NonAscii { .. } => (
            CsrCode::SanAscii,
            again("Subject Alternative Names (SANs) with non-ASCII characters are not supported."),
        ),
        DomainError::Reserved { .. } => (
            CsrCode::SanReserved,
            again(
                "Reserved top domain subject alternative names (SAN), such as 'test', 'example', 'invalid' or \
                 'localhost', is not supported.",
            ),
        ),
        DomainError::Suffix(reason) => (
            CsrCode::SanSuffix,
            again(&format!("Unable to parse subject alternative name(s) (SAN) - {reason}.")),
        ),
        DomainError::Documentation { .. } => (
            CsrCode::SanDocumentation,
            again(
                "Subject Alternative Names (SANs) ending in example.com, example.net, or example.org are prohibited.",
            ),
        ),
    }
}
