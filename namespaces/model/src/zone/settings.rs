//! Settings of a zone: which there are, what each may be, and what holds when it was not set.
//!
//! Owns one list. A setting is here only when something acts on it; a name that is not here does not exist.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use crate::closed::closed;
use crate::limits::hostnames::CIPHERS;
use crate::name::shorten;
use crate::timestamp::Timestamp;
use crate::tls::{Cipher, Switch, TlsVersion};

closed! {
    /// The name of a setting.
    SettingId {
        /// How requests go to origins.
        Ssl = "ssl",
        /// The oldest version of TLS that is spoken with visitors.
        MinTlsVersion = "min_tls_version",
        /// Whether TLS 1.3 is spoken.
        Tls13 = "tls_1_3",
        /// The cipher suites of TLS 1.2; none named: all that there are.
        Ciphers = "ciphers",
        /// Whether HTTP/2 is spoken.
        Http2 = "http2",
        /// Whether HTTP/3 is spoken.
        Http3 = "http3",
        /// Whether early hints are sent.
        EarlyHints = "early_hints",
        /// Whether a request over http is answered with its https address.
        AlwaysUseHttps = "always_use_https",
        /// Whether TLS 1.3 takes requests before the handshake is over. It never does: they can be repeated.
        ZeroRtt = "0rtt",
    }
}

closed! {
    /// How requests go to origins.
    SslMode {
        /// Over http.
        Off = "off",
        /// Over http, also where the visitor came by https.
        Flexible = "flexible",
        /// Over https, whatever the certificate.
        Full = "full",
        /// Over https, and the certificate must be right.
        Strict = "strict",
    }
}

closed! {
    /// Whether TLS 1.3 is spoken. `zrt`, TLS 1.3 with early data, is not there.
    Tls13 {
        /// It is.
        On = "on",
        /// It is not.
        Off = "off",
    }
}

/// A setting with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// How requests go to origins.
    Ssl(SslMode),
    /// The oldest version of TLS.
    MinTlsVersion(TlsVersion),
    /// Whether TLS 1.3 is spoken.
    Tls13(Tls13),
    /// Cipher suites of TLS 1.2.
    Ciphers(Vec<Cipher>),
    /// Whether HTTP/2 is spoken.
    Http2(Switch),
    /// Whether HTTP/3 is spoken.
    Http3(Switch),
    /// Whether early hints are sent.
    EarlyHints(Switch),
    /// Whether http leads to https.
    AlwaysUseHttps(Switch),
    /// No early data.
    ZeroRtt,
}

/// A value that a setting cannot have. Safe to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// There is no such setting.
    #[error("there is no setting \"{name}\"; there are {}", names(SettingId::ALL.iter().map(|id| id.as_str())))]
    Unknown {
        /// Its name, shortened.
        name: String,
    },
    /// The value is none of those that it may have.
    #[error("setting {id} cannot be {value}; it takes {takes}")]
    Value {
        /// The setting.
        id: SettingId,
        /// The value, shortened.
        value: String,
        /// What it takes.
        takes: String,
    },
}

fn names<'n>(all: impl Iterator<Item = &'n str>) -> String {
    all.collect::<Vec<_>>().join(", ")
}

