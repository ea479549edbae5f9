//! `wasmyard:platform/kv`: a script reads and writes the keys and values of a namespace that it is bound to.
//!
//! Each call counts as a subrequest before anything is awaited. The rules of keys, values and expiry are those of
//! [`wasmyard_kv`]; what is here counts, and keeps what passes through the host within the guest's memory ceiling.

pub(crate) mod wasi;
pub(crate) mod writer;

use bytes::Bytes;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::p2::{DynInputStream, InputStream, Pollable, StreamResult};
use wasmyard_kv::{Expiry, Found, KvError as Refused, KvHandle};

use super::dispatch::not_there;
use super::dispatch_wit::BindingError;
use super::granted::Grant;
use super::kv_wit::{
    Entry, Host, HostNamespace, KvError, ListOptions, ListedKey, Page, PutOptions, Streamed,
};
use crate::guest::state::State;
use crate::limits::arriving::Share;
use writer::OpenKvWriter;

/// A namespace that the guest opened.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct OpenKv(KvHandle);

type Answer<T> = wasmtime::Result<Result<T, KvError>>;

impl Host for State {}

impl HostNamespace for State {
    fn open(&mut self, binding: String) -> wasmtime::Result<Result<Resource<OpenKv>, BindingError>> {
        match self.kv(&binding) {
            Ok(kv) => Ok(Ok(self.table.push(OpenKv(kv))?)),
            Err(other) => Ok(Err(not_there(&binding, other))),
        }
    }

    async fn get(&mut self, this: Resource<OpenKv>, key: String) -> Answer<Option<Entry>> {
        let kv = match self.kv_call(&this)? {
            Ok(kv) => kv,
            Err(refused) => return Ok(Err(refused)),
        };
        let found = self.kv_get(&kv, &key).await?;
        Ok(found.map(|found| found.map(entry)).map_err(|error| told(&kv, error)))
    }

    async fn get_stream(&mut self, this: Resource<OpenKv>, key: String) -> Answer<Option<Streamed>> {
        let kv = match self.kv_call(&this)? {
            Ok(kv) => kv,
            Err(refused) => return Ok(Err(refused)),
        };
        let found = match kv.get(&key, self.memory.left_for_host()).await {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(Ok(None)),
            Err(error) => return Ok(Err(told(&kv, error))),
        };
        let size = found.value.len() as u64;
        let value = Value { pipe: MemoryInputPipe::new(found.value), _share: self.arriving.hold(size) };
        self.weigh()?;
        let body: DynInputStream = Box::new(value);
        let body = self.table.push(body)?;
        Ok(Ok(Some(Streamed { body, size, metadata: found.metadata, expiration: found.expires })))
    }

    async fn put(
        &mut self,
        this: Resource<OpenKv>,
        key: String,
        value: Vec<u8>,
        options: PutOptions,
    ) -> Answer<()> {
        let kv = match self.kv_call(&this)? {
            Ok(kv) => kv,
            Err(refused) => return Ok(Err(refused)),
        };
        let put = self.kv_put(&kv, &key, value, put_options(options)).await?;
        Ok(put.map_err(|error| told(&kv, error)))
    }

    fn start_put(
        &mut self,
        this: Resource<OpenKv>,
        key: String,
        options: PutOptions,
    ) -> Answer<Resource<OpenKvWriter>> {
        let kv = match self.kv_call(&this)? {
            Ok(kv) => kv,
            Err(refused) => return Ok(Err(refused)),
        };
        let writer = OpenKvWriter::new(kv, key, put_options(options), &self.arriving);
        Ok(Ok(self.table.push(writer)?))
    }

    async fn delete(&mut self, this: Resource<OpenKv>, key: String) -> Answer<()> {
        let kv = match self.kv_call(&this)? {
            Ok(kv) => kv,
            Err(refused) => return Ok(Err(refused)),
        };
        Ok(kv.delete(&key).await.map_err(|error| told(&kv, error)))
    }

