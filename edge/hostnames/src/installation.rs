//! The installation's own key: what private keys are sealed with, names are hashed with, and tickets follow from.
//!
//! Owns the file that it is in, which lies beside the databases and never in one: who copies a database has nothing of
//! what is sealed in it. Must never print, and never be made anew where something is sealed with one before.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};
use zeroize::Zeroizing;

/// The file's name in the data directory.
pub const KEY_FILE: &str = "installation.key";

const KEY_BYTES: usize = 32;
/// Who may read the file beside its owner.
const OTHERS: u32 = 0o077;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or made.
    #[error("the installation's key ({KEY_FILE} in the data directory) cannot be read or made: {0}")]
    File(#[from] io::Error),
    /// Others can read it.
    #[error(
        "others than its owner may read {KEY_FILE}: give it mode 0600, and think of what it sealed as known to them"
    )]
    Readable,
    /// It has the wrong length.
    #[error("{KEY_FILE} has to have {KEY_BYTES} bytes and has another length: restore it from a backup")]
    Length,
    /// The provider cannot make keys of it.
    #[error("no keys can be made of {KEY_FILE}")]
    Unusable,
}

/// The key of an installation.
pub struct InstallationKey {
    root: Prk,
    sealing: RandomizedNonceKey,
    id: [u8; 8],
}

impl InstallationKey {
    /// Reads the key of a data directory. None if there is none. Blocks.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn read(data: &Path) -> Result<Option<Self>, KeyError> {
        let file = match File::open(data.join(KEY_FILE)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if file.metadata()?.mode() & OTHERS != 0 {
            return Err(KeyError::Readable);
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(KEY_BYTES + 1));
        file.take(KEY_BYTES as u64 + 1).read_to_end(&mut bytes)?;
        let bytes: &[u8; KEY_BYTES] = bytes.as_slice().try_into().map_err(|_| KeyError::Length)?;
        Self::of(bytes).map(Some)
    }

    /// Makes a key for a data directory that has none. Blocks. The file is there whole or not at all, and nobody else
    /// could read it at any moment.
    ///
    /// # Errors
    /// [`KeyError::File`], also where there is one by now.
    pub fn make(data: &Path) -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(bytes.as_mut_slice()).map_err(io::Error::other)?;
        let (new, path) = (data.join("installation.key.new"), data.join(KEY_FILE));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(bytes.as_slice())?;
        file.sync_all()?;
        // Fails where there is one: another process may have been first.
        std::fs::hard_link(&new, &path)?;
        std::fs::remove_file(&new)?;
        File::open(data)?.sync_all()?;
        Self::of(&bytes)
    }

    /// The key with these bytes.
    ///
    /// # Errors
    /// [`KeyError::Unusable`].
    pub fn of(bytes: &[u8; KEY_BYTES]) -> Result<Self, KeyError> {
        let root = Salt::new(HKDF_SHA256, b"wasmyard installation").extract(bytes);
        let sealing = derived(&root, b"seal")?;
        let sealing = RandomizedNonceKey::new(&AES_256_GCM, sealing.as_slice());
        let sealing = sealing.map_err(|_| KeyError::Unusable)?;
        let named = derived(&root, b"id")?;
        let id = named.first_chunk().copied().ok_or(KeyError::Unusable)?;
        Ok(Self { root, sealing, id })
    }

    /// What tells it from other installations' keys. Says nothing of the key.
    #[must_use]
    pub fn id(&self) -> [u8; 8] {
        self.id
    }

    /// A secret of its own for one purpose.
    ///
    /// # Errors
    /// [`KeyError::Unusable`].
    pub fn secret_for(&self, purpose: &'static [u8]) -> Result<Zeroizing<[u8; KEY_BYTES]>, KeyError> {
        derived(&self.root, purpose)
    }

    /// Seals bytes, bound to what they belong to.
    pub(crate) fn seal(&self, belongs_to: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
        let mut sealed = plain.to_vec();
        let nonce = self.sealing.seal_in_place_append_tag(Aad::from(belongs_to), &mut sealed).ok()?;
        Some([nonce.as_ref().as_slice(), &sealed].concat())
    }

    /// Opens what was sealed with the same key for the same thing.
    pub(crate) fn open(&self, belongs_to: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut plain = Zeroizing::new(sealed.to_vec());
        let length =
            self.sealing.open_in_place(Nonce::from(nonce), Aad::from(belongs_to), &mut plain).ok()?.len();
        plain.truncate(length);
        Some(plain)
    }
}

fn derived(root: &Prk, purpose: &[u8]) -> Result<Zeroizing<[u8; KEY_BYTES]>, KeyError> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    let info = [purpose];
    let made = root.expand(&info, HKDF_SHA256).and_then(|made| made.fill(bytes.as_mut_slice()));
    made.map_err(|_| KeyError::Unusable)?;
    Ok(bytes)
}

impl fmt::Debug for InstallationKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("InstallationKey")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_is_nobody_elses_to_read() {
        let data = tempfile::tempdir().unwrap();
        assert!(InstallationKey::read(data.path()).unwrap().is_none());
        let made = InstallationKey::make(data.path()).unwrap();
        let path = data.path().join(KEY_FILE);
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let read = InstallationKey::read(data.path()).unwrap().unwrap();
        assert_eq!(read.id(), made.id());
        assert!(InstallationKey::make(data.path()).is_err(), "it is never replaced");
        assert_eq!(InstallationKey::read(data.path()).unwrap().unwrap().id(), made.id());

        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(InstallationKey::read(data.path()), Err(KeyError::Readable)));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        for length in [0, 31, 33] {
            std::fs::write(&path, vec![1; length]).unwrap();
            assert!(matches!(InstallationKey::read(data.path()), Err(KeyError::Length)), "{length}");
        }
    }

    #[test]
    fn it_does_not_print() {
        let key = InstallationKey::of(&[b'k'; 32]).unwrap();
        assert_eq!(format!("{key:?}"), "InstallationKey");
    }

    #[test]
    fn what_is_sealed_is_for_one_thing_and_one_installation() {
        let key = InstallationKey::of(&[1; 32]).unwrap();
        let sealed = key.seal(b"a.test", b"secret").unwrap();
        assert_ne!(key.seal(b"a.test", b"secret").unwrap(), sealed, "no two are alike");
        assert_eq!(key.open(b"a.test", &sealed).unwrap().as_slice(), b"secret");
        assert!(key.open(b"b.test", &sealed).is_none());
        assert!(InstallationKey::of(&[2; 32]).unwrap().open(b"a.test", &sealed).is_none());
        for length in 0..sealed.len() {
            assert!(key.open(b"a.test", &sealed[..length]).is_none());
        }
    }

    #[test]
    fn secrets_for_several_purposes_are_several() {
        let key = InstallationKey::of(&[1; 32]).unwrap();
        assert_ne!(*key.secret_for(b"tickets").unwrap(), *key.secret_for(b"names").unwrap());
    }
}
