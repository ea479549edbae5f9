//! Tokens: made, listed without their texts, replaced, revoked; on both paths that clients have for them.

use serde_json::json;

use crate::common::{Api, NAMESPACES};

const USER: &str = "/client/v4/user/tokens";
const ACCOUNT: &str = "/client/v4/accounts/acc1/tokens";

async fn status(api: &Api, token: &str) -> u16 {
    let request = http::Request::get(NAMESPACES).header("authorization", format!("Bearer {token}"));
    api.raw(request.body(axum::body::Body::empty()).unwrap()).await.status.as_u16()
}

#[tokio::test]
async fn a_token_is_good_from_its_making_until_it_is_revoked() {
    let api = Api::new().await;
    for path in [USER, ACCOUNT] {
        let made = api.post(path, &json!({"name": "ci"})).await.result();
        let (id, value) = (made["id"].as_str().unwrap(), made["value"].as_str().unwrap().to_owned());
        assert_eq!((&made["name"], &made["status"]), (&json!("ci"), &json!("active")));
        assert_eq!(status(&api, &value).await, 200);
        let listed = api.get(path).await.result();
        assert!(listed.as_array().unwrap().iter().any(|token| token["id"] == id), "{listed}");
        assert!(!listed.to_string().contains(&value), "a text is shown once");
        let shown = api.get(&format!("{path}/{id}")).await.result();
        assert_eq!((&shown["id"], shown.get("value")), (&json!(id), None));

        let rolled = api.put(&format!("{path}/{id}/value"), &json!({})).await.result();
        assert_eq!((status(&api, &value).await, status(&api, rolled.as_str().unwrap()).await), (401, 200));
        assert_eq!(api.delete(&format!("{path}/{id}")).await.result(), json!({"id": id}));
        assert_eq!(status(&api, rolled.as_str().unwrap()).await, 401);
        for gone in [api.delete(&format!("{path}/{id}")).await, api.get(&format!("{path}/{id}")).await] {
            assert!(gone.refused(404, 90010).contains(id));
        }
    }
}

#[tokio::test]
async fn verify_names_the_token_that_asks() {
    let api = Api::new().await;
    let own = api.get(USER).await.result()[0]["id"].clone();
    for path in [USER, ACCOUNT] {
        assert_eq!(api.get(&format!("{path}/verify")).await.result(), json!({"id": own, "status": "active"}));
    }
}

#[tokio::test]
async fn a_token_that_would_be_narrow_or_nameless_is_refused() {
    let api = Api::new().await;
    let before = api.stored().await;
    for (wanted, says) in [
        (json!({"name": ""}), "1 to 64 characters"),
        (json!({"name": "x".repeat(65)}), "1 to 64 characters"),
        (json!({"name": "admin"}), "started with"),
        (json!({"name": "a", "policies": [{"effect": "allow"}]}), "policies"),
        (json!({"name": "a", "condition": {"request.ip": {}}}), "condition"),
        (json!({"name": "a", "not_before": "2026-01-01T00:00:00Z"}), "not_before"),
        (json!({"name": "a", "expires_on": "soon"}), "2027-01-31T00:00:00Z"),
        (json!({"name": "a", "expires_on": "2001-01-01T00:00:00Z"}), "passed"),
    ] {
        let text = api.post(USER, &wanted).await.refused(400, 10021);
        assert!(text.contains(says), "{wanted}: {text}");
    }
    assert_eq!(api.stored().await, before);
    let wanted = json!({"name": "a", "policies": [], "condition": {}, "expires_on": "2999-01-01T00:00:00Z"});
    let made = api.post(USER, &wanted).await.result();
    assert!(made["expires_on"].as_str().unwrap().starts_with("2999-01-01T00:00:00"), "{made}");
}

#[tokio::test]
async fn the_configured_token_can_be_revoked_with_a_remark() {
    let api = Api::new().await;
    let (admin, _) =
        api.registry.set_token("admin", &wasmyard_namespaces::Secret::new("0123456789abcdef")).await.unwrap();
    let revoked = api.delete(&format!("{USER}/{}", admin.id)).await.json();
    assert!(revoked["messages"][0]["message"].as_str().unwrap().contains("WASMYARD_API_TOKEN"), "{revoked}");
    assert_eq!(status(&api, "0123456789abcdef").await, 401);
}
