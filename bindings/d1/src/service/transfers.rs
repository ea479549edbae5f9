//! Files of statements on their way in and out, and the work on them, which goes on while nobody asks.
//!
//! Whoever may use a database is given the name of a place to send a file to, or to take one from; whoever has that name
//! needs nothing else, and it ends with the hour or with the process. Each database has one file on its way in, and one on
//! its way out.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use md5::{Digest as _, Md5};
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::watch;
use wasmyard_model::DatabaseId;

use super::D1;
use crate::bookmark::Bookmark;
use crate::dump::DumpOptions;
use crate::error::D1Error;
use crate::limits::MAX_IMPORT_BYTES;
use crate::load::Loaded;
use crate::open::millis;

/// How long a place, and what became of work, is known, in milliseconds.
const KNOWN: u64 = 60 * 60 * 1_000;
/// How many places and pieces of work are known at most.
const MOST: usize = 10_000;
/// How many files may arrive at the same time.
const ARRIVING: usize = 8;
/// How long whoever asks waits for work to be done, before asking again.
const WAITS: Duration = Duration::from_secs(5);

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Transfers(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    places: HashMap<String, Place>,
    works: HashMap<(DatabaseId, Way), Work>,
    arriving: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Way {
    In,
    Out,
}

/// Where a file goes to, or is.
#[derive(Clone, Debug)]
struct Place {
    id: DatabaseId,
    /// The MD5 of what is to come; none of what goes out.
    etag: Option<String>,
    made: u64,
}

/// Work that was begun.
#[derive(Clone, Debug)]
struct Work {
    bookmark: Bookmark,
    begun: u64,
    end: watch::Receiver<Option<End>>,
}

/// How work ended.
type End = Result<Made, String>;

/// What came of work.
#[derive(Clone, Debug)]
pub enum Made {
    /// A file was loaded.
    Loaded(Box<Loaded>),
    /// A file was written; it is in the place of this name.
    Written {
        /// The name.
        place: String,
        /// A name to keep it under.
        filename: String,
    },
}

/// How far work is.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Of which moment of the database it is.
    pub bookmark: Bookmark,
    /// How it ended, if it has: the text says why it failed.
    pub end: Option<Result<Made, String>>,
}

/// Where a file is to be sent.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// To the place of this name.
    At {
        /// The name of the place.
        place: String,
        /// The name of the file, by which its work is begun.
        filename: String,
    },
    /// It is there already, and the work is begun.
    There(Progress),
}

/// A file that arrives.
#[derive(Debug)]
pub struct Arriving {
    file: File,
    path: PathBuf,
    partial: PathBuf,
    etag: String,
    sum: Md5,
    bytes: u64,
    d1: D1,
}

impl Drop for Arriving {
    fn drop(&mut self) {
        self.d1.transfers().0.lock().unwrap_or_else(PoisonError::into_inner).arriving -= 1;
        // Where it is whole, it has another name by now.
        drop(std::fs::remove_file(&self.partial));
    }
}

impl Arriving {
    /// The next piece.
    ///
    /// # Errors
    /// [`D1Error::Invalid`] for too many bytes, or what keeps it from being written.
    pub async fn take(&mut self, piece: &[u8]) -> Result<(), D1Error> {
        self.bytes += piece.len() as u64;
        if self.bytes > MAX_IMPORT_BYTES {
            let text = format!("the file has more than {MAX_IMPORT_BYTES} bytes; send it in several ones");
            return Err(D1Error::Invalid(text));
        }
        self.sum.update(piece);
        self.file.write_all(piece).await.map_err(D1Error::system("keep a file that arrives"))
    }

    /// The end of the file. Says its MD5.
    ///
    /// # Errors
    /// [`D1Error::Invalid`] for another file than was announced, or what keeps it from being written.
    pub async fn end(mut self) -> Result<String, D1Error> {
        let sum: String =
            std::mem::take(&mut self.sum).finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        if sum != self.etag {
            return Err(D1Error::Invalid(format!(
                "the file has the MD5 {sum}, and {} was announced; send it again",
                self.etag
            )));
        }
        let system = D1Error::system("keep a file that arrives");
        self.file.flush().await.map_err(&system)?;
        tokio::fs::rename(&self.partial, &self.path).await.map_err(system)?;
        Ok(sum)
    }
}

