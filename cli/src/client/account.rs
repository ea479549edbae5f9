//! Calls about what belongs to the account, or to the operator, and not to scripts.

use reqwest::Method;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;

use super::{ACCOUNT, Body, Client, ClientError, with_body};

impl Client {
    /// Sends one request about the API's own tokens, which belong to the operator and to no account.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn call_tokens(&self, method: Method, path: &[&str], body: Body) -> Result<Value, ClientError> {
        let request = self.authorized(self.below(method, &["user", "tokens"], path, &[]));
        self.send(with_body(request, body)).await
    }

    /// Sends one request about KV namespaces, which are below the account and not below its scripts.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn call_kv(
        &self,
        method: Method,
        query: &[(&str, &str)],
        body: Body,
    ) -> Result<Value, ClientError> {
        self.call_account(method, &["storage", "kv", "namespaces"], query, body).await
    }

    /// Sends one request about something else of the account.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn call_account(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Body,
    ) -> Result<Value, ClientError> {
        self.send(with_body(self.account_request(method, path, query), body)).await
    }

    /// All rows of a list of the account, asked for page by page.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn list_account(&self, path: &[&str]) -> Result<Value, ClientError> {
        self.all_pages(&[], |page| self.account_request(Method::GET, path, page)).await
    }

    /// Sends a file to a place that the API named, which needs no token.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn send_file(&self, path: &[&str], file: tokio::fs::File) -> Result<(), ClientError> {
        let request = self.below(Method::PUT, &["accounts", ACCOUNT], path, &[]);
        self.send(request.body(reqwest::Body::from(file))).await.map(drop)
    }

    /// Fetches a file from a place that the API named, which needs no token, into another.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn fetch_file(&self, path: &[&str], into: &mut tokio::fs::File) -> Result<(), ClientError> {
        let request = self.below(Method::GET, &["accounts", ACCOUNT], path, &[]);
        let mut response = request.send().await.map_err(|error| self.failed(&error))?;
        let status = response.status();
        if !status.is_success() {
            return Err(ClientError::NotTheApi { url: self.address(), status });
        }
        let unwritten = |error: std::io::Error| ClientError::Interrupted {
            url: self.address(),
            reason: format!("the file cannot be written: {error}"),
        };
        while let Some(piece) = response.chunk().await.map_err(|error| self.failed(&error))? {
            into.write_all(&piece).await.map_err(unwritten)?;
        }
        into.flush().await.map_err(unwritten)
    }

    pub(super) fn account_request(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> reqwest::RequestBuilder {
        self.authorized(self.below(method, &["accounts", ACCOUNT], path, query))
    }

    /// One page of a list of the account, and the cursor of the next one.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn page_of_account(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<(Value, Option<String>), ClientError> {
        let answer = self.answer(self.account_request(Method::GET, path, query)).await?;
        Ok((answer.result, answer.result_info.cursor))
    }
}
