//! The installation's own key: what secrets and private keys are sealed with, names are hashed with, and tickets follow from.
//!
//! Owns the file that it is in, which lies beside the databases and never in one: who copies a database has nothing of
//! what is sealed in it. With a master key, which lies elsewhere, the file is wrapped by that: then who copies the whole
//! data directory has nothing either. Must never print, and never be made anew where something is sealed with one before.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};
use wasmyard_stores::Seal;
use zeroize::Zeroizing;

use crate::key_error::{KEY_BYTES, KEY_FILE, KeyError};
use crate::master_key::{MasterKey, WRAPPED};

/// Longest file that can be one.
const LONGEST: usize = 128;
/// Who may read the file beside its owner.
const OTHERS: u32 = 0o077;

/// The key of an installation.
pub struct InstallationKey {
    root: Prk,
    sealing: RandomizedNonceKey,
    id: [u8; 8],
}

impl InstallationKey {
    /// The key of a data directory, and a new one where there is none and nothing is sealed yet. With a master key, a file that is
    /// not wrapped is wrapped by it. Blocks.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn of_directory(data: &Path, master: Option<&MasterKey>, is_sealed: bool) -> Result<Self, KeyError> {
        match read_bytes(data, master)? {
            Some((key, is_wrapped)) => {
                if let Some(master) = master.filter(|_| !is_wrapped) {
                    replace(data, &master.wrap(&key)?)?;
                    tracing::info!(
                        "{KEY_FILE} is wrapped by the master key from now on; copies of it from before are not"
                    );
                }
                Self::of(&key)
            }
            None if is_sealed => Err(KeyError::Lost),
            None => Self::make_wrapped(data, master),
        }
    }

    /// Wraps the key of a data directory by another master key; by none, it lies there as it is. Whoever has read it goes on
    /// with it: nothing that is sealed changes. Blocks.
    ///
    /// # Errors
    /// [`KeyError`]. Then the file is as it was.
    pub fn rewrap(
        data: &Path,
        before: Option<&MasterKey>,
        after: Option<&MasterKey>,
    ) -> Result<(), KeyError> {
        let (key, _) = read_bytes(data, before)?.ok_or(KeyError::Lost)?;
        match after {
            Some(after) => replace(data, &after.wrap(&key)?),
            None => replace(data, key.as_slice()),
        }
    }

    /// Reads the key of a data directory that is not wrapped. None if there is none. Blocks.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn read(data: &Path) -> Result<Option<Self>, KeyError> {
        read_bytes(data, None)?.map(|(key, _)| Self::of(&key)).transpose()
    }

    /// Makes a key for a data directory that has none. Blocks. The file is there whole or not at all, and nobody else
    /// could read it at any moment.
    ///
    /// # Errors
    /// [`KeyError::File`], also where there is one by now.
    pub fn make(data: &Path) -> Result<Self, KeyError> {
        Self::make_wrapped(data, None)
    }

    fn make_wrapped(data: &Path, master: Option<&MasterKey>) -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(bytes.as_mut_slice()).map_err(io::Error::other)?;
        match master {
            Some(master) => write_new(data, &master.wrap(&bytes)?)?,
            None => write_new(data, bytes.as_slice())?,
        }
        // Fails where there is one: another process may have been first.
        std::fs::hard_link(data.join(NEW_FILE), data.join(KEY_FILE))?;
        std::fs::remove_file(data.join(NEW_FILE))?;
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

/// Where a file is written before it takes its place.
const NEW_FILE: &str = "installation.key.new";

/// The bytes of a key, and whether they lay there wrapped.
type Found = (Zeroizing<[u8; KEY_BYTES]>, bool);

