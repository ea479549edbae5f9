//! Routes: add, change, remove, and those of the configuration as a whole.
//!
//! Owns their records. Every write holds the `admin` lock until the table shows it. Never two routes with the
//! same pattern.

use std::collections::HashMap;
use std::sync::Arc;

use super::namespaces::PAGE;
use super::record::{ROUTES, decode, encode, route_key, route_pattern_key};
use super::{Inner, Registry, Result};
use crate::error::RegistryError;
use crate::route::{Route, RouteOrigin, RoutePattern, RouteTarget};
use crate::store::{Precondition, StoreError, Write};

impl Registry {
    /// Adds a route.
    ///
    /// # Errors
    /// [`RegistryError::RouteExists`] when there is one with that pattern; [`RegistryError::Route`] when the
    /// target makes no sense behind the pattern; [`RegistryError::Store`].
    pub async fn add_route(
        &self,
        pattern: RoutePattern,
        target: RouteTarget,
        origin: RouteOrigin,
    ) -> Result<Arc<Route>> {
        target.check(&pattern)?;
        let inner = &self.inner;
        let _turn = inner.admin.lock().await;
        let route = new_route(pattern, target, origin);
        let preconditions = [Precondition::absent(route_pattern_key(&route.pattern))];
        let mut writes = Vec::with_capacity(2);
        put(&mut writes, &route)?;
        inner.keep_route(route, &preconditions, &writes).await
    }

    /// Changes a route's pattern and target; it keeps its id.
    ///
    /// # Errors
    /// [`RegistryError::RouteNotFound`]; [`RegistryError::Configured`] for a route of the configuration,
    /// unless this handle is [over it](Registry::over_configuration);
    /// [`RegistryError::RouteExists`] when another has that pattern; [`RegistryError::Store`].
    pub async fn update_route(
        &self,
        id: &str,
        pattern: RoutePattern,
        target: RouteTarget,
    ) -> Result<Arc<Route>> {
        target.check(&pattern)?;
        let inner = &self.inner;
        let _turn = inner.admin.lock().await;
        let old = inner.changeable_route(id, self.over_configuration)?;
        let route = Route { id: old.id.clone(), pattern, target, origin: old.origin };
        let mut preconditions = Vec::new();
        let mut writes = Vec::with_capacity(3);
        if route.pattern != old.pattern {
            preconditions.push(Precondition::absent(route_pattern_key(&route.pattern)));
            writes.push(Write::delete(route_pattern_key(&old.pattern)));
        }
        put(&mut writes, &route)?;
        inner.keep_route(route, &preconditions, &writes).await
    }

    /// Removes a route, and returns it.
    ///
    /// # Errors
    /// [`RegistryError::RouteNotFound`]; [`RegistryError::Configured`] for a route of the configuration,
    /// unless this handle is [over it](Registry::over_configuration);
    /// [`RegistryError::Store`].
    pub async fn remove_route(&self, id: &str) -> Result<Arc<Route>> {
        let inner = &self.inner;
        let _turn = inner.admin.lock().await;
        let route = inner.changeable_route(id, self.over_configuration)?;
        let mut writes = Vec::with_capacity(2);
        delete(&mut writes, &route);
        inner.store.append(&[], &writes).await?;
        inner.routes.remove(id);
        Ok(route)
    }

    /// All routes, sorted by pattern.
    #[must_use]
    pub fn list_routes(&self) -> Vec<Arc<Route>> {
        self.inner.routes.list()
    }

