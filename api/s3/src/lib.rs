//! The S3 protocol over buckets: what clients of object stores speak, and what URLs are signed for that visitors are given.
//!
//! Owns signatures of the fourth version, in header fields and in queries; the operations on objects and their XML. An access
//! key is a token of the API: its id, and the SHA-256 of its text as the secret, as in the hosted product. What a token may
//! do, from where and until when holds here as well. Must never answer a request before its signature was looked at, nor hold
//! a content.
//!
//! # Layout
//! - [`Gateway`]: a request from its signature to its answer
//! - `request`: path and query, decoded once
//! - `signature`: what was signed, and with which key
//! - `body`, [`chunked`]: a body as it comes, and what it has to be
//! - `operations`: which operation a request is, and what it does
//! - `fields`: header fields of objects; `checksums`: those of them that are checksums; `xml`: bodies; `fault`: what went wrong, in the words of the protocol

pub mod chunked;

mod body;
mod checksums;
mod fault;
mod fields;
mod operations;
mod request;
mod signature;
mod xml;

use axum::body::Body;
use http::{Method, Request, Response};
use wasmyard_listener::Client;
use wasmyard_namespaces::Registry;
use wasmyard_namespaces::access::{Family, Level, Need, Place};
use wasmyard_r2::R2;

use fault::Fault;
use request::Asked;

/// Answers requests of the S3 protocol. Cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    registry: Registry,
    r2: R2,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("r2", &self.r2).finish_non_exhaustive()
    }
}

impl Gateway {
    /// Over these tokens and these buckets.
    #[must_use]
    pub fn new(registry: Registry, r2: R2) -> Gateway {
        Gateway { registry, r2 }
    }

    /// Answers a request. Whatever goes wrong is an answer as well.
    pub async fn answer(&self, request: Request<Body>, client: Option<&Client>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let is_head = parts.method == Method::HEAD;
        let resource = parts.uri.path().to_owned();
        let answered = match Asked::of(&parts) {
            Ok(asked) => self.permitted(asked, body, client).await,
            Err(fault) => Err(fault),
        };
        answered.unwrap_or_else(|fault| fault.answer(&resource, is_head))
    }

    async fn permitted(
        &self,
        asked: Asked<'_>,
        body: Body,
        client: Option<&Client>,
    ) -> Result<Response<Body>, Fault> {
        let signed = signature::Signed::of(&asked)?;
        let now = self.registry.clock().now();
        let key = self.registry.access_key(signed.key_id()).ok_or(Fault::UNKNOWN_KEY)?;
        let (token, secret) = key;
        let payload = signed.verify(&asked, secret.expose(), now)?;
        if !token.rules.condition.admits(client.map(|client| client.address)) {
            return Err(Fault::DENIED.saying("the token may not be used from this address"));
        }
        let level =
            if matches!(*asked.method, Method::GET | Method::HEAD) { Level::Read } else { Level::Write };
        let need = Need { family: Family::R2, level, place: Place::Account };
        if !token.rules.grants.allow(&need) {
            return Err(Fault::DENIED.saying(format!("the token lacks the permission {need}")));
        }
        operations::run(&self.r2, &asked, payload, body).await
    }
}
