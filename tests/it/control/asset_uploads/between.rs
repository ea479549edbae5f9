//! Somebody between client and API who lets upload sessions end: passes on what comes, and after so many uploads
//! with a token spoils that token, so that the API finds it to be worth nothing. Must never know what a test expects.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::support::Server;

/// A running one.
pub(super) struct Between {
    /// Where clients find it.
    pub(super) url: String,
    /// How many contents each session asked for that was begun.
    pub(super) asked: Arc<Mutex<Vec<usize>>>,
}

impl Between {
    /// Lets the first session have so many uploads.
    pub(super) async fn start(server: &Server, uploads: usize) -> Between {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::default();
        let passage = Arc::new(Passage {
            api: server.api().url,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            uploads,
            used: Mutex::default(),
            asked: Arc::clone(&asked),
        });
        let router = Router::new().fallback(move |request| {
            let passage = Arc::clone(&passage);
            async move { passage.pass(request).await }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Between { url, asked }
    }
}

struct Passage {
    api: String,
    http: reqwest::Client,
    uploads: usize,
    /// How many uploads came with a token. The first session is the first token.
    used: Mutex<HashMap<String, usize>>,
    asked: Arc<Mutex<Vec<usize>>>,
}

impl Passage {
    async fn pass(&self, request: Request) -> Response {
        let (mut head, body) = request.into_parts();
        let path = head.uri.path_and_query().unwrap().as_str().to_owned();
        if path.contains("/assets/upload?") && self.is_used_up(&head.headers) {
            head.headers.insert("authorization", "Bearer spoiled".parse().unwrap());
        }
        for name in ["host", "content-length", "transfer-encoding", "connection"] {
            head.headers.remove(name);
        }
        let body = axum::body::to_bytes(body, 1 << 30).await.unwrap();
        let sent = self.http.request(head.method, format!("{}{path}", self.api)).headers(head.headers);
        let answer = sent.body(body).send().await.unwrap();
        let status = answer.status();
        let bytes = answer.bytes().await.unwrap();
        if path.ends_with("/assets-upload-session") {
            let envelope: Value = serde_json::from_slice(&bytes).unwrap();
            let buckets = envelope["result"]["buckets"].as_array().unwrap().clone();
            let asked = buckets.iter().map(|bucket| bucket.as_array().unwrap().len()).sum();
            self.asked.lock().unwrap().push(asked);
        }
        Response::builder().status(status).body(Body::from(bytes)).unwrap()
    }

    /// Whether this token had its uploads. Any number is fine where there is to be one, and it is not the first session.
    fn is_used_up(&self, headers: &http::HeaderMap) -> bool {
        let token = headers["authorization"].to_str().unwrap().to_owned();
        let mut used = self.used.lock().unwrap();
        if self.uploads > 0 && !used.is_empty() && !used.contains_key(&token) {
            return false;
        }
        let count = used.entry(token).or_default();
        *count += 1;
        *count > self.uploads
    }
}
