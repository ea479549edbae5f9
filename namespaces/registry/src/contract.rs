//! The suite that two registries over one store must pass, whatever the store.
//!
//! Owns the meaning of "many nodes": no lost update, no torn deploy, no sweep that crosses a deploy, and a memory on
//! each node that ends up the same. Call [`run`] with a function that makes two connections to one empty store.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "this is a test-suite: a wrong answer is to end it, at the line that shows which"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::{Registry, RegistryOptions};
use crate::error::{ErrorKind, RegistryError};
use wasmyard_model::code::Component;
use wasmyard_model::name::{ConfigName, NamespaceName, ScriptName, Tag};
use wasmyard_model::namespace::{Namespace, NamespacePatch, NewNamespace, Origin};
use wasmyard_model::route::{RoutePattern, RouteTarget};
use wasmyard_model::script::{ScriptKey, Upload, UploadDraft};
use wasmyard_model::secret::Secret;
use wasmyard_stores::Store;
use wasmyard_stores::blob::Blobs;

mod zones;

type Shared = Arc<dyn Store>;

/// Runs every case, each with a store of its own.
///
/// # Panics
/// At the first case that the store and the registry do not pass.
pub async fn run<F: Future<Output = (Shared, Shared)>>(make: impl Fn() -> F) {
    one_namespace_of_a_name(Nodes::over(make().await).await).await;
    patches_of_both_are_kept(Nodes::over(make().await).await).await;
    a_route_that_both_change(Nodes::over(make().await).await).await;
    one_route_of_a_pattern(Nodes::over(make().await).await).await;
    configurations_own_their_routes(Nodes::over(make().await).await).await;
    one_token_of_a_text(Nodes::over(make().await).await).await;
    deploys_are_never_torn(Nodes::over(make().await).await).await;
    settings_of_both_are_kept(Nodes::over(make().await).await).await;
    a_namespace_goes_with_all_its_scripts(Nodes::over(make().await).await).await;
    zones::run(&make).await;
    sweeps_of_one_never_cross_deploys_of_the_other(make).await;
}

/// Two registries over one store and one place for blobs.
struct Nodes {
    one: Registry,
    two: Registry,
    store: Shared,
}

impl Nodes {
    async fn over(stores: (Shared, Shared)) -> Nodes {
        Nodes::with(stores, RegistryOptions::default()).await
    }

    async fn with((first, second): (Shared, Shared), options: RegistryOptions) -> Nodes {
        let blobs = Blobs::memory();
        let store = Arc::clone(&first);
        let one = Registry::open_with(first, blobs.clone(), options.clone()).await.unwrap();
        let two = Registry::open_with(second, blobs, options).await.unwrap();
        one.create_namespace(NewNamespace::named(name("production"))).await.unwrap();
        let nodes = Nodes { one, two, store };
        nodes.until_same().await;
        nodes
    }

    fn both(&self) -> [Registry; 2] {
        [self.one.clone(), self.two.clone()]
    }

    /// Does the same on both nodes at once, each some turns later than before; then all must be as it should.
    async fn at_once<T, F: Future<Output = T>>(&self, act: impl Fn(Registry, usize) -> F) -> [T; 2] {
        let (one, two) = tokio::join!(act(self.one.clone(), 0), act(self.two.clone(), 1));
        self.check().await;
        [one, two]
    }

    /// The records under a prefix, by what follows it.
    async fn records(&self, prefix: &str) -> BTreeMap<String, Value> {
        let entries = self.store.scan(prefix, None, usize::MAX).await.unwrap();
        let record = |entry: wasmyard_stores::Entry| {
            let id = entry.key.strip_prefix(prefix).unwrap().to_owned();
            (id, serde_json::from_slice(&entry.value).unwrap())
        };
        entries.into_iter().map(record).collect()
    }

