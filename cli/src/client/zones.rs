//! Calls about zones and what belongs to them, which are below no account.

use reqwest::Method;
use serde_json::Value;

use super::{Body, Client, ClientError, with_body};

impl Client {
    /// All rows of a list below the zones.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn list_zones(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Value, ClientError> {
        self.all_pages(query, |page| self.zones_request(Method::GET, path, page)).await
    }

    /// Sends one request about zones, which are below no account.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn call_zones(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Body,
    ) -> Result<Value, ClientError> {
        self.send(with_body(self.zones_request(method, path, query), body)).await
    }

    fn zones_request(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> reqwest::RequestBuilder {
        self.authorized(self.below(method, &["zones"], path, query))
    }
}
