//! Which files of a project changed.
//!
//! Owns the watches of the file system, on a thread of its own, and the waiting until an editor or a
//! compiler is done. It must never look at what a file contains, and never follow the many folders that
//! tools write to (`target`, `node_modules`, names that begin with a dot).
//!
//! Folders are watched one by one rather than recursively, so that those are left out. Editors replace
//! files instead of writing them, and builds delete and make whole folders: so what is watched is worked
//! out anew after every batch of events, and a file counts as changed when its length, time or identity
//! did, even if no event told so.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::oneshot;
use wasmyard_namespaces::ScriptKey;

/// No event for this long, and the writer is taken to be done.
const QUIET: Duration = Duration::from_millis(80);
/// A writer that never pauses is not waited for longer.
const PATIENCE: Duration = Duration::from_secs(1);
/// More folders than this are not watched for one project.
const MOST_FOLDERS: usize = 20_000;

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// The configuration file.
    Config,
    /// Something that the script is built from.
    Sources(ScriptKey),
    /// The script's component.
    Main(ScriptKey),
    /// The folder of files that the script serves.
    Assets(ScriptKey),
}

/// Something to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interest {
    /// What to say when it changes.
    pub change: Change,
    /// Where it is. It need not exist.
    pub path: PathBuf,
    /// Whether everything below counts too, if it is a folder.
    pub deep: bool,
}

/// Why nothing can be watched.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The system refuses.
    #[error("files cannot be watched: {0}; if it is a limit, raise fs.inotify.max_user_watches")]
    System(#[from] notify::Error),
    /// The project is too large.
    #[error("more than {MOST_FOLDERS} folders to watch; name fewer in build.watch")]
    TooMany,
    /// The thread ended.
    #[error("the file watcher has ended")]
    Ended,
}

/// A running watcher; ends when dropped.
#[derive(Debug)]
pub struct Watcher {
    messages: mpsc::Sender<Message>,
    changes: tokio::sync::mpsc::Receiver<Batch>,
}

/// What changed; or why not all of it can be told from now on.
type Batch = Result<BTreeSet<Change>, WatchError>;

enum Message {
    Event(notify::Result<Event>),
    Watch(Vec<Interest>, oneshot::Sender<Result<(), WatchError>>),
    End,
}

impl Watcher {
    /// Starts to watch. What changes after this returns is told by [`Watcher::next`].
    ///
    /// # Errors
    /// [`WatchError`].
    pub async fn start(interests: Vec<Interest>) -> Result<Self, WatchError> {
        let (messages, inbox) = mpsc::channel();
        let (outbox, changes) = tokio::sync::mpsc::channel(16);
        let events = messages.clone();
        let notify = notify::recommended_watcher(move |event| {
            // The receiver is gone only when the watcher is being dropped.
            events.send(Message::Event(event)).ok();
        })?;
        let worker = Worker {
            notify,
            inbox,
            outbox,
            interests: Vec::new(),
            armed: HashMap::new(),
            pending: BTreeSet::new(),
        };
        std::thread::Builder::new()
            .name("wasmyard-watch".to_owned())
            .spawn(move || worker.run())
            .map_err(notify::Error::io)?;
        let watcher = Self { messages, changes };
        watcher.watch(interests).await?;
        Ok(watcher)
    }

    /// Watches these from now on, instead of those before.
    ///
    /// # Errors
    /// [`WatchError`].
    pub async fn watch(&self, interests: Vec<Interest>) -> Result<(), WatchError> {
        let (done, answer) = oneshot::channel();
        self.messages.send(Message::Watch(interests, done)).map_err(|_| WatchError::Ended)?;
        answer.await.map_err(|_| WatchError::Ended)?
    }

    /// Waits for the next changes.
    ///
    /// # Errors
    /// [`WatchError`]; after [`WatchError::Ended`] there is nothing more to come.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Result<BTreeSet<Change>, WatchError> {
        self.changes.recv().await.unwrap_or(Err(WatchError::Ended))
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.messages.send(Message::End).ok();
    }
}

