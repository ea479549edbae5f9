use super::*;
use crate::ids::ZoneId;
use crate::name::{NamespaceName, ScriptName};
use crate::script::ScriptKey;

fn place(text: &str) -> Place {
    format!("com.cloudflare.api.account.{text}").parse().unwrap()
}

fn policy(effect: Effect, groups: &[&str], places: &[&str]) -> Policy {
    Policy {
        id: "0123456789abcdef0123456789abcdef".to_owned(),
        effect,
        groups: groups.iter().map(|name| Group::find(name).unwrap()).collect(),
        places: places.iter().map(|text| place(text)).collect(),
    }
}

fn allow(groups: &[&str], places: &[&str]) -> Policy {
    policy(Effect::Allow, groups, places)
}

fn deny(groups: &[&str], places: &[&str]) -> Policy {
    policy(Effect::Deny, groups, places)
}

fn grants(policies: Vec<Policy>) -> Grants {
    Grants::new(policies).unwrap()
}

fn need(family: Family, level: Level, at: &str) -> Need {
    Need { family, level, place: place(at) }
}

const A: &str = "dispatch_namespace.a";
const B: &str = "dispatch_namespace.b";
const SHOP: &str = "dispatch_namespace.a.script.shop";
const ZONE: &str = "zone.0123456789abcdef0123456789abcdef";

#[test]
fn resources_are_read_as_they_are_written() {
    let user = ScriptKey::User {
        namespace: NamespaceName::parse("a").unwrap(),
        script: ScriptName::parse("shop").unwrap(),
    };
    assert_eq!(place(SHOP), Place::Script(user));
    assert_eq!(place(ZONE), Place::Zone(ZoneId::parse("0123456789abcdef0123456789abcdef").unwrap()));
    for text in ["*", A, SHOP, "script.dispatcher", "zone.*", ZONE] {
        assert_eq!(place(text).to_string(), format!("com.cloudflare.api.account.{text}"));
    }
    assert_eq!(place("0123456789abcdef0123456789abcdef"), Place::Account);
    for text in ["", "zone.x", "zone.*.x", "script", "script.A.b", "dispatch_namespace.a.shop", "a.b", "a/b"]
    {
        let text = format!("com.cloudflare.api.account.{text}");
        // A lone word is the name of an account.
        let is_account = text.ends_with(".script");
        assert_eq!(text.parse::<Place>().is_ok(), is_account, "{text}");
    }
    assert!("com.cloudflare.api.user.x".parse::<Place>().is_err());
}

#[test]
fn groups_have_ids_and_names_of_their_own() {
    let mut ids: Vec<&str> = Group::ALL.iter().map(|group| group.id()).collect();
    let mut names: Vec<&str> = Group::ALL.iter().map(|group| group.name()).collect();
    ids.sort_unstable();
    ids.dedup();
    names.sort_unstable();
    names.dedup();
    assert_eq!((ids.len(), names.len()), (Group::ALL.len(), Group::ALL.len()));
    assert!(ids.iter().all(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())));
    for group in Group::ALL {
        assert_eq!(Group::find(group.id()), Some(*group));
        assert_eq!(Group::find(&group.name().to_lowercase()), Some(*group));
    }
}

#[test]
fn what_is_given_on_a_namespace_holds_for_its_scripts_and_nowhere_else() {
    let grants = grants(vec![allow(&["Workers Scripts Write"], &[A])]);
    for (at, may) in [(A, true), (SHOP, true), (B, false), ("script.dispatcher", false), ("*", false)] {
        for level in [Level::Read, Level::Write] {
            assert_eq!(grants.allow(&need(Family::Scripts, level, at)), may, "{at}");
        }
        assert_eq!(grants.allow(&need(Family::Assets, Level::Write, at)), may, "{at}");
        assert!(!grants.allow(&need(Family::Tokens, Level::Read, at)));
        assert!(!grants.allow(&need(Family::Kv, Level::Read, at)));
    }
}

