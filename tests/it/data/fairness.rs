//! Short requests are served ahead of those that compute for long, and nobody waits for ever for a turn.

use crate::support::{Connection, Server, Site, eventually, guest};

fn config() -> String {
    format!(
        r#"
        [limits]
        # All of them compute on one thread, however little of it the machine gives.
        first_byte_ms = 300000
        cpu_ms = 10000

        [scripts.probe]
        {probe}

        [scripts.spinner]
        {over}

        [scripts.neighbour]
        {hello}
        "#,
        probe = guest::main("probe"),
        over = guest::main("over_limit"),
        hello = guest::main("hello"),
    ) + &["probe", "spinner", "neighbour"]
        .map(|name| format!("[[routes]]\npattern = \"{name}.test/*\"\nscript = \"{name}\"\n"))
        .concat()
}

fn get(server: &Server, host: &'static str, path: &'static str) -> tokio::task::JoinHandle<String> {
    let address = server.visitors;
    tokio::spawn(async move { Connection::http1(address).await.get(host, path).await.text().to_owned() })
}

#[tokio::test]
async fn chains_of_scripts_that_all_compute_end_on_one_thread() {
    let server = Site::new(&config()).serve_with(&[("TOKIO_WORKER_THREADS", "1")]).await;
    // One place in the background, and 8 chains of 7 scripts, each of which computes before and after the call.
    let chains: Vec<_> = (0..8).map(|_| get(&server, "probe.test", "/burn/6")).collect();
    for chain in chains {
        assert_eq!(chain.await.unwrap(), "6\n");
    }
}

#[tokio::test]
async fn short_requests_are_answered_on_the_thread_on_which_many_compute() {
    let server = Site::new(&config()).serve_with(&[("TOKIO_WORKER_THREADS", "1")]).await;
    let spinning: Vec<_> = (0..8).map(|_| get(&server, "spinner.test", "/spin")).collect();
    let running = async || (server.metric("wasmyard_requests_in_flight").await >= 8.0).then_some(());
    eventually("all of them compute", running).await;
    let mut connection = server.connect().await;
    for _ in 0..50 {
        assert_eq!(connection.get("neighbour.test", "/").await.text(), "Hello from Wasmyard!\n");
    }
    assert!(spinning.iter().all(|spin| !spin.is_finished()), "the neighbour had to wait for them");
    for spin in spinning {
        spin.abort();
    }
}
