//! What two nodes promise about zones and custom hostnames.

use std::future::Future;

use super::{Nodes, Registry, RegistryError, Shared};
use crate::zone_error::ZoneError;
use wasmyard_model::domain::Domain;
use wasmyard_model::hostname::{
    CustomHostname, CustomHostnameEdit, CustomName, HostnameError, HostnameStatus, NewCustomHostname,
};
use wasmyard_model::ids::ZoneId;
use wasmyard_model::zone::{DnsRecordEdit, NewZone, ZoneType};

pub(super) async fn run<F: Future<Output = (Shared, Shared)>>(make: &impl Fn() -> F) {
    one_zone_and_one_hostname_of_a_name(Nodes::over(make().await).await).await;
    one_hostname_is_served_under_a_name(Nodes::over(make().await).await).await;
    records_agree(Nodes::over(make().await).await).await;
    a_zone_goes_with_what_both_made_in_it(Nodes::over(make().await).await).await;
}

fn new_zone(name: &str) -> NewZone {
    NewZone { name: Domain::parse(name).unwrap(), kind: ZoneType::Full }
}

async fn zone(nodes: &Nodes, name: &str) -> ZoneId {
    let id = nodes.one.create_zone(new_zone(name)).await.unwrap().id.clone();
    until(async || nodes.two.zone(&id).is_some()).await;
    id
}

/// Waits until the other node has seen what one did.
async fn until(seen: impl AsyncFn() -> bool) {
    let wait = async {
        while !seen().await {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), wait).await.unwrap();
}

fn named(name: &str) -> NewCustomHostname {
    NewCustomHostname { name: CustomName::parse(name).unwrap(), edit: CustomHostnameEdit::default() }
}

async fn activate(node: &Registry, hostname: &CustomHostname) -> Result<(), RegistryError> {
    let decide = |before: &CustomHostname, _| {
        Ok(Some(CustomHostname { status: HostnameStatus::Active, ..before.clone() }))
    };
    node.change_hostname(&hostname.zone, &hostname.id, decide).await.map(drop)
}

async fn one_zone_and_one_hostname_of_a_name(nodes: Nodes) {
    let made = nodes.at_once(async |node, _| node.create_zone(new_zone("saas.test")).await).await;
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 1, "{made:?}");
    let id = made.into_iter().flatten().next().unwrap().id.clone();
    let made =
        nodes.at_once(async |node, _| node.create_hostname(&id, &named("a.customer.test")).await).await;
    let lost = made.iter().filter_map(|made| made.as_ref().err());
    let lost: Vec<_> = lost.collect();
    assert!(
        matches!(lost[..], [RegistryError::Zone(ZoneError::Hostname(HostnameError::Duplicate))]),
        "{made:?}"
    );
}

/// Two zones come to the same name at once: one is served, the other has moved, on both nodes.
async fn one_hostname_is_served_under_a_name(nodes: Nodes) {
    let zones = [zone(&nodes, "one.test").await, zone(&nodes, "two.test").await];
    for round in 0..10 {
        let name = format!("a{round}.customer.test");
        let mut waiting = Vec::new();
        for zone in &zones {
            waiting.push(nodes.one.create_hostname(zone, &named(&name)).await.unwrap());
        }
        let activated = nodes.at_once(async |node, number| activate(&node, &waiting[number]).await).await;
        activated.into_iter().for_each(|activated| activated.unwrap());
        let mut active = Vec::new();
        for hostname in &waiting {
            let now = nodes.one.hostname(&hostname.zone, &hostname.id).await.unwrap();
            match now.status {
                HostnameStatus::Active => active.push(now),
                status => assert_eq!(status, HostnameStatus::Moved),
            }
        }
        assert_eq!(active.len(), 1, "{active:?}");
        for node in nodes.both() {
            until(async || {
                let found = node.host(&name).await.unwrap().and_then(|found| found.hostname);
                found.is_some_and(|found| found.id == active[0].id)
            })
            .await;
        }
    }
    assert_eq!(nodes.store.count("hostname-claim/").await.unwrap(), 10);
}

async fn records_agree(nodes: Nodes) {
    let id = zone(&nodes, "saas.test").await;
    let made = nodes
        .at_once(async |node, number| {
            let (kind, content) = if number == 0 { ("A", "192.0.2.1") } else { ("CNAME", "other.test") };
            let edit = DnsRecordEdit {
                kind: Some(kind.to_owned()),
                name: Some("origin".to_owned()),
                content: Some(content.to_owned()),
                ..DnsRecordEdit::default()
            };
            node.create_dns_record(&id, &edit).await
        })
        .await;
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 1, "a CNAME stands alone: {made:?}");
}

async fn a_zone_goes_with_what_both_made_in_it(nodes: Nodes) {
    for round in 0..10 {
        let id = zone(&nodes, "doomed.test").await;
        let makes = async |node: &Registry| {
            for n in 0..20 {
                match node.create_hostname(&id, &named(&format!("a{n}.customer.test"))).await {
                    Ok(made) => match activate(node, &made).await {
                        Ok(()) | Err(RegistryError::Zone(ZoneError::HostnameNotFound(_))) => {}
                        Err(error) => panic!("{error:?}"),
                    },
                    Err(RegistryError::Zone(ZoneError::NotFound(_))) => return,
                    Err(error) => panic!("{error:?}"),
                }
            }
        };
        let deletion = async {
            for _ in 0..round * 30 {
                tokio::task::yield_now().await;
            }
            nodes.one.delete_zone(&id).await.unwrap();
        };
        tokio::join!(makes(&nodes.two), deletion);
        for prefix in ["zone/", "zone-name/", "zone-purge/", "hostname/", "hostname-name/", "hostname-claim/"]
        {
            assert_eq!(nodes.store.count(prefix).await.unwrap(), 0, "{prefix} {round}");
        }
        until(async || nodes.two.zone(&id).is_none()).await;
    }
}
