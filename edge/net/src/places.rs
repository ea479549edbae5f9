//! How many connections may be open: in all, for one namespace, to one host. A place is held for as long as its
//! connection is open; who finds none waits, and whoever called decides for how long.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmyard_model::egress::Host;

use crate::kept::{IdleConnections, Listed};
use crate::sync::{Mutex, timeout};

/// How often who waits for a place looks for a connection that only takes one up.
const TURN: Duration = Duration::from_millis(20);

/// The places of one sender, among those of all.
pub(crate) struct Places {
    all: Bounded,
    own: Bounded,
    per_host: usize,
    hosts: Mutex<Hosts>,
    kept: Arc<IdleConnections>,
    sender: u64,
}

/// A number of places.
#[derive(Clone)]
pub(crate) struct Bounded(Arc<Semaphore>);

/// Leave to have one connection open.
pub(crate) struct ConnectionPermit {
    _host: OwnedSemaphorePermit,
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

/// The hosts that connections are open to, or waited for.
#[derive(Default)]
struct Hosts {
    by_name: HashMap<(Host, u16), Weak<Semaphore>>,
    /// With so many, those that nobody uses any more are taken out.
    crowded: usize,
}

impl Bounded {
    pub(crate) fn new(most: usize) -> Self {
        Self(Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))))
    }

    /// Waits for a place, and asks for room meanwhile.
    async fn place(&self, make_room: impl Fn()) -> Option<OwnedSemaphorePermit> {
        if let Ok(free) = Arc::clone(&self.0).try_acquire_owned() {
            return Some(free);
        }
        let mut place = pin!(Arc::clone(&self.0).acquire_owned());
        loop {
            make_room();
            if let Ok(place) = timeout(TURN, place.as_mut()).await {
                return place.ok();
            }
        }
    }
}

impl Places {
    pub(crate) fn new(all: Bounded, own: Bounded, per_host: usize, kept: Arc<IdleConnections>) -> Self {
        let per_host = per_host.min(Semaphore::MAX_PERMITS);
        let sender = kept.sender();
        Self { all, own, per_host, hosts: Mutex::default(), kept, sender }
    }

    /// Waits for a place. None when places are not given out any more.
    ///
    /// The narrowest is taken first, so that who waits for a busy host keeps nobody else from theirs.
    pub(crate) async fn take(&self, host: &Host, port: u16) -> Option<ConnectionPermit> {
        let host = self.host(host, port).acquire_owned().await.ok()?;
        let own = self.own.place(|| self.kept.make_room(Some(self.sender))).await?;
        let all = self.all.place(|| self.kept.make_room(None)).await?;
        Some(ConnectionPermit { _host: host, _own: own, _all: all })
    }

    /// Lists a connection that took such a place.
    pub(crate) fn opened(&self) -> Listed {
        self.kept.opened(self.sender)
    }

    fn host(&self, host: &Host, port: u16) -> Arc<Semaphore> {
        const FEW: usize = 64;
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (host.clone(), port);
        if let Some(known) = hosts.by_name.get(&key).and_then(Weak::upgrade) {
            return known;
        }
        if hosts.by_name.len() >= hosts.crowded {
            hosts.by_name.retain(|_, places| places.strong_count() > 0);
            hosts.crowded = FEW.max(hosts.by_name.len() * 2);
        }
        let places = Arc::new(Semaphore::new(self.per_host));
        hosts.by_name.insert(key, Arc::downgrade(&places));
        places
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn host(text: &str) -> Host {
        Host::parse(text).unwrap()
    }

    #[tokio::test]
    async fn each_bound_holds_by_itself_and_a_place_comes_back_when_its_connection_ends() {
        let all = Bounded::new(5);
        let one = Places::new(all.clone(), Bounded::new(3), 2, Arc::default());
        let two = Places::new(all, Bounded::new(3), 2, Arc::default());
        let take = |places: &Places, name| places.take(&host(name), 80).now_or_never().flatten();
        let held: Vec<_> = ["a", "a", "b"].map(|name| take(&one, name).unwrap()).into();
        assert!(take(&one, "a").is_none(), "two to one host");
        assert!(take(&one, "b").is_none(), "three for one sender");
        let others: Vec<_> = ["a", "a"].map(|name| take(&two, name).unwrap()).into();
        assert!(take(&two, "b").is_none(), "five in all");
        drop(held);
        assert!(take(&two, "b").is_some());
        assert!(take(&two, "a").is_none(), "to this host there are two still");
        drop(others);
        assert!(take(&two, "a").is_some());
    }

    #[tokio::test]
    async fn hosts_that_nobody_is_connected_to_are_forgotten() {
        let places = Places::new(Bounded::new(9), Bounded::new(9), 9, Arc::default());
        let kept = places.take(&host("kept.test"), 80).now_or_never().flatten();
        for number in 0..1_000 {
            drop(places.take(&host(&format!("{number}.test")), 80).now_or_never());
        }
        let hosts = places.hosts.lock().unwrap();
        assert!(hosts.by_name.len() <= 65, "{}", hosts.by_name.len());
        assert!(hosts.by_name.contains_key(&(host("kept.test"), 80)));
        drop(kept);
    }
}