    async fn list(&mut self, this: Resource<OpenKv>, options: ListOptions) -> Answer<Page> {
        let kv = match self.kv_call(&this)? {
            Ok(kv) => kv,
            Err(refused) => return Ok(Err(refused)),
        };
        let options = wasmyard_kv::ListOptions {
            prefix: options.prefix.unwrap_or_default(),
            cursor: options.cursor,
            limit: options.limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)),
        };
        Ok(kv.list(options).await.map(page).map_err(|error| told(&kv, error)))
    }

    fn drop(&mut self, this: Resource<OpenKv>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl State {
    /// The namespace behind a binding, or the type that the binding has instead, if it exists at all.
    pub(super) fn kv(&self, binding: &str) -> Result<KvHandle, Option<&'static str>> {
        let pick = |grant: &Grant| if let Grant::Kv(kv) = grant { Some(kv.clone()) } else { None };
        self.version.bindings.find(binding, pick)
    }

    /// What a call works on, once it is counted.
    fn kv_call(&mut self, this: &Resource<OpenKv>) -> Answer<KvHandle> {
        let kv = self.table.get(this)?.0.clone().within(self.storage);
        Ok(match self.hooks.count_subrequest() {
            Ok(()) => Ok(kv),
            Err(failure) => Err(KvError::ExceededSubrequests(failure.to_string())),
        })
    }

    /// Reads a value that the guest has room for. Until the guest runs again, the host holds it, too.
    pub(super) async fn kv_get(
        &mut self,
        kv: &KvHandle,
        key: &str,
    ) -> wasmtime::Result<Result<Option<Found>, Refused>> {
        let found = kv.get(key, self.memory.left_for_host()).await;
        if let Ok(Some(found)) = &found {
            self.passing = found.value.len() as u64;
            self.weigh()?;
        }
        Ok(found)
    }

    /// Writes a value, which the host holds until it is written.
    pub(super) async fn kv_put(
        &mut self,
        kv: &KvHandle,
        key: &str,
        value: Vec<u8>,
        options: wasmyard_kv::PutOptions,
    ) -> wasmtime::Result<Result<(), Refused>> {
        self.passing = value.len() as u64;
        self.weigh()?;
        let put = kv.put(key, Bytes::from(value), options).await;
        self.passing = 0;
        Ok(put)
    }
}

/// A value that the guest reads in pieces: the host holds it until the guest lets go of it.
struct Value {
    pipe: MemoryInputPipe,
    _share: Share,
}

#[async_trait::async_trait]
impl Pollable for Value {
    async fn ready(&mut self) {
        self.pipe.ready().await;
    }
}

#[async_trait::async_trait]
impl InputStream for Value {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        self.pipe.read(size)
    }
}

fn put_options(options: PutOptions) -> wasmyard_kv::PutOptions {
    wasmyard_kv::PutOptions {
        expiry: Expiry { at: options.expiration, ttl: options.expiration_ttl },
        metadata: options.metadata,
    }
}

fn entry(found: Found) -> Entry {
    Entry { value: found.value.into(), metadata: found.metadata, expiration: found.expires }
}

fn page(page: wasmyard_kv::Page) -> Page {
    let keys = page.keys.into_iter().map(|key| ListedKey {
        name: key.name,
        metadata: key.metadata,
        expiration: key.expires,
    });
    Page { keys: keys.collect(), cursor: page.cursor }
}

/// What a guest is told of a failure. What is the platform's own goes to the log.
fn told(kv: &KvHandle, error: Refused) -> KvError {
    let text = error.to_string();
    match error {
        Refused::Invalid(_) | Refused::TooLarge { .. } | Refused::TitleTaken { .. } => {
            KvError::InvalidArgument(text)
        }
        Refused::NamespaceNotFound(_) => KvError::NamespaceNotFound(text),
        Refused::Quota { .. } => KvError::ExceededQuota(text),
        Refused::NoRoom { .. } => KvError::ExceededMemory(text),
        Refused::Busy { .. } | Refused::Full => KvError::Overloaded(text),
        Refused::Store { .. } => {
            tracing::error!(namespace = %kv.id(), error = text, "a call of a KV binding failed");
            KvError::Internal("the platform failed to carry out the call; its log says why".to_owned())
        }
    }
}