#[test]
fn whoever_may_read_may_not_write() {
    let grants = grants(vec![allow(&["Workers Scripts Read", "DNS Read"], &["*"])]);
    assert!(grants.allow(&need(Family::Scripts, Level::Read, SHOP)));
    assert!(grants.allow(&need(Family::Dns, Level::Read, ZONE)));
    assert!(!grants.allow(&need(Family::Scripts, Level::Write, SHOP)));
    assert!(!grants.allow(&need(Family::Assets, Level::Write, SHOP)));
    assert!(!grants.allow(&need(Family::Ssl, Level::Read, ZONE)));
}

#[test]
fn what_is_taken_stays_taken() {
    let all = || allow(&["Workers Scripts Write"], &["*"]);
    let reading = grants(vec![all(), deny(&["Workers Scripts Read"], &[SHOP])]);
    assert!(!reading.allow(&need(Family::Scripts, Level::Read, SHOP)));
    assert!(!reading.allow(&need(Family::Scripts, Level::Write, SHOP)), "it cannot even be read");
    assert!(!reading.allow(&need(Family::Scripts, Level::Write, A)), "the script is in there");
    assert!(reading.allow(&need(Family::Scripts, Level::Read, A)));
    assert!(reading.allow(&need(Family::Scripts, Level::Write, B)));
    let writing = grants(vec![all(), deny(&["Workers Scripts Write"], &[A])]);
    assert!(writing.allow(&need(Family::Scripts, Level::Read, SHOP)));
    assert!(!writing.allow(&need(Family::Scripts, Level::Write, SHOP)));
    let nothing = grants(vec![all(), deny(&["Account Admin"], &["*"])]);
    for level in [Level::Read, Level::Write] {
        assert!(!nothing.allow(&need(Family::Scripts, level, SHOP)));
    }
}

#[test]
fn an_admin_may_do_what_the_operator_may() {
    for grants in [Grants::everything(), grants(vec![allow(&["Account Admin"], &["*"])])] {
        for family in Family::ALL {
            for at in ["*", A, SHOP, ZONE, "zone.*"] {
                assert!(grants.allow(&need(*family, Level::Write, at)), "{family:?}");
            }
        }
    }
}

#[test]
fn a_list_is_for_whoever_may_see_a_part_of_it() {
    let grants = grants(vec![allow(&["Workers Scripts Read"], &[SHOP]), allow(&["Zone Write"], &[ZONE])]);
    assert!(grants.reach(&need(Family::Scripts, Level::Read, "*")));
    assert!(grants.reach(&need(Family::Scripts, Level::Read, A)));
    assert!(!grants.reach(&need(Family::Scripts, Level::Read, B)));
    assert!(!grants.reach(&need(Family::Scripts, Level::Write, A)));
    assert!(grants.reach(&need(Family::Zone, Level::Read, "zone.*")));
    assert!(!grants.reach(&need(Family::Dns, Level::Read, "zone.*")));
    assert!(!grants.reach(&need(Family::Kv, Level::Read, "*")));
}

#[test]
fn nobody_gives_more_than_they_have() {
    let own = grants(vec![allow(&["Workers Scripts Write", "API Tokens Write"], &["*"])]);
    let within = |policies| grants(policies).within(&own).is_ok();
    assert!(within(vec![allow(&["Workers Scripts Read"], &[A])]));
    assert!(within(vec![allow(&["Workers Assets Write"], &[SHOP])]));
    assert!(!within(vec![allow(&["Workers KV Storage Read"], &["*"])]));
    assert!(!within(vec![allow(&["Account Admin"], &["*"])]));
    assert!(Grants::everything().within(&own).is_err());
    assert!(Grants::everything().within(&Grants::everything()).is_ok());
    let narrow = grants(vec![allow(&["Workers Scripts Write"], &[A])]);
    assert!(grants(vec![allow(&["Workers Scripts Write"], &["*"])]).within(&narrow).is_err());
    assert!(grants(vec![allow(&["Workers Scripts Write"], &[A, B])]).within(&narrow).is_err());
    let refused = grants(vec![allow(&["DNS Read"], &[ZONE])]).within(&narrow).unwrap_err().to_string();
    assert!(refused.contains("\"DNS Read\"") && refused.contains(ZONE), "{refused}");
}

