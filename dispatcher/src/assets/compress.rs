//! Encoded variants of files, made once, in the background, by one thread that everything else goes before.
//!
//! Owns which files are worth it, the queue, and what is known of variants that are there. Serving never waits
//! for any of it: a file whose variants are not known yet is served as it is, and asked for here.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use moka::sync::Cache;
use tokio::sync::{broadcast, mpsc, oneshot};
use wasmyard_namespaces::assets::{AssetEntry, AssetScope, Encoding};
use wasmyard_namespaces::digest::Digest;
use wasmyard_namespaces::limits::MAX_ASSET_BYTES;
use wasmyard_namespaces::registry::{Registry, RegistryEvent};

use super::content::{ContentError, Contents, Key};
use super::figures::AssetFigures;

/// Below this, a variant saves no packet.
const SMALLEST: u64 = 512;
/// Up to this size, the strongest compression is used; beyond it, one that takes a tenth of the time.
const STRONGEST_UP_TO: usize = 1 << 20;
/// How many files may wait to be compressed because they were asked for.
const WAITING: usize = 4096;
/// How many contents' variants are known at most.
const KNOWN: u64 = 200_000;
/// How long until what is known is looked up again: that takes up what failed.
const KNOWN_FOR: Duration = Duration::from_secs(3600);

/// The variants of a content that are ready, by their size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Variants([Option<u32>; 3]);

impl Variants {
    pub(super) fn iter(&self) -> impl Iterator<Item = (Encoding, u64)> + '_ {
        Encoding::ALL
            .into_iter()
            .zip(self.0)
            .filter_map(|(encoding, size)| Some((encoding, u64::from(size?))))
    }

    /// Bytes of a variant; none when it is not ready.
    pub(super) fn size(&self, wanted: Encoding) -> Option<u64> {
        self.iter().find(|(encoding, _)| *encoding == wanted).map(|(_, size)| size)
    }

    pub(super) fn with(mut self, added: Encoding, size: u64) -> Variants {
        for (encoding, slot) in Encoding::ALL.into_iter().zip(&mut self.0) {
            if encoding == added {
                *slot = u32::try_from(size).ok();
            }
        }
        self
    }
}

/// Whether variants of a file are worth their making: its kind compresses, and it is not tiny.
pub(super) fn is_worthwhile(entry: &AssetEntry) -> bool {
    let Some(kind) = &entry.content_type else { return false };
    (SMALLEST..=MAX_ASSET_BYTES).contains(&entry.size) && compresses(kind.as_str())
}

/// Kinds that are compressed already gain nothing and are not in here.
fn compresses(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let suffix = kind.rsplit('+').next().unwrap_or_default();
    kind.starts_with("text/")
        || (kind.contains('+') && matches!(suffix, "json" | "xml" | "text" | "yaml"))
        || matches!(
            kind.as_str(),
            "application/javascript"
                | "application/x-javascript"
                | "application/ecmascript"
                | "application/json"
                | "application/xml"
                | "application/wasm"
                | "application/yaml"
                | "application/toml"
                | "application/sql"
                | "application/rtf"
                | "application/x-sh"
                | "application/vnd.ms-fontobject"
                | "application/x-font-ttf"
                | "font/ttf"
                | "font/otf"
                | "font/collection"
                | "image/bmp"
                | "image/x-icon"
                | "image/vnd.microsoft.icon"
                | "model/obj"
        )
}

/// A content whose variants are to be made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Job {
    scope: AssetScope,
    digest: Digest,
}

/// Makes variants, and knows those that are there.
pub(super) struct Compressor {
    known: Cache<Job, Variants>,
    asked_for: mpsc::Sender<Job>,
    tasks: [tokio::task::JoinHandle<()>; 2],
}

impl Compressor {
    /// Starts the background. Needs a tokio runtime.
    pub(super) fn start(registry: &Registry, contents: &Arc<Contents>, figures: &AssetFigures) -> Compressor {
        let known = Cache::builder().max_capacity(KNOWN).time_to_live(KNOWN_FOR).build();
        let (asked_for, asked) = mpsc::channel(WAITING);
        let (deployed, from_deploys) = mpsc::channel(1);
        let background = Background {
            registry: registry.clone(),
            contents: Arc::clone(contents),
            figures: figures.clone(),
            known: known.clone(),
            thread: None,
        };
        let tasks = [
            tokio::spawn(background.run(asked, from_deploys)),
            tokio::spawn(follow_deploys(registry.clone(), known.clone(), deployed)),
        ];
        Compressor { known, asked_for, tasks }
    }

