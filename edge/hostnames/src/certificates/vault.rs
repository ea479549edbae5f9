//! Where sealed certificates are kept: a SQLite file of its own beside the registry's, because gigabytes of sealed bytes
//! have no place in the log of changes, its backups and its replays.
//!
//! Records lie in the order of their arrival, and apart from them what memory is filled from: reading all hashes touches
//! no record. Blocks: whoever calls is on a thread that may.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension as _, Transaction};
use wasmyard_listener::tls::Settings;
use wasmyard_sqlite::{FileFormat, Opening, open_reader};

use super::claimed::Kind;
use super::record::{CertificateDigest, Damaged, Record};
use super::rows::{
    Known, VAULT_FILE, VaultError, give_up, held, put_authorities, put_name, put_record, settings_number,
    signed, unsigned,
};
use crate::name::ServedName;

/// As many settings as are not worth a look at all names.
const FEW_SETTINGS: u64 = 64;
/// Readers that wait for the next read. Each holds a page cache.
const MOST_IDLE: usize = 16;

/// `settings` has a row for each distinct group. `names` is read as a whole at the start, `records` one by one and never
/// at the start; a table whose key is the name would put records on pages of their own and cost six times as much.
/// `packs` says which names are served with the record of a pack, one a line. `secrets` are of whoever makes certificates.
const TABLES: &str = "
    CREATE TABLE sealed_with (key_id BLOB NOT NULL) STRICT;

    CREATE TABLE settings (
        number   INTEGER PRIMARY KEY,
        settings BLOB NOT NULL UNIQUE
    ) STRICT;

    CREATE TABLE records (
        id     INTEGER PRIMARY KEY AUTOINCREMENT,
        record BLOB NOT NULL
    ) STRICT;

    CREATE TABLE names (
        hash     INTEGER PRIMARY KEY,
        id       INTEGER NOT NULL,
        kind     INTEGER NOT NULL,
        settings INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE authorities (
        digest      BLOB PRIMARY KEY,
        certificate BLOB NOT NULL
    ) STRICT;

    CREATE TABLE packs (
        pack  TEXT PRIMARY KEY,
        id    INTEGER NOT NULL,
        names TEXT NOT NULL
    ) STRICT;

    CREATE TABLE secrets (
        label  TEXT PRIMARY KEY,
        sealed BLOB NOT NULL
    ) STRICT;
";

/// "WYCT": says that the file holds the certificates of this program.
const FORMAT: FileFormat =
    FileFormat { application: 0x5759_4354, version: 2, tables: TABLES, secure_delete: "ON" };

/// What is put in.
pub(crate) struct Entering {
    pub(crate) hash: u64,
    pub(crate) kind: Kind,
    pub(crate) settings: Settings,
    pub(crate) name: ServedName,
    pub(crate) record: Vec<u8>,
    pub(crate) authorities: Vec<(CertificateDigest, Vec<u8>)>,
}

/// The sealed certificates of an installation.
pub(crate) struct Vault {
    path: PathBuf,
    writer: Mutex<Connection>,
    idle: Mutex<Vec<Connection>>,
    reads: AtomicU64,
}

impl Vault {
    /// Opens the vault of a data directory, and makes it if need be.
    pub(crate) fn open(data: &Path, key_id: [u8; 8]) -> Result<Self, VaultError> {
        let path = data.join(VAULT_FILE);
        let opening = Opening::open(&path, &FORMAT)?;
        if !opening.is_new() {
            let id: Vec<u8> =
                opening.connection().query_row("SELECT key_id FROM sealed_with", [], |row| row.get(0))?;
            if id != key_id {
                return Err(VaultError::OtherKey);
            }
        }
        let writer =
            opening.prepare(|new| new.execute("INSERT INTO sealed_with VALUES (?1)", [key_id]).map(drop))?;
        writer.pragma_update(None, "cache_size", -8_192)?;
        Ok(Self { path, writer: Mutex::new(writer), idle: Mutex::default(), reads: AtomicU64::new(0) })
    }

    /// Whether a data directory has one with something in it.
    pub(crate) fn exists(data: &Path) -> bool {
        std::fs::metadata(data.join(VAULT_FILE)).is_ok_and(|file| file.len() > 0)
    }

    /// How many reads of records there were.
    pub(crate) fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// How many names there are.
    pub(crate) fn count(&self) -> Result<u64, VaultError> {
        self.read(|connection| connection.query_row("SELECT count(*) FROM names", [], |row| row.get(0)))
    }

    /// All settings, by their numbers; none for one that cannot be read.
    pub(crate) fn settings(&self) -> Result<HashMap<i64, Option<Settings>>, VaultError> {
        self.read(|connection| {
            let mut statement = connection.prepare("SELECT number, settings FROM settings")?;
            let rows = statement.query_map([], |row| {
                let bytes: Vec<u8> = row.get(1)?;
                Ok((row.get(0)?, Settings::from_bytes(&bytes)))
            })?;
            rows.collect()
        })
    }

    /// Forgets settings that no name has any more, where there are many: each is made ready at a start, and hosts may have
    /// authorities of clients of their own, which change.
    pub(crate) fn forget_unused_settings(&self) -> Result<(), VaultError> {
        self.change(|transaction| {
            let count: u64 = transaction.query_row("SELECT count(*) FROM settings", [], |row| row.get(0))?;
            if count > FEW_SETTINGS {
                let forget = "DELETE FROM settings WHERE number NOT IN (SELECT settings FROM names)";
                transaction.execute(forget, [])?;
            }
            Ok(())
        })
    }

    /// Names all that are known, one after the other.
    pub(crate) fn each(&self, mut take: impl FnMut(Known)) -> Result<(), VaultError> {
        self.read(|connection| {
            let mut statement = connection.prepare("SELECT hash, id, kind, settings FROM names")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let kind = if row.get::<_, i64>(2)? == Kind::Zone as i64 { Kind::Zone } else { Kind::Host };
                take(Known { hash: unsigned(row.get(0)?), id: row.get(1)?, kind, settings: row.get(3)? });
            }
            Ok(())
        })
    }

    /// A record; none if there is no row of that number.
    pub(crate) fn record(&self, id: u64) -> Result<Option<Result<Record, Damaged>>, VaultError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let bytes: Option<Vec<u8>> = self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT record FROM records WHERE id = ?1")?;
            statement.query_row([id], |row| row.get(0)).optional()
        })?;
        Ok(bytes.map(|bytes| Record::parse(&bytes)))
    }

    /// The certificate of an authority.
    pub(crate) fn authority(&self, digest: &CertificateDigest) -> Result<Option<Vec<u8>>, VaultError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT certificate FROM authorities WHERE digest = ?1")?;
            statement.query_row([digest], |row| row.get(0)).optional()
        })
    }

    /// Puts certificates in, each in the place of what its name had before; all or none. They are on the disk when this
    /// returns.
    pub(crate) fn put(&self, entering: &[Entering]) -> Result<Vec<Known>, VaultError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = writer.transaction()?;
        let known = entering.iter().map(|one| put(&transaction, one)).collect::<Result<Vec<_>, _>>()?;
        transaction.commit()?;
        Ok(known)
    }

    /// Takes a name and its certificate out. Whether there was one.
    pub(crate) fn remove(&self, hash: u64, name: &ServedName) -> Result<bool, VaultError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = writer.transaction()?;
        let Some(held) = held(&transaction, hash, name)? else { return Ok(false) };
        give_up(&transaction, &held, name)?;
        transaction.execute("DELETE FROM names WHERE hash = ?1", [signed(hash)])?;
        transaction.commit()?;
        Ok(true)
    }

    /// Changes this file in one transaction: all of it is on the disk when this returns, or nothing.
    pub(super) fn change<T>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, VaultError>,
    ) -> Result<T, VaultError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = writer.transaction()?;
        let changed = change(&transaction)?;
        transaction.commit()?;
        Ok(changed)
    }

    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, VaultError> {
        let waiting = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match waiting {
            Some(connection) => connection,
            None => self.reader()?,
        };
        let found = read(&connection);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MOST_IDLE {
            idle.push(connection);
        }
        Ok(found?)
    }

    fn reader(&self) -> Result<Connection, VaultError> {
        let connection = open_reader(&self.path)?;
        // The kernel's page cache serves all readers: what each keeps for itself is for the tree's upper pages.
        connection.pragma_update(None, "cache_size", -1_024)?;
        Ok(connection)
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Vault")
    }
}

fn put(transaction: &Transaction<'_>, entering: &Entering) -> Result<Known, VaultError> {
    let Entering { hash, kind, settings, name, record, authorities } = entering;
    put_authorities(transaction, authorities)?;
    let settings = settings_number(transaction, settings)?;
    // A new number: whoever has the one before in memory has the certificate before, and no other.
    if let Some(before) = held(transaction, *hash, name)? {
        give_up(transaction, &before, name)?;
    }
    let id = put_record(transaction, record)?;
    put_name(transaction, Known { hash: *hash, id: unsigned(id), kind: *kind, settings })
}
