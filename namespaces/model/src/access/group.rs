//! Permission groups: what can be given at all, each with the id and the name that clients know.
//!
//! Owns the one table of them. Where the product has the group, its id and its name are those; `docs/tokens.md` is made from
//! the table.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Place;

/// How much of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// To look.
    Read,
    /// To look, and to change.
    Write,
}

/// Where a family of permissions means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// Nowhere but on the account.
    Account,
    /// Where scripts are.
    Scripts,
    /// Where zones are.
    Zones,
}

/// Writes the table once: families, groups, ids and names cannot disagree.
macro_rules! families {
    ($($(#[doc = $doc:literal])+ $family:ident at $reach:ident { $($level:ident = $id:literal $name:literal,)+ })+) => {
        /// Permissions for calls of one kind.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Family { $($(#[doc = $doc])+ $family,)+ }

        impl Family {
            /// All of them, in the order of the table.
            pub const ALL: &[Family] = &[$(Family::$family),+];

            /// One line for the documentation.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Family::$family => concat!($($doc),+).trim_ascii(),)+ }
            }

            const fn reach(self) -> Reach {
                match self { $(Family::$family => Reach::$reach,)+ }
            }
        }

        impl Group {
            /// All of them, in the order of the table.
            pub const ALL: &[Group] = &[$($(Group { family: Family::$family, level: Level::$level },)+)+];

            /// The id that clients name it by: 32 hex digits.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match (self.family, self.level) { $($((Family::$family, Level::$level) => $id,)+)+ _ => "" }
            }

            /// Its name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match (self.family, self.level) { $($((Family::$family, Level::$level) => $name,)+)+ _ => "" }
            }
        }
    };
}

families! {
    /// Everything, as the operator's own token has it.
    Admin at Account {
        Write = "5f9c4a20e3b74d0c8a55d1f6b7e0c912" "Account Admin",
    }
    /// Scripts with their versions, deployments, settings, bindings, secrets, tags and static files. On the account: platform
    /// scripts and namespaces as well. On a namespace: its scripts, and not what holds for all of them.
    Scripts at Scripts {
        Read = "1a71c399035b4950a1bd1466bbe4f420" "Workers Scripts Read",
        Write = "e086da7e2179491d91ee5f35b3ca210a" "Workers Scripts Write",
    }
    /// Upload sessions of static files.
    Assets at Scripts {
        Write = "7c1d0e64a9f2457b93be0c5d82a6f431" "Workers Assets Write",
    }
    /// What scripts log, as it happens.
    Tail at Scripts {
        Read = "05880cd1bdc24d8bae0be2136972816b" "Workers Tail Read",
    }
    /// Requests to user scripts, sent as a dispatcher would: for remote bindings, and for nothing else.
    Dispatch at Scripts {
        Write = "b83a6d17c05e4f9d8e21f47a9c3b0d56" "Workers Dispatch Run",
    }
    /// KV namespaces, with keys and values.
    Kv at Account {
        Read = "8b47d2786a534c08a1f94ee8f9f599ef" "Workers KV Storage Read",
        Write = "f7f0eda5697f475c90846e879bab8666" "Workers KV Storage Write",
    }
    /// Stores of secrets. Nobody reads a value.
    SecretStores at Account {
        Read = "5e33b7d77788455c9fdf18cbd38ee5a0" "Secrets Store Read",
        Write = "adc8fa2bc6124928a8b3314dc63a1235" "Secrets Store Write",
    }
    /// Queues with their consumers and messages.
    Queues at Account {
        Read = "84a7755d54c646ca87cd50682a34bf7c" "Queues Read",
        Write = "366f57075ffc42689627bcf8242a1b6d" "Queues Write",
    }
    /// SQL databases, with what is in them.
    D1 at Account {
        Read = "192192df92ee43ac90f2aeeffce67e35" "D1 Read",
        Write = "09b2857d1c31407795e75e3fed8617a1" "D1 Write",
    }
    /// Buckets, with objects.
    R2 at Account {
        Read = "b4992e1108244f5d8bfbd5744320c2e1" "Workers R2 Storage Read",
        Write = "bf7481a1826f439697cb59a20b22293e" "Workers R2 Storage Write",
    }
    /// What is counted of scripts and of requests.
    Analytics at Account {
        Read = "b89a480218d04ceb98b4fe57ca29dc1f" "Account Analytics Read",
    }
    /// The account's settings, and its audit log.
    Account at Account {
        Read = "c1fde68c7bcc44588cbb6ddbc16d6480" "Account Settings Read",
        Write = "1af1fa2adc104452b74a9a3364202f20" "Account Settings Write",
    }
    /// Tokens. Whoever may make some gives no more than it has.
    Tokens at Account {
        Read = "0cc3a61731504c89b99ec1be78b77aa0" "API Tokens Read",
        Write = "686d18d5ac6c441c867cbf6771e58a0a" "API Tokens Write",
    }
    /// Webhooks, policies and history of notifications.
    Notifications at Account {
        Read = "2f4be0d97a3c46158c60b94e1d7af283" "Notifications Read",
        Write = "d95c17f20e8b4a63b7348a0f6c12e5db" "Notifications Write",
    }
    /// Zones with their hold.
    Zone at Zones {
        Read = "c8fed203ed3043cba015a93ad1616f1f" "Zone Read",
        Write = "e6d2666161e84845a636613608cee8d5" "Zone Write",
    }
    /// Settings of zones.
    ZoneSettings at Zones {
        Read = "517b21aee92c4d89936c976ba6e4be55" "Zone Settings Read",
        Write = "3030687196b94b638145a3953da2b699" "Zone Settings Write",
    }
    /// DNS records.
    Dns at Zones {
        Read = "82e64a83756745bbbb1c9c2701bf816b" "DNS Read",
        Write = "4755a26eedb94da69e1066d98aa820be" "DNS Write",
    }
    /// Custom hostnames, their certificates and requests for them, authorities of clients. On the account: accounts with
    /// authorities as well.
    Ssl at Zones {
        Read = "7b7216b327b04b8fbc8f524e1f9b7531" "SSL and Certificates Read",
        Write = "c03055bc037c4ea9afb9a9f104b7b721" "SSL and Certificates Write",
    }
    /// Routes: which script answers for which hosts.
    Routes at Zones {
        Read = "2072033d694d415a936eaeb94e6405b8" "Workers Routes Read",
        Write = "28f4b596e7d643029c524985477ae49a" "Workers Routes Write",
    }
    /// Rules of zones.
    Rules at Zones {
        Read = "dbc512b354774852af2b5a5f4ba3d470" "Zone WAF Read",
        Write = "fb6778dc191143babbfaa57993f1d275" "Zone WAF Write",
    }
}