    /// The variants of a file that are ready. Where nothing is known of them, they are looked for and made, for
    /// requests to come.
    pub(super) fn variants(&self, scope: &AssetScope, entry: &AssetEntry) -> Variants {
        if !is_worthwhile(entry) {
            return Variants::default();
        }
        let job = Job { scope: scope.clone(), digest: entry.digest };
        if let Some(known) = self.known.get(&job) {
            return known;
        }
        // Nothing, until the background says more. When the queue is full, a later request asks again.
        if self.asked_for.try_send(job.clone()).is_ok() {
            self.known.insert(job, Variants::default());
        }
        Variants::default()
    }

    /// Forgets what is known of a content, so that its variants are looked for again.
    pub(super) fn forget(&self, scope: &AssetScope, digest: Digest) {
        self.known.invalidate(&Job { scope: scope.clone(), digest });
    }
}

impl Drop for Compressor {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Hands the files of every new version to the background, one at a time.
async fn follow_deploys(registry: Registry, known: Cache<Job, Variants>, deployed: mpsc::Sender<Job>) {
    let mut changes = registry.changes();
    loop {
        let key = match changes.recv().await {
            Ok(RegistryEvent::Script(key)) => key,
            // What is missed here is made when it is asked for.
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => continue,
            Err(broadcast::error::RecvError::Closed) => return,
        };
        let Ok(Some(script)) = registry.script(&key).await else { continue };
        for assets in script.serving().filter_map(|(version, _)| version.assets.as_ref()) {
            let Ok(manifest) = registry.manifest(&assets.manifest).await else { continue };
            for (_, entry) in manifest.iter().filter(|(_, entry)| is_worthwhile(entry)) {
                let job = Job { scope: manifest.scope().clone(), digest: entry.digest };
                if !known.contains_key(&job) && deployed.send(job).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// What runs beside the requests.
struct Background {
    registry: Registry,
    contents: Arc<Contents>,
    figures: AssetFigures,
    known: Cache<Job, Variants>,
    /// Started with the first file that is to be compressed.
    thread: Option<std::sync::mpsc::Sender<Work>>,
}

/// What the thread is given.
struct Work {
    content: Bytes,
    encoding: Encoding,
    done: oneshot::Sender<std::io::Result<Vec<u8>>>,
}

impl Background {
    async fn run(mut self, mut asked: mpsc::Receiver<Job>, mut deployed: mpsc::Receiver<Job>) {
        loop {
            let job = tokio::select! {
                biased;
                job = asked.recv() => job,
                Some(job) = deployed.recv() => Some(job),
            };
            let Some(job) = job else { return };
            // One that was made for a deploy and asked for meanwhile.
            if self.known.get(&job).is_some_and(|known| known != Variants::default()) {
                continue;
            }
            let variants = self.variants(&job).await;
            self.known.insert(job, variants);
        }
    }

    /// Finds or makes all variants of a content. One that fails is left out.
    async fn variants(&mut self, job: &Job) -> Variants {
        let mut variants = Variants::default();
        let mut source = None;
        for encoding in Encoding::ALL {
            let made = match self.size_of(job, encoding).await {
                Ok(size) => Ok(size),
                Err(ContentError::NoVariant | ContentError::Corrupt { .. }) => {
                    self.make(job, encoding, &mut source).await
                }
                Err(error) => Err(error.to_string()),
            };
            match made {
                // Kept without content: it is known not to be worth it.
                Ok(0) => {}
                Ok(size) => variants = variants.with(encoding, size),
                Err(error) => {
                    let (digest, encoding) = (job.digest, encoding.as_str());
                    tracing::warn!(target: "wasmyard::assets", %digest, encoding, error, "no variant could be made");
                }
            }
        }
        variants
    }

    /// The size of a variant that is there, and is what was put.
    async fn size_of(&self, job: &Job, encoding: Encoding) -> Result<u64, ContentError> {
        Ok(self.contents.read(&job.key(Some(encoding))).await?.len() as u64)
    }

    async fn make(
        &mut self,
        job: &Job,
        encoding: Encoding,
        source: &mut Option<Bytes>,
    ) -> Result<u64, String> {
        let content = match source {
            Some(content) => content.clone(),
            None => {
                let content = self.contents.read(&job.key(None)).await.map_err(|error| error.to_string())?;
                source.insert(content).clone()
            }
        };
        let size = content.len();
        let mut variant = self.compress(content, encoding).await?;
        // Less than a twentieth saved is not worth the space, nor the decoding.
        let worth_it = variant.len() <= size - size / 20;
        if !worth_it {
            variant.clear();
        }
        self.figures.variant_made(encoding, worth_it);
        let size = variant.len() as u64;
        let put = self.registry.put_variant(&job.scope, &job.digest, encoding, Bytes::from(variant)).await;
        put.map(|()| size).map_err(|error| error.to_string())
    }

    async fn compress(&mut self, content: Bytes, encoding: Encoding) -> Result<Vec<u8>, String> {
        let (done, result) = oneshot::channel();
        let work = Work { content, encoding, done };
        let thread = match &self.thread {
            Some(thread) => thread,
            None => self.thread.insert(start_thread().map_err(|error| error.to_string())?),
        };
        thread.send(work).map_err(|error| error.to_string())?;
        result.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }
}

impl Job {
    fn key(&self, encoding: Option<Encoding>) -> Key {
        Key { scope: self.scope.clone(), digest: self.digest, encoding }
    }
}

/// The one thread that compresses. It ends when nobody can give it work any more.
fn start_thread() -> std::io::Result<std::sync::mpsc::Sender<Work>> {
    let (sender, works) = std::sync::mpsc::channel::<Work>();
    std::thread::Builder::new().name("assets-compress".to_owned()).spawn(move || {
        // Of this thread alone: Linux keeps priorities by thread.
        if let Err(error) = rustix::process::setpriority_process(None, 19) {
            tracing::debug!(target: "wasmyard::assets", %error, "compression runs at usual priority");
        }
        for Work { content, encoding, done } in works {
            // Whoever asked may be gone; then there is nothing to do.
            let _gone = done.send(compressed(&content, encoding));
        }
    })?;
    Ok(sender)
}

fn compressed(content: &[u8], encoding: Encoding) -> std::io::Result<Vec<u8>> {
    let strongest = content.len() <= STRONGEST_UP_TO;
    match encoding {
        Encoding::Br => {
            let quality = if strongest { 11 } else { 9 };
            let mut writer = brotli::CompressorWriter::new(Vec::new(), 64 << 10, quality, 22);
            writer.write_all(content)?;
            writer.flush()?;
            Ok(writer.into_inner())
        }
        // Browsers refuse windows over 8 MiB; up to level 19 there are none.
        Encoding::Zstd => zstd::bulk::compress(content, if strongest { 19 } else { 12 }),
        Encoding::Gzip => {
            let level = flate2::Compression::new(if strongest { 9 } else { 6 });
            let mut writer = flate2::write::GzEncoder::new(Vec::new(), level);
            writer.write_all(content)?;
            writer.finish()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use wasmyard_namespaces::assets::ContentType;

    use super::*;

    fn entry(kind: &str, size: u64) -> AssetEntry {
        let content_type = ContentType::parse(kind).ok();
        let hash = "0123456789abcdef0123456789abcdef".parse().unwrap();
        AssetEntry { hash, size, digest: Digest::of(b""), content_type }
    }

    #[test]
    fn kinds_that_are_compressed_already_and_tiny_files_are_left_alone() {
        for kind in ["text/html; charset=utf-8", "TEXT/CSS", "application/json", "image/svg+xml", "font/ttf"]
        {
            assert!(is_worthwhile(&entry(kind, 10_000)), "{kind}");
            assert!(!is_worthwhile(&entry(kind, 100)), "{kind}");
        }
        for kind in
            ["image/png", "image/jpeg", "video/mp4", "font/woff2", "application/zip", "application/gzip"]
        {
            assert!(!is_worthwhile(&entry(kind, 10_000)), "{kind}");
        }
        assert!(!is_worthwhile(&AssetEntry { content_type: None, ..entry("text/html", 10_000) }));
    }

    #[test]
    fn every_coding_gives_back_what_was_put_in() {
        let content: Vec<u8> = (0..200_000u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        for encoding in Encoding::ALL {
            let small = compressed(&content, encoding).unwrap();
            assert!(small.len() < content.len() / 2, "{encoding:?}");
            let mut back = Vec::new();
            match encoding {
                Encoding::Br => brotli::Decompressor::new(&small[..], 4096).read_to_end(&mut back).unwrap(),
                Encoding::Zstd => zstd::Decoder::new(&small[..]).unwrap().read_to_end(&mut back).unwrap(),
                Encoding::Gzip => flate2::read::GzDecoder::new(&small[..]).read_to_end(&mut back).unwrap(),
            };
            assert!(back == content, "{encoding:?}");
        }
    }

    #[test]
    fn variants_are_kept_by_their_coding() {
        let variants = Variants::default().with(Encoding::Zstd, 7).with(Encoding::Br, 5);
        assert_eq!(variants.iter().collect::<Vec<_>>(), [(Encoding::Br, 5), (Encoding::Zstd, 7)]);
        assert_eq!((variants.size(Encoding::Zstd), variants.size(Encoding::Gzip)), (Some(7), None));
    }
}
