//! Bodies of any length, both ways at the same time, and never held as a whole.

mod chunks;
mod edges;
mod volume;

use crate::support::guest;

/// `echo` reached directly as `direct.test`, and as `echo.localhost` through a dispatcher that hands bodies over.
fn config() -> String {
    format!(
        r#"
        [limits]
        cpu_ms = 30000

        [scripts.direct]
        {echo}

        [scripts.probe]
        {probe}

        [scripts.dispatcher]
        {dispatcher}
        bindings = [{{ type = "dispatch_namespace", name = "DISPATCHER", namespace = "production" }}]

        [namespaces.production.scripts.echo]
        {echo}

        [[routes]]
        pattern = "direct.test/*"
        script = "direct"

        [[routes]]
        pattern = "probe.test/*"
        script = "probe"

        [[routes]]
        pattern = "*.localhost/*"
        script = "dispatcher"
        "#,
        echo = guest::main("echo_stream"),
        probe = guest::main("probe"),
        dispatcher = guest::main("dispatcher_subdomain"),
    )
}

const DIRECT: &str = "direct.test";
const DISPATCHED: &str = "echo.localhost";