    /// What both nodes show is what the store holds, and what the store holds fits together.
    async fn check(&self) {
        self.until_same().await;
        let text = |value: Value| value.as_str().unwrap().to_owned();
        let names: BTreeSet<String> = self.records("namespace-name/").await.into_values().map(text).collect();
        let ids: BTreeSet<String> = self.records("namespace/").await.into_keys().collect();
        assert_eq!(names, ids, "each namespace has its name and each name its namespace");
        let patterns: Vec<Value> = self.records("route-pattern/").await.into_values().collect();
        let routes = self.records("route/").await;
        assert_eq!(patterns.len(), routes.len(), "each route has its pattern and each pattern its route");
        assert!(
            patterns.iter().all(|id| routes.contains_key(id.as_str().unwrap())),
            "{patterns:?} {routes:?}"
        );
        for (id, script) in self.records("script/").await {
            let component = script.pointer("/version/code/digest").unwrap().as_str().unwrap().to_owned();
            let reference = self.records(&format!("ref/{component}/script/{id}")).await;
            assert_eq!(
                reference.into_values().collect::<Vec<_>>(),
                [serde_json::json!({})],
                "{id} has its component"
            );
            assert!(
                self.one.component(&component.parse().unwrap()).await.is_ok(),
                "{id}: {component} is there"
            );
        }
    }