impl D1 {
    /// Asks where a file of statements for a database is to be sent, whose MD5 is this.
    ///
    /// # Errors
    /// [`D1Error::NotFound`], [`D1Error::Invalid`] for what is no MD5; the store's failure.
    pub async fn want(&self, id: &DatabaseId, etag: &str) -> Result<Wanted, D1Error> {
        let etag = checked_etag(etag)?;
        let filename = filename(id, &etag);
        if tokio::fs::try_exists(self.transfer(&filename)).await.unwrap_or(false) {
            return Ok(Wanted::There(self.ingest(id, &filename, &etag).await?));
        }
        let place = uuid::Uuid::new_v4().simple().to_string();
        let now = millis(self.clock());
        let mut state = self.state();
        state.forget(now);
        if state.places.len() >= MOST {
            return Err(D1Error::Busy { most: MOST });
        }
        state.places.insert(place.clone(), Place { id: id.clone(), etag: Some(etag), made: now });
        Ok(Wanted::At { place, filename })
    }

    /// A file begins to arrive at a place.
    ///
    /// # Errors
    /// [`D1Error::Invalid`] for a place that there is not, or not any more; [`D1Error::Busy`]; what keeps it from being
    /// written.
    pub async fn arriving(&self, place: &str) -> Result<Arriving, D1Error> {
        let (id, etag) = {
            let mut state = self.state();
            state.forget(millis(self.clock()));
            let known = state.places.get(place).cloned();
            let known = known.and_then(|known| Some((known.id, known.etag?)));
            let known = known.ok_or_else(|| gone("to send a file to"))?;
            if state.arriving >= ARRIVING {
                return Err(D1Error::Busy { most: ARRIVING });
            }
            state.arriving += 1;
            known
        };
        let path = self.transfer(&filename(&id, &etag));
        let partial = path.with_extension(format!("{place}.part"));
        let made = async {
            tokio::fs::create_dir_all(self.transfer("")).await?;
            tokio::fs::OpenOptions::new()
                .create(true)
                .truncate(true)
                .write(true)
                .mode(0o600)
                .open(&partial)
                .await
        };
        match made.await {
            Ok(file) => {
                Ok(Arriving { file, path, partial, etag, sum: Md5::new(), bytes: 0, d1: self.clone() })
            }
            Err(error) => {
                self.state().arriving -= 1;
                Err(D1Error::system("keep a file that arrives")(error))
            }
        }
    }

    /// Begins to carry out a file that has arrived, and waits a moment for that.
    ///
    /// # Errors
    /// [`D1Error::NotFound`], [`D1Error::Invalid`] for a file that is not there; the store's failure.
    pub async fn ingest(&self, id: &DatabaseId, name: &str, etag: &str) -> Result<Progress, D1Error> {
        let etag = checked_etag(etag)?;
        let path = self.transfer(&filename(id, &etag));
        if name != filename(id, &etag) || !tokio::fs::try_exists(&path).await.unwrap_or(false) {
            let text = format!("there is no file {name:?} with that MD5; send it first");
            return Err(D1Error::Invalid(text));
        }
        let handle = self.handle(id);
        let bookmark = handle.bookmark(None).await?;
        let work = self.begin(id, Way::In, bookmark, async move {
            let loaded = handle.load(path.clone()).await;
            drop(tokio::fs::remove_file(path).await);
            loaded.map(|loaded| Made::Loaded(Box::new(loaded)))
        });
        Ok(work.progress().await)
    }

    /// How far a file is that is carried out, and waits a moment for more.
    ///
    /// # Errors
    /// [`D1Error::Invalid`] where none is.
    pub async fn ingested(&self, id: &DatabaseId) -> Result<Progress, D1Error> {
        let work = self.state().works.get(&(id.clone(), Way::In)).cloned();
        let work = work.ok_or_else(|| D1Error::Invalid("no import is under way; begin one".to_owned()))?;
        Ok(work.progress().await)
    }