#[test]
fn what_was_taken_is_not_given_back_by_another_token() {
    let own = grants(vec![allow(&["Workers Scripts Write"], &["*"]), deny(&["Workers Scripts Write"], &[A])]);
    assert!(grants(vec![allow(&["Workers Scripts Write"], &[SHOP])]).within(&own).is_err());
    assert!(grants(vec![allow(&["Workers Scripts Write"], &["*"])]).within(&own).is_err());
    assert!(grants(vec![allow(&["Workers Scripts Write"], &[B])]).within(&own).is_ok());
    let same =
        grants(vec![allow(&["Workers Scripts Write"], &["*"]), deny(&["Workers Scripts Write"], &[A, B])]);
    assert!(same.within(&own).is_ok());
}

#[test]
fn policies_that_give_nothing_are_refused() {
    assert_eq!(Grants::new(Vec::new()), Err(PolicyError::Empty));
    assert_eq!(Grants::new(vec![allow(&[], &["*"])]), Err(PolicyError::Empty));
    assert_eq!(Grants::new(vec![allow(&["DNS Read"], &[])]), Err(PolicyError::Empty));
    let misplaced = Grants::new(vec![allow(&["DNS Read"], &[A])]).unwrap_err().to_string();
    assert!(misplaced.contains("DNS Read") && misplaced.contains("a zone"), "{misplaced}");
    let many = vec![allow(&["DNS Read"], &["*"]); MOST_POLICIES + 1];
    assert_eq!(Grants::new(many), Err(PolicyError::TooMany));
    let places: Vec<Place> = (0..=MOST_NAMED).map(|n| place(&format!("script.s{n}"))).collect();
    let policy = Policy { places, ..allow(&["Workers Scripts Read"], &["*"]) };
    assert_eq!(Grants::new(vec![policy]), Err(PolicyError::TooMany));
}

#[test]
fn policies_come_back_from_the_store_as_they_went() {
    let before = deny(&["Workers Scripts Write", "DNS Read"], &["*", SHOP, ZONE]);
    let text = serde_json::to_string(&before).unwrap();
    assert_eq!(serde_json::from_str::<Policy>(&text).unwrap(), before);
}

#[test]
fn an_address_is_judged_by_both_lists() {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let parse = |within: &[&str], outside: &[&str]| Condition::parse(&texts(within), &texts(outside));
    let condition = parse(&["192.0.2.0/24", "2001:db8::/32"], &["192.0.2.7"]).unwrap();
    for (address, may) in [
        ("192.0.2.8", true),
        ("192.0.2.7", false),
        ("::ffff:192.0.2.7", false),
        ("::ffff:192.0.2.8", true),
        ("198.51.100.1", false),
        ("2001:db8::1", true),
        ("2001:db9::1", false),
    ] {
        assert_eq!(condition.admits(Some(address.parse().unwrap())), may, "{address}");
    }
    assert!(!condition.admits(None));
    assert!(Condition::default().admits(None));
    assert!(parse(&["everywhere"], &[]).is_err());
    let own = parse(&["192.0.2.0/24"], &["192.0.2.7"]).unwrap();
    assert!(parse(&["192.0.2.16/28"], &["192.0.2.7"]).unwrap().is_within(&own));
    assert!(!parse(&["192.0.2.16/28"], &[]).unwrap().is_within(&own));
    assert!(!parse(&[], &["192.0.2.7"]).unwrap().is_within(&own));
    assert!(!parse(&["192.0.0.0/16"], &["192.0.2.7"]).unwrap().is_within(&own));
    assert!(own.is_within(&Condition::default()));
}
