//! The usual mistakes of customers, a row each: what they did, and how it is named. The rows are in `mistakes.txt`, which is
//! written anew where `WASMYARD_REFRESH` is set.

use std::fmt::Write as _;
use std::sync::Arc;

use async_trait::async_trait;
use wasmyard_model::domain::Domain;
use wasmyard_model::hostname::{Flaw, FlawCode, HostnameStatus};
use wasmyard_ownership::dns::{Answer, Question, Record};
use wasmyard_ownership::rules::Web;
use wasmyard_ownership::{NoToken, Step, step, validation};

use super::rules::{Site, TOKEN, Told, began};

const NAME: &str = "shop.customer.test";
const OWNER: &str = "_cf-custom-hostname.shop.customer.test";

/// A web server that does not give the token out.
struct Refuses(Option<NoToken>);

#[async_trait]
impl Web for Refuses {
    async fn get(&self, _url: &str) -> Result<String, NoToken> {
        match &self.0 {
            Some(refused) => Err(refused.clone()),
            None => Ok("something else".to_owned()),
        }
    }
}

/// The customer's domain is there; what they did beside.
type Did = fn(&Told);

/// A domain with name servers, and nothing in it that was asked for.
fn there(dns: &Told) {
    for question in [Question::A, Question::Cname, Question::Txt] {
        dns.say("customer.test", question, Answer::None);
    }
}

fn all(dns: &Told, answer: &Answer) {
    for name in [NAME, OWNER, "customer.test"] {
        for question in [Question::A, Question::Aaaa, Question::Cname, Question::Txt] {
            dns.say(name, question, answer.clone());
        }
    }
}

/// What a customer did, in words, and in their DNS.
const DID: [(&str, Did); 19] = [
    ("nothing yet", |_| {}),
    ("domain not registered, or expired", |dns| dns.say("customer.test", Question::A, Answer::NoName)),
    ("delegated to servers that do not know it", |dns| all(dns, &Answer::Failed("SERVFAIL".to_owned()))),
    ("DNSSEC signatures expired", |dns| all(dns, &Answer::Bogus("a signature has expired".to_owned()))),
    ("TXT with the domain twice", |dns| {
        dns.text("_cf-custom-hostname.shop.customer.test.customer.test", TOKEN);
    }),
    ("TXT at the name itself", |dns| dns.text(NAME, TOKEN)),
    ("TXT at the domain", |dns| dns.text("_cf-custom-hostname.customer.test", TOKEN)),
    ("TXT of an earlier hostname", |dns| dns.text(OWNER, "0a0a0a0a-cb2e-4ec0-94d1-4f562ac2fec2")),
    ("TXT in quotes", |dns| dns.text(OWNER, "\"29625d98-cb2e-4ec0-94d1-4f562ac2fec2\"")),
    ("TXT with a space in it", |dns| dns.text(OWNER, "29625d98-cb2e-4ec0- 94d1-4f562ac2fec2")),
    ("CNAME in place of the TXT", |dns| dns.cname(OWNER, "customers.saas.test")),
    ("CNAME with the domain twice", |dns| {
        dns.cname("shop.customer.test.customer.test", "fallback.saas.test")
    }),
    ("CNAME target without its dot", |dns| dns.cname(NAME, "fallback.saas.test.customer.test")),
    ("CNAME to somewhere else", |dns| {
        dns.cname(NAME, "shops.other.test");
        dns.address("shops.other.test", "203.0.113.9");
    }),
    ("CNAME to a name that is gone", |dns| dns.cname(NAME, "gone.other.test")),
    ("CNAME to itself", |dns| dns.cname(NAME, NAME)),
    ("A to another address", |dns| dns.address(NAME, "203.0.113.9")),
    ("proxy of another network, by address", |dns| dns.address(NAME, "104.18.1.2")),
    ("proxy of another network, by name", |dns| {
        dns.cname(NAME, "d111.cloudfront.net");
        dns.address("d111.cloudfront.net", "203.0.113.9");
    }),
];

fn told(table: &mut String, what: &str, flaws: &[Flaw]) {
    writeln!(table, "{what}").unwrap();
    for flaw in flaws {
        writeln!(table, "    {} {} {}", flaw.code, flaw.place, flaw.name).unwrap();
        writeln!(table, "        seen: {} (by {})", flaw.seen, flaw.seen_by.join(", ")).unwrap();
        writeln!(table, "        helps: {}", flaw.remedy()).unwrap();
    }
}

