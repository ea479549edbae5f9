//! How often clients may call: by token and by address, with what is left in the head of each answer.

use std::time::Duration;

use axum::body::Body;
use http::Request;
use wasmyard_api::Rates;
use wasmyard_listener::Client;

use crate::common::{Answer, Api, NAMESPACES};

/// A call from an address; with a token, or with one that is none.
async fn from(api: &Api, address: &str, token: &str) -> Answer {
    let request = Request::get(NAMESPACES).header("authorization", format!("Bearer {token}"));
    let mut request = request.body(Body::empty()).unwrap();
    request.extensions_mut().insert(Client::at(address.parse().unwrap(), false));
    api.raw(request).await
}

fn header(answer: &Answer, name: &str) -> String {
    answer.headers[name].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_token_that_called_too_often_waits_for_the_end_of_its_window() {
    let (api, hand) = Api::with_rates(Rates { per_token: 3, per_address: 200 }).await;
    for left in [2, 1, 0] {
        let answer = api.get(NAMESPACES).await;
        answer.result();
        assert_eq!(header(&answer, "ratelimit"), format!("\"default\";r={left};t=300"));
        assert_eq!(header(&answer, "ratelimit-policy"), "\"default\";q=3;w=300");
    }
    hand.advance(Duration::from_secs(100));
    let refused = api.get(NAMESPACES).await;
    assert!(refused.refused(429, 971).contains("3 calls within 300 s"));
    assert_eq!(
        (header(&refused, "retry-after"), header(&refused, "ratelimit")),
        ("200".into(), "\"default\";r=0;t=200".into())
    );
    // Another token of the same client goes on.
    let (_, other) = api.registry.create_token("other").await.unwrap();
    from(&api, "192.0.2.7", other.expose()).await.result();
    hand.advance(Duration::from_secs(200));
    api.get(NAMESPACES).await.result();
}

#[tokio::test]
async fn an_address_that_called_too_often_is_refused_before_its_token_is_looked_at() {
    let (api, hand) = Api::with_rates(Rates { per_token: 1_000, per_address: 2 }).await;
    let token = api.token().to_owned();
    from(&api, "192.0.2.7", "none").await.refused(401, 10000);
    from(&api, "192.0.2.7", "none").await.refused(401, 10000);
    for token in ["none", &token] {
        let refused = from(&api, "192.0.2.7", token).await;
        assert!(refused.refused(429, 971).contains("2 calls within 1 s"));
        assert_eq!(header(&refused, "retry-after"), "1");
    }
    from(&api, "192.0.2.8", &token).await.result();
    for _ in 0..5 {
        // The operator's own machine, or a proxy on it that nobody said is to be believed.
        from(&api, "127.0.0.1", &token).await.result();
    }
    hand.advance(Duration::from_secs(1));
    from(&api, "192.0.2.7", &token).await.result();
}

#[tokio::test]
async fn probes_are_never_too_many() {
    let (api, _hand) = Api::with_rates(Rates { per_token: 1, per_address: 1 }).await;
    for _ in 0..5 {
        let mut request = Request::get("/health/live").body(Body::empty()).unwrap();
        request.extensions_mut().insert(Client::at("192.0.2.7".parse().unwrap(), false));
        assert_eq!(api.raw(request).await.status, 200);
    }
}
