//! Calls about what belongs to the account, or to the operator, and not to scripts.

use reqwest::Method;
use serde_json::Value;

use super::{ACCOUNT, Body, Client, ClientError, with_body};

impl Client {
    /// Sends one request about the API's own tokens, which belong to the operator and to no account.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn call_tokens(&self, method: Method, path: &[&str], body: Body) -> Result<Value, ClientError> {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("user").push("tokens").extend(path);
        }
        let request = self.authorized(self.http.request(method, url));
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
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["accounts", ACCOUNT, "storage", "kv", "namespaces"]);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.authorized(self.http.request(method, url));
        self.send(with_body(request, body)).await
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

    fn account_request(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> reqwest::RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["accounts", ACCOUNT]).extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.authorized(self.http.request(method, url))
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
