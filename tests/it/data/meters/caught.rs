//! What a dispatcher catches when it is not the script's doing: the platform has no room, or has failed.

use wasmyard_namespaces::digest::Digest;

use crate::support::{Connection, Server, Site, eventually, guest, wat};

const UNDER_WAY: &str = "wasmyard_invocations_in_flight";

/// A script that calls others, its callees, and little room.
fn config() -> String {
    format!(
        r#"
        [server]
        max_per_script = 1
        admission_wait_ms = 20
        guest_memory = "64MiB"

        [limits]
        first_byte_ms = 300000
        cpu_ms = 10000

        [scripts.caller]
        {probe}
        bindings = [{{ type = "dispatch_namespace", name = "DISPATCHER", namespace = "production" }}]
        [namespaces.production.scripts.probe]
        {probe}
        [namespaces.production.scripts.over]
        {over}

        [[routes]]
        pattern = "caller.test/*"
        script = "caller"
        [[routes]]
        pattern = "*.apps.test/*"
        namespace = "production"
        "#,
        probe = guest::main("probe"),
        over = guest::main("over_limit"),
    )
}

/// What the caller says that came of its call. Its own place is free again when this returns.
async fn told(server: &Server, query: &str) -> String {
    let before = server.metric(UNDER_WAY).await;
    let answer = server.get("caller.test", &format!("/limits/call?{query}")).await;
    assert_eq!(answer.status, 200, "the caller goes on: {answer:?}");
    under_way(server, before).await;
    answer.text().to_owned()
}

async fn under_way(server: &Server, number: f64) {
    let reached = async || (server.metric(UNDER_WAY).await == number).then_some(());
    eventually(&format!("{number} invocations are under way"), reached).await;
}

#[tokio::test]
async fn a_dispatcher_is_told_that_there_is_no_room() {
    let server = Server::serving(&config()).await;
    // All guests together may have 64 MiB, and the script alone 128.
    let full = told(&server, "script=over&path=/grow").await;
    assert_eq!(full, "Overloaded: The platform is at capacity.\n");
    assert_eq!(told(&server, "script=probe&path=/empty").await, "Answered 204\n");

    // The script's one place is taken.
    let address = server.visitors;
    let waiting =
        tokio::spawn(async move { Connection::http1(address).await.get("probe.apps.test", "/wait").await });
    under_way(&server, 1.0).await;
    let crowded = told(&server, "script=probe&path=/empty").await;
    assert_eq!(crowded, "Overloaded: Too many requests for this Worker are under way.\n");
    waiting.abort();
    under_way(&server, 0.0).await;
    assert_eq!(told(&server, "script=probe&path=/empty").await, "Answered 204\n");
}

#[tokio::test]
async fn a_dispatcher_is_told_that_the_platform_failed_and_not_how() {
    let site = Site::new(&config());
    let server = site.serve().await;
    // Nobody else has this component: no other test has its code made for the meter that is asked for below.
    let component = wat::answer("of a script whose component is lost");
    assert_eq!(server.api().deploy("lost", component.clone()).await.status, 200);
    assert_eq!(told(&server, "script=lost").await, "Answered 200\n");

    let digest = Digest::of(&component).to_string();
    let (folder, file) = digest.split_at(2);
    std::fs::remove_file(site.data().join("blobs").join(folder).join(file)).unwrap();
    // Fuel is counted by code of its own, which would have to be made now.
    let failed = told(&server, "script=lost&fuel=1000000").await;
    assert_eq!(failed, "Internal: The platform failed to run this Worker.\n");
    assert_eq!(told(&server, "script=lost").await, "Answered 200\n", "the code that is there still runs");
}
