//! Scripts written in JavaScript.

mod apis;
mod seeds;

use http::Method;

use crate::support::{Answer, Server, Site, body, request};

/// A folder with JavaScript files, each a script, and a configuration.
async fn serving(files: &[(&str, &str)], config: &str) -> Server {
    let site = Site::new(config);
    for (name, source) in files {
        site.write(name, source);
    }
    site.serve().await
}

async fn get(server: &Server, host: &str, path: &str) -> Answer {
    server.send(request(Method::GET, host, path).body(body("")).unwrap()).await
}

/// A server with one script, on every host.
async fn alone(source: &str) -> Server {
    serving(
        &[("worker.js", source)],
        r#"
        [limits]
        cpu_ms = 10000
        [scripts.worker]
        main = "worker.js"
        [[routes]]
        pattern = "*/*"
        script = "worker"
        "#,
    )
    .await
}
