//! The client against a small API in the same process.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Multipart, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::response::IntoResponse;
use axum::routing::{any, put};
use reqwest::StatusCode;
use serde_json::json;
use wasmyard_node::config::TOKEN_FILE;

use super::*;
use crate::output::tests::captured;

/// What one request was: method, path with query, `Authorization`, and the body or the form's parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Seen {
    line: String,
    authorization: String,
    parts: Vec<(String, String, String, usize)>,
    body: String,
}

#[derive(Clone)]
struct Api {
    seen: Arc<Mutex<Vec<Seen>>>,
    answer: Arc<(StatusCode, String)>,
}

fn head(request: &Request) -> Seen {
    let authorization = request.headers().get(AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
    let line = format!("{} {}", request.method(), request.uri());
    Seen { line, authorization: authorization.unwrap_or_default(), ..Seen::default() }
}

async fn plain(State(api): State<Api>, request: Request) -> impl IntoResponse {
    let mut seen = head(&request);
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
    seen.body = String::from_utf8(body.to_vec()).unwrap();
    api.seen.lock().unwrap().push(seen);
    (api.answer.0, api.answer.1.clone())
}

async fn upload(State(api): State<Api>, request: Request) -> impl IntoResponse {
    use axum::extract::FromRequest;
    let mut seen = head(&request);
    let mut form = Multipart::from_request(request, &()).await.unwrap();
    while let Some(field) = form.next_field().await.unwrap() {
        let name = field.name().unwrap_or_default().to_owned();
        let file = field.file_name().unwrap_or_default().to_owned();
        let kind = field.content_type().unwrap_or_default().to_owned();
        let bytes = field.bytes().await.unwrap();
        if name == "metadata" {
            seen.body = String::from_utf8(bytes.to_vec()).unwrap();
        }
        seen.parts.push((name, file, kind, bytes.len()));
    }
    api.seen.lock().unwrap().push(seen);
    (api.answer.0, api.answer.1.clone())
}

/// Starts an API that always gives this answer.
async fn api(status: u16, answer: impl Into<String>) -> (SocketAddr, Arc<Mutex<Vec<Seen>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let state = Api {
        seen: Arc::clone(&seen),
        answer: Arc::new((StatusCode::from_u16(status).unwrap(), answer.into())),
    };
    let router = Router::new()
        .route("/client/v4/accounts/{account}/workers/upload/{name}", put(upload))
        .fallback(any(plain))
        .layer(axum::extract::DefaultBodyLimit::disable())
        .with_state(state);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, seen)
}

fn local(listen: SocketAddr, data: &Path) -> LocalApi {
    LocalApi { listen, data: data.to_owned() }
}

fn client(address: SocketAddr) -> Client {
    let args = ApiArgs { api_url: Some(format!("http://{address}")), api_token: Some(Token::new("t0ken")) };
    Client::find(&args, &local(address, Path::new("/nonexistent"))).unwrap()
}

