//! What a request says of where it has been, and that ways do not share connections. What origins do is in `data::origins` of
//! the end-to-end tests.

use wasmyard_namespaces::zone::{NewZone, ZoneType};

use super::*;
use crate::zone::AskedName;

#[test]
fn who_was_here_before_is_counted_however_it_is_written() {
    let mut headers = HeaderMap::new();
    assert_eq!(passes(&headers), 0);
    for value in ["other, Wasmyard; v=1", "wasmyard,wasmyard", "wasmyard.example"] {
        headers.append(CDN_LOOP, HeaderValue::from_static(value));
    }
    assert_eq!(passes(&headers), 3);
}

#[tokio::test]
async fn connections_are_shared_by_those_who_go_the_same_way_and_by_nobody_else() {
    let registry = Registry::in_memory().await.unwrap();
    let zone = |name: &str| {
        let new = NewZone { name: Domain::parse(name).unwrap(), kind: ZoneType::Full };
        let registry = registry.clone();
        async move { registry.create_zone(new).await.unwrap() }
    };
    let sought = |zone: &Arc<wasmyard_namespaces::zone::Zone>| Sought {
        zone: Arc::clone(zone),
        name: Domain::parse("origin.saas.test").unwrap(),
        own: false,
        asked: AskedName::Origin,
    };
    let (one, other) = (sought(&zone("saas.test").await), sought(&zone("other.test").await));
    let figures = OriginFigures::new(&prometheus::Registry::new()).unwrap();
    let origins = Origins::new(OriginsConfig::default(), registry.clone(), figures).unwrap();
    let way = |name: &str, verified| Way {
        host: wasmyard_namespaces::egress::Host::Name("origin.saas.test".to_owned()),
        addresses: None,
        port: 443,
        handshake: Some(wasmyard_net::Handshake {
            name: rustls::pki_types::ServerName::try_from(name.to_owned()).unwrap(),
            verified,
        }),
    };
    let first = origins.connections(&one, way("a.test", false));
    assert!(Arc::ptr_eq(&first, &origins.connections(&one, way("a.test", false))));
    for (sought, way) in [
        (&one, way("a.test", true)),
        (&one, way("b.test", false)),
        (&one, Way { handshake: None, ..way("a.test", false) }),
        (&one, Way { addresses: Some([[192, 0, 2, 1].into()].into()), ..way("a.test", false) }),
        (&other, way("a.test", false)),
    ] {
        assert!(!Arc::ptr_eq(&first, &origins.connections(sought, way.clone())), "{way:?}");
    }
    // An origin has its places, whichever way.
    let (strict, elsewhere) =
        (origins.connections(&one, way("a.test", true)), origins.connections(&other, way("a.test", true)));
    assert!(Arc::ptr_eq(&first.share, &strict.share) && !Arc::ptr_eq(&first.share, &elsewhere.share));
}
