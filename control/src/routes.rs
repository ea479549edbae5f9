//! Routes: add, change, remove.

use std::sync::Arc;

use wasmyard_namespaces::{Origin, RegistryError, Route, RoutePattern, RouteTarget, ScriptName};

use crate::{Control, Done, Force, Result, configured};

impl Control {
    /// Adds a route.
    ///
    /// # Errors
    /// That there is one with this pattern, or that the target makes no sense behind it; or the registry's failure.
    pub async fn add_route(&self, pattern: RoutePattern, target: RouteTarget) -> Result<Done<Arc<Route>>> {
        let remarks = self.remarks_on_target(&target).await?;
        let route = self.registry.add_route(pattern, target, Origin::Api).await?;
        tracing::info!(pattern = %route.pattern, "route made");
        Ok(Done::new(route, remarks))
    }

    /// Changes a route's pattern and target.
    ///
    /// # Errors
    /// That it is not there, that another has the pattern, or that the configuration declares it; or the registry's
    /// failure.
    pub async fn change_route(
        &self,
        id: &str,
        pattern: RoutePattern,
        target: RouteTarget,
        force: Force,
    ) -> Result<Done<Arc<Route>>> {
        let mut remarks = self.remarks_on_target(&target).await?;
        let route = self.changing(force).update_route(id, pattern, target).await?;
        remarks.extend(configured::route(&route));
        tracing::info!(pattern = %route.pattern, "route changed");
        Ok(Done::new(route, remarks))
    }

    /// Has a platform script have the routes with these patterns, and no others but those that the configuration declares.
    /// What can be refused is refused before anything changes.
    ///
    /// # Errors
    /// That a pattern is another's; or the registry's failure, after which some routes may be made and others not.
    pub async fn set_routes(
        &self,
        script: &ScriptName,
        patterns: Vec<RoutePattern>,
    ) -> Result<Done<Vec<RoutePattern>>> {
        let target = RouteTarget::Script(script.clone());
        let routes = self.registry.list_routes();
        let known = |pattern: &RoutePattern| routes.iter().find(|route| route.pattern == *pattern);
        for pattern in &patterns {
            if known(pattern).is_some_and(|route| route.target != target) {
                return Err(RegistryError::RouteExists(pattern.clone()).into());
            }
        }
        let mut remarks = Vec::new();
        for pattern in patterns.iter().filter(|pattern| known(pattern).is_none()) {
            match self.registry.add_route(pattern.clone(), target.clone(), Origin::Api).await {
                // Written twice.
                Ok(_) | Err(RegistryError::RouteExists(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let own = routes.iter().filter(|route| route.target == target);
        for route in own.filter(|route| !patterns.contains(&route.pattern)) {
            if route.origin == Origin::Config {
                remarks.push(format!("the configuration declares the route {}, which stays.", route.pattern));
                continue;
            }
            match self.registry.remove_route(&route.id).await {
                Ok(_) | Err(RegistryError::RouteNotFound(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        tracing::info!(%script, routes = patterns.len(), "routes set");
        Ok(Done::new(patterns, remarks))
    }

    /// Removes a route.
    ///
    /// # Errors
    /// That it is not there, or that the configuration declares it; or the registry's failure.
    pub async fn remove_route(&self, id: &str, force: Force) -> Result<Done<()>> {
        let route = self.changing(force).remove_route(id).await?;
        tracing::info!(pattern = %route.pattern, "route removed");
        Ok(Done::new((), configured::route(&route)))
    }
}
