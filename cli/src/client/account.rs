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
