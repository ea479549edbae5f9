//! A custom hostname as clients see it: what was set as it was set, what was not set left out.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use wasmyard_namespaces::CustomHostname;
use wasmyard_namespaces::hostname::{Flaw, HostnameCertificate, Issuing, Ssl, TlsSettings, ValidationRecord};

/// A custom hostname as clients see it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CustomHostname")]
pub(crate) struct View {
    id: String,
    hostname: String,
    /// Whether the name was shown to be the customer's: "pending", "active", "moved" and their like.
    status: &'static str,
    created_at: String,
    /// What is missing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    verification_errors: Vec<String>,
    ownership_verification: OwnershipTxt,
    ownership_verification_http: OwnershipHttp,
    /// What the last check saw; left out before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    ownership_checks: Option<Checks>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_metadata: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_origin_server: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_origin_sni: Option<String>,
    /// The certificate that was asked for; left out where none was.
    #[serde(skip_serializing_if = "Option::is_none")]
    ssl: Option<SslView>,
    /// What the configuration names of it, and so only the configuration changes for good; left out where it names nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    declared: Option<Vec<String>>,
}

/// The TXT record that shows whose the name is.
#[derive(Serialize, JsonSchema)]
struct OwnershipTxt {
    #[serde(rename = "type")]
    kind: &'static str,
    name: String,
    value: String,
}

/// The file that shows it.
#[derive(Serialize, JsonSchema)]
struct OwnershipHttp {
    http_url: String,
    http_body: String,
}

/// Checks whether the name is the customer's.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CustomHostnameChecks")]
struct Checks {
    /// When the present row of checks began.
    began: String,
    /// How many of it found nothing.
    tries: u32,
    /// When the next one is; left out where it is about to be made, or where none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_check_at: Option<String>,
    /// What was seen and missed, by which name server.
    seen: Vec<String>,
    /// The mistakes among that, what explains others first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mistakes: Vec<MistakeView>,
}

/// One mistake of a customer's.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CustomHostnameMistake")]
struct MistakeView {
    /// Which: "record_missing", "cname_elsewhere" and their like.
    code: &'static str,
    /// What was looked at: "TXT", "CNAME", "A", "AAAA", "CAA" or "HTTP".
    #[serde(rename = "type")]
    place: &'static str,
    /// The name of the record, or the URL.
    name: String,
    /// What is wanted there.
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<String>,
    /// What was seen.
    seen: String,
    /// Which name servers saw it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    seen_by: Vec<String>,
    /// What the customer can do.
    remedy: String,
}

