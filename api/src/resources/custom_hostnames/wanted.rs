//! Owns what a body says of a custom hostname: which of its fields are there, and that each is of its kind.
//! Must never make up what was not given.

use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use wasmyard_control::{Brought, BroughtKey, Control};
use wasmyard_namespaces::hostname::{
    BundleMethod, CertificateAuthority, CertificateError, CertificateType, HostnameMetadata, OriginEdit,
    OriginSni, SslEdit, TlsSetting, TlsSettings, ValidationMethod,
};
use wasmyard_namespaces::limits::hostnames::CIPHERS;
use wasmyard_namespaces::tls::{Cipher, Switch, TlsVersion};
use wasmyard_namespaces::{CustomCsrId, CustomHostnameEdit, HostnameError, NewCustomHostname, Secret};

use crate::body::{Small, object, parse};
use crate::error::{ApiError, Code};
use crate::state::Shared;
use crate::unknown;

/// What may be set about a custom hostname.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "CustomHostnameWanted")]
#[expect(dead_code, reason = "only its shape is used: null and absence are two things here")]
pub(crate) struct Wanted {
    /// The name; it can be given when it is made, and stays.
    hostname: Option<String>,
    /// A JSON object of at most 4 KB for scripts and rules; replaced whole, and taken away by `{}` or null.
    custom_metadata: Option<Map<String, Value>>,
    /// A name of the zone with a proxied record; "" or null: the fallback origin.
    custom_origin_server: Option<String>,
    /// The name for the handshake with it, or ":request_host_header:".
    custom_origin_sni: Option<String>,
    /// The certificate; left out, none is ordered.
    ssl: Option<SslWanted>,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "CustomHostnameSslWanted")]
#[expect(dead_code, reason = "only its shape is used")]
struct SslWanted {
    /// "http" or "txt"; together with `type`.
    method: Option<String>,
    /// "dv"; together with `method`.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// "digicert", "google", "lets_encrypt", "ssl_com"; "" lets the platform choose.
    certificate_authority: Option<String>,
    /// "ubiquitous", "optimal" or "force".
    bundle_method: Option<String>,
    /// Whether the certificate is for all names one label below as well.
    wildcard: Option<bool>,
    /// Needed where the name has more than 64 characters.
    cloudflare_branding: Option<bool>,
    /// Replaced whole.
    settings: Option<TlsWanted>,
    /// A certificate of your own, in PEM form, alone or with its chain.
    custom_certificate: Option<String>,
    /// Its private key, in PEM form; left out where `custom_csr_id` says which.
    custom_key: Option<String>,
    /// One with a key of RSA and one with a key on an elliptic curve, with `bundle_method` "force".
    custom_cert_bundle: Option<Vec<CertificateWanted>>,
    /// The custom CSR that the certificate was made for.
    custom_csr_id: Option<String>,
}

/// A certificate with its key.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "CustomCertificateWanted")]
#[expect(dead_code, reason = "only its shape is used")]
pub(crate) struct CertificateWanted {
    /// The certificate, in PEM form, alone or with its chain.
    custom_certificate: String,
    /// Its private key, in PEM form.
    custom_key: String,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "CustomHostnameTlsWanted")]
#[expect(dead_code, reason = "only its shape is used")]
struct TlsWanted {
    /// "on" or "off".
    http2: Option<String>,
    /// "on" or "off".
    tls_1_3: Option<String>,
    /// "on" or "off".
    early_hints: Option<String>,
    /// "1.0", "1.1", "1.2" or "1.3".
    min_tls_version: Option<String>,
    /// Names of cipher suites.
    ciphers: Option<Vec<String>>,
}

/// A body that says something of a custom hostname, and remarks on keys that nothing here knows.
pub(crate) struct Body(Map<String, Value>, Vec<String>);

impl FromRequest<Arc<Shared>> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        let Small(bytes) = Small::from_request(request, shared).await?;
        let value = parse(&bytes).map_err(|error| undecodable(error.message()))?;
        let mut keys = object(value).map_err(|error| undecodable(error.message()))?;
        let notes = unknown::take::<Wanted>(&mut keys);
        if let Some(slip) = keys.keys().find(|key| !KNOWN.contains(&key.as_str())) {
            return Err(undecodable(&format!("\"{slip}\" is no field of a custom hostname")));
        }
        Ok(Self(keys, notes))
    }
}

const KNOWN: [&str; 5] = ["hostname", "custom_metadata", "custom_origin_server", "custom_origin_sni", "ssl"];
/// The most certificates of a pack: one for each kind of key.
const BUNDLE: usize = 2;

