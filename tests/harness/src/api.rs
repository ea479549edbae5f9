//! The v4 API, as its clients use it.

use std::net::SocketAddr;

use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::within;

/// Where namespaces are.
pub const NAMESPACES: &str = "/client/v4/accounts/0/workers/dispatch/namespaces";
/// Where platform scripts are.
pub const PLATFORM_SCRIPTS: &str = "/client/v4/accounts/0/workers/scripts";

/// The v4 API of one server, for whoever has this token.
#[derive(Clone)]
pub struct Api {
    http: reqwest::Client,
    /// Like `http://127.0.0.1:1234`.
    pub url: String,
    token: &'static str,
}

/// An answer in the v4 envelope.
#[derive(Debug)]
pub struct Reply {
    /// The answer's status.
    pub status: u16,
    /// Its body: success, errors, messages, result.
    pub envelope: Value,
}

impl Reply {
    /// The result of a success.
    #[track_caller]
    pub fn result(&self) -> &Value {
        assert_eq!((self.status, &self.envelope["success"]), (200, &json!(true)), "{self:?}");
        &self.envelope["result"]
    }

    /// The text of a failure with this status and code.
    #[track_caller]
    pub fn refused(&self, status: u16, code: u32) -> &str {
        let error = &self.envelope["errors"][0];
        assert_eq!((self.status, &error["code"]), (status, &json!(code)), "{self:?}");
        assert_eq!(self.envelope["success"], json!(false));
        error["message"].as_str().unwrap()
    }
}

/// The path of a user script of the namespace `production`.
pub fn script_path(name: &str) -> String {
    format!("{NAMESPACES}/production/scripts/{name}")
}

impl Api {
    /// The token that calls are made with.
    pub fn token(&self) -> &str {
        self.token
    }

    /// The API at an address.
    pub fn new(address: SocketAddr, token: &'static str) -> Api {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Api { http, url: format!("http://{address}"), token }
    }

    /// The same API, for somebody else.
    pub fn with_token(&self, token: &'static str) -> Api {
        Api { token, ..self.clone() }
    }

    /// A request with the token, to be sent or changed.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(self.token)
    }

    /// GET, to its reply.
    pub async fn get(&self, path: &str) -> Reply {
        reply(self.request(Method::GET, path)).await
    }

    /// POST of JSON, to its reply.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        reply(self.request(Method::POST, path).json(body)).await
    }

    /// PUT of JSON, to its reply.
    pub async fn put(&self, path: &str, body: &Value) -> Reply {
        reply(self.request(Method::PUT, path).json(body)).await
    }

    /// PATCH with JSON, to its reply.
    pub async fn patch(&self, path: &str, body: &Value) -> Reply {
        reply(self.request(Method::PATCH, path).json(body)).await
    }

    /// DELETE, to its reply.
    pub async fn delete(&self, path: &str) -> Reply {
        reply(self.request(Method::DELETE, path)).await
    }

    /// Uploads a user script of the namespace `production`.
    pub async fn deploy(&self, name: &str, component: Vec<u8>) -> Reply {
        self.upload(&script_path(name), &json!({"main_module": "worker.wasm"}), component).await
    }

    /// Uploads with these declarations, as a form of two parts.
    pub async fn upload(&self, path: &str, metadata: &Value, component: Vec<u8>) -> Reply {
        self.form(path, form(&metadata.to_string(), component)).await
    }

    /// Uploads a version that does not serve, with these declarations.
    pub async fn upload_version(&self, path: &str, metadata: &Value, component: Vec<u8>) -> Reply {
        reply(self.request(Method::POST, path).multipart(form(&metadata.to_string(), component))).await
    }

    /// Uploads a script of one module in JavaScript.
    pub async fn javascript(&self, path: &str, source: &str) -> Reply {
        self.javascript_with(path, &json!({ "main_module": "worker.js" }), source).await
    }

    /// The same with these declarations.
    pub async fn javascript_with(&self, path: &str, metadata: &Value, source: &str) -> Reply {
        let module = Part::text(source.to_owned()).file_name("worker.js");
        let module = module.mime_str("application/javascript+module").unwrap();
        let form = Form::new().text("metadata", metadata.to_string()).part("worker.js", module);
        self.form(path, form).await
    }

    /// Sends any form.
    pub async fn form(&self, path: &str, form: Form) -> Reply {
        reply(self.request(Method::PUT, path).multipart(form)).await
    }

    /// Uploads a user script; none when the connection broke before the answer was there.
    pub async fn try_deploy(&self, name: &str, component: Vec<u8>) -> Option<u16> {
        let form = form(r#"{"main_module":"worker.wasm"}"#, component);
        let answer = self.request(Method::PUT, &script_path(name)).multipart(form).send().await.ok()?;
        let status = answer.status().as_u16();
        // Acknowledged is only what arrived whole.
        answer.bytes().await.ok().map(|_| status)
    }

    /// Deletes something; none when the connection broke before the answer was there.
    pub async fn try_delete(&self, path: &str) -> Option<u16> {
        let answer = self.request(Method::DELETE, path).send().await.ok()?;
        let status = answer.status().as_u16();
        answer.bytes().await.ok().map(|_| status)
    }

    /// The component of a user script; none when there is no such script.
    pub async fn content(&self, name: &str) -> Option<Vec<u8>> {
        let path = format!("{}/content", script_path(name));
        let answer =
            self.request(Method::GET, &path).header("accept", "application/wasm").send().await.unwrap();
        match answer.status().as_u16() {
            404 => None,
            200 => Some(answer.bytes().await.unwrap().to_vec()),
            other => panic!("{name}: {other} {:?}", answer.text().await),
        }
    }

    /// A plain text, like `/metrics`.
    pub async fn text(&self, path: &str) -> String {
        let answer = within(path, self.request(Method::GET, path).send()).await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.text().await.unwrap()
    }

    /// Status and body of a path, without a token.
    pub async fn open(&self, path: &str) -> (u16, String) {
        let answer = within(path, self.http.get(format!("{}{path}", self.url)).send()).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

fn form(metadata: &str, component: Vec<u8>) -> Form {
    let module = Part::bytes(component).file_name("worker.wasm").mime_str("application/wasm").unwrap();
    let metadata = Part::text(metadata.to_owned()).mime_str("application/json").unwrap();
    Form::new().part("metadata", metadata).part("worker.wasm", module)
}

async fn reply(request: RequestBuilder) -> Reply {
    let answer = within("an answer of the API", request.send()).await.unwrap();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    let envelope = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{status}: {text:?}: {error}"));
    Reply { status, envelope }
}
