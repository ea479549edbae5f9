//! Owns what clients are told of zones and custom hostnames: the fixed text of each code, and beside it the value.
//! Must never leave a rule without a code of its own where the API has one.

use wasmyard_namespaces::HostnameError;
use wasmyard_namespaces::client_ca::MtlsError;
use wasmyard_namespaces::domain::{DomainError, SuffixError};
use wasmyard_namespaces::hostname::TlsSetting;
use wasmyard_namespaces::registry::ZoneError;

use super::{ApiError, Code, certificates, sentence};

impl From<ZoneError> for ApiError {
    fn from(error: ZoneError) -> Self {
        let said = sentence(&error.to_string());
        let with_text = |code, text: &str| Self::new(code, text).with_detail(said.clone());
        match error {
            ZoneError::NotFound(_) => Self::new(Code::NoRoute, said),
            ZoneError::Exists(_) => Self::new(Code::ZoneExists, said),
            ZoneError::Held(_) | ZoneError::Blocked(_) | ZoneError::TooMany => {
                Self::new(Code::ZoneRefused, said)
            }
            ZoneError::RecordNotFound(_) => with_text(Code::DnsRecordNotFound, "Record does not exist."),
            ZoneError::Record(_) => with_text(Code::DnsRecord, "DNS Validation Error"),
            ZoneError::RecordExists { .. } => {
                with_text(Code::DnsRecordExists, "An identical record already exists.")
            }
            ZoneError::RecordBesideCname { .. } => with_text(
                Code::DnsRecordBesideCname,
                "An A, AAAA, or CNAME record with that host already exists.",
            ),
            ZoneError::TooManyRecords => Self::new(Code::DnsRecordQuota, said),
            ZoneError::OriginOutside(_) => Self::new(Code::FallbackOrigin, said),
            ZoneError::NoFallbackOrigin => Self::new(Code::FallbackOriginNotFound, said),
            ZoneError::HostnameNotFound(_) | ZoneError::CertificateNotFound(_) => {
                with_text(Code::HostnameNotFound, "The custom hostname was not found.")
            }
            ZoneError::Hostname(error) => error.into(),
            ZoneError::Csr(error) => error.into(),
            ZoneError::Mtls(MtlsError::NotFound(_)) => Self::new(Code::MtlsNotFound, said),
            ZoneError::Mtls(MtlsError::InUse(_)) => Self::new(Code::MtlsInUse, said),
            ZoneError::Mtls(_) => Self::new(Code::Mtls, said),
            ZoneError::NoQuota => {
                with_text(Code::HostnameNoQuota, "No quota has been allocated for this zone.")
            }
            ZoneError::Quota { .. } => with_text(Code::HostnameQuota, "Quota exceeded."),
            ZoneError::TooOften { wait, .. } => {
                Self::new(Code::TooManyCertificates, said).with_retry_after(wait)
            }
        }
    }
}

/// What the names of hostnames are called in the texts, and how their codes follow each other.
struct Named {
    one: &'static str,
    many: &'static str,
    codes: [Code; 5],
}

const HOSTNAME: Named = Named {
    one: "custom hostname",
    many: "custom hostnames",
    codes: [
        Code::HostnameName,
        Code::HostnameAscii,
        Code::HostnameReserved,
        Code::HostnameSuffix,
        Code::HostnameDocumentation,
    ],
};

const ORIGIN: Named = Named {
    one: "custom origin hostname",
    many: "custom origin hostnames",
    codes: [
        Code::OriginName,
        Code::OriginAscii,
        Code::OriginReserved,
        Code::OriginSuffix,
        Code::OriginDocumentation,
    ],
};