#[tokio::test]
async fn a_call_carries_the_token_and_escapes_its_path() {
    let (address, seen) = api(200, r#"{"success":true,"errors":[],"messages":[],"result":[1]}"#).await;
    let result = client(address)
        .call(
            Method::PUT,
            &["scripts", "a/b ?", "tags"],
            &[("tags", "a:yes,b&c:no")],
            Body::Json(json!({"x": 1})),
        )
        .await
        .unwrap();
    assert_eq!(result, json!([1]));
    let seen = seen.lock().unwrap()[0].clone();
    assert_eq!(
        seen.line,
        format!(
            "PUT /client/v4/accounts/{ACCOUNT}/workers/scripts/a%2Fb%20%3F/tags?tags=a%3Ayes%2Cb%26c%3Ano"
        )
    );
    assert_eq!(seen.authorization, "Bearer t0ken");
    assert_eq!(seen.body, r#"{"x":1}"#);
}

#[tokio::test]
async fn an_upload_is_a_form_with_metadata_and_the_module() {
    let (address, seen) = api(200, r#"{"success":true,"result":{"id":"a"}}"#).await;
    let (output, _, _) = captured();
    let bytes = Bytes::from(vec![7; 3 * UPLOAD_CHUNK + 5]);
    let module = Module { file_name: "a-b.wasm".to_owned(), bytes };
    let progress = output.upload("a", 1);
    let metadata = json!({"main_module": "a-b.wasm"});
    let result = client(address)
        .upload(Method::PUT, &["upload", "a"], &metadata, Some(module), &progress)
        .await
        .unwrap();
    assert_eq!(result, json!({"id": "a"}));
    let seen = seen.lock().unwrap()[0].clone();
    assert_eq!(seen.body, metadata.to_string());
    assert_eq!(seen.parts[0].0, "metadata");
    let expected =
        ("a-b.wasm".to_owned(), "a-b.wasm".to_owned(), "application/wasm".to_owned(), 3 * UPLOAD_CHUNK + 5);
    assert_eq!(seen.parts[1], expected);
}

#[tokio::test]
async fn a_refusal_shows_code_text_and_remedy() {
    let answer =
        r#"{"success":false,"errors":[{"code":100119,"message":"no such namespace"}],"result":null}"#;
    let (address, _) = api(404, answer).await;
    let error = client(address).call(Method::GET, &["x"], &[], Body::Empty).await.unwrap_err();
    assert_eq!(error.code(), Some(100119));
    assert_eq!(error.to_string(), "no such namespace (code 100119, HTTP 404)");
    assert!(error.remedy().unwrap().contains("wasmyard namespace create"));
}

#[tokio::test]
async fn a_wrong_token_is_told_where_the_right_one_is() {
    let (address, _) =
        api(401, r#"{"success":false,"errors":[{"code":10000,"message":"Authentication error"}]}"#).await;
    let error = client(address).call(Method::GET, &["x"], &[], Body::Empty).await.unwrap_err();
    let remedy = error.remedy().unwrap();
    assert!(remedy.contains("WASMYARD_API_TOKEN") && remedy.contains(TOKEN_FILE), "{remedy}");
    assert!(!format!("{error} {error:?}").contains("t0ken"));
}

#[tokio::test]
async fn nobody_there_is_told_what_to_start() {
    // Bound and not listened on: nobody else gets the port meanwhile.
    let nobody = tokio::net::TcpSocket::new_v4().unwrap();
    nobody.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = nobody.local_addr().unwrap();
    let error = client(address).call(Method::GET, &["x"], &[], Body::Empty).await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.starts_with(&format!("cannot reach the API at http://{address}: ")), "{text}");
    assert!(text.contains("refused"), "{text}");
    assert!(error.remedy().unwrap().contains("is `wasmyard serve` or `wasmyard dev` running?"));
}

#[tokio::test]
async fn another_server_is_recognised() {
    for (status, answer) in [(200, "<html>"), (404, "not found"), (502, "")] {
        let (address, _) = api(status, answer).await;
        let error = client(address).call(Method::GET, &["x"], &[], Body::Empty).await.unwrap_err();
        assert!(matches!(error, ClientError::NotTheApi { .. }), "{status} {error:?}");
        assert!(error.remedy().unwrap().contains("server.api_listen"));
    }
}

#[tokio::test]
async fn an_empty_success_is_a_success() {
    let (address, _) = api(204, "").await;
    assert_eq!(client(address).call(Method::DELETE, &["x"], &[], Body::Empty).await.unwrap(), Value::Null);
}

#[tokio::test]
async fn an_answer_without_bound_is_cut_off() {
    let (address, _) = api(200, " ".repeat(ANSWER_BYTES + 1)).await;
    let error = client(address).call(Method::GET, &["x"], &[], Body::Empty).await.unwrap_err();
    assert!(matches!(error, ClientError::NotTheApi { .. }), "{error:?}");
}

#[tokio::test]
async fn the_token_of_this_machine_stays_on_it() {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join(TOKEN_FILE), "l0cal\n").unwrap();
    let (address, seen) = api(200, r#"{"success":true,"result":null}"#).await;
    let found = Client::find(&ApiArgs::default(), &local(address, data.path())).unwrap();
    found.call(Method::GET, &["x"], &[], Body::Empty).await.unwrap();
    assert_eq!(seen.lock().unwrap()[0].authorization, "Bearer l0cal");

    // Variables that are set to nothing are as good as unset.
    let unset = ApiArgs { api_url: Some(String::new()), api_token: Some(Token::new("")) };
    let found = Client::find(&unset, &local(address, data.path())).unwrap();
    assert_eq!(found.token.unwrap().expose(), "l0cal");

    let elsewhere = ApiArgs { api_url: Some("http://192.0.2.1:8788".to_owned()), api_token: None };
    assert!(Client::find(&elsewhere, &local(address, data.path())).unwrap().token.is_none());
    // What the user gives goes where the user says.
    let given = ApiArgs { api_token: Some(Token::new("given")), ..elsewhere };
    let client = Client::find(&given, &local(address, data.path())).unwrap();
    assert_eq!(client.token.unwrap().expose(), "given");
}

#[test]
fn addresses_are_taken_with_and_without_the_prefix() {
    for given in ["http://h:1", "http://h:1/", "http://h:1/client/v4", "http://h:1/client/v4/"] {
        assert_eq!(parse_base(given).unwrap().as_str(), "http://h:1/client/v4/", "{given}");
    }
    assert_eq!(parse_base("http://h/behind/proxy").unwrap().as_str(), "http://h/behind/proxy/client/v4/");
}

#[test]
fn addresses_that_cannot_work_say_why() {
    for (given, why) in [
        ("127.0.0.1:8788", "parse"),
        ("localhost:8788", "http://"),
        ("ftp://h", "http://"),
        ("https://h", "plain HTTP"),
        ("http://user:s3cret@h", "WASMYARD_API_TOKEN"),
        ("http://h?x=1", "query"),
    ] {
        let error = parse_base(given).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
}

#[test]
fn this_machine_is_recognised_in_its_spellings() {
    let loopback = |url: &str| is_loopback(&Url::parse(url).unwrap());
    for url in [
        "http://127.0.0.1",
        "http://127.9.9.9:1",
        "http://[::1]:1",
        "http://localhost",
        "http://api.localhost",
    ] {
        assert!(loopback(url), "{url}");
    }
    for url in ["http://192.0.2.1", "http://localhost.example", "http://notlocalhost", "http://[2001:db8::1]"]
    {
        assert!(!loopback(url), "{url}");
    }
}
