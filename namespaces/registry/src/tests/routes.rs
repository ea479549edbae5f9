//! Routes: those of the API and those of the configuration.

use super::*;
use wasmyard_model::namespace::Origin;
use wasmyard_model::route::{RoutePattern, RouteTarget};

fn pattern(text: &str) -> RoutePattern {
    text.parse().unwrap()
}

fn to(script: &str) -> RouteTarget {
    RouteTarget::Script(ScriptName::parse(script).unwrap())
}

fn listed(registry: &Registry) -> Vec<(String, RouteTarget, Origin)> {
    let routes = registry.list_routes();
    routes.iter().map(|route| (route.pattern.to_string(), route.target.clone(), route.origin)).collect()
}

#[tokio::test]
async fn patterns_are_unique_and_routes_change_at_once() {
    let registry = registry().await;
    let route = registry.add_route(pattern("a.com"), to("x"), Origin::Api).await.unwrap();
    assert_eq!(route.id.len(), 32);
    let taken = registry.add_route(pattern("A.com/*"), to("y"), Origin::Api).await.unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::Exists);
    let moved = registry.update_route(&route.id, pattern("b.com/*"), to("y")).await.unwrap();
    assert_eq!(moved.id, route.id);
    assert!(registry.routes().lookup("a.com", "/").is_none());
    assert_eq!(registry.routes().lookup("b.com", "/").unwrap().route, moved);
    registry.add_route(pattern("a.com/*"), to("z"), Origin::Api).await.unwrap();
    let taken = registry.update_route(&route.id, pattern("a.com/*"), to("y")).await.unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::Exists);
    assert_eq!(registry.update_route(&route.id, pattern("b.com/*"), to("w")).await.unwrap().target, to("w"));
    registry.remove_route(&route.id).await.unwrap();
    assert_eq!(registry.remove_route(&route.id).await.unwrap_err().kind(), ErrorKind::NotFound);
    registry.add_route(pattern("b.com/*"), to("x"), Origin::Api).await.unwrap();
    let refused = registry.add_route(pattern("c.com/*"), RouteTarget::Respond(99), Origin::Api).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn the_configuration_replaces_its_own_routes_and_leaves_the_others() {
    let registry = registry().await;
    registry.add_route(pattern("api.com/*"), to("api"), Origin::Api).await.unwrap();
    registry.add_route(pattern("both.com/*"), to("api"), Origin::Api).await.unwrap();
    let first =
        vec![(pattern("*/*"), to("d")), (pattern("old.com/*"), to("d")), (pattern("both.com/*"), to("d"))];
    registry.replace_config_routes(&ConfigName::default(), first).await.unwrap();
    let id = registry.routes().lookup("any", "/").unwrap().route.id.clone();
    let second =
        vec![(pattern("*/*"), to("d")), (pattern("new.com/*"), to("e")), (pattern("both.com/*"), to("f"))];
    registry.replace_config_routes(&ConfigName::default(), second.clone()).await.unwrap();
    assert_eq!(
        listed(&registry),
        [
            ("*/*".to_owned(), to("d"), Origin::Config),
            ("api.com/*".to_owned(), to("api"), Origin::Api),
            ("both.com/*".to_owned(), to("f"), Origin::Config),
            ("new.com/*".to_owned(), to("e"), Origin::Config),
        ]
    );
    assert_eq!(registry.routes().lookup("any", "/").unwrap().route.id, id);
    let revision = registry.ping().await.unwrap();
    registry.replace_config_routes(&ConfigName::default(), second).await.unwrap();
    assert_eq!(registry.ping().await.unwrap(), revision, "what is as it was is not written again");
    let refused = registry.remove_route(&id).await.unwrap_err();
    assert!(refused.to_string().contains("change it there"), "{refused}");
    let twice = vec![(pattern("x.com"), to("d")), (pattern("x.com/*"), to("e"))];
    assert_eq!(
        registry.replace_config_routes(&ConfigName::default(), twice).await.unwrap_err().kind(),
        ErrorKind::Exists
    );
    registry.replace_config_routes(&ConfigName::default(), vec![]).await.unwrap();
    assert_eq!(listed(&registry).len(), 1);
    // The patterns are free again.
    registry.add_route(pattern("both.com/*"), to("api"), Origin::Api).await.unwrap();
}
