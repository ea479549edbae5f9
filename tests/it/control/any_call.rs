//! `wasmyard api`: any call of the v4 API from the command line.

use crate::support::Site;

#[tokio::test]
async fn any_call_can_be_made_from_the_command_line() {
    let site = Site::new("[namespaces.production]");
    let server = site.serve().await;
    let url = server.api().url.clone();
    let run = async |arguments: &[&str]| {
        let run = site.run(&[arguments, &["--api-url", &url]].concat()).await;
        (run.status.success(), String::from_utf8(run.stdout).unwrap(), String::from_utf8(run.stderr).unwrap())
    };
    let namespaces = "/accounts/{account_id}/workers/dispatch/namespaces";
    let (done, made, told) =
        run(&["api", "post", namespaces, "-d", r#"{"name": "staging", "strange": 1}"#]).await;
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    assert!(done && made["namespace_name"] == "staging" && told.contains("strange"), "{made} {told}");
    let (_, listed, _) = run(&["api", "GET", namespaces, "-q", "per_page=1", "--envelope"]).await;
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert!(listed["success"] == true && listed["result_info"].is_object(), "{listed}");
    site.write("worker.js", "export default { fetch: () => new Response('hi') };");
    assert!(run(&["deploy", "worker.js", "-n", "staging"]).await.0);
    let content = format!("{namespaces}/staging/scripts/worker/content");
    assert!(run(&["api", "GET", &content, "-o", "out.txt"]).await.0);
    assert!(std::fs::read_to_string(site.path("out.txt")).unwrap().contains("new Response('hi')"));
    let (done, _, told) = run(&["api", "GET", "/zones/none"]).await;
    assert!(!done && told.contains("code"), "{told}");
    let (done, _, told) = run(&["api", "FETCH", "/zones"]).await;
    assert!(!done && told.contains("is no method"), "{told}");
}
