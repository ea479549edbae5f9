//! Remote bindings: a dispatcher of `wasmyard dev` calls scripts of a running server, with a token that can do no more.

use bytes::Bytes;
use http::Method;
use hyper::body::Frame;
use serde_json::json;

use crate::support::{NAMESPACES, Server, Site, body, channel, eventually, next_chunk, request, script_path};

const DISPATCHER: &str = r#"
export default {
  async fetch(request, env) {
    const name = new URL(request.url).hostname.split(".")[0];
    try {
      return await env.SCRIPTS.get(name).fetch(request);
    } catch (error) {
      return new Response(error.message, { status: 404 });
    }
  },
};"#;

const CUSTOMER: &str = r#"
export default {
  async fetch(request) {
    if (new URL(request.url).pathname === "/boom") throw new Error("boom");
    const headers = { "x-method": request.method, "x-authorization": request.headers.get("authorization") ?? "none" };
    const body = request.body?.pipeThrough(new TransformStream());
    return new Response(body, { status: 201, headers });
  },
};"#;

/// A folder with a dispatcher whose binding is remote.
fn folder() -> Site {
    let binding =
        r#"{ type = "dispatch_namespace", name = "SCRIPTS", namespace = "production", remote = true }"#;
    let site = Site::new(&format!(
        "[scripts.dispatcher]\nmain = \"dispatcher.js\"\nbindings = [{binding}]\n\n[[routes]]\npattern = \"*.localhost/*\"\nscript = \"dispatcher\"\n"
    ));
    site.write("dispatcher.js", DISPATCHER);
    site
}

/// A running server with a customer, and the text of a token with this permission on the namespace.
async fn running(permission: &str) -> (Server, String) {
    let server = Server::serving("[namespaces.production]\n").await;
    server.api().javascript(&script_path("customer-a"), CUSTOMER).await.result();
    let resource = "com.cloudflare.api.account.dispatch_namespace.production";
    let policy =
        json!({"effect": "allow", "permission_groups": [{"id": permission}], "resources": {resource: "*"}});
    let made =
        server.api().post("/client/v4/user/tokens", &json!({"name": "dev", "policies": [policy]})).await;
    let token = made.result()["value"].as_str().unwrap().to_owned();
    (server, token)
}

/// `wasmyard dev` in a folder, when its scripts are there.
async fn developing(site: &Site, variables: &[(&str, &str)]) -> Server {
    let server = site.dev_with(variables).await;
    let ready = async || (server.api().open("/health/ready").await.0 == 200).then_some(());
    eventually("the dispatcher is built", ready).await;
    server
}

#[tokio::test]
async fn a_dispatcher_under_development_calls_scripts_of_a_running_server() {
    let (there, token) = running("Workers Dispatch Run").await;
    let narrow = there.api().with_token(token.clone().leak());
    let (url, site) = (there.api().url.clone(), folder());
    let here = developing(&site, &[("WASMYARD_REMOTE_URL", &url), ("WASMYARD_REMOTE_TOKEN", &token)]).await;

    let asked =
        request(Method::POST, "customer-a.localhost", "/?a=b").header("authorization", "Bearer visitor");
    let answer = here.send(asked.body(body("a body")).unwrap()).await;
    assert_eq!((answer.status, answer.text()), (201, "a body"));
    assert_eq!((answer.header("x-method"), answer.header("x-authorization")), ("POST", "Bearer visitor"));

    // What fails can be caught, and says what it says beside the script.
    assert_eq!(here.get("nobody.localhost", "/").await.text(), "Worker not found.");
    assert_eq!(here.get("customer-a.localhost", "/boom").await.text(), "boom");

    // The token does that, and nothing else; and who has a script answer changes nothing.
    narrow.get(NAMESPACES).await.refused(403, 10000);
    narrow.get(&script_path("customer-a")).await.refused(403, 10000);
    let entries = there.api().get("/client/v4/accounts/0/logs/audit").await;
    assert!(!entries.result().to_string().contains("userScripts.run"));
}

#[tokio::test]
async fn bodies_stream_both_ways_between_a_dispatcher_and_a_running_server() {
    let (there, token) = running("Workers Dispatch Run").await;
    let (url, site) = (there.api().url.clone(), folder());
    let here = developing(&site, &[("WASMYARD_REMOTE_URL", &url), ("WASMYARD_REMOTE_TOKEN", &token)]).await;
    let (pieces, sent) = channel();
    let mut visitor = here.connect().await;
    let response = visitor.send(request(Method::POST, "customer-a.localhost", "/").body(sent).unwrap()).await;
    let mut received = response.into_body();
    for piece in ["one", "two", "three"] {
        // Each comes back before the next one goes out.
        pieces.unbounded_send(Ok(Frame::data(Bytes::from(piece)))).unwrap();
        assert_eq!(next_chunk(&mut received).await.unwrap(), piece);
    }
    drop(pieces);
    assert_eq!(next_chunk(&mut received).await, None);
}

#[tokio::test]
async fn a_remote_binding_says_what_it_lacks() {
    let (there, token) = running("Workers Scripts Read").await;
    let (url, site) = (there.api().url.clone(), folder());
    let here = developing(&site, &[("WASMYARD_REMOTE_URL", &url), ("WASMYARD_REMOTE_TOKEN", &token)]).await;
    let text = here.get("customer-a.localhost", "/").await.text().to_owned();
    assert!(text.contains("\"SCRIPTS\" is remote") && text.contains("Workers Dispatch Run"), "{text}");
    here.kill().await;
    let here = developing(&site, &[]).await;
    let text = here.get("customer-a.localhost", "/").await.text().to_owned();
    assert!(text.contains("WASMYARD_REMOTE_URL"), "{text}");
}
