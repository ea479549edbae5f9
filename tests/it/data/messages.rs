//! What two parties may read differently in one message: framing, lengths, paths, fields, in both directions.

mod endings;
mod framing;
mod lengths;
mod outward;
mod paths;
mod statuses;
mod trailers;

use std::net::SocketAddr;

use crate::support::guest;

/// How a message reaches the one who writes it: by itself, or through others.
const WAYS: [(&str, &str); 3] = [("direct", "none"), ("front", "fetch"), ("front", "tail")];

/// A script without the SDK and one that passes answers on, each alone as `direct.NAME.test` and behind a script that
/// calls it as `front.NAME.test`; and the second one in a namespace with an outbound worker, as `relay.gated.test`.
fn config(origin: Option<SocketAddr>) -> String {
    let port = origin.map_or(1, |origin| origin.port());
    let gate = guest::main("gate");
    let probe = guest::main("probe");
    let mut config = format!(
        r#"
        [limits]
        cpu_ms = 10000
        [egress]
        allow_private = ["127.0.0.1"]
        ports = [{port}]
        [scripts.outbound]
        {gate}
        vars = {{ ROLE = "outbound", MODE = "pass" }}
        [namespaces.gated]
        outbound = {{ script = "outbound" }}
        egress = {{ allow_private = ["127.0.0.1"] }}
        [namespaces.gated.scripts.relay]
        {probe}
        [[routes]]
        pattern = "*.gated.test/*"
        namespace = "gated"
        "#
    );
    for (name, main) in [("bare", guest::main("bare")), ("relay", probe)] {
        config += &format!(
            r#"
            [scripts.{name}]
            {main}
            [scripts.{name}-front]
            {gate}
            vars = {{ ROLE = "front" }}
            bindings = [{{ type = "service", name = "BACK", service = "{name}" }}]
            [[routes]]
            pattern = "direct.{name}.test/*"
            script = "{name}"
            [[routes]]
            pattern = "front.{name}.test/*"
            script = "{name}-front"
            "#
        );
    }
    config
}
