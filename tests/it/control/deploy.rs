//! From an upload to the next request, without a restart and without one failed request.

mod in_flight;
mod under_traffic;
mod ways;

use crate::support::guest;

/// A namespace whose scripts are reached as `NAME.localhost` through a dispatcher in Wasm.
pub(super) fn config() -> String {
    format!(
        r#"
        [limits]
        cpu_ms = 10000

        [scripts.dispatcher]
        {}
        bindings = [{{ type = "dispatch_namespace", name = "DISPATCHER", namespace = "production" }}]

        [namespaces.production]

        [[routes]]
        pattern = "*.localhost/*"
        script = "dispatcher"
        "#,
        guest::main("dispatcher_subdomain"),
    )
}
