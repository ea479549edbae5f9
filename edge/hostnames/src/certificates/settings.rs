//! The settings of TLS that a custom hostname was given, as the handshake has them.

use wasmyard_listener::tls::{LeastVersion, Settings};
use wasmyard_model::hostname::TlsSettings;
use wasmyard_model::tls::{Cipher, TlsVersion};
use wasmyard_model::zone::{SettingId, ZoneSettings};

/// How a custom hostname with these settings is served. What is not served here is left out: TLS before 1.2, and suites
/// without forward secrecy.
#[must_use]
pub fn settings_of(settings: &TlsSettings) -> Settings {
    let ciphers = settings.ciphers.as_deref().unwrap_or_default();
    served(settings.oldest_version(), settings.speaks_tls_1_3(), ciphers, settings.speaks_http2())
}

/// How the names of a zone with these settings are served that have none of their own: those below a custom hostname, by
/// its wildcard.
#[must_use]
pub fn zone_settings_of(settings: &ZoneSettings) -> Settings {
    let (tls13, http2) = (settings.is_on(SettingId::Tls13), settings.is_on(SettingId::Http2));
    served(settings.min_tls_version(), tls13, &settings.ciphers(), http2)
}

fn served(oldest: TlsVersion, tls13: bool, ciphers: &[Cipher], http2: bool) -> Settings {
    let least_version = match oldest {
        TlsVersion::V1_0 | TlsVersion::V1_1 | TlsVersion::V1_2 => LeastVersion::Tls12,
        TlsVersion::V1_3 => LeastVersion::Tls13,
    };
    let suites = (!ciphers.is_empty()).then(|| ciphers.iter().copied().filter_map(number).collect());
    // A name for 1.3 alone speaks it, whatever else is said.
    let tls13 = tls13 || least_version == LeastVersion::Tls13;
    Settings { least_version, tls13, suites, http2, clients: None }
}

/// The number of a suite; none of one that is not served.
fn number(cipher: Cipher) -> Option<u16> {
    match cipher {
        Cipher::EcdheEcdsaAes128Gcm => Some(0xc02b),
        Cipher::EcdheEcdsaAes256Gcm => Some(0xc02c),
        Cipher::EcdheEcdsaChacha20 => Some(0xcca9),
        Cipher::EcdheRsaAes128Gcm => Some(0xc02f),
        Cipher::EcdheRsaAes256Gcm => Some(0xc030),
        Cipher::EcdheRsaChacha20 => Some(0xcca8),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use wasmyard_model::timestamp::Timestamp;
    use wasmyard_model::tls::Switch;
    use wasmyard_model::zone::{Setting, Tls13};

    use super::*;

    #[test]
    fn every_suite_that_is_said_to_be_served_has_a_number() {
        for cipher in Cipher::ALL {
            assert_eq!(number(*cipher).is_some(), cipher.is_served(), "{cipher}");
        }
    }

    #[test]
    fn tls13_can_be_off_but_where_it_is_the_least_version() {
        let off = TlsSettings { tls_1_3: Some(Switch::Off), ..TlsSettings::default() };
        assert!(!settings_of(&off).tls13);
        let alone = TlsSettings { min_tls_version: Some(TlsVersion::V1_3), ..off.clone() };
        assert!(settings_of(&alone).tls13);
        let old = TlsSettings { tls_1_2_only: Some(Switch::On), ..TlsSettings::default() };
        assert_eq!(settings_of(&old), Settings { tls13: false, ..Settings::default() });
    }

    #[test]
    fn settings_of_a_zone_become_those_of_the_handshake() {
        let mut settings = ZoneSettings::default();
        assert_eq!(zone_settings_of(&settings), Settings::default());
        let now = Timestamp::now();
        settings.set(Setting::Http2(Switch::Off), now);
        settings.set(Setting::Ciphers(vec![Cipher::EcdheRsaAes128Gcm]), now);
        settings.set(Setting::Tls13(Tls13::Off), now);
        let suites = Some(vec![0xc02f]);
        assert_eq!(
            zone_settings_of(&settings),
            Settings { tls13: false, suites, http2: false, ..Settings::default() }
        );
    }

    #[test]
    fn settings_of_a_hostname_become_those_of_the_handshake() {
        assert_eq!(settings_of(&TlsSettings::default()), Settings::default());
        let strict = TlsSettings { min_tls_version: Some(TlsVersion::V1_3), ..TlsSettings::default() };
        assert_eq!(settings_of(&strict).least_version, LeastVersion::Tls13);
        let ciphers = Some(vec![Cipher::EcdheRsaAes128Gcm, Cipher::Aes128Sha]);
        let few = TlsSettings { ciphers, ..TlsSettings::default() };
        assert_eq!(settings_of(&few).suites, Some(vec![0xc02f]));
    }
}