impl Setting {
    /// Reads the value of a setting.
    ///
    /// # Errors
    /// [`SettingError::Value`] with what the setting takes.
    pub fn parse(id: SettingId, value: &Value) -> Result<Setting, SettingError> {
        let refuse = |takes: String| SettingError::Value { id, value: shorten(&value.to_string()), takes };
        macro_rules! one_of {
            ($closed:ident) => {
                value.as_str().and_then($closed::parse).ok_or_else(|| {
                    refuse(format!("one of {}", names($closed::ALL.iter().map(|one| one.as_str()))))
                })?
            };
        }
        Ok(match id {
            SettingId::Ssl => Setting::Ssl(one_of!(SslMode)),
            SettingId::MinTlsVersion => Setting::MinTlsVersion(one_of!(TlsVersion)),
            SettingId::Tls13 => Setting::Tls13(one_of!(Tls13)),
            SettingId::Ciphers => Setting::Ciphers(ciphers(value).ok_or_else(|| {
                refuse(format!(
                    "an array of names of cipher suites, at least one of them served here: {}",
                    Cipher::served_names()
                ))
            })?),
            SettingId::Http2 => Setting::Http2(one_of!(Switch)),
            SettingId::Http3 => Setting::Http3(one_of!(Switch)),
            SettingId::EarlyHints => Setting::EarlyHints(one_of!(Switch)),
            SettingId::AlwaysUseHttps => Setting::AlwaysUseHttps(one_of!(Switch)),
            SettingId::ZeroRtt if value == "off" => Setting::ZeroRtt,
            SettingId::ZeroRtt => {
                return Err(refuse(
                    "off alone: a request in early data can be repeated by others".to_owned(),
                ));
            }
        })
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> SettingId {
        match self {
            Setting::Ssl(_) => SettingId::Ssl,
            Setting::MinTlsVersion(_) => SettingId::MinTlsVersion,
            Setting::Tls13(_) => SettingId::Tls13,
            Setting::Ciphers(_) => SettingId::Ciphers,
            Setting::Http2(_) => SettingId::Http2,
            Setting::Http3(_) => SettingId::Http3,
            Setting::EarlyHints(_) => SettingId::EarlyHints,
            Setting::AlwaysUseHttps(_) => SettingId::AlwaysUseHttps,
            Setting::ZeroRtt => SettingId::ZeroRtt,
        }
    }

    /// Its value, as the API has it.
    #[must_use]
    pub fn value(&self) -> Value {
        match self {
            Setting::Ssl(mode) => json!(mode),
            Setting::MinTlsVersion(version) => json!(version),
            Setting::Tls13(tls_1_3) => json!(tls_1_3),
            Setting::Ciphers(ciphers) => json!(ciphers),
            Setting::Http2(switch)
            | Setting::Http3(switch)
            | Setting::EarlyHints(switch)
            | Setting::AlwaysUseHttps(switch) => json!(switch),
            Setting::ZeroRtt => json!("off"),
        }
    }

    /// What holds when the setting was not set.
    #[must_use]
    pub fn default_of(id: SettingId) -> Setting {
        match id {
            SettingId::Ssl => Setting::Ssl(SslMode::Full),
            SettingId::MinTlsVersion => Setting::MinTlsVersion(TlsVersion::V1_0),
            SettingId::Tls13 => Setting::Tls13(Tls13::On),
            SettingId::Ciphers => Setting::Ciphers(Vec::new()),
            SettingId::Http2 => Setting::Http2(Switch::On),
            SettingId::Http3 => Setting::Http3(Switch::On),
            SettingId::EarlyHints => Setting::EarlyHints(Switch::Off),
            SettingId::AlwaysUseHttps => Setting::AlwaysUseHttps(Switch::Off),
            SettingId::ZeroRtt => Setting::ZeroRtt,
        }
    }
}

/// Names of suites; none when one is not known, when there are too many, or when none of them is served.
fn ciphers(value: &Value) -> Option<Vec<Cipher>> {
    let given = value.as_array()?;
    if given.len() as u64 > CIPHERS {
        return None;
    }
    let ciphers: Vec<Cipher> =
        given.iter().map(|name| name.as_str().and_then(Cipher::parse)).collect::<Option<_>>()?;
    (ciphers.is_empty() || ciphers.iter().any(|cipher| cipher.is_served())).then_some(ciphers)
}

/// What a builder set about a zone, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ZoneSettings(BTreeMap<SettingId, Set>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Set {
    #[serde(serialize_with = "as_value")]
    setting: Setting,
    modified_on: Timestamp,
}

fn as_value<S: serde::Serializer>(setting: &Setting, serializer: S) -> Result<S::Ok, S::Error> {
    (setting.id(), setting.value()).serialize(serializer)
}

impl<'de> Deserialize<'de> for Set {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Set, D::Error> {
        #[derive(Deserialize)]
        struct Raw {
            setting: (SettingId, Value),
            modified_on: Timestamp,
        }
        let Raw { setting: (id, value), modified_on } = Raw::deserialize(deserializer)?;
        let setting = Setting::parse(id, &value).map_err(serde::de::Error::custom)?;
        Ok(Set { setting, modified_on })
    }
}

impl ZoneSettings {
    /// A setting as it holds: as it was set, or its default.
    #[must_use]
    pub fn setting(&self, id: SettingId) -> Setting {
        self.0.get(&id).map_or_else(|| Setting::default_of(id), |set| set.setting.clone())
    }

    /// When a setting was set; none when it never was.
    #[must_use]
    pub fn modified_on(&self, id: SettingId) -> Option<Timestamp> {
        self.0.get(&id).map(|set| set.modified_on)
    }

    /// Sets one.
    pub fn set(&mut self, setting: Setting, now: Timestamp) {
        self.0.insert(setting.id(), Set { setting, modified_on: now });
    }

    /// How requests go to origins.
    #[must_use]
    pub fn ssl(&self) -> SslMode {
        match self.setting(SettingId::Ssl) {
            Setting::Ssl(mode) => mode,
            _ => SslMode::Full,
        }
    }

    /// The oldest version of TLS.
    #[must_use]
    pub fn min_tls_version(&self) -> TlsVersion {
        match self.setting(SettingId::MinTlsVersion) {
            Setting::MinTlsVersion(version) => version,
            _ => TlsVersion::V1_0,
        }
    }

    /// The cipher suites of TLS 1.2; none: all that are served.
    #[must_use]
    pub fn ciphers(&self) -> Vec<Cipher> {
        match self.setting(SettingId::Ciphers) {
            Setting::Ciphers(ciphers) => ciphers,
            _ => Vec::new(),
        }
    }

    /// Whether a setting that is on or off is on.
    #[must_use]
    pub fn is_on(&self, id: SettingId) -> bool {
        match self.setting(id) {
            Setting::Http2(switch)
            | Setting::Http3(switch)
            | Setting::EarlyHints(switch)
            | Setting::AlwaysUseHttps(switch) => switch.is_on(),
            Setting::Tls13(tls_1_3) => tls_1_3 == Tls13::On,
            Setting::Ssl(_) | Setting::MinTlsVersion(_) | Setting::Ciphers(_) | Setting::ZeroRtt => false,
        }
    }
}
