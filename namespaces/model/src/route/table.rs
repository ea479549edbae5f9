//! The table of routes that every request is matched with.
//!
//! Owns the index: by host in a concurrent map, by path inside a host. A lookup takes one short read lock
//! per host that it tries (at most one for each label of the request's host), and allocates nothing. Never
//! rebuilt as a whole: single routes come and go while requests are matched.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use dashmap::DashMap;

use super::{HostPattern, PathPattern, Route};

/// All routes, for many readers and few writers at the same time.
#[derive(Debug, Default)]
pub struct RouteTable {
    exact: DashMap<Box<str>, HostRoutes>,
    wildcard: DashMap<Box<str>, HostRoutes>,
    any: RwLock<HostRoutes>,
    by_id: DashMap<Box<str>, Arc<Route>>,
    /// How many suffixes `wildcard` holds. A platform of exact hostnames only need not try each suffix.
    wildcards: AtomicUsize,
}

/// The route that takes a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteMatch<'h> {
    /// The route.
    pub route: Arc<Route>,
    /// What `*` stands for in the host: the labels in front of the suffix, or the whole host for `*` alone.
    /// None for an exact host. The native rule takes it as a script's name when it holds no dot.
    pub label: Option<&'h str>,
}

impl RouteTable {
    /// An empty table.
    #[must_use]
    pub fn new() -> RouteTable {
        RouteTable::default()
    }

    /// The most specific route for a host and a path: an exact host before the longest wildcard suffix
    /// before `*`, and inside a host an exact path before the longest prefix. A host whose routes do not
    /// take the path leaves it to the next less specific one.
    ///
    /// The host must be in lower case and without a port; the path must be without a query, and decoded ([`crate::url_path::routed`]).
    #[must_use]
    pub fn lookup<'h>(&self, host: &'h str, path: &str) -> Option<RouteMatch<'h>> {
        let exact = self.exact.get(host).and_then(|routes| routes.find(path));
        if let Some(route) = exact {
            return Some(RouteMatch { route, label: None });
        }
        if self.wildcards.load(Ordering::Acquire) > 0
            && let Some(found) = self.lookup_wildcard(host, path)
        {
            return Some(found);
        }
        let any = self.any.read().unwrap_or_else(PoisonError::into_inner);
        any.find(path).map(|route| RouteMatch { route, label: Some(host) })
    }

    fn lookup_wildcard<'h>(&self, host: &'h str, path: &str) -> Option<RouteMatch<'h>> {
        // A hostname has at most 127 labels; a longer text cannot match and need not be walked.
        host.match_indices('.').take(127).find_map(|(dot, _)| {
            let (label, suffix) = (host.get(..dot)?, host.get(dot + 1..)?);
            if label.is_empty() {
                return None;
            }
            let route = self.wildcard.get(suffix)?.find(path)?;
            Some(RouteMatch { route, label: Some(label) })
        })
    }

    /// Puts a route in, in place of one with the same id or the same pattern.
    pub fn insert(&self, route: Arc<Route>) {
        if let Some((_, old)) = self.by_id.remove(route.id.as_str())
            && old.pattern != route.pattern
        {
            self.unlink(&old);
        }
        let replaced = match route.pattern.host() {
            HostPattern::Any => self.any.write().unwrap_or_else(PoisonError::into_inner).insert(&route),
            HostPattern::Exact(host) => self.exact.entry(host.as_str().into()).or_default().insert(&route),
            HostPattern::Wildcard(suffix) => {
                let mut routes = self.wildcard.entry(suffix.as_str().into()).or_default();
                if routes.is_empty() {
                    self.wildcards.fetch_add(1, Ordering::AcqRel);
                }
                routes.insert(&route)
            }
        };
        if let Some(replaced) = replaced.filter(|replaced| replaced.id != route.id) {
            self.by_id.remove(replaced.id.as_str());
        }
        self.by_id.insert(route.id.as_str().into(), route);
    }

    /// Takes a route out.
    pub fn remove(&self, id: &str) -> Option<Arc<Route>> {
        let (_, route) = self.by_id.remove(id)?;
        self.unlink(&route);
        Some(route)
    }

    /// Takes a route out of the index by host. Leaves alone a route of the same pattern with another id.
    fn unlink(&self, route: &Route) {
        match route.pattern.host() {
            HostPattern::Any => self.any.write().unwrap_or_else(PoisonError::into_inner).remove(route),
            HostPattern::Exact(host) => {
                self.exact.remove_if_mut(host.as_str(), |_, routes| {
                    routes.remove(route);
                    routes.is_empty()
                });
            }
            HostPattern::Wildcard(suffix) => {
                let emptied = self.wildcard.remove_if_mut(suffix.as_str(), |_, routes| {
                    routes.remove(route);
                    routes.is_empty()
                });
                if emptied.is_some() {
                    self.wildcards.fetch_sub(1, Ordering::AcqRel);
                }
            }
        }
    }

    /// The route with that id.
    #[must_use]
    pub fn by_id(&self, id: &str) -> Option<Arc<Route>> {
        self.by_id.get(id).map(|route| Arc::clone(&route))
    }

    /// All routes, sorted by pattern.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<Route>> {
        let mut routes: Vec<Arc<Route>> = self.by_id.iter().map(|route| Arc::clone(&route)).collect();
        routes.sort_by_cached_key(|route| route.pattern.to_string());
        routes
    }

    /// How many routes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// True when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}