pub(super) fn undecodable(detail: &str) -> ApiError {
    let text = "Unable to decode the JSON request body. Check your input and try again.";
    ApiError::new(Code::HostnameJson, text).with_detail(detail)
}

impl Body {
    /// A new hostname.
    pub(crate) fn new_hostname(
        self,
        control: &Control,
    ) -> Result<(NewCustomHostname, Vec<Brought>, Vec<String>), ApiError> {
        let (edit, brought, notes) = self.edit(control)?;
        let Some(name) = edit.name.clone() else {
            return Err(undecodable("hostname: it is missing"));
        };
        Ok((NewCustomHostname { name, edit }, brought, notes))
    }

    /// A change of one, and the certificates that it brings.
    pub(crate) fn edit(
        self,
        control: &Control,
    ) -> Result<(CustomHostnameEdit, Vec<Brought>, Vec<String>), ApiError> {
        let Body(keys, notes) = self;
        let name = text(&keys, "hostname")?.map(|name| control.customer_name(name)).transpose()?;
        let metadata = keys.get("custom_metadata").map(HostnameMetadata::take).transpose()?;
        let server = cleared(&keys, "custom_origin_server")?;
        let server = match server {
            Some(Some(server)) => Some(Some(control.origin_name(server)?)),
            Some(None) => Some(None),
            None => None,
        };
        let sni = match cleared(&keys, "custom_origin_sni")? {
            Some(Some(sni)) => Some(Some(OriginSni::parse(sni)?)),
            Some(None) => Some(None),
            None => None,
        };
        let mut certificates = Vec::new();
        let ssl = match keys.get("ssl") {
            None | Some(Value::Null) => None,
            Some(Value::Object(ssl)) => {
                certificates = brought(ssl)?;
                Some(ssl_edit(ssl)?)
            }
            Some(_) => return Err(HostnameError::Ssl("it must be a JSON object".to_owned()).into()),
        };
        let edit = CustomHostnameEdit { name, metadata, origin: OriginEdit { server, sni }, ssl };
        Ok((edit, certificates, notes))
    }
}

/// A text; null is as if it were not there.
fn text<'k>(keys: &'k Map<String, Value>, name: &str) -> Result<Option<&'k str>, ApiError> {
    match keys.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(undecodable(&format!("{name}: it must be a text"))),
    }
}

/// A text that null and "" take away.
fn cleared<'k>(keys: &'k Map<String, Value>, name: &str) -> Result<Option<Option<&'k str>>, ApiError> {
    if !keys.contains_key(name) {
        return Ok(None);
    }
    Ok(Some(text(keys, name)?.filter(|text| !text.is_empty())))
}

fn ssl_edit(ssl: &Map<String, Value>) -> Result<SslEdit, HostnameError> {
    let given = |name: &str| ssl.get(name).filter(|value| !value.is_null());
    let method = match given("method").map(Value::as_str) {
        None => None,
        Some(Some("http")) => Some(ValidationMethod::Http),
        Some(Some("txt")) => Some(ValidationMethod::Txt),
        // Mail is a way that this server does not have, and what is no text is none at all.
        Some(other) => return Err(HostnameError::Method(shown(other))),
    };
    let kind = closed(given("type"), CertificateType::parse, HostnameError::Type)?;
    let authority = |text| HostnameError::Ssl(format!("certificate_authority: \"{text}\" is not there"));
    let certificate_authority = match given("certificate_authority") {
        Some(Value::String(text)) if text.is_empty() => Some(None),
        value => closed(value, CertificateAuthority::parse, authority)?.map(Some),
    };
    let bundle_method = closed(given("bundle_method"), BundleMethod::parse, HostnameError::BundleMethod)?;
    let flag = |name: &str| match given(name) {
        None => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(_) => Err(HostnameError::Ssl(format!("{name}: it must be true or false"))),
    };
    let settings = match given("settings") {
        None => None,
        Some(Value::Object(settings)) => Some(tls_settings(settings)?),
        Some(_) => return Err(HostnameError::Ssl("settings: it must be a JSON object".to_owned())),
    };
    Ok(SslEdit {
        method,
        kind,
        certificate_authority,
        bundle_method,
        wildcard: flag("wildcard")?,
        branding: flag("cloudflare_branding")?,
        settings,
        uploaded: None,
    })
}

