//! The settings of TLS that a custom hostname was given, as the handshake has them.

use wasmyard_listener::tls::{LeastVersion, Settings};
use wasmyard_model::hostname::TlsSettings;
use wasmyard_model::tls::{Cipher, TlsVersion};

/// How a custom hostname with these settings is served. What is not served here is left out: TLS before 1.2, and suites
/// without forward secrecy.
#[must_use]
pub fn settings_of(settings: &TlsSettings) -> Settings {
    let least_version = match settings.oldest_version() {
        TlsVersion::V1_0 | TlsVersion::V1_1 | TlsVersion::V1_2 => LeastVersion::Tls12,
        TlsVersion::V1_3 => LeastVersion::Tls13,
    };
    let suites = settings.ciphers.as_deref().filter(|ciphers| !ciphers.is_empty());
    let suites = suites.map(|ciphers| ciphers.iter().copied().filter_map(number).collect());
    Settings { least_version, suites, http2: settings.speaks_http2() }
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
    use super::*;

    #[test]
    fn every_suite_that_is_said_to_be_served_has_a_number() {
        for cipher in Cipher::ALL {
            assert_eq!(number(*cipher).is_some(), cipher.is_served(), "{cipher}");
        }
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