#[tokio::test]
async fn each_usual_mistake_is_named() {
    let mut table = String::new();
    let mut seen: Vec<FlawCode> = Vec::new();
    let mut row = |what: &str, flaws: &[Flaw]| {
        assert!(!flaws.is_empty(), "{what}: it has a name");
        told(&mut table, what, flaws);
        seen.extend(flaws.iter().map(|flaw| flaw.code));
    };
    let nobody = Refuses(Some(NoToken::NoAddress("no address".to_owned())));
    for (what, did) in DID {
        let (site, dns) = (Site::new(), Arc::new(Told::default()));
        there(&dns);
        did(&dns);
        let found = site.look(&[&dns], &nobody).await;
        assert_eq!(found.proof, None, "{what}");
        row(what, &found.flaws);
    }
    row("changed a moment ago", &split().await);
    let mut site = Site::new();
    site.apex = vec!["198.51.100.0/28".parse().unwrap(), "2001:db8::/48".parse().unwrap()];
    let dns = Arc::new(Told::default());
    dns.address(NAME, "198.51.100.7");
    let six = Record::Address("2001:db8:ffff::1".parse().unwrap());
    dns.say(NAME, Question::Aaaa, Answer::Records(vec![six]));
    let found = site.look(&[&dns], &nobody).await;
    assert!(found.proof.is_some());
    row("A here and AAAA elsewhere", &found.flaws);
    site.contested = true;
    row("A here, of a name that another zone had", &site.look(&[&dns], &nobody).await.flaws);
    for (what, refused) in at_port_80() {
        let dns = Arc::new(Told::default());
        there(&dns);
        dns.address(NAME, "203.0.113.9");
        row(what, &Site::new().look(&[&dns], &Refuses(refused)).await.flaws);
    }
    row("CAA that forbids", &[caa().await]);
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ownership/mistakes.txt");
    if std::env::var_os("WASMYARD_REFRESH").is_some() {
        std::fs::write(golden, &table).unwrap();
    }
    assert_eq!(table, std::fs::read_to_string(golden).unwrap());
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/hostnames.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    for code in FlawCode::ALL {
        assert!(seen.contains(code), "{code} has a row");
        assert!(docs.contains(&format!("`{code}`")), "{code} is in docs/hostnames.md");
    }
}

/// What is wrong at port 80 of a name that leads elsewhere.
fn at_port_80() -> [(&'static str, Option<NoToken>); 4] {
    [
        ("port 80 closed", Some(NoToken::Closed("not reachable: connection refused".to_owned()))),
        ("port 80 redirects to https", {
            let to = "https://shop.customer.test/".to_owned();
            Some(NoToken::Redirects { status: 301, to })
        }),
        ("no file at port 80", Some(NoToken::Status(http::StatusCode::NOT_FOUND))),
        ("another file at port 80", None),
    ]
}

/// One of two servers shows the record.
async fn split() -> Vec<Flaw> {
    let (new, old) = (Arc::new(Told::default()), Arc::new(Told::default()));
    there(&new);
    there(&old);
    new.cname(NAME, "fallback.saas.test");
    let nobody = Refuses(Some(NoToken::NoAddress("no address".to_owned())));
    let found = Site::new().look(&[&new, &old], &nobody).await;
    assert_eq!(found.proof, None);
    found.flaws
}

/// Records that let another authority issue.
async fn caa() -> Flaw {
    let dns = Told::default();
    let rule = Record::Caa { tag: "issue".to_owned(), value: "other.example".to_owned() };
    dns.say("customer.test", Question::Caa, Answer::Records(vec![rule]));
    let own = ["letsencrypt.org".to_owned()];
    let domain = Domain::parse(NAME).unwrap();
    validation::may_issue(&[Arc::new(dns) as _], &domain, false, &own).await.unwrap_err()
}

#[tokio::test]
async fn a_mistake_is_kept_with_the_next_look_and_goes_with_it() {
    let (mut site, dns) = (Site::new(), Arc::new(Told::default()));
    there(&dns);
    let nobody = Refuses(Some(NoToken::NoAddress("no address".to_owned())));
    let finding = site.look(&[&dns], &nobody).await;
    let Step { hostname, next } = step(&site.expected(), &finding, began());
    assert_eq!((hostname.check_next_at, hostname.check_flaws.len()), (next, finding.flaws.len()));
    assert!(next.is_some_and(|next| next > began()) && !finding.flaws.is_empty());
    site.hostname = hostname;
    dns.cname(NAME, "fallback.saas.test");
    let finding = site.look(&[&dns], &nobody).await;
    let Step { hostname, .. } = step(&site.expected(), &finding, began());
    assert_eq!((hostname.status, hostname.check_flaws.len()), (HostnameStatus::Active, 0));
}

/// Servers that never answer, and a domain that makes them be asked for everything.
#[tokio::test(start_paused = true)]
async fn a_check_ends_within_half_a_minute_whoever_does_not_answer() {
    struct Silent;
    #[async_trait]
    impl wasmyard_ownership::Dns for Silent {
        fn name(&self) -> String {
            "192.0.2.99:53".to_owned()
        }
        async fn ask(&self, _: &str, _: Question) -> Answer {
            std::future::pending().await
        }
    }
    let site = Site::new();
    let servers: Vec<Arc<dyn wasmyard_ownership::Dns>> = vec![Arc::new(Silent), Arc::new(Silent)];
    let began = tokio::time::Instant::now();
    let nobody = Refuses(Some(NoToken::NoAddress("no address".to_owned())));
    let found = wasmyard_ownership::rules::look(&site.expected(), &servers, &nobody).await;
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
    assert_eq!(found.flaws[0].code, FlawCode::NameServersFail);
}
