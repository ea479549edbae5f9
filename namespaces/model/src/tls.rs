//! What can be set about TLS, for a zone and for one custom hostname.
//!
//! Owns the closed words of it. Never knows which of them hold for whom, and never makes a connection.

use crate::closed::closed;

closed! {
    /// A setting that is on or off.
    Switch {
        /// On.
        On = "on",
        /// Off.
        Off = "off",
    }
}

closed! {
    /// A version of TLS.
    TlsVersion {
        /// TLS 1.0.
        V1_0 = "1.0",
        /// TLS 1.1.
        V1_1 = "1.1",
        /// TLS 1.2.
        V1_2 = "1.2",
        /// TLS 1.3.
        V1_3 = "1.3",
    }
}

closed! {
    /// A cipher suite of TLS 1.2 and before, by the name that BoringSSL gives it. Those of TLS 1.3 come with it and
    /// cannot be chosen.
    Cipher {
        /// ECDHE, ECDSA, AES-128-GCM.
        EcdheEcdsaAes128Gcm = "ECDHE-ECDSA-AES128-GCM-SHA256",
        /// ECDHE, ECDSA, ChaCha20.
        EcdheEcdsaChacha20 = "ECDHE-ECDSA-CHACHA20-POLY1305",
        /// ECDHE, ECDSA, AES-256-GCM.
        EcdheEcdsaAes256Gcm = "ECDHE-ECDSA-AES256-GCM-SHA384",
        /// ECDHE, RSA, AES-128-GCM.
        EcdheRsaAes128Gcm = "ECDHE-RSA-AES128-GCM-SHA256",
        /// ECDHE, RSA, ChaCha20.
        EcdheRsaChacha20 = "ECDHE-RSA-CHACHA20-POLY1305",
        /// ECDHE, RSA, AES-256-GCM.
        EcdheRsaAes256Gcm = "ECDHE-RSA-AES256-GCM-SHA384",
        /// ECDHE, ECDSA, AES-128-CBC.
        EcdheEcdsaAes128Sha256 = "ECDHE-ECDSA-AES128-SHA256",
        /// ECDHE, ECDSA, AES-128-CBC, SHA-1.
        EcdheEcdsaAes128Sha = "ECDHE-ECDSA-AES128-SHA",
        /// ECDHE, ECDSA, AES-256-CBC.
        EcdheEcdsaAes256Sha384 = "ECDHE-ECDSA-AES256-SHA384",
        /// ECDHE, RSA, AES-128-CBC.
        EcdheRsaAes128Sha256 = "ECDHE-RSA-AES128-SHA256",
        /// ECDHE, RSA, AES-128-CBC, SHA-1.
        EcdheRsaAes128Sha = "ECDHE-RSA-AES128-SHA",
        /// ECDHE, RSA, AES-256-CBC.
        EcdheRsaAes256Sha384 = "ECDHE-RSA-AES256-SHA384",
        /// ECDHE, RSA, AES-256-CBC, SHA-1.
        EcdheRsaAes256Sha = "ECDHE-RSA-AES256-SHA",
        /// RSA, AES-128-GCM.
        Aes128Gcm = "AES128-GCM-SHA256",
        /// RSA, AES-128-CBC.
        Aes128Sha256 = "AES128-SHA256",
        /// RSA, AES-128-CBC, SHA-1.
        Aes128Sha = "AES128-SHA",
        /// RSA, AES-256-GCM.
        Aes256Gcm = "AES256-GCM-SHA384",
        /// RSA, AES-256-CBC.
        Aes256Sha256 = "AES256-SHA256",
        /// RSA, AES-256-CBC, SHA-1.
        Aes256Sha = "AES256-SHA",
        /// RSA, Triple DES.
        DesCbc3Sha = "DES-CBC3-SHA",
    }
}

impl Cipher {
    /// Whether this server has it: forward secrecy and authenticated encryption only.
    #[must_use]
    pub const fn is_served(self) -> bool {
        matches!(
            self,
            Cipher::EcdheEcdsaAes128Gcm
                | Cipher::EcdheEcdsaChacha20
                | Cipher::EcdheEcdsaAes256Gcm
                | Cipher::EcdheRsaAes128Gcm
                | Cipher::EcdheRsaChacha20
                | Cipher::EcdheRsaAes256Gcm
        )
    }
}

impl Cipher {
    /// The names of those that this server has, for messages.
    #[must_use]
    pub fn served_names() -> String {
        let served = Cipher::ALL.iter().filter(|cipher| cipher.is_served());
        served.map(|cipher| cipher.as_str()).collect::<Vec<_>>().join(", ")
    }
}

impl Switch {
    /// Whether it is on.
    #[must_use]
    pub const fn is_on(self) -> bool {
        matches!(self, Switch::On)
    }
}
