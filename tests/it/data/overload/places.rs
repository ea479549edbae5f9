//! How many invocations may be under way at once, and who is refused when there are more.

use serde_json::json;

use super::{config, get, refused, under_way};
use crate::support::{PATIENCE, Server};

#[tokio::test]
async fn a_user_script_has_its_places_and_no_more_also_behind_a_dispatcher() {
    let server = Server::serving(&config("max_per_script = 2\nadmission_wait_ms = 20")).await;
    let waiting = [get(&server, "busy.localhost", "/wait"), get(&server, "busy.localhost", "/wait")];
    // Two of the dispatcher and two of the script.
    under_way(&server, 4).await;
    let (status, error) = refused(&server, "busy.localhost", "/empty").await;
    assert_eq!(status, 429);
    assert_eq!((&error["code"], &error["reason"]), (&json!(2010), &json!("too_many_invocations")));
    assert_eq!(error["limit"], "invocations at once 2");
    // Another script of the same namespace, through the same dispatcher.
    assert_eq!(server.get("quiet.localhost", "/").await.status, 200);
    drop(waiting);
    under_way(&server, 0).await;
    assert_eq!(server.get("busy.localhost", "/empty").await.status, 204);
}

#[tokio::test]
async fn a_namespace_has_its_places_and_no_more() {
    let settings = "max_per_namespace = 2\nadmission_wait_ms = 20";
    let server = Server::serving(&config(settings)).await;
    let _waiting = [get(&server, "busy.localhost", "/wait"), get(&server, "busy.localhost", "/wait")];
    under_way(&server, 4).await;
    let (status, error) = refused(&server, "quiet.localhost", "/").await;
    assert_eq!((status, &error["limit"]), (429, &json!("invocations at once 2")));
    assert_eq!(server.get("neighbour.test", "/").await.status, 200, "platform scripts are in none");
}

#[tokio::test]
async fn who_comes_a_moment_too_early_waits_for_the_place() {
    let wait = PATIENCE.as_millis();
    let server = Server::serving(&config(&format!("max_per_script = 1\nadmission_wait_ms = {wait}"))).await;
    let first = get(&server, "busy.localhost", "/wait");
    under_way(&server, 2).await;
    let mut second = get(&server, "busy.localhost", "/empty");
    // Its dispatcher runs; the script has no place yet.
    under_way(&server, 3).await;
    drop(first);
    assert_eq!((&mut second.0).await.unwrap().status, 204);
}

#[tokio::test]
async fn one_scripts_flood_leaves_the_last_places_to_the_others() {
    // 40 places, half of them for first scripts; the last tenth of these is kept for others.
    let server = Server::serving(&config("max_invocations = 40\nadmission_wait_ms = 0")).await;
    let mut flood: Vec<_> = (0..18).map(|_| get(&server, "probe.test", "/wait")).collect();
    under_way(&server, 18).await;
    let (status, error) = refused(&server, "probe.test", "/empty").await;
    assert_eq!((status, &error["reason"]), (503, &json!("overloaded")));
    assert_eq!(server.get("neighbour.test", "/").await.status, 200);
    assert_eq!(server.get("quiet.localhost", "/").await.status, 200);
    flood.clear();
    under_way(&server, 0).await;
    assert_eq!(server.get("probe.test", "/empty").await.status, 204);
}
