//! Names of one zone's customers that another zone would like to have: whatever is left in the DNS, and whatever all zones
//! share, shows nothing of whose a name is.

use serde_json::json;

use super::hostnames::{becomes, config, hostname, is_refused, zone_named};
use crate::support::dns::NameServer;
use crate::support::{Api, Server};

/// An address of the platform, which every zone's customers may use.
const SHARED: &str = "198.51.100.3";

/// How the victim's name leads to their zone.
#[derive(Clone, Copy, Debug)]
enum Victim {
    Cname,
    /// By way of a name of the customer's own.
    Alias,
    Address,
    /// Shown by a token first, moved here afterwards.
    TokenThenAddress,
    WildcardCname,
    WildcardAddress,
    /// No custom hostname at all: a name of the victim's zone itself.
    NameOfTheZone,
}

/// What becomes of the victim's custom hostname before the attack.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    Stays,
    /// Its DNS stays as it was.
    Deleted,
}

/// The name that the attacker asks for.
#[derive(Clone, Copy, Debug)]
enum Attack {
    TheSame,
    Below,
    WildcardBelow,
}

const VICTIMS: [Victim; 7] = [
    Victim::Cname,
    Victim::Alias,
    Victim::Address,
    Victim::TokenThenAddress,
    Victim::WildcardCname,
    Victim::WildcardAddress,
    Victim::NameOfTheZone,
];

struct Platform {
    dns: NameServer,
    server: Server,
    victims: String,
    attackers: String,
}

impl Platform {
    async fn start() -> Platform {
        let dns = NameServer::start().await;
        let server = Server::serving(&config(&[&dns], "apex_addresses = [\"198.51.100.0/28\"]")).await;
        let victims = zone_named(&server.api(), "saas.test").await;
        let attackers = zone_named(&server.api(), "rival.test").await;
        dns.address_of("service.saas.test", SHARED.parse().unwrap());
        dns.address_of("service.rival.test", SHARED.parse().unwrap());
        Platform { dns, server, victims, attackers }
    }

    fn api(&self) -> Api {
        self.server.api()
    }

    /// Has `name` answer as the victim set it up.
    fn point(&self, victim: Victim, name: &str) {
        match victim {
            Victim::Cname | Victim::WildcardCname => self.dns.cname(name, "service.saas.test"),
            Victim::Alias => {
                self.dns.cname(name, &format!("alias.{name}"));
                self.dns.cname(&format!("alias.{name}"), "service.saas.test");
            }
            Victim::Address | Victim::TokenThenAddress | Victim::WildcardAddress | Victim::NameOfTheZone => {
                self.dns.address_of(name, SHARED.parse().unwrap())
            }
        }
    }

    /// The victim's hostname, active; none for a name of the zone. `base` is a name of this case alone.
    async fn victim(&self, victim: Victim, base: &str) -> Option<String> {
        let wildcard = matches!(victim, Victim::WildcardCname | Victim::WildcardAddress);
        let name = if wildcard { format!("*.{base}") } else { base.to_owned() };
        if !matches!(victim, Victim::TokenThenAddress) {
            self.point(victim, &name);
        }
        if matches!(victim, Victim::NameOfTheZone) {
            return None;
        }
        let (path, made) = hostname(&self.api(), &self.victims, &name).await;
        if matches!(victim, Victim::TokenThenAddress) {
            let record = &made["ownership_verification"];
            self.dns.text(record["name"].as_str().unwrap(), record["value"].as_str().unwrap());
        }
        again(&self.api(), &path).await;
        becomes(&self.api(), &path, "active").await;
        self.point(victim, base);
        Some(path)
    }

    /// One sequence; what came of it, where the attacker won.
    async fn sequence(&self, victim: Victim, then: Then, attack: Attack, number: usize) -> Option<String> {
        let base = match victim {
            Victim::NameOfTheZone => format!("n{number}.saas.test"),
            _ => format!("n{number}.customer.test"),
        };
        let path = self.victim(victim, &base).await;
        if let (Some(path), Then::Deleted) = (&path, then) {
            assert_eq!(self.api().delete(path).await.status, 200);
        }
        let wanted = match attack {
            Attack::TheSame if matches!(victim, Victim::WildcardCname | Victim::WildcardAddress) => {
                format!("*.{base}")
            }
            Attack::TheSame => base.clone(),
            Attack::Below => format!("any.{base}"),
            Attack::WildcardBelow => format!("*.any.{base}"),
        };
        // The victim's DNS answers for every name below as well, as wildcard records do.
        self.point(victim, &wanted);
        let (attack, _) = hostname(&self.api(), &self.attackers, &wanted).await;
        again(&self.api(), &attack).await;
        let shown = is_refused(&self.api(), &attack).await;
        let lost = match (&path, then) {
            (Some(path), Then::Stays) => self.api().get(path).await.result()["status"] != "active",
            _ => false,
        };
        (shown["status"] == "active" || lost).then(|| format!("{wanted}: {shown}"))
    }
}

/// All checks begin anew, at once.
async fn again(api: &Api, path: &str) {
    let wildcard = api.get(path).await.result()["hostname"].as_str().unwrap().starts_with('*');
    if !wildcard {
        let again = api.patch(path, &json!({"ssl": {"method": "http", "type": "dv"}})).await;
        assert_eq!(again.status, 202, "{}", again.envelope);
    }
}

#[tokio::test]
async fn what_is_left_in_the_dns_and_what_zones_share_gives_nobodys_name_away() {
    let platform = Platform::start().await;
    let mut sequences = 0;
    let mut won = Vec::new();
    for victim in VICTIMS {
        for then in [Then::Stays, Then::Deleted] {
            for attack in [Attack::TheSame, Attack::Below, Attack::WildcardBelow] {
                // A name below one that is no wildcard is the business of nobody but the DNS.
                let below = matches!(attack, Attack::Below | Attack::WildcardBelow);
                let exact = matches!(victim, Victim::Address | Victim::TokenThenAddress);
                if below && exact {
                    continue;
                }
                sequences += 1;
                if let Some(how) = platform.sequence(victim, then, attack, sequences).await {
                    won.push(format!("{victim:?}, {then:?}, {attack:?}: {how}"));
                }
            }
        }
    }
    assert!(sequences >= 30, "{sequences}");
    assert!(won.is_empty(), "{} of {sequences} sequences took a name over:\n{}", won.len(), won.join("\n"));
}

#[tokio::test]
async fn the_customer_moves_a_name_by_its_token_or_its_cname() {
    let platform = Platform::start().await;
    let api = platform.api();
    for number in 0..2 {
        let base = format!("m{number}.customer.test");
        let old = platform.victim(Victim::Address, &base).await.unwrap();
        let (path, made) = hostname(&api, &platform.attackers, &base).await;
        let shown = is_refused(&api, &path).await;
        let seen = shown["ownership_checks"]["seen"].to_string();
        assert!(seen.contains("is an address of every zone"), "{seen}");
        if number == 0 {
            let record = &made["ownership_verification"];
            platform.dns.text(record["name"].as_str().unwrap(), record["value"].as_str().unwrap());
        } else {
            platform.dns.cname(&base, "service.rival.test");
        }
        again(&api, &path).await;
        becomes(&api, &path, "active").await;
        becomes(&api, &old, "moved").await;
    }
}
