//! Hostname -> route, with 1, a thousand and a million exact hostnames beside each other: the time must not
//! grow with their number.
#![allow(missing_docs, clippy::unwrap_used, reason = "a bench: it stops where something is wrong")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use wasmyard_namespaces::{Route, RouteOrigin, RoutePattern, RouteTable, RouteTarget};

fn route(id: usize, pattern: &str) -> Arc<Route> {
    Arc::new(Route {
        id: format!("{id:032x}"),
        pattern: pattern.parse::<RoutePattern>().unwrap(),
        target: RouteTarget::Script("dispatcher".parse().unwrap()),
        origin: RouteOrigin::Api,
    })
}

fn table(hostnames: usize) -> RouteTable {
    let table = RouteTable::new();
    for id in 0..hostnames {
        table.insert(route(id, &format!("shop-{id}.customers.example/*")));
    }
    table.insert(route(hostnames, "*.apps.example/*"));
    table
}

fn lookups(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("route_lookup");
    for hostnames in [1, 1_000, 1_000_000] {
        let table = table(hostnames);
        let hosts: Vec<String> =
            (0..1024).map(|n| format!("shop-{}.customers.example", (n * 7_919) % hostnames)).collect();
        let mut next = 0;
        group.bench_function(BenchmarkId::new("exact", hostnames), |bencher| {
            bencher.iter(|| {
                next = (next + 1) % hosts.len();
                let found = table.lookup(black_box(hosts.get(next).map_or("", String::as_str)), "/a/b");
                assert!(black_box(found).is_some());
            });
        });
        group.bench_function(BenchmarkId::new("wildcard", hostnames), |bencher| {
            bencher.iter(|| assert!(black_box(table.lookup(black_box("one.apps.example"), "/")).is_some()));
        });
        group.bench_function(BenchmarkId::new("miss", hostnames), |bencher| {
            bencher.iter(|| assert!(black_box(table.lookup(black_box("nobody.example"), "/")).is_none()));
        });
    }
    group.finish();
}

criterion_group!(benches, lookups);
criterion_main!(benches);
