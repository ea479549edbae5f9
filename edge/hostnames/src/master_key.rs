//! The master key, which lies elsewhere than what it wraps.
//!
//! Owns its form, and that of a wrapped key. Must never print.

use std::fmt::{self, Write as _};
use std::io;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use zeroize::Zeroizing;

use crate::key_error::{KEY_BYTES, KeyError};

/// What a wrapped key begins with; behind it the nonce, the key and the tag.
pub(crate) const WRAPPED: &[u8] = b"wasmyard wrapped key 1\n";

/// What the installation's key is wrapped by. It lies elsewhere: in a file on another disk, in the environment, in what a
/// command prints.
pub struct MasterKey(RandomizedNonceKey);

impl MasterKey {
    /// The key that a text is; spaces around it are nothing.
    ///
    /// # Errors
    /// [`KeyError::NoMaster`].
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        if text.len() != 2 * KEY_BYTES || !text.is_ascii() {
            return Err(KeyError::NoMaster);
        }
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| KeyError::NoMaster)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| KeyError::NoMaster)?;
        }
        let key = RandomizedNonceKey::new(&AES_256_GCM, bytes.as_slice());
        key.map(Self).map_err(|_| KeyError::Unusable)
    }

    /// The text of a new one.
    ///
    /// # Errors
    /// [`KeyError::File`] where the system gives no random bits.
    pub fn new_text() -> Result<Zeroizing<String>, KeyError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(bytes.as_mut_slice()).map_err(io::Error::other)?;
        let mut text = Zeroizing::new(String::with_capacity(2 * KEY_BYTES));
        bytes.iter().try_for_each(|byte| write!(text, "{byte:02x}")).map_err(io::Error::other)?;
        Ok(text)
    }

    pub(crate) fn wrap(&self, key: &[u8; KEY_BYTES]) -> Result<Vec<u8>, KeyError> {
        let mut wrapped = key.to_vec();
        let nonce = self.0.seal_in_place_append_tag(Aad::from(WRAPPED), &mut wrapped);
        let nonce = nonce.map_err(|_| KeyError::Unusable)?;
        Ok([WRAPPED, nonce.as_ref().as_slice(), &wrapped].concat())
    }

    pub(crate) fn unwrap(&self, wrapped: &[u8]) -> Result<Zeroizing<[u8; KEY_BYTES]>, KeyError> {
        let (nonce, sealed) = wrapped.split_first_chunk::<NONCE_LEN>().ok_or(KeyError::OtherMaster)?;
        let mut plain = Zeroizing::new(sealed.to_vec());
        let opened = self.0.open_in_place(Nonce::from(nonce), Aad::from(WRAPPED), &mut plain);
        let key: &[u8] = opened.map_err(|_| KeyError::OtherMaster)?;
        Ok(Zeroizing::new(key.try_into().map_err(|_| KeyError::Length)?))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MasterKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_master_key_is_64_digits_and_does_not_print() {
        let text = MasterKey::new_text().unwrap();
        assert_eq!(format!("{:?}", MasterKey::parse(&format!(" {}\n", *text)).unwrap()), "MasterKey");
        for bad in ["", "00", &"g".repeat(64), &"0".repeat(63), &"\u{e9}".repeat(32)] {
            assert!(matches!(MasterKey::parse(bad), Err(KeyError::NoMaster)), "{bad}");
        }
    }
}