/// The text of a name's code.
fn name_text(named: &Named, error: &DomainError) -> (Code, String) {
    let Named { one, many, codes: [grammar, ascii, reserved, suffix, documentation] } = named;
    let many_first = sentence(many);
    let many_first = many_first.trim_end_matches('.');
    match error {
        DomainError::Grammar { .. } => {
            let special = if *one == HOSTNAME.one { r"``~`!@#$%^&*()=+[]\" } else { r"`!@#$%^&*()=+[]\" };
            let text = format!(
                "Invalid {one}. {many_first} have to be smaller than 256 characters in length, cannot be IP \
                 addresses, cannot contain any special characters such as {special}"
            );
            (*grammar, text)
        }
        DomainError::NonAscii { .. } => {
            (*ascii, again(&format!("{many_first} with non-ASCII characters are not supported.")))
        }
        DomainError::Reserved { .. } => (
            *reserved,
            again(&format!(
                "Reserved top domain {many}, such as 'test', 'example', 'invalid' or 'localhost', is not supported."
            )),
        ),
        DomainError::Suffix(reason) => (*suffix, cannot_parse(one, reason)),
        DomainError::Documentation { .. } => (
            *documentation,
            again(&format!(
                "{many_first} ending in example.com, example.net, or example.org are prohibited."
            )),
        ),
    }
}

fn cannot_parse(one: &str, reason: &SuffixError) -> String {
    again(&format!("Unable to parse {one} - {reason}."))
}

fn again(text: &str) -> String {
    format!("{text} Check your input and try again.")
}

impl From<HostnameError> for ApiError {
    fn from(error: HostnameError) -> Self {
        let (code, text) = match &error {
            HostnameError::Name(name) => name_text(&HOSTNAME, name),
            HostnameError::Origin(name) => name_text(&ORIGIN, name),
            HostnameError::SniWithoutOrigin => {
                let rule = "there is none";
                let empty = DomainError::Grammar { value: String::new(), rule };
                name_text(&ORIGIN, &empty)
            }
            HostnameError::Certificate(error) => certificates::text(error),
            other => fixed_text(other),
        };
        Self::new(code, text).with_detail(error.to_string())
    }
}

/// The code and text of a rule about anything but names.
fn fixed_text(error: &HostnameError) -> (Code, String) {
    let setting =
        |code, name, values| (code, again(&format!("Invalid `{name}` setting. Only {values} is accepted.")));
    let on_off = "'on' or 'off'";
    match error {
        HostnameError::Duplicate => {
            (Code::HostnameDuplicate, "Duplicate custom hostname found.".to_owned())
        }
        HostnameError::Rename => {
            (Code::HostnameRename, again("Modifying the custom hostname is not supported."))
        }
        HostnameError::LastCertificate => {
            (Code::HostnameRename, again("You cannot delete the only remaining certificate of a pack."))
        }
        HostnameError::Metadata(_) => {
            (Code::HostnameMetadata, again("Unable to encode the Custom Metadata as JSON."))
        }
        HostnameError::MetadataOfWildcard => (
            Code::HostnameMetadataOfWildcard,
            again("Custom metadata for wildcard custom hostnames is not supported."),
        ),
        HostnameError::OriginWildcard => {
            (Code::OriginWildcard, again("Wildcard custom origin hostnames are not supported."))
        }
        HostnameError::OriginUnknown { zone, .. } => (
            Code::OriginUnknown,
            again(&format!(
                "The custom origin hostname you specified does not exist on Cloudflare as a DNS record (A, AAAA or \
                 CNAME) in your zone:{zone}."
            )),
        ),
        HostnameError::Setting { setting: name, .. } => match name {
            TlsSetting::Http2 => setting(Code::SettingHttp2, "http2", on_off),
            TlsSetting::Tls12Only => setting(Code::SettingTls12Only, "tls_1_2_only", on_off),
            TlsSetting::Tls13 => setting(Code::SettingTls13, "tls_1_3", on_off),
            TlsSetting::MinTlsVersion => {
                setting(Code::SettingMinTlsVersion, "min_tls_version", "'1.0','1.1','1.2' or '1.3'")
            }
            TlsSetting::EarlyHints => ssl(),
        },
        HostnameError::Ciphers { .. } => (
            Code::SettingCiphers,
            again("Invalid `ciphers` setting. Refer to the documentation for the list of accepted cipher suites."),
        ),
        HostnameError::CiphersOfTls13 => (
            Code::SettingCiphersOfTls13,
            again("Cipher suite selection is not supported for a minimum TLS version of 1.3."),
        ),
        HostnameError::Method(_) => (
            Code::SslMethod,
            again("The validation method is not supported. Only `http`, `email`, or `txt` are accepted."),
        ),
        HostnameError::Type(_) => {
            (Code::SslType, again("The validation type is not supported. Only 'dv' is accepted."))
        }
        HostnameError::MethodAndType => {
            (Code::SslMethodAndType, again("Both validation type and validation method are required."))
        }
        HostnameError::BundleMethod(_) => (
            Code::SslBundleMethod,
            "The request input `bundle_method` must be one of: ubiquitous, optimal, force.".to_owned(),
        ),
        HostnameError::ManagedWildcard => (
            Code::SslManagedWildcard,
            "Custom hostnames with wildcards are not supported for certificates managed by Cloudflare. Review your \
             input and try again."
                .to_owned(),
        ),
        HostnameError::Branding => (
            Code::SslBranding,
            "Since no host is 64 characters or fewer, Cloudflare Branding is required. Please check your input and \
             try again."
                .to_owned(),
        ),
        HostnameError::Ssl(_)
        | HostnameError::Certificate(_)
        | HostnameError::Name(_)
        | HostnameError::Origin(_)
        | HostnameError::SniWithoutOrigin => ssl(),
    }
}

fn ssl() -> (Code, String) {
    (
        Code::Ssl,
        "The SSL attribute is invalid. Refer to the API documentation, check your input and try again."
            .to_owned(),
    )
}