/// The thread's side.
struct Worker {
    notify: RecommendedWatcher,
    inbox: mpsc::Receiver<Message>,
    outbox: tokio::sync::mpsc::Sender<Batch>,
    interests: Vec<Watched>,
    /// Watched folders with their identity: one that was deleted and made again is another.
    armed: HashMap<PathBuf, Identity>,
    pending: BTreeSet<Change>,
}

struct Watched {
    interest: Interest,
    stamp: Stamp,
}

type Identity = (u64, u64);

/// What a file is known by from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stamp {
    Missing,
    Folder,
    File { identity: Identity, length: u64, modified: (i64, i64) },
}

impl Worker {
    fn run(mut self) {
        loop {
            let Ok(message) = self.inbox.recv() else { return };
            if !self.take(message) || !self.settle() {
                return;
            }
            let armed = self.arm();
            self.compare_stamps();
            let changes = std::mem::take(&mut self.pending);
            // What could not be armed is tried again with the next batch; what is armed still works.
            let batches = [armed.err().map(Err), (!changes.is_empty()).then_some(Ok(changes))];
            for batch in batches.into_iter().flatten() {
                if self.outbox.blocking_send(batch).is_err() {
                    return;
                }
            }
        }
    }

    /// Takes messages until there is a pause. False: end.
    fn settle(&mut self) -> bool {
        let end = Instant::now() + PATIENCE;
        loop {
            let rest = end.saturating_duration_since(Instant::now()).min(QUIET);
            match self.inbox.recv_timeout(rest) {
                Ok(message) => {
                    if !self.take(message) {
                        return false;
                    }
                    if Instant::now() >= end {
                        return true;
                    }
                }
                Err(mpsc::RecvTimeoutError::Timeout) => return true,
                Err(mpsc::RecvTimeoutError::Disconnected) => return false,
            }
        }
    }

    fn take(&mut self, message: Message) -> bool {
        match message {
            Message::Event(Ok(event)) => self.event(&event),
            Message::Event(Err(_)) => self.everything_changed(),
            Message::Watch(interests, done) => {
                self.interests = interests.into_iter().map(|interest| self.watched(interest)).collect();
                let armed = self.arm();
                // Nobody waits for the answer any more: then nobody minds.
                done.send(armed).ok();
            }
            Message::End => return false,
        }
        true
    }

    /// What was watched before is compared with how it was then: nothing is missed while interests change.
    fn watched(&self, interest: Interest) -> Watched {
        let before = self.interests.iter().find(|watched| watched.interest == interest);
        let stamp = before.map_or_else(|| stamp(&interest.path), |watched| watched.stamp.clone());
        Watched { interest, stamp }
    }

    /// Events were lost: anything may have happened.
    fn everything_changed(&mut self) {
        self.pending.extend(self.interests.iter().map(|watched| watched.interest.change.clone()));
    }