/// How far the order of a certificate is.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CustomHostnameIssue")]
struct IssueView {
    /// When the certificate was asked for, or asked for again.
    began: String,
    /// How often nothing came of it.
    tries: u32,
    /// When it is gone on with.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_check_at: Option<String>,
    /// What keeps the authority from seeing what it wants to see.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mistakes: Vec<MistakeView>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CustomHostnameSsl")]
struct SslView {
    id: String,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'static str>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    wildcard: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bundle_method: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_authority: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<SettingsView>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<Map<String, Value>>")]
    validation_records: Vec<ValidationRecord>,
    /// The record by which its validation is delegated to the platform, for this certificate and all that follow.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dcv_delegation_records: Vec<Delegated>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    validation_errors: Vec<Said>,
    /// How far the certificate is that is being ordered; left out where none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    validation_checks: Option<IssueView>,
    /// What its certificates are for, and who issued them until when: of the first of them, which most clients are served.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hosts: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    serial_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uploaded_on: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_on: Option<String>,
    /// When the next certificates are asked for: as the authority says, where it says so. Left out where nobody is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    renew_at: Option<String>,
    /// The certificate that was uploaded, byte for byte; its key is never shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_certificate: Option<String>,
    /// The custom CSR that it was made for.
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_csr_id: Option<String>,
    /// Each certificate: one for each kind of key.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<Map<String, Value>>")]
    certificates: Vec<HostnameCertificate>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CustomHostnameTls")]
struct SettingsView {
    #[serde(skip_serializing_if = "Option::is_none")]
    http2: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_tls_version: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_1_3: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    early_hints: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ciphers: Option<Vec<&'static str>>,
}

/// A CNAME record that the customer makes once.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DcvDelegationRecord")]
struct Delegated {
    cname: String,
    cname_target: String,
}

#[derive(Serialize, JsonSchema)]
struct Said {
    message: String,
}

/// What clients see of a custom hostname, whose validation can be delegated to names below `delegated_below`.
pub(crate) fn view(hostname: &CustomHostname, delegated_below: Option<&str>) -> View {
    let origin = hostname.origin.as_ref();
    View {
        id: hostname.id.to_string(),
        hostname: hostname.name.to_string(),
        status: hostname.status.as_str(),
        created_at: hostname.created_at.to_string(),
        verification_errors: hostname.verification_errors.clone(),
        ownership_verification: OwnershipTxt {
            kind: "txt",
            name: hostname.ownership_txt_name(),
            value: hostname.ownership_token.clone(),
        },
        ownership_verification_http: OwnershipHttp {
            http_url: hostname.ownership_http_url(),
            http_body: hostname.ownership_token.clone(),
        },
        ownership_checks: was_checked(hostname).then(|| Checks {
            began: hostname.checks.began.to_string(),
            tries: hostname.checks.tries,
            next_check_at: hostname.check_next_at.map(|at| at.to_string()),
            seen: hostname.check_notes.clone(),
            mistakes: mistakes(&hostname.check_flaws),
        }),
        custom_metadata: hostname.metadata.as_ref().map(|metadata| metadata.to_object()),
        custom_origin_server: origin.map(|origin| origin.server.to_string()),
        custom_origin_sni: origin.and_then(|origin| origin.sni.as_ref()).map(|sni| sni.as_str().to_owned()),
        ssl: hostname.ssl.as_ref().map(|ssl| ssl_view(ssl, delegated(hostname, ssl, delegated_below))),
        declared: hostname.config.as_ref().map(|keys| super::declared(Some(keys))),
    }
}

/// Whether there is something to tell of a check: one was made, and said something.
fn was_checked(hostname: &CustomHostname) -> bool {
    !hostname.check_notes.is_empty() || !hostname.check_flaws.is_empty()
}

fn mistakes(flaws: &[Flaw]) -> Vec<MistakeView> {
    let view = |flaw: &Flaw| MistakeView {
        code: flaw.code.as_str(),
        place: flaw.place.as_str(),
        name: flaw.name.clone(),
        expected: flaw.expected.clone(),
        seen: flaw.seen.clone(),
        seen_by: flaw.seen_by.clone(),
        remedy: flaw.remedy(),
    };
    flaws.iter().map(view).collect()
}

fn issue_view(issuing: &Issuing) -> IssueView {
    IssueView {
        began: issuing.began.to_string(),
        tries: issuing.tries,
        next_check_at: issuing.next_at.map(|at| at.to_string()),
        mistakes: mistakes(&issuing.flaws),
    }
}

/// The record that delegates the validation of a certificate, if it is ordered, and shown by texts.
fn delegated(hostname: &CustomHostname, ssl: &Ssl, below: Option<&str>) -> Vec<Delegated> {
    /// Longest name in the DNS.
    const LONGEST: usize = 253;
    let Some(below) = below.filter(|_| ssl.is_ordered() && ssl.config.is_shown_by_text()) else {
        return Vec::new();
    };
    let base = hostname.name.base();
    let record =
        Delegated { cname: format!("_acme-challenge.{base}"), cname_target: format!("{base}.{below}") };
    let fits = record.cname.len() <= LONGEST && record.cname_target.len() <= LONGEST;
    fits.then_some(record).into_iter().collect()
}

fn ssl_view(ssl: &Ssl, dcv_delegation_records: Vec<Delegated>) -> SslView {
    let config = &ssl.config;
    let first = ssl.certificates.first();
    let alone = ssl.custom.first().filter(|_| ssl.custom.len() == 1);
    SslView {
        id: ssl.id.to_string(),
        kind: config.kind.map(|kind| kind.as_str()),
        method: config.method.map(|method| method.as_str()),
        status: ssl.status.as_str(),
        wildcard: config.wildcard,
        bundle_method: config.bundle_method.map(|method| method.as_str()),
        certificate_authority: config.certificate_authority.map(|authority| authority.as_str()),
        settings: config.settings.as_ref().map(settings_view),
        validation_records: ssl.published_records().cloned().collect(),
        dcv_delegation_records,
        validation_errors: ssl
            .validation_errors
            .iter()
            .map(|message| Said { message: message.clone() })
            .collect(),
        validation_checks: ssl.issuing.as_ref().map(issue_view),
        hosts: first.map(|first| first.hosts.clone()).unwrap_or_default(),
        issuer: first.map(|first| first.issuer.clone()),
        serial_number: first.map(|first| first.serial_number.clone()),
        signature: first.map(|first| first.signature.clone()),
        uploaded_on: first.map(|first| first.uploaded_on.to_string()),
        expires_on: first.map(|first| first.expires_on.to_string()),
        renew_at: ssl.renew_at.map(|at| at.to_string()),
        // Of two, whoever sent them knows which is which.
        custom_certificate: alone.map(|alone| alone.text.clone()),
        custom_csr_id: alone.and_then(|alone| alone.csr.as_ref()).map(|csr| csr.to_string()),
        certificates: ssl.certificates.clone(),
    }
}

fn settings_view(settings: &TlsSettings) -> SettingsView {
    SettingsView {
        http2: settings.http2.map(|switch| switch.as_str()),
        min_tls_version: settings.min_tls_version.map(|version| version.as_str()),
        tls_1_3: settings.tls_1_3.map(|switch| switch.as_str()),
        early_hints: settings.early_hints.map(|switch| switch.as_str()),
        ciphers: settings
            .ciphers
            .as_ref()
            .map(|ciphers| ciphers.iter().map(|cipher| cipher.as_str()).collect()),
    }
}
