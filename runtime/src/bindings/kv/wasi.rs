//! `wasi:keyvalue/store`, `batch` and `atomics` over the same namespaces: a bucket's identifier is a binding's name.
//!
//! A key counts as a subrequest each. Batches are not atomic, as the interface says: what was done before an error stays.

use wasmtime::component::Resource;
use wasmyard_kv::{KvError as Refused, KvHandle, ListOptions, PutOptions};

use crate::bindings::keyvalue_wit::{Error, Host, HostBucket, KeyResponse};
use crate::bindings::{keyvalue_atomics_wit as atomics, keyvalue_batch_wit as batch};
use crate::guest::state::State;

/// A bucket that the guest opened.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Bucket {
    kv: KvHandle,
    /// How many keys were listed, and where the next page begins: the interface's cursor is a number.
    listed: (u64, Option<String>),
}

type Answer<T> = wasmtime::Result<Result<T, Error>>;

impl Host for State {
    fn open(&mut self, identifier: String) -> Answer<Resource<Bucket>> {
        match self.kv(&identifier) {
            Ok(kv) => Ok(Ok(self.table.push(Bucket { kv, listed: (0, None) })?)),
            // Whether there is something else of that name is not for the guest to find out this way.
            Err(_) => Ok(Err(Error::NoSuchStore)),
        }
    }
}

impl HostBucket for State {
    async fn get(&mut self, this: Resource<Bucket>, key: String) -> Answer<Option<Vec<u8>>> {
        let kv = self.table.get(&this)?.kv.clone().within(self.storage);
        if let Err(refused) = self.counted() {
            return Ok(Err(refused));
        }
        let found = self.kv_get(&kv, &key).await?;
        Ok(found.map(|found| found.map(|found| found.value.into())).map_err(|error| told(&kv, error)))
    }

    async fn set(&mut self, this: Resource<Bucket>, key: String, value: Vec<u8>) -> Answer<()> {
        let kv = self.table.get(&this)?.kv.clone().within(self.storage);
        if let Err(refused) = self.counted() {
            return Ok(Err(refused));
        }
        let put = self.kv_put(&kv, &key, value, PutOptions::default()).await?;
        Ok(put.map_err(|error| told(&kv, error)))
    }

    async fn delete(&mut self, this: Resource<Bucket>, key: String) -> Answer<()> {
        let kv = self.table.get(&this)?.kv.clone().within(self.storage);
        if let Err(refused) = self.counted() {
            return Ok(Err(refused));
        }
        Ok(kv.delete(&key).await.map_err(|error| told(&kv, error)))
    }

    async fn exists(&mut self, this: Resource<Bucket>, key: String) -> Answer<bool> {
        let kv = self.table.get(&this)?.kv.clone().within(self.storage);
        if let Err(refused) = self.counted() {
            return Ok(Err(refused));
        }
        // Of the keys that begin with this one, it is the first itself; the value is not read.
        let options = ListOptions { prefix: key.clone(), limit: Some(1), cursor: None };
        let listed = kv.list(options).await.map_err(|error| told(&kv, error));
        Ok(listed.map(|page| page.keys.iter().any(|found| found.name == key)))
    }

    async fn list_keys(&mut self, this: Resource<Bucket>, cursor: Option<u64>) -> Answer<KeyResponse> {
        let bucket = self.table.get(&this)?;
        let (kv, (before, place)) = (bucket.kv.clone(), bucket.listed.clone());
        let (before, place) = match cursor {
            None => (0, None),
            Some(number) if number == before && place.is_some() => (before, place),
            Some(_) => {
                let rule = "the cursor is not the one that the page before ended with; begin without one";
                return Ok(Err(Error::Other(rule.to_owned())));
            }
        };
        if let Err(refused) = self.counted() {
            return Ok(Err(refused));
        }
        let page = match kv.list(ListOptions { cursor: place, ..ListOptions::default() }).await {
            Ok(page) => page,
            Err(error) => return Ok(Err(told(&kv, error))),
        };
        let keys: Vec<String> = page.keys.into_iter().map(|key| key.name).collect();
        let count = before.saturating_add(keys.len() as u64);
        let cursor = page.cursor.as_ref().map(|_| count);
        self.table.get_mut(&this)?.listed = (count, page.cursor);
        Ok(Ok(KeyResponse { keys, cursor }))
    }

    fn drop(&mut self, this: Resource<Bucket>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl batch::Host for State {
    async fn get_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> Answer<Vec<Option<(String, Vec<u8>)>>> {
        let kv = self.table.get(&bucket)?.kv.clone().within(self.storage);
        let (mut values, mut bytes) = (Vec::new(), 0u64);
        for key in keys {
            if let Err(refused) = self.counted() {
                return Ok(Err(refused));
            }
            let room = self.memory.left_for_host().saturating_sub(bytes);
            match kv.get(&key, room).await {
                Ok(found) => {
                    let value = found.map(|found| (key, Vec::from(found.value)));
                    bytes = bytes.saturating_add(value.as_ref().map_or(0, |(_, value)| value.len() as u64));
                    values.push(value);
                    self.passing = bytes;
                    self.weigh()?;
                }
                Err(error) => return Ok(Err(told(&kv, error))),
            }
        }
        Ok(Ok(values))
    }

    async fn set_many(&mut self, bucket: Resource<Bucket>, key_values: Vec<(String, Vec<u8>)>) -> Answer<()> {
        let kv = self.table.get(&bucket)?.kv.clone().within(self.storage);
        for (key, value) in key_values {
            if let Err(refused) = self.counted() {
                return Ok(Err(refused));
            }
            if let Err(error) = self.kv_put(&kv, &key, value, PutOptions::default()).await? {
                return Ok(Err(told(&kv, error)));
            }
        }
        Ok(Ok(()))
    }

    async fn delete_many(&mut self, bucket: Resource<Bucket>, keys: Vec<String>) -> Answer<()> {
        let kv = self.table.get(&bucket)?.kv.clone().within(self.storage);
        for key in keys {
            if let Err(refused) = self.counted() {
                return Ok(Err(refused));
            }
            if let Err(error) = kv.delete(&key).await {
                return Ok(Err(told(&kv, error)));
            }
        }
        Ok(Ok(()))
    }
}

impl atomics::Host for State {
    async fn increment(&mut self, bucket: Resource<Bucket>, key: String, delta: u64) -> Answer<u64> {
        let kv = self.table.get(&bucket)?.kv.clone().within(self.storage);
        if let Err(refused) = self.counted() {
            return Ok(Err(refused));
        }
        Ok(kv.increment(&key, delta).await.map_err(|error| told(&kv, error)))
    }
}

impl State {
    fn counted(&mut self) -> Result<(), Error> {
        self.hooks.count_subrequest().map_err(|failure| Error::Other(failure.to_string()))
    }
}

/// What a guest is told of a failure. What is the platform's own goes to the log.
fn told(kv: &KvHandle, error: Refused) -> Error {
    match error {
        Refused::NamespaceNotFound(_) => Error::NoSuchStore,
        error if error.is_internal() => {
            tracing::error!(namespace = %kv.id(), %error, "a call of wasi:keyvalue failed");
            Error::Other("the platform failed to carry out the call; its log says why".to_owned())
        }
        error => Error::Other(error.to_string()),
    }
}