/// The certificates that somebody brings.
fn brought(ssl: &Map<String, Value>) -> Result<Vec<Brought>, HostnameError> {
    let given = |name: &str| ssl.get(name).filter(|value| !value.is_null());
    let (alone, key, csr) = (given("custom_certificate"), given("custom_key"), given("custom_csr_id"));
    let Some(bundle) = given("custom_cert_bundle") else {
        return match (alone, key, csr) {
            (None, None, None) => Ok(Vec::new()),
            (Some(_), Some(_), Some(_)) => {
                let rule =
                    "custom_key and custom_csr_id: the key of a request is here already; give one of the two";
                Err(HostnameError::Ssl(rule.to_owned()))
            }
            (alone, key, None) => pair(alone, key).map(|pair| vec![pair]),
            (alone, None, Some(csr)) => {
                let text = csr.as_str().unwrap_or_default().to_ascii_lowercase();
                let csr = CustomCsrId::parse(&text);
                let csr = csr.map_err(|error| CertificateError::CsrId(error.to_string()))?;
                Ok(vec![Brought { certificate: certificate(alone)?, key: BroughtKey::OfCsr(csr) }])
            }
            (None, Some(_), Some(_)) => Err(CertificateError::Empty.into()),
        };
    };
    let wrong = |rule: &str| Err(HostnameError::Ssl(format!("custom_cert_bundle: {rule}")));
    if alone.is_some() || key.is_some() || csr.is_some() {
        return wrong("beside it there is no custom_certificate, custom_key or custom_csr_id");
    }
    let Some(bundle) = bundle.as_array().filter(|bundle| (1..=BUNDLE).contains(&bundle.len())) else {
        return wrong("it must be an array of one or two certificates with their keys");
    };
    bundle.iter().map(|one| pair(one.get("custom_certificate"), one.get("custom_key"))).collect()
}

/// A certificate that comes with its key.
pub(super) fn pair(text: Option<&Value>, key: Option<&Value>) -> Result<Brought, HostnameError> {
    let certificate = certificate(text)?;
    let missing = || CertificateError::Key("it is missing".to_owned());
    let key = key.and_then(Value::as_str).filter(|key| !key.trim().is_empty()).ok_or_else(missing)?;
    Ok(Brought { certificate, key: BroughtKey::Here(Secret::new(key)) })
}

fn certificate(text: Option<&Value>) -> Result<String, CertificateError> {
    match text {
        None => Err(CertificateError::Empty),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err(CertificateError::Unparsable("it must be a text".to_owned())),
    }
}

fn closed<T>(
    value: Option<&Value>,
    parse: fn(&str) -> Option<T>,
    refuse: impl Fn(String) -> HostnameError,
) -> Result<Option<T>, HostnameError> {
    let Some(value) = value else { return Ok(None) };
    let text = value.as_str();
    text.and_then(parse).map(Some).ok_or_else(|| refuse(shown(text)))
}

fn shown(text: Option<&str>) -> String {
    wasmyard_namespaces::name::shorten(text.unwrap_or("what is no text"))
}

fn tls_settings(settings: &Map<String, Value>) -> Result<TlsSettings, HostnameError> {
    let given = |name: &str| settings.get(name).filter(|value| !value.is_null());
    let refuse = |setting| move |value| HostnameError::Setting { setting, value };
    let switch = |name: &str, setting| closed(given(name), Switch::parse, refuse(setting));
    let tls_1_2_only = match given("tls_1_2_only") {
        Some(Value::String(text)) if text.is_empty() => None,
        value => closed(value, Switch::parse, refuse(TlsSetting::Tls12Only))?,
    };
    Ok(TlsSettings {
        http2: switch("http2", TlsSetting::Http2)?,
        tls_1_3: switch("tls_1_3", TlsSetting::Tls13)?,
        tls_1_2_only,
        min_tls_version: closed(
            given("min_tls_version"),
            TlsVersion::parse,
            refuse(TlsSetting::MinTlsVersion),
        )?,
        early_hints: switch("early_hints", TlsSetting::EarlyHints)?,
        ciphers: given("ciphers").map(ciphers).transpose()?,
    })
}

fn ciphers(value: &Value) -> Result<Vec<Cipher>, HostnameError> {
    let wrong = |what: String| HostnameError::Ciphers { what };
    let names = value.as_array().ok_or_else(|| wrong("it must be an array of names".to_owned()))?;
    if names.len() as u64 > CIPHERS {
        return Err(wrong(format!("there may be {CIPHERS} of them")));
    }
    let known = |name: &Value| {
        let text = name.as_str();
        text.and_then(Cipher::parse).ok_or_else(|| wrong(format!("there is no suite \"{}\"", shown(text))))
    };
    names.iter().map(known).collect()
}
