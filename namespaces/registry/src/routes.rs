//! Routes: add, change, remove, and those of a configuration as a whole.
//!
//! Owns their records and how the table keeps up with them. Never two routes with the same pattern, and never a
//! change of what another configuration declared.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;

use super::collection::{ATTEMPTS, Seen, Transaction, step_aside};
use super::follow::Follow;
use super::record::{ROUTE_PATTERNS, ROUTES, RouteRecord, pattern_id};
use super::{Inner, Registry, RegistryEvent, Result};
use crate::error::RegistryError;
use wasmyard_model::name::ConfigName;
use wasmyard_model::route::{Route, RouteOrigin, RoutePattern, RouteTarget};
use wasmyard_stores::Revision;

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
        let route = new_route(pattern, target, origin);
        let free = inner.free_pattern(&route.pattern).await?;
        let mut transaction = Transaction::default();
        put_new(&mut transaction, &free, &route, None)?;
        match inner.log.commit(&transaction).await {
            Ok(_) => inner.show_route(route).await,
            Err(RegistryError::Conflict(_)) => Err(RegistryError::RouteExists(route.pattern)),
            Err(error) => Err(error),
        }
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
        for attempt in 0..ATTEMPTS {
            let (seen, old, owner) = inner.changeable_route(id, self.over_configuration).await?;
            let route = Route { pattern: pattern.clone(), target: target.clone(), ..old.clone() };
            let mut transaction = Transaction::default();
            if route.pattern != old.pattern {
                let free = inner.free_pattern(&route.pattern).await?;
                transaction.put(&free, &route.id)?;
                transaction.delete_with(&seen, &ROUTE_PATTERNS, &pattern_id(&old.pattern));
            }
            transaction.put(&seen, &RouteRecord { route: route.clone(), configuration: owner })?;
            match inner.log.commit(&transaction).await {
                Ok(_) => return inner.show_route(route).await,
                Err(RegistryError::Conflict(_)) => step_aside(attempt).await,
                Err(error) => return Err(error),
            }
        }
        Err(RegistryError::Conflict(format!("route {pattern}")))
    }

    /// Removes a route, and returns it.
    ///
    /// # Errors
    /// [`RegistryError::RouteNotFound`]; [`RegistryError::Configured`] for a route of the configuration,
    /// unless this handle is [over it](Registry::over_configuration);
    /// [`RegistryError::Store`].
    pub async fn remove_route(&self, id: &str) -> Result<Arc<Route>> {
        let inner = &self.inner;
        for attempt in 0..ATTEMPTS {
            let (seen, route, _) = inner.changeable_route(id, self.over_configuration).await?;
            let mut transaction = Transaction::default();
            transaction.delete(&seen);
            transaction.delete_with(&seen, &ROUTE_PATTERNS, &pattern_id(&route.pattern));
            match inner.log.commit(&transaction).await {
                Ok(_) => {
                    inner.refresh_route(id).await?;
                    return Ok(Arc::new(route));
                }
                Err(RegistryError::Conflict(_)) => step_aside(attempt).await,
                Err(error) => return Err(error),
            }
        }
        Err(RegistryError::Conflict(format!("route {id}")))
    }

    /// All routes, sorted by pattern.
    #[must_use]
    pub fn list_routes(&self) -> Vec<Arc<Route>> {
        self.inner.routes.list()
    }

    /// Makes the routes that a configuration declares these, in one append. One that is as it was keeps its id.
    /// Where the API made a route with the same pattern, the configuration takes its place. What another
    /// configuration declared stays: nodes whose files have different names (`[server] configuration`) own
    /// different routes. Returns the patterns whose target or owner became another.
    ///
    /// # Errors
    /// [`RegistryError::RouteExists`] for a pattern that comes twice; [`RegistryError::ConfiguredElsewhere`] for
    /// one that another configuration declared; [`RegistryError::Route`] when a target makes no sense behind its
    /// pattern; [`RegistryError::Store`]. Then nothing is changed.
    pub async fn replace_config_routes(
        &self,
        configuration: &ConfigName,
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
        for attempt in 0..ATTEMPTS {
            let known = inner.log.all(&ROUTES, "").await?;
            let Replacement { transaction, touched, replaced } =
                inner.replacement(configuration, wanted.clone(), &known).await?;
            if transaction.is_empty() {
                return Ok(replaced);
            }
            match inner.log.commit(&transaction).await {
                Ok(_) => {
                    for id in touched {
                        inner.refresh_route(&id).await?;
                    }
                    return Ok(replaced);
                }
                Err(RegistryError::Conflict(_)) => step_aside(attempt).await,
                Err(error) => return Err(error),
            }
        }
        Err(RegistryError::Conflict("the routes".to_owned()))
    }
}

fn new_route(pattern: RoutePattern, target: RouteTarget, origin: RouteOrigin) -> Route {
    Route { id: uuid::Uuid::new_v4().simple().to_string(), pattern, target, origin }
}

/// How the routes of a configuration become others.
#[derive(Default)]
struct Replacement {
    transaction: Transaction,
    /// The ids of all routes that change.
    touched: Vec<String>,
    /// Patterns whose target or owner becomes another.
    replaced: Vec<RoutePattern>,
}