/// The routes of one host pattern. Nearly always one or two; sorted, so that thousands stay fast.
#[derive(Debug, Default)]
struct HostRoutes {
    /// Sorted by path.
    exact: Vec<Arc<Route>>,
    /// Sorted by prefix.
    prefix: Vec<Arc<Route>>,
}

fn path_text(route: &Route) -> &str {
    match route.pattern.path() {
        PathPattern::Exact(text) | PathPattern::Prefix(text) => text,
    }
}

impl HostRoutes {
    fn find(&self, path: &str) -> Option<Arc<Route>> {
        let exact = self.exact.binary_search_by(|route| path_text(route).cmp(path)).ok();
        if let Some(route) = exact.and_then(|index| self.exact.get(index)) {
            return Some(Arc::clone(route));
        }
        self.longest_prefix(path).map(Arc::clone)
    }

    /// In sorted order, each prefix of a path sorts at or before it, and a longer one after a shorter one.
    /// So the last entry at or before the path is the answer, or else shares a shorter beginning with the
    /// path: then no answer is longer than that beginning, and the search goes on with it.
    fn longest_prefix(&self, path: &str) -> Option<&Arc<Route>> {
        let mut probe = path.as_bytes();
        loop {
            let behind = self.prefix.partition_point(|route| path_text(route).as_bytes() <= probe);
            let candidate = self.prefix.get(behind.checked_sub(1)?)?;
            let text = path_text(candidate).as_bytes();
            if probe.starts_with(text) {
                return Some(candidate);
            }
            let shared = text.iter().zip(probe).take_while(|(a, b)| a == b).count();
            probe = probe.get(..shared)?;
        }
    }

    fn of_kind(&mut self, route: &Route) -> &mut Vec<Arc<Route>> {
        match route.pattern.path() {
            PathPattern::Exact(_) => &mut self.exact,
            PathPattern::Prefix(_) => &mut self.prefix,
        }
    }

    /// Returns the route that had the same pattern.
    fn insert(&mut self, route: &Arc<Route>) -> Option<Arc<Route>> {
        let routes = self.of_kind(route);
        match routes.binary_search_by(|known| path_text(known).cmp(path_text(route))) {
            Ok(index) => routes.get_mut(index).map(|known| std::mem::replace(known, Arc::clone(route))),
            Err(index) => {
                routes.insert(index, Arc::clone(route));
                None
            }
        }
    }

    fn remove(&mut self, route: &Route) {
        self.of_kind(route).retain(|known| known.id != route.id);
    }

    fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.prefix.is_empty()
    }
}

#[cfg(test)]
mod tests;