/// The bytes of a data directory's key, and whether they lay there wrapped. None if there is no file.
fn read_bytes(data: &Path, master: Option<&MasterKey>) -> Result<Option<Found>, KeyError> {
    let file = match File::open(data.join(KEY_FILE)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if file.metadata()?.mode() & OTHERS != 0 {
        return Err(KeyError::Readable);
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
    file.take(LONGEST as u64 + 1).read_to_end(&mut bytes)?;
    if let Some(wrapped) = bytes.strip_prefix(WRAPPED) {
        return Ok(Some((master.ok_or(KeyError::Wrapped)?.unwrap(wrapped)?, true)));
    }
    let bytes: &[u8; KEY_BYTES] = bytes.as_slice().try_into().map_err(|_| KeyError::Length)?;
    Ok(Some((Zeroizing::new(*bytes), false)))
}

fn write_new(data: &Path, bytes: &[u8]) -> Result<(), KeyError> {
    let new = data.join(NEW_FILE);
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(bytes)?;
    Ok(file.sync_all()?)
}

/// Puts bytes in place of the file, whole or not at all.
fn replace(data: &Path, bytes: &[u8]) -> Result<(), KeyError> {
    write_new(data, bytes)?;
    std::fs::rename(data.join(NEW_FILE), data.join(KEY_FILE))?;
    Ok(File::open(data)?.sync_all()?)
}

fn derived(root: &Prk, purpose: &[u8]) -> Result<Zeroizing<[u8; KEY_BYTES]>, KeyError> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    let info = [purpose];
    let made = root.expand(&info, HKDF_SHA256).and_then(|made| made.fill(bytes.as_mut_slice()));
    made.map_err(|_| KeyError::Unusable)?;
    Ok(bytes)
}

impl Seal for InstallationKey {
    fn id(&self) -> [u8; 8] {
        self.id
    }

    // AES-256-GCM with nonces by chance: after 2^32 values two nonces are alike with a chance of 2^-32.
    fn seal(&self, belongs_to: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
        InstallationKey::seal(self, belongs_to, plain)
    }

    fn open(&self, belongs_to: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        InstallationKey::open(self, belongs_to, sealed).map(|plain| plain.to_vec())
    }
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
    fn a_master_key_wraps_the_file_and_another_takes_its_place_while_nothing_sealed_changes() {
        let data = tempfile::tempdir().unwrap();
        let [one, two] = [1, 2].map(|_| MasterKey::parse(&MasterKey::new_text().unwrap()).unwrap());
        let plain = InstallationKey::of_directory(data.path(), None, false).unwrap();
        let sealed = plain.seal(b"a", b"secret").unwrap();
        let raw = std::fs::read(data.path().join(KEY_FILE)).unwrap();
        // From now on it is wrapped, and the same.
        let wrapped = InstallationKey::of_directory(data.path(), Some(&one), true).unwrap();
        assert_eq!(wrapped.id(), plain.id());
        let lies = std::fs::read(data.path().join(KEY_FILE)).unwrap();
        assert!(!lies.windows(8).any(|part| part == &raw[..8]), "nothing of the key lies there");
        assert_eq!(std::fs::metadata(data.path().join(KEY_FILE)).unwrap().mode() & 0o777, 0o600);
        assert!(matches!(InstallationKey::of_directory(data.path(), None, true), Err(KeyError::Wrapped)));
        let other = InstallationKey::of_directory(data.path(), Some(&two), true);
        assert!(matches!(other, Err(KeyError::OtherMaster)));
        InstallationKey::rewrap(data.path(), Some(&one), Some(&two)).unwrap();
        assert!(InstallationKey::rewrap(data.path(), Some(&one), Some(&two)).is_err());
        let turned = InstallationKey::of_directory(data.path(), Some(&two), true).unwrap();
        assert_eq!(turned.open(b"a", &sealed).unwrap().as_slice(), b"secret");
        InstallationKey::rewrap(data.path(), Some(&two), None).unwrap();
        assert_eq!(std::fs::read(data.path().join(KEY_FILE)).unwrap(), raw);
        // A file that was cut or changed is refused.
        InstallationKey::rewrap(data.path(), None, Some(&one)).unwrap();
        let whole = std::fs::read(data.path().join(KEY_FILE)).unwrap();
        for cut in [WRAPPED.len(), WRAPPED.len() + 5, whole.len() - 1] {
            replace(data.path(), &whole[..cut]).unwrap();
            assert!(InstallationKey::of_directory(data.path(), Some(&one), true).is_err(), "{cut}");
        }
        std::fs::remove_file(data.path().join(KEY_FILE)).unwrap();
        assert!(matches!(InstallationKey::of_directory(data.path(), Some(&one), true), Err(KeyError::Lost)));
        assert!(!data.path().join(KEY_FILE).exists(), "never made anew");
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