    /// Begins to write a database into a file or, with the bookmark that this gave, says how far that is; waits a moment
    /// for it.
    ///
    /// # Errors
    /// [`D1Error::NotFound`]; the store's failure.
    pub async fn export(
        &self,
        id: &DatabaseId,
        options: DumpOptions,
        current: Option<&str>,
    ) -> Result<Progress, D1Error> {
        let known = self.state().works.get(&(id.clone(), Way::Out)).cloned();
        let known = known.filter(|work| current.is_some_and(|current| work.bookmark.to_string() == current));
        if let Some(work) = known {
            return Ok(work.progress().await);
        }
        let handle = self.handle(id);
        let bookmark = handle.bookmark(None).await?;
        let place = uuid::Uuid::new_v4().simple().to_string();
        let filename = format!("{id}-{}.sql", bookmark.moment());
        let (d1, id_of, path) = (self.clone(), id.clone(), self.transfer(&format!("{place}.sql")));
        let work = self.begin(id, Way::Out, bookmark, async move {
            let made = tokio::fs::create_dir_all(d1.transfer("")).await;
            made.map_err(D1Error::system("write an export"))?;
            handle.dump(options, path).await?;
            let now = millis(d1.clock());
            d1.state().places.insert(place.clone(), Place { id: id_of, etag: None, made: now });
            Ok(Made::Written { place, filename })
        });
        Ok(work.progress().await)
    }

    /// The file in a place, of a database that was written.
    ///
    /// # Errors
    /// [`D1Error::NotFound`] for a place that there is not, or not any more.
    pub fn written(&self, place: &str) -> Result<PathBuf, D1Error> {
        let mut state = self.state();
        state.forget(millis(self.clock()));
        let is_there = state.places.get(place).is_some_and(|place| place.etag.is_none());
        if is_there { Ok(self.transfer(&format!("{place}.sql"))) } else { Err(gone("to take a file from")) }
    }

    /// Removes files that nobody came back for.
    pub(super) async fn sweep_transfers(&self) {
        self.state().forget(millis(self.clock()));
        let Ok(mut found) = tokio::fs::read_dir(self.transfer("")).await else { return };
        while let Ok(Some(entry)) = found.next_entry().await {
            let old = entry.metadata().await.ok().and_then(|it| it.modified().ok()?.elapsed().ok());
            if old.is_some_and(|old| old > Duration::from_millis(KNOWN)) {
                drop(tokio::fs::remove_file(entry.path()).await);
            }
        }
    }

    fn begin(
        &self,
        id: &DatabaseId,
        way: Way,
        bookmark: Bookmark,
        work: impl Future<Output = Result<Made, D1Error>> + Send + 'static,
    ) -> Work {
        let (ended, end) = watch::channel(None);
        let now = millis(self.clock());
        let begun = Work { bookmark, begun: now, end };
        {
            let mut state = self.state();
            state.forget(now);
            state.works.insert((id.clone(), way), begun.clone());
        }
        let id = id.clone();
        tokio::spawn(async move {
            let done = work.await.map_err(|error| {
                if error.is_internal() {
                    tracing::error!(database = %id, %error, "a file of a database could not be carried out or written");
                    "the platform failed; its log says why".to_owned()
                } else {
                    error.to_string()
                }
            });
            ended.send_replace(Some(done));
        });
        begun
    }

    fn transfer(&self, name: &str) -> PathBuf {
        self.folder().join("transfers").join(name)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.transfers().0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Forgets what is too old to be asked for, and of work that has ended what there is too much of.
    fn forget(&mut self, now: u64) {
        let is_known = |since: u64| now.saturating_sub(since) < KNOWN;
        self.places.retain(|_, place| is_known(place.made));
        let many = self.works.len() >= MOST;
        self.works.retain(|_, work| work.end.borrow().is_none() || (is_known(work.begun) && !many));
    }
}

impl Work {
    async fn progress(mut self) -> Progress {
        // Whoever waited long enough asks again.
        let ended = tokio::time::timeout(WAITS, self.end.wait_for(Option::is_some)).await;
        let end = match ended {
            Err(_) => None,
            Ok(Ok(end)) => end.clone(),
            Ok(Err(_)) => Some(Err("it was interrupted; begin again".to_owned())),
        };
        Progress { bookmark: self.bookmark, end }
    }
}

fn filename(id: &DatabaseId, etag: &str) -> String {
    format!("{id}.{etag}.sql")
}

fn checked_etag(etag: &str) -> Result<String, D1Error> {
    let is_one = etag.len() == 32 && etag.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_one
        .then(|| etag.to_ascii_lowercase())
        .ok_or_else(|| D1Error::Invalid("etag is the MD5 of the file, as 32 hexadecimal digits".to_owned()))
}

fn gone(what: &str) -> D1Error {
    D1Error::Invalid(format!(
        "there is no such place {what}: each is known for an hour at most; ask for another"
    ))
}
