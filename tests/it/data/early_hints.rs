//! Early hints of one custom hostname: by its own setting, whatever others of its zone have.

use serde_json::json;

use super::hostnames::zone_named;
use super::http3::{HINTS, PAGE};
use super::strangers::served;
use super::tls::Visitor;
use crate::support::Site;
use crate::support::dns::NameServer;

#[tokio::test]
async fn a_hostname_that_asks_for_early_hints_has_them_and_its_neighbour_has_none() {
    let dns = NameServer::start().await;
    let site = Site::new(&format!(
        "[server]\nreserved_names = true\nlisten_tls = \"127.0.0.1:0\"\n\
         [hostnames]\nname_servers = [\"{}\"]\n\
         [limits]\ncpu_ms = 10000\n\
         [scripts.page]\nmain = \"page.js\"\n\
         [[routes]]\npattern = \"service.saas.test/*\"\nscript = \"page\"\n",
        dns.address,
    ));
    site.write("page.js", PAGE);
    let server = site.serve().await;
    let api = server.api();
    let zone = zone_named(&api, "saas.test").await;
    let names = ["hints.customer.test", "plain.customer.test"];
    let mut roots = Vec::new();
    for name in names {
        roots.push(served(&server, &dns, &zone, name).await);
    }
    let found = api.get(&format!("{zone}/custom_hostnames?hostname={}", names[0])).await.result().clone();
    let path = format!("{zone}/custom_hostnames/{}", found[0]["id"].as_str().unwrap());
    let edited = api.patch(&path, &json!({"ssl": {"settings": {"early_hints": "on"}}})).await;
    assert_eq!(edited.status, 202, "{}", edited.envelope);
    let (visitor, https) = (Visitor::trusting(&roots), server.https().await);
    for (name, expected) in [(names[0], vec![103, 200]), (names[1], vec![200])] {
        let heads = visitor.heads_over_http2(https, name, &[(name, "/a"), (name, "/a")]).await;
        let statuses: Vec<Vec<u16>> =
            heads.iter().map(|heads| heads.iter().map(|head| head.status().as_u16()).collect()).collect();
        assert_eq!(statuses, [vec![200], expected.clone()], "{name}");
        if expected.len() == 2 {
            assert_eq!(heads[1][0].headers()["link"], HINTS);
        }
    }
}
