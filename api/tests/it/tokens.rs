//! Tokens: made, listed without their texts, replaced, revoked; on both paths that clients have for them.

use serde_json::{Value, json};

use crate::common::{Api, NAMESPACES};

const USER: &str = "/client/v4/user/tokens";
const ACCOUNT: &str = "/client/v4/accounts/acc1/tokens";

/// A policy that allows groups, by their names, on resources, without what all of them begin with.
pub(crate) fn policy(groups: &[&str], resources: &[&str]) -> Value {
    let groups: Vec<Value> = groups.iter().map(|name| json!({"id": name})).collect();
    let resources: serde_json::Map<String, Value> =
        resources.iter().map(|name| (format!("com.cloudflare.api.account.{name}"), json!("*"))).collect();
    json!({"effect": "allow", "permission_groups": groups, "resources": resources})
}

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
async fn a_token_that_is_nameless_or_gives_nothing_is_refused() {
    let api = Api::new().await;
    let before = api.stored().await;
    for (wanted, says) in [
        (json!({"name": ""}), "1 to 64 characters"),
        (json!({"name": "x".repeat(65)}), "1 to 64 characters"),
        (json!({"name": "admin"}), "started with"),
        (json!({"name": "a", "policies": []}), "needs a policy"),
        (json!({"name": "a", "policies": [policy(&["Workers Scripts Read"], &[])]}), "needs a policy"),
        (json!({"name": "a", "policies": [policy(&["Everything"], &["*"])]}), "permission group"),
        (json!({"name": "a", "policies": [policy(&["DNS Read"], &["script.dispatcher"])]}), "means nothing"),
        (json!({"name": "a", "policies": [policy(&["DNS Read"], &["zone.x"])]}), "no resource"),
        (json!({"name": "a", "status": "gone"}), "active or disabled"),
        (json!({"name": "a", "condition": {"request_ip": {"in": ["here"]}}}), "no network"),
        (
            json!({"name": "a", "not_before": "2999-01-01T00:00:00Z", "expires_on": "2998-01-01T00:00:00Z"}),
            "not after",
        ),
        (json!({"name": "a", "expires_on": "soon"}), "2027-01-31T00:00:00Z"),
        (json!({"name": "a", "expires_on": "2001-01-01T00:00:00Z"}), "passed"),
    ] {
        let text = api.post(USER, &wanted).await.refused(400, 10021);
        assert!(text.contains(says), "{wanted}: {text}");
    }
    assert_eq!(api.stored().await, before);
    let wanted = json!({"name": "a", "condition": {}, "expires_on": "2999-01-01T00:00:00Z"});
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

#[tokio::test]
async fn a_token_is_shown_with_what_it_may_do_and_can_be_changed() {
    let api = Api::new().await;
    let ids = api.get(&format!("{USER}/permission_groups?name=Workers%20Scripts%20Write")).await.result();
    assert_eq!(ids[0]["scopes"], json!(["com.cloudflare.api.account"]));
    let id = &ids[0]["id"];
    let mut wanted = json!({
        "name": "ci",
        "policies": [{
            "effect": "allow",
            "permission_groups": [{"id": id, "name": "Workers Scripts Write", "meta": {"key": "k", "value": "v"}}],
            "resources": {"com.cloudflare.api.account.acc1": {"com.cloudflare.api.account.script.a": "*"}},
        }],
        "condition": {"request_ip": {"in": ["192.0.2.7/24"], "not_in": ["192.0.2.7"]}},
        "not_before": "2020-01-01T00:00:00Z",
        "expires_on": "2999-01-01T00:00:00Z",
    });
    let made = api.post(ACCOUNT, &wanted).await.result();
    let path = format!("{ACCOUNT}/{}", made["id"].as_str().unwrap());
    let shown = api.get(&path).await.result();
    assert_eq!(
        shown["policies"][0]["permission_groups"],
        json!([{"id": id, "name": "Workers Scripts Write"}])
    );
    assert_eq!(shown["policies"][0]["resources"], json!({"com.cloudflare.api.account.script.a": "*"}));
    assert_eq!(
        shown["condition"],
        json!({"request_ip": {"in": ["192.0.2.0/24"], "not_in": ["192.0.2.7/32"]}})
    );
    assert!(shown["not_before"].as_str().unwrap().starts_with("2020-01-01T00:00:00"), "{shown}");
    assert_eq!(shown.get("last_used_on"), None);
    // Written back as it was shown, it is the same.
    let again = json!({"name": "ci", "policies": shown["policies"], "condition": shown["condition"],
        "not_before": shown["not_before"], "expires_on": shown["expires_on"], "status": shown["status"]});
    let kept = api.put(&path, &again).await.result();
    assert_eq!((&kept["policies"], &kept["condition"]), (&shown["policies"], &shown["condition"]));
    wanted["status"] = json!("disabled");
    wanted["name"] = json!("ci, for now");
    let changed = api.put(&path, &wanted).await.result();
    assert_eq!((&changed["status"], &changed["name"]), (&json!("disabled"), &json!("ci, for now")));
    let value = made["value"].as_str().unwrap();
    assert_eq!(status(&api, value).await, 401);
}

#[tokio::test]
async fn a_token_makes_none_that_may_do_more_than_itself() {
    let api = Api::new().await;
    let own = policy(&["API Tokens Write", "Workers Scripts Write"], &["*"]);
    let own = api.token_for(&json!({"policies": [own], "expires_on": "2990-01-01T00:00:00Z"})).await;
    let make = async |wanted: Value| own.post(USER, &wanted).await;
    for (wanted, says) in [
        (json!({"policies": [policy(&["Account Admin"], &["*"])]}), "Account Admin"),
        (json!({"policies": [policy(&["DNS Read"], &["*"])]}), "DNS Read"),
        (json!({"policies": [policy(&["Workers Scripts Read"], &["*"])]}), "outlives"),
        (
            json!({"policies": [policy(&["Workers Scripts Read"], &["*"])], "expires_on": "2991-01-01T00:00:00Z"}),
            "outlives",
        ),
    ] {
        let mut wanted = wanted;
        wanted["name"] = json!("more");
        let text = make(wanted.clone()).await.refused(403, 10000);
        assert!(text.contains(says), "{wanted}: {text}");
    }
    let less = policy(&["Workers Scripts Read"], &["dispatch_namespace.production"]);
    let less = json!({"name": "less", "policies": [less], "expires_on": "2989-01-01T00:00:00Z"});
    let less = make(less).await.result();
    // Without policies it is as wide as the one that makes it, and no wider.
    let same = make(json!({"name": "same", "expires_on": "2990-01-01T00:00:00Z"})).await.result();
    assert_eq!(same["policies"].as_array().unwrap().len(), 1);
    // The text of a wider one would be what it may not have.
    let admin = api.get(USER).await.result()[0]["id"].as_str().unwrap().to_owned();
    for refused in [
        own.put(&format!("{USER}/{admin}/value"), &json!({})).await,
        own.put(&format!("{USER}/{admin}"), &json!({"name": "mine"})).await,
        own.delete(&format!("{USER}/{admin}")).await,
    ] {
        assert!(refused.refused(403, 10000).contains("Account Admin"));
    }
    let less = less["id"].as_str().unwrap();
    own.put(&format!("{USER}/{less}/value"), &json!({})).await.result();
    own.delete(&format!("{USER}/{less}")).await.result();
    // What may not make tokens makes none.
    let reader = api.token_for(&json!({"policies": [policy(&["API Tokens Read"], &["*"])]})).await;
    reader.get(USER).await.result();
    assert!(reader.post(USER, &json!({"name": "x"})).await.refused(403, 10000).contains("API Tokens Write"));
}

#[tokio::test]
async fn a_token_is_good_from_the_networks_that_it_names_and_from_no_others() {
    let api = Api::new().await;
    let condition = json!({"request_ip": {"in": ["192.0.2.0/24"], "not_in": ["192.0.2.7"]}});
    let token = api.token_for(&json!({"condition": condition})).await;
    let from = async |address: Option<&str>| {
        let mut request =
            token.request(http::Method::GET, NAMESPACES).body(axum::body::Body::empty()).unwrap();
        if let Some(address) = address {
            let client = wasmyard_listener::Client::at(address.parse().unwrap(), false);
            request.extensions_mut().insert(client);
        }
        token.raw(request).await
    };
    from(Some("192.0.2.8")).await.result();
    for elsewhere in [Some("192.0.2.7"), Some("198.51.100.1"), Some("2001:db8::1"), None] {
        let text = from(elsewhere).await.refused(403, 9109);
        assert!(text.contains(elsewhere.unwrap_or("unknown")), "{text}");
    }
}

#[tokio::test]
async fn a_list_in_place_of_an_object_is_refused_wherever_it_stands() {
    let api = Api::new().await;
    let by_position = json!({"name": "ci", "condition": {"request_ip": [["10.0.0.0/8"], null]}});
    let refused = api.post(USER, &by_position).await;
    let told = refused.refused(400, 10021);
    assert!(told.contains("condition.request_ip must be a JSON object"), "{told}");
}