/// One permission that can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Group {
    family: Family,
    level: Level,
}

impl Group {
    /// Everything.
    pub const ADMIN: Group = Group { family: Family::Admin, level: Level::Write };

    /// The least one for calls of this kind.
    #[must_use]
    pub fn of(family: Family, level: Level) -> Group {
        let has = |level| Group::ALL.iter().find(|group| group.family == family && group.level == level);
        has(level).or_else(|| has(Level::Write)).or_else(|| has(Level::Read)).copied().unwrap_or(Group::ADMIN)
    }

    /// The one with this id or, as a person writes it, this name.
    #[must_use]
    pub fn find(text: &str) -> Option<Group> {
        let is = |group: &&Group| group.id() == text || group.name().eq_ignore_ascii_case(text);
        Group::ALL.iter().find(is).copied()
    }

    /// Its family.
    #[must_use]
    pub const fn family(self) -> Family {
        self.family
    }

    /// How much it is of its family.
    #[must_use]
    pub const fn level(self) -> Level {
        self.level
    }

    /// Whether it is for calls of this kind.
    #[must_use]
    pub fn covers(self, family: Family, level: Level) -> bool {
        self.family.includes(family) && self.level >= level
    }
}

impl Family {
    /// Whether it is, or has in it, another one.
    #[must_use]
    pub fn includes(self, other: Family) -> bool {
        let of_scripts = matches!(other, Family::Assets | Family::Dispatch);
        self == other || self == Family::Admin || (self == Family::Scripts && of_scripts)
    }

    /// Whether it means something at a place.
    #[must_use]
    pub fn is_at(self, place: &Place) -> bool {
        match (self.reach(), place) {
            (_, Place::Account)
            | (Reach::Scripts, Place::Namespace(_) | Place::Script(_))
            | (Reach::Zones, Place::Zones | Place::Zone(_)) => true,
            (Reach::Account | Reach::Scripts | Reach::Zones, _) => false,
        }
    }

    /// Where it means something, in words.
    #[must_use]
    pub fn places(self) -> &'static str {
        match self.reach() {
            Reach::Account => "the account",
            Reach::Scripts => "the account, a namespace or a script",
            Reach::Zones => "the account, all zones or a zone",
        }
    }

    /// The kind of resources that clients name it with.
    #[must_use]
    pub fn scope(self) -> &'static str {
        match self.reach() {
            Reach::Account | Reach::Scripts => "com.cloudflare.api.account",
            Reach::Zones => "com.cloudflare.api.account.zone",
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// By its id.
impl Serialize for Group {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

impl<'de> Deserialize<'de> for Group {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Group, D::Error> {
        let text = String::deserialize(deserializer)?;
        Group::find(&text).ok_or_else(|| serde::de::Error::custom("no permission group"))
    }
}