    /// Waits until both nodes show the same namespaces, routes and tokens, and as many as the store holds.
    async fn until_same(&self) {
        let shown = async |node: &Registry| {
            let namespaces: Vec<Namespace> =
                node.namespaces().await.unwrap().iter().map(|found| Namespace::clone(found)).collect();
            (namespaces, node.list_routes(), node.tokens())
        };
        let wait = async {
            loop {
                let (one, two) = (shown(&self.one).await, shown(&self.two).await);
                let counts = (one.0.len() as u64, one.1.len() as u64, one.2.len() as u64);
                let held = (
                    self.store.count("namespace/").await.unwrap(),
                    self.store.count("route/").await.unwrap(),
                    self.store.count("token/").await.unwrap(),
                );
                if one == two && counts == held {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let same = tokio::time::timeout(Duration::from_secs(20), wait).await;
        assert!(same.is_ok(), "both nodes show the same in the end");
    }
}

fn name(text: &str) -> NamespaceName {
    NamespaceName::parse(text).unwrap()
}

fn pattern(text: &str) -> RoutePattern {
    text.parse().unwrap()
}

fn to(script: &str) -> RouteTarget {
    RouteTarget::Script(ScriptName::parse(script).unwrap())
}

fn key(script: &str) -> ScriptKey {
    ScriptKey::user(name("production"), ScriptName::parse(script).unwrap())
}

async fn upload(registry: &Registry, content: &str) -> Upload {
    let digest = registry.put_component(Bytes::copy_from_slice(content.as_bytes())).await.unwrap();
    let main_module = "worker.wasm".to_owned();
    let component = Component { main_module, ..Component::new(digest, content.len() as u64) };
    let draft = UploadDraft { code: component.into(), ..UploadDraft::default() };
    Upload::parse(draft).unwrap()
}

async fn one_namespace_of_a_name(nodes: Nodes) {
    let made =
        nodes.at_once(async |node, _| node.create_namespace(NewNamespace::named(name("same"))).await).await;
    let refused: Vec<ErrorKind> =
        made.into_iter().filter_map(Result::err).map(|error| error.kind()).collect();
    assert_eq!(refused, [ErrorKind::Exists]);
    // And of a name that is taken over.
    nodes.one.create_namespace(NewNamespace::named(name("other"))).await.unwrap();
    nodes.until_same().await;
    let renamed = nodes
        .at_once(async |node, number| {
            let from = name(["same", "other"][number]);
            let patch = NamespacePatch { name: Some(name("wanted")), ..NamespacePatch::default() };
            node.update_namespace(&from, patch).await
        })
        .await;
    let refused: Vec<ErrorKind> =
        renamed.into_iter().filter_map(Result::err).map(|error| error.kind()).collect();
    assert_eq!(refused, [ErrorKind::Exists]);
}

async fn patches_of_both_are_kept(nodes: Nodes) {
    for round in 1..20_u32 {
        let patched = nodes
            .at_once(async |node, number| {
                let mut patch = NamespacePatch::default();
                if number == 0 {
                    patch.service_bindings = Some(round % 2 == 0);
                } else {
                    patch.trusted_workers = Some(round % 2 == 1);
                }
                node.update_namespace(&name("production"), patch).await
            })
            .await;
        patched.into_iter().for_each(|patched| drop(patched.unwrap()));
        let namespace = nodes.two.namespace_cached(&name("production")).unwrap();
        assert_eq!((namespace.service_bindings, namespace.trusted_workers), (round % 2 == 0, round % 2 == 1));
    }
}

async fn a_route_that_both_change(nodes: Nodes) {
    for round in 0..20 {
        let host = format!("a{round}.test");
        let route = nodes.one.add_route(pattern(&host), to("x"), Origin::Api).await.unwrap();
        nodes.until_same().await;
        let id = route.id.as_str();
        // Two new patterns at once: one of them stays, and no other is taken.
        let moved = nodes
            .at_once(async |node, number| {
                node.update_route(id, pattern(&format!("{}{round}.test", ["b", "c"][number])), to("y")).await
            })
            .await;
        moved.into_iter().for_each(|moved| drop(moved.unwrap()));
        // A change and a removal at once: it is gone.
        let done = nodes
            .at_once(async |node, number| match number {
                0 => node.update_route(id, pattern(&format!("d{round}.test")), to("z")).await.map(drop),
                _ => node.remove_route(id).await.map(drop),
            })
            .await;
        assert!(
            done[1].is_ok() && done[0].as_ref().err().is_none_or(|error| error.kind() == ErrorKind::NotFound)
        );
        assert_eq!(nodes.one.list_routes(), []);
        // All patterns are free again.
        for letter in ["a", "b", "c", "d"] {
            let route =
                nodes.two.add_route(pattern(&format!("{letter}{round}.test")), to("x"), Origin::Api).await;
            nodes.two.remove_route(&route.unwrap().id).await.unwrap();
        }
    }
}

async fn one_route_of_a_pattern(nodes: Nodes) {
    for round in 0..20 {
        let host = format!("a{round}.test");
        let added =
            nodes.at_once(async |node, _| node.add_route(pattern(&host), to("x"), Origin::Api).await).await;
        let refused: Vec<ErrorKind> =
            added.into_iter().filter_map(Result::err).map(|error| error.kind()).collect();
        assert_eq!(refused, [ErrorKind::Exists]);
    }
}

async fn configurations_own_their_routes(nodes: Nodes) {
    let configurations = ["east", "west"].map(|text| ConfigName::parse(text).unwrap());
    for round in 0..10 {
        let replaced = nodes
            .at_once(async |node, number| {
                let own = ["east", "west"][number];
                let routes =
                    (0..3).map(|n| (pattern(&format!("{own}{}.test", round + n)), to("x"))).collect();
                node.replace_config_routes(&configurations[number], routes).await
            })
            .await;
        replaced.into_iter().for_each(|replaced| drop(replaced.unwrap()));
        assert_eq!(nodes.one.list_routes().len(), 6);
    }
    // Two nodes with one configuration agree; what is declared by both configurations is refused.
    let replaced = nodes
        .at_once(async |node, _| {
            node.replace_config_routes(&configurations[0], vec![(pattern("same.test"), to("x"))]).await
        })
        .await;
    replaced.into_iter().for_each(|replaced| drop(replaced.unwrap()));
    assert_eq!(nodes.one.list_routes().len(), 4);
    let refused =
        nodes.two.replace_config_routes(&configurations[1], vec![(pattern("same.test"), to("y"))]).await;
    assert!(matches!(refused, Err(RegistryError::ConfiguredElsewhere { .. })), "{refused:?}");
    assert_eq!(nodes.one.list_routes().len(), 4, "then nothing is changed");
}

async fn one_token_of_a_text(nodes: Nodes) {
    let token = Secret::new("0123456789abcdef0123456789abcdef");
    let set = nodes.at_once(async |node, _| node.set_token("admin", &token).await).await;
    let [(one, _), (two, _)] = set.map(Result::unwrap);
    assert_eq!(one, two);
    // Two texts of one label at once: the one that came later is the only one.
    let texts = ["first first first", "second second second"].map(Secret::new);
    let set = nodes.at_once(async |node, number| node.set_token("admin", &texts[number]).await).await;
    set.into_iter().for_each(|set| drop(set.unwrap()));
    assert_eq!(texts.iter().filter(|text| nodes.one.verify_token(text.expose())).count(), 1);
    assert_eq!(nodes.one.tokens().len(), 1);
    let (one, _) = nodes.one.set_token("admin", &token).await.unwrap();
    let removed = nodes.at_once(async |node, _| node.remove_token(&one.id).await).await;
    let refused: Vec<ErrorKind> =
        removed.into_iter().filter_map(Result::err).map(|error| error.kind()).collect();
    assert_eq!(refused, [ErrorKind::NotFound]);
    assert!(nodes.both().iter().all(|node| !node.verify_token(token.expose())));
}

async fn deploys_are_never_torn(nodes: Nodes) {
    const DEPLOYS: u64 = 15;
    let deploys = async |node: Registry, number: usize| {
        for n in 0..DEPLOYS {
            let upload = upload(&node, &format!("code {}", (n + number as u64) % 4)).await;
            node.deploy(&key("hot"), upload).await.unwrap();
        }
    };
    nodes.at_once(deploys).await;
    for node in nodes.both() {
        let latest = async {
            while node.script(&key("hot")).await.unwrap().unwrap().version.number < 2 * DEPLOYS {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), latest).await.unwrap();
        assert_eq!(node.script(&key("hot")).await.unwrap().unwrap().version.number, 2 * DEPLOYS);
    }
}

async fn settings_of_both_are_kept(nodes: Nodes) {
    let upload = upload(&nodes.one, "code").await;
    nodes.one.deploy(&key("a"), upload).await.unwrap();
    for round in 0..3 {
        let tagged = nodes
            .at_once(async |node, number| {
                let tag = Tag::parse(&format!("{number}-{round}")).unwrap();
                node.change_tags(&key("a"), vec![tag], &[]).await
            })
            .await;
        tagged.into_iter().for_each(|tagged| drop(tagged.unwrap()));
    }
    let tags = nodes.one.scripts(&name("production"), None).await.unwrap()[0].tags.len();
    assert_eq!(tags, 6);
}

async fn a_namespace_goes_with_all_its_scripts(nodes: Nodes) {
    for round in 0..10 {
        let doomed = name(&format!("doomed{round}"));
        nodes.one.create_namespace(NewNamespace::named(doomed.clone())).await.unwrap();
        nodes.until_same().await;
        let upload = upload(&nodes.two, "code").await;
        let deploys = async |node: &Registry| {
            for n in 0..20 {
                let key = ScriptKey::user(doomed.clone(), ScriptName::parse(&format!("s{n}")).unwrap());
                match node.deploy(&key, upload.clone()).await {
                    Ok(_) => {}
                    Err(RegistryError::NamespaceNotFound(_)) => return,
                    Err(error) => panic!("{error:?}"),
                }
            }
        };
        let deletion = async {
            for _ in 0..round * 30 {
                tokio::task::yield_now().await;
            }
            nodes.one.delete_namespace(&doomed).await.unwrap();
        };
        tokio::join!(deploys(&nodes.two), deletion);
        nodes.check().await;
        assert_eq!(nodes.store.count("script/").await.unwrap(), 0);
        assert_eq!(nodes.store.count("purge/").await.unwrap(), 0);
    }
}

/// One node deploys, the other sweeps, at another moment of it each time. There is no grace time at all, so that
/// the sweep may win between upload and deploy; then the deploy must say so.
async fn sweeps_of_one_never_cross_deploys_of_the_other<F: Future<Output = (Shared, Shared)>>(
    make: impl Fn() -> F,
) {
    let options = RegistryOptions { blob_grace: Duration::ZERO, ..RegistryOptions::default() };
    let nodes = Nodes::with(make().await, options).await;
    let mut whole = 0;
    for moment in 0..150_usize {
        let content = format!("code {}", moment % 3);
        let upload = upload(&nodes.one, &content).await;
        let sweep = async {
            nodes.two.collect_garbage().await.unwrap();
        };
        let deploy = async {
            for _ in 0..moment * 3 {
                tokio::task::yield_now().await;
            }
            nodes.one.deploy(&key("a"), upload).await
        };
        // Each of the two goes first now and then, also where there are threads enough for both.
        let deployed =
            if moment % 2 == 0 { tokio::join!(deploy, sweep).0 } else { tokio::join!(sweep, deploy).1 };
        match deployed {
            Ok(script) => {
                let component = nodes.two.component(&script.version.code.loads().unwrap()).await.unwrap();
                assert_eq!(component, content, "moment {moment}");
                whole += 1;
            }
            Err(RegistryError::ComponentMissing(_)) => {}
            Err(error) => panic!("{error:?}"),
        }
        nodes.check().await;
    }
    assert!(whole > 0, "some got through");
}
