//! Routes: add, change, remove.

use std::sync::Arc;

use wasmyard_namespaces::{Origin, Route, RoutePattern, RouteTarget};

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
