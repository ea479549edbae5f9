//! Where contents are kept: files of a folder, and behind the same trait whatever keeps bytes under names.
//!
//! A content is written once, whole, and never changed. Its name is made by the service and says nothing. What is here
//! neither knows which contents are named by an object, nor decides when one goes: the index does.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use wasmyard_sqlite::sync_folder;

use crate::error::R2Error;

/// Keeps contents by their names, of 32 hexadecimal digits each.
#[async_trait]
pub trait Contents: Send + Sync + std::fmt::Debug + 'static {
    /// Begins a content.
    ///
    /// # Errors
    /// [`R2Error::Full`], or the store's failure.
    async fn create(&self, name: &str) -> Result<Box<dyn Sink>, R2Error>;

    /// A content to be read; none where there is none of that name. Once opened it can be read to its end, whether it is
    /// removed meanwhile or not.
    ///
    /// # Errors
    /// The store's failure.
    async fn open(&self, name: &str) -> Result<Option<Box<dyn Source>>, R2Error>;

    /// Removes a content, if it is there.
    ///
    /// # Errors
    /// The store's failure.
    async fn remove(&self, name: &str) -> Result<(), R2Error>;

    /// The names that begin with these two digits, finished or not.
    ///
    /// # Errors
    /// The store's failure.
    async fn names(&self, shard: u8) -> Result<Vec<String>, R2Error>;
}

/// A content that is being written.
#[async_trait]
pub trait Sink: Send {
    /// Appends these pieces.
    ///
    /// # Errors
    /// [`R2Error::Full`], or the store's failure.
    async fn write(&mut self, pieces: Vec<Bytes>) -> Result<(), R2Error>;

    /// Makes it durable, together with its name.
    ///
    /// # Errors
    /// [`R2Error::Full`], or the store's failure.
    async fn finish(self: Box<Self>) -> Result<(), R2Error>;
}

/// A content that is being read.
#[async_trait]
pub trait Source: Send + Sync {
    /// Exactly these bytes. None where there are not so many.
    ///
    /// # Errors
    /// The store's failure.
    async fn read(&self, offset: u64, length: usize) -> Result<Option<Bytes>, R2Error>;
}

/// Contents as files, in 256 folders by the first two digits of their names.
#[derive(Clone, Debug)]
pub struct LocalContents {
    folder: Arc<Path>,
}

impl LocalContents {
    /// The contents of a folder, which is made with its folders if need be. They are durable before the first content, so
    /// that each content has but its own folder to make durable.
    ///
    /// # Errors
    /// [`R2Error::Full`], or why it cannot be made.
    pub fn open(folder: &Path) -> Result<LocalContents, R2Error> {
        let prepare = || {
            let mut builder = fs::DirBuilder::new();
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.recursive(true).create(folder)?;
            for shard in 0..=u8::MAX {
                builder.create(folder.join(format!("{shard:02x}")))?;
            }
            sync_folder(folder)?;
            folder.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or(Ok(()), sync_folder)
        };
        prepare().map_err(|source| R2Error::io("make the folder of contents", source))?;
        Ok(LocalContents { folder: Arc::from(folder) })
    }

    fn path(&self, name: &str) -> Result<PathBuf, R2Error> {
        match name.split_at_checked(2) {
            Some((shard, rest)) if is_name(name) => Ok(self.folder.join(shard).join(rest)),
            _ => Err(R2Error::store("name a content", format!("{name:?} is no name"))),
        }
    }
}

fn is_name(name: &str) -> bool {
    name.len() == 32 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

async fn blocking<T: Send + 'static>(
    action: &'static str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, R2Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|source| R2Error::store(action, source))?.map_err(|source| R2Error::io(action, source))
}

#[async_trait]
impl Contents for LocalContents {
    async fn create(&self, name: &str) -> Result<Box<dyn Sink>, R2Error> {
        let path = self.path(name)?;
        let sink = move || {
            let mut options = File::options();
            let file = options.write(true).create_new(true).mode(0o600).open(&path)?;
            Ok(LocalSink { file: Arc::new(file), path })
        };
        Ok(Box::new(blocking("make a content", sink).await?))
    }

    async fn open(&self, name: &str) -> Result<Option<Box<dyn Source>>, R2Error> {
        let path = self.path(name)?;
        let open = move || match File::open(path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        };
        let file = blocking("open a content", open).await?;
        Ok(file.map(|file| Box::new(LocalSource(Arc::new(file))) as Box<dyn Source>))
    }

    async fn remove(&self, name: &str) -> Result<(), R2Error> {
        let path = self.path(name)?;
        let remove = move || match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        };
        blocking("remove a content", remove).await
    }

    async fn names(&self, shard: u8) -> Result<Vec<String>, R2Error> {
        let digits = format!("{shard:02x}");
        let folder = self.folder.join(&digits);
        let names = move || {
            let mut names = Vec::new();
            for file in fs::read_dir(folder)? {
                let name = format!("{digits}{}", file?.file_name().to_string_lossy());
                // What is none of ours stays.
                if is_name(&name) {
                    names.push(name);
                }
            }
            Ok(names)
        };
        blocking("list contents", names).await
    }
}

struct LocalSink {
    file: Arc<File>,
    path: PathBuf,
}

#[async_trait]
impl Sink for LocalSink {
    async fn write(&mut self, pieces: Vec<Bytes>) -> Result<(), R2Error> {
        let file = Arc::clone(&self.file);
        let write = move || pieces.iter().try_for_each(|piece| (&*file).write_all(piece));
        blocking("write a content", write).await
    }

    async fn finish(self: Box<Self>) -> Result<(), R2Error> {
        let LocalSink { file, path } = *self;
        let finish = move || {
            file.sync_all()?;
            path.parent().map_or(Ok(()), sync_folder)
        };
        blocking("make a content durable", finish).await
    }
}

struct LocalSource(Arc<File>);

#[async_trait]
impl Source for LocalSource {
    async fn read(&self, offset: u64, length: usize) -> Result<Option<Bytes>, R2Error> {
        let file = Arc::clone(&self.0);
        let read = move || {
            let mut bytes = vec![0; length];
            match file.read_exact_at(&mut bytes, offset) {
                Ok(()) => Ok(Some(Bytes::from(bytes))),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
                Err(error) => Err(error),
            }
        };
        blocking("read a content", read).await
    }
}
