//! HTTP/1.1 and HTTP/2: as they should be spoken, as they should not, and how the server stops.

mod drain;
mod malformed;
mod smuggling;
mod spoken;
mod time;

use crate::support::guest;

/// `probe` answers at `probe.test`. Times are short, so that what must run out runs out soon.
fn config() -> String {
    format!(
        r#"
        [server]
        header_read_ms = 1000
        idle_ms = 1000
        drain_ms = 20000
        [limits]
        cpu_ms = 10000
        stream_idle_ms = 1000
        [scripts.probe]
        {}
        [scripts.echo]
        {}
        [[routes]]
        pattern = "probe.test/*"
        script = "probe"
        [[routes]]
        pattern = "echo.test/*"
        script = "echo"
        "#,
        guest::main("probe"),
        guest::main("echo_stream"),
    )
}