    /// Makes the routes of the configuration these, in one append. One that is as it was keeps its id.
    /// Where the API made a route with the same pattern, the configuration takes its place. Returns the patterns
    /// whose target or owner became another.
    ///
    /// # Errors
    /// [`RegistryError::RouteExists`] for a pattern that comes twice; [`RegistryError::Route`] when a target
    /// makes no sense behind its pattern; [`RegistryError::Store`]. Then nothing is changed.
    pub async fn replace_config_routes(
        &self,
        routes: Vec<(RoutePattern, RouteTarget)>,
    ) -> Result<Vec<RoutePattern>> {
        let mut wanted: HashMap<RoutePattern, RouteTarget> = HashMap::with_capacity(routes.len());
        for (pattern, target) in routes {
            target.check(&pattern)?;
            if wanted.insert(pattern.clone(), target).is_some() {
                return Err(RegistryError::RouteExists(pattern));
            }
        }
        let inner = &self.inner;
        let _turn = inner.admin.lock().await;
        let (mut gone, mut put_now, mut writes) = (Vec::new(), Vec::new(), Vec::new());
        let mut replaced = Vec::new();
        for known in inner.routes.list() {
            match wanted.remove(&known.pattern) {
                Some(target) if target == known.target && known.origin == RouteOrigin::Config => {}
                Some(target) => {
                    replaced.push(known.pattern.clone());
                    let (id, pattern) = (known.id.clone(), known.pattern.clone());
                    put_now.push(Route { id, pattern, target, origin: RouteOrigin::Config });
                }
                None if known.origin == RouteOrigin::Config => gone.push(known),
                None => {}
            }
        }
        put_now.extend(
            wanted.into_iter().map(|(pattern, target)| new_route(pattern, target, RouteOrigin::Config)),
        );
        gone.iter().for_each(|route| delete(&mut writes, route));
        put_now.iter().try_for_each(|route| put(&mut writes, route))?;
        if writes.is_empty() {
            return Ok(replaced);
        }
        inner.store.append(&[], &writes).await?;
        gone.iter().for_each(|route| drop(inner.routes.remove(&route.id)));
        put_now.into_iter().for_each(|route| inner.routes.insert(Arc::new(route)));
        Ok(replaced)
    }
}

fn new_route(pattern: RoutePattern, target: RouteTarget, origin: RouteOrigin) -> Route {
    Route { id: uuid::Uuid::new_v4().simple().to_string(), pattern, target, origin }
}

fn put(writes: &mut Vec<Write>, route: &Route) -> Result<()> {
    let key = route_key(&route.id);
    let value = encode(&key, route)?;
    writes.push(Write::put(key, value));
    writes.push(Write::put(route_pattern_key(&route.pattern), route.id.clone()));
    Ok(())
}

fn delete(writes: &mut Vec<Write>, route: &Route) {
    writes.push(Write::delete(route_key(&route.id)));
    writes.push(Write::delete(route_pattern_key(&route.pattern)));
}

impl Inner {
    /// Stores a route and takes it into the table; a conflict means that another has its pattern.
    async fn keep_route(
        &self,
        route: Route,
        preconditions: &[Precondition],
        writes: &[Write],
    ) -> Result<Arc<Route>> {
        match self.store.append(preconditions, writes).await {
            Ok(_) => {
                let route = Arc::new(route);
                self.routes.insert(Arc::clone(&route));
                Ok(route)
            }
            Err(StoreError::Conflict { .. }) => Err(RegistryError::RouteExists(route.pattern)),
            Err(error) => Err(error.into()),
        }
    }

    fn changeable_route(&self, id: &str, over: bool) -> Result<Arc<Route>> {
        let route = self.routes.by_id(id).ok_or_else(|| RegistryError::RouteNotFound(id.to_owned()))?;
        match route.origin {
            RouteOrigin::Api => Ok(route),
            RouteOrigin::Config if over => Ok(route),
            RouteOrigin::Config => Err(RegistryError::Configured(format!("route {}", route.pattern))),
        }
    }

    /// Reads all routes. The caller holds the `admin` lock.
    pub(super) async fn load_routes(&self) -> Result<()> {
        let mut gone: std::collections::HashSet<String> =
            self.routes.list().iter().map(|route| route.id.clone()).collect();
        let mut after: Option<String> = None;
        loop {
            let page = self.store.scan(ROUTES, after.as_deref(), PAGE).await?;
            for entry in &page {
                let route: Route = decode(entry)?;
                gone.remove(&route.id);
                self.routes.insert(Arc::new(route));
            }
            match page.into_iter().last() {
                Some(last) => after = Some(last.key),
                None => break,
            }
        }
        gone.iter().for_each(|id| drop(self.routes.remove(id)));
        Ok(())
    }

    /// Reads one route again. Called by the feed.
    pub(super) async fn reload_route(&self, id: &str) -> Result<()> {
        let _turn = self.admin.lock().await;
        match self.store.get(&route_key(id)).await? {
            None => drop(self.routes.remove(id)),
            Some(entry) => {
                let route: Route = decode(&entry)?;
                if self.routes.by_id(id).is_none_or(|known| *known != route) {
                    self.routes.insert(Arc::new(route));
                }
            }
        }
        Ok(())
    }
}