/// Writes a route in the free place of its pattern.
fn put_new(
    transaction: &mut Transaction,
    free: &Seen<String>,
    route: &Route,
    configuration: Option<ConfigName>,
) -> Result<()> {
    transaction.put(free, &route.id)?;
    let record = RouteRecord { route: route.clone(), configuration };
    transaction.put_with(free, &ROUTES, &route.id, &record)
}

impl Inner {
    /// The place of a pattern that no route has.
    async fn free_pattern(&self, pattern: &RoutePattern) -> Result<Seen<String>> {
        let seen = self.log.read(&ROUTE_PATTERNS, &pattern_id(pattern)).await?;
        if seen.exists() { Err(RegistryError::RouteExists(pattern.clone())) } else { Ok(seen) }
    }

    async fn changeable_route(
        &self,
        id: &str,
        over: bool,
    ) -> Result<(Seen<RouteRecord>, Route, Option<ConfigName>)> {
        let not_found = || RegistryError::RouteNotFound(wasmyard_model::name::shorten(id));
        // An id that no key can have is not looked for.
        if id.is_empty() || id.len() > LONGEST_ID {
            return Err(not_found());
        }
        let seen = self.log.read(&ROUTES, id).await?;
        let RouteRecord { route, configuration } = seen.record()?.ok_or_else(not_found)?;
        match route.origin {
            RouteOrigin::Config if !over => {
                Err(RegistryError::Configured(format!("route {}", route.pattern)))
            }
            RouteOrigin::Config | RouteOrigin::Api => Ok((seen, route, configuration)),
        }
    }

    /// What makes the routes of a configuration those that are wanted.
    async fn replacement(
        &self,
        configuration: &ConfigName,
        mut wanted: HashMap<RoutePattern, RouteTarget>,
        known: &[Seen<RouteRecord>],
    ) -> Result<Replacement> {
        let mut replacement = Replacement::default();
        let Replacement { transaction, touched, replaced } = &mut replacement;
        let declared = |route| RouteRecord { route, configuration: Some(configuration.clone()) };
        for seen in known {
            let Some(RouteRecord { route, configuration: owner }) = seen.whole() else { continue };
            let ours = owner.as_ref() == Some(configuration);
            match (wanted.remove(&route.pattern), owner) {
                (Some(target), _) if ours && target == route.target => {}
                (Some(_), Some(owner)) if !ours => {
                    return Err(RegistryError::ConfiguredElsewhere { pattern: route.pattern, owner });
                }
                (Some(target), _) => {
                    touched.push(route.id.clone());
                    replaced.push(route.pattern.clone());
                    transaction
                        .put(seen, &declared(Route { target, origin: RouteOrigin::Config, ..route }))?;
                }
                (None, _) if ours => {
                    tracing::info!(route = %route.pattern, %configuration, "removed a route that the configuration no longer declares");
                    transaction.delete(seen);
                    transaction.delete_with(seen, &ROUTE_PATTERNS, &pattern_id(&route.pattern));
                    touched.push(route.id);
                }
                (None, _) => {}
            }
        }
        for (pattern, target) in wanted {
            let free = self.free_pattern(&pattern).await?;
            let route = new_route(pattern, target, RouteOrigin::Config);
            put_new(transaction, &free, &route, Some(configuration.clone()))?;
            touched.push(route.id);
        }
        Ok(replacement)
    }

    /// Shows a route that was written, or what has become of it since. Returns what was written.
    async fn show_route(&self, route: Route) -> Result<Arc<Route>> {
        self.refresh_route(&route.id).await?;
        let shown = self.routes.by_id(&route.id).filter(|shown| **shown == route);
        Ok(shown.unwrap_or_else(|| Arc::new(route)))
    }

    /// Reads one route again.
    async fn refresh_route(&self, id: &str) -> Result<()> {
        let _turn = self.routes_turn.take().await;
        let seen = self.log.read(&ROUTES, id).await?;
        match seen.whole().map(|record| record.route) {
            None => drop(self.routes.remove(id)),
            Some(route) if self.routes.by_id(id).is_some_and(|known| *known == route) => {}
            Some(route) => self.routes.insert(Arc::new(route)),
        }
        Ok(())
    }
}

/// How the table of routes follows the store.
pub(super) struct Routes;

#[async_trait]
impl Follow for Routes {
    fn prefix(&self) -> &'static str {
        ROUTES.prefix()
    }

    async fn load(&self, registry: &Inner) -> Result<()> {
        let _turn = registry.routes_turn.take().await;
        let mut ids = HashSet::new();
        for RouteRecord { route, .. } in registry.log.all(&ROUTES, "").await?.iter().filter_map(Seen::whole) {
            ids.insert(route.id.clone());
            registry.routes.insert(Arc::new(route));
        }
        let gone = registry.routes.list().into_iter().filter(|route| !ids.contains(&route.id));
        gone.for_each(|route| drop(registry.routes.remove(&route.id)));
        Ok(())
    }

    async fn apply(&self, registry: &Inner, id: &str, _: Revision) -> Result<Option<RegistryEvent>> {
        registry.refresh_route(id).await?;
        Ok(Some(RegistryEvent::Route { id: id.to_owned() }))
    }
}

/// An id that the API is given is no longer than this, or it is none of ours.
const LONGEST_ID: usize = 64;