    fn event(&mut self, event: &Event) {
        if event.need_rescan() {
            return self.everything_changed();
        }
        match event.kind {
            // Reading is no change, and the build reads all the time.
            EventKind::Access(AccessKind::Close(AccessMode::Write)) | EventKind::Any | EventKind::Other => {}
            EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_)) => return,
            EventKind::Create(_) | EventKind::Modify(_) => {}
            EventKind::Remove(_) => self.disarm(&event.paths),
        }
        if matches!(event.kind, EventKind::Modify(ModifyKind::Name(_))) {
            self.disarm(&event.paths);
        }
        for path in &event.paths {
            for watched in &self.interests {
                let assets = matches!(watched.interest.change, Change::Assets(_));
                if watched.interest.deep && self.below(&watched.interest.path, path, assets) {
                    self.pending.insert(watched.interest.change.clone());
                }
            }
        }
    }

    /// Whether a change at `path` is one of the tree at `root`. What a build makes is no source; of assets, every
    /// file counts.
    fn below(&self, root: &Path, path: &Path, assets: bool) -> bool {
        let Ok(rest) = path.strip_prefix(root) else { return false };
        // The folder itself: its coming and going shows in its stamp.
        let inside = rest.components().next().is_some();
        let product = || {
            self.interests.iter().any(|watched| {
                matches!(watched.interest.change, Change::Main(_)) && watched.interest.path == path
            })
        };
        inside && (assets || !rest.components().any(ignored)) && !product()
    }

    /// A folder that went away takes its watch with it.
    fn disarm(&mut self, paths: &[PathBuf]) {
        for path in paths {
            if self.armed.remove(path).is_some() {
                // It may be gone already, which is why it is forgotten.
                self.notify.unwatch(path).ok();
            }
        }
    }

    fn compare_stamps(&mut self) {
        for watched in &mut self.interests {
            let now = stamp(&watched.interest.path);
            if now != watched.stamp {
                watched.stamp = now;
                self.pending.insert(watched.interest.change.clone());
            }
        }
    }

    /// Makes the watches what they must be. A folder may come into being while this looks elsewhere, so it
    /// looks again until nothing is new.
    fn arm(&mut self) -> Result<(), WatchError> {
        for _ in 0..8 {
            let wanted = self.wanted()?;
            let stale: Vec<PathBuf> = self
                .armed
                .iter()
                .filter(|(path, identity)| wanted.get(*path) != Some(*identity))
                .map(|(path, _)| path.clone())
                .collect();
            self.disarm(&stale);
            let fresh: Vec<(PathBuf, Identity)> =
                wanted.into_iter().filter(|(path, _)| !self.armed.contains_key(path)).collect();
            if fresh.is_empty() {
                return Ok(());
            }
            for (path, identity) in fresh {
                match self.notify.watch(&path, RecursiveMode::NonRecursive) {
                    Ok(()) => {
                        self.armed.insert(path, identity);
                    }
                    // Gone since it was seen: the next round looks again.
                    Err(error) if matches!(error.kind, notify::ErrorKind::PathNotFound) || !path.exists() => {
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    /// The folders to watch: all of a tree, the folder of a file, or the nearest one that exists.
    fn wanted(&self) -> Result<BTreeMap<PathBuf, Identity>, WatchError> {
        let mut wanted = BTreeMap::new();
        for Watched { interest, .. } in &self.interests {
            if interest.deep && interest.path.is_dir() {
                walk(&interest.path, matches!(interest.change, Change::Assets(_)), &mut wanted)?;
            }
            let mut folder = interest.path.parent();
            while let Some(path) = folder {
                if let Some(identity) = folder_identity(path) {
                    wanted.insert(path.to_owned(), identity);
                    break;
                }
                folder = path.parent();
            }
        }
        Ok(wanted)
    }
}

fn walk(root: &Path, all: bool, wanted: &mut BTreeMap<PathBuf, Identity>) -> Result<(), WatchError> {
    let mut stack = vec![root.to_owned()];
    while let Some(folder) = stack.pop() {
        let Some(identity) = folder_identity(&folder) else { continue };
        if wanted.len() >= MOST_FOLDERS {
            return Err(WatchError::TooMany);
        }
        wanted.insert(folder.clone(), identity);
        // A folder that cannot be read has nothing in it for us.
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let plain = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if plain && (all || !ignored(Component::Normal(&name))) {
                stack.push(entry.path());
            }
        }
    }
    Ok(())
}

/// Names that tools write to, and what editors leave beside a file while they save it.
fn ignored(component: Component<'_>) -> bool {
    let Component::Normal(name) = component else { return false };
    let name = name.to_string_lossy();
    name.starts_with('.')
        || name.ends_with('~')
        || name.starts_with('#')
        || matches!(&*name, "target" | "node_modules" | "__pycache__" | "4913")
}

fn folder_identity(path: &Path) -> Option<Identity> {
    std::fs::metadata(path).ok().filter(std::fs::Metadata::is_dir).map(|meta| (meta.dev(), meta.ino()))
}

fn stamp(path: &Path) -> Stamp {
    match std::fs::metadata(path) {
        Err(_) => Stamp::Missing,
        Ok(meta) if meta.is_dir() => Stamp::Folder,
        Ok(meta) => Stamp::File {
            identity: (meta.dev(), meta.ino()),
            length: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
        },
    }
}

#[cfg(test)]
mod tests;
