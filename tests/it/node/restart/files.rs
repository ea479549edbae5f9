//! What becomes of keys that enter and leave the file between two starts.

use serde_json::json;

use super::{CONFIG, restarted, result, said, site};
use crate::support::{NAMESPACES, PLATFORM_SCRIPTS, script_path};

#[tokio::test]
async fn a_key_that_leaves_the_file_is_taken_back_where_it_granted_and_stays_where_it_bounded() {
    let site = site(CONFIG);
    let server = site.serve().await;
    let less = CONFIG
        .replace("vars = { GREETING = \"hello\" }\nlimits = { cpu_ms = 40 }\n", "")
        .replace("limits = { cpu_ms = 30 }\n", "")
        .replace("[namespaces.production.egress]\ndeny_hosts = [\"denied.test\"]\n", "")
        .replace("tags = [\"paid\"]\n", "")
        .replace("front.test/*", "moved.test/*");
    assert!(!less.contains("egress") && !less.contains("limits") && !less.contains("vars"), "{less}");
    site.write("wasmyard.toml", &less);
    let server = restarted(&site, server).await;
    let let_go = "the configuration no longer names these keys of";
    assert_eq!(said(&server, &format!("{let_go} script front")).await, "bindings.GREETING, limits.cpu_ms");
    assert_eq!(said(&server, &format!("{let_go} script production/shop")).await, "tags");
    let keys = said(&server, &format!("{let_go} namespace production")).await;
    assert_eq!(keys, "egress, egress.deny_hosts, limits.cpu_ms");

    let settings = result(&server, &format!("{PLATFORM_SCRIPTS}/front/settings")).await;
    assert_eq!((&settings["bindings"], &settings["limits"]), (&json!([]), &json!({"cpu_ms": 40})));
    assert_eq!(result(&server, &format!("{}/tags", script_path("shop"))).await, json!([]));
    let namespace = format!("{NAMESPACES}/production");
    let shown = result(&server, &namespace).await;
    assert_eq!(shown["limits"], json!({"cpu_ms": 30}));
    assert_eq!(
        shown["egress"],
        json!({"deny_hosts": ["denied.test"]}),
        "nothing opens because a line is gone"
    );
    // What the file let go of is the API's.
    let open = json!({"egress": null, "limits": {}});
    let opened = server.api().patch(&namespace, &open).await;
    assert_eq!((&opened.result()["egress"], &opened.envelope["messages"]), (&json!(null), &json!([])));
    assert_eq!(server.get("front.test", "/").await.status, 404, "a route is a grant");
    assert_eq!(server.get("moved.test", "/").await.text(), "front");
}

#[tokio::test]
async fn what_leaves_the_file_stays_and_is_the_apis() {
    let site = site(CONFIG);
    let server = site.serve().await;
    server.api().delete(&script_path("shop")).await.refused(409, 90005);
    site.write("wasmyard.toml", "[namespaces.production]\n");
    let server = restarted(&site, server).await;
    for name in ["script front", "script production/shop"] {
        said(&server, &format!("{name} is no longer in the configuration")).await;
    }
    assert_eq!(server.api().content("shop").await, Some(crate::support::wat::answer("shop")));
    server.api().delete(&script_path("shop")).await.result();
    server.api().delete(&format!("{PLATFORM_SCRIPTS}/front")).await.result();
    server.api().delete(&format!("{NAMESPACES}/production")).await.refused(409, 90005);
    site.write("wasmyard.toml", "");
    let server = restarted(&site, server).await;
    server.api().delete(&format!("{NAMESPACES}/production")).await.result();
}

#[tokio::test]
async fn a_file_that_begins_to_name_a_key_takes_it_over_and_says_so() {
    let site = site("[namespaces.production]\n");
    let server = site.serve().await;
    let namespace = format!("{NAMESPACES}/production");
    let closed = json!({"egress": {"allow_hosts": [], "deny_hosts": ["old.test"]}});
    server.api().patch(&namespace, &closed).await.result();
    let route = json!({"pattern": "front.test/*", "respond": 410});
    server.api().post("/client/v4/accounts/0/workers/routes", &route).await.result();
    site.write("wasmyard.toml", CONFIG);
    let server = restarted(&site, server).await;
    let keys = said(&server, "the configuration replaced what namespace production had").await;
    assert_eq!(keys, "egress.deny_hosts, limits.cpu_ms");
    said(&server, "the configuration replaced what the route front.test/* had").await;
    let shown = result(&server, &namespace).await["egress"].clone();
    assert_eq!(
        shown,
        json!({"allow_hosts": [], "deny_hosts": ["denied.test"]}),
        "nothing goes out, as before"
    );
    assert_eq!(server.get("front.test", "/").await.text(), "front");
}
