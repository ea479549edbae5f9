//! What stands between a customer and their hostname: one mistake, named, with what was seen and by whom.
//!
//! Owns the codes, the order in which they are told, and what is to be done about each. Never looks anything up.

use serde::{Deserialize, Serialize};

use crate::closed::closed;

closed! {
    /// A usual mistake. In the order in which they are told: what explains the others comes first.
    FlawCode {
        /// The whole domain is not in the DNS.
        DomainMissing = "domain_missing",
        /// What name servers say is not signed as the domain says that it is.
        DnssecBroken = "dnssec_broken",
        /// The name servers of the domain fail, or do not answer.
        NameServersFail = "name_servers_fail",
        /// Some name servers show a record, and others do not yet.
        NameServersDisagree = "name_servers_disagree",
        /// The record is there, at another name.
        RecordMisplaced = "record_misplaced",
        /// The value is the right one, in quotes, with spaces, or as a line of a zone's file.
        ValueMisspelt = "value_misspelt",
        /// Another value.
        ValueWrong = "value_wrong",
        /// The name that is to have a text stands for another name.
        CnameInPlaceOfTxt = "cname_in_place_of_txt",
        /// The CNAME leads to the right name with the customer's own domain behind it.
        TargetMisspelt = "target_misspelt",
        /// CNAMEs that lead in a circle, or are too many.
        CnameChain = "cname_chain",
        /// The name leads to a network that passes requests on: its own addresses hide where they go.
        ProxiedElsewhere = "proxied_elsewhere",
        /// The name is a CNAME of something else.
        CnameElsewhere = "cname_elsewhere",
        /// The name has addresses of somebody else.
        AddressElsewhere = "address_elsewhere",
        /// The address is right, and shows nothing where another zone has to do with the name.
        AddressShared = "address_shared",
        /// No record at all.
        RecordMissing = "record_missing",
        /// The IPv4 address is right, and the IPv6 address is somebody else's.
        Ipv6Elsewhere = "ipv6_elsewhere",
        /// The domain lets other authorities issue certificates, and not this one.
        CaaForbids = "caa_forbids",
        /// Nobody answers at port 80.
        Port80Closed = "port_80_closed",
        /// What answers at port 80 sends visitors elsewhere.
        HttpRedirects = "http_redirects",
        /// What answers at port 80 does not have the file.
        HttpTokenMissing = "http_token_missing",
        /// The file has another content.
        HttpTokenWrong = "http_token_wrong",
    }
}

closed! {
    /// What was looked at.
    FlawPlace {
        /// A text.
        Txt = "TXT",
        /// Another name in its place.
        Cname = "CNAME",
        /// An IPv4 address.
        A = "A",
        /// An IPv6 address.
        Aaaa = "AAAA",
        /// Who may issue certificates.
        Caa = "CAA",
        /// A web server.
        Http = "HTTP",
    }
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flaw {
    /// Which.
    pub code: FlawCode,
    /// What was looked at.
    pub place: FlawPlace,
    /// The name of the record, or the URL.
    pub name: String,
    /// What is wanted there; none where nothing in particular is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What was seen, in a sentence.
    pub seen: String,
    /// Which name servers saw it; none where no name server was asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen_by: Vec<String>,
}

impl Flaw {
    /// What the customer can do, in a sentence.
    #[must_use]
    pub fn remedy(&self) -> String {
        let Flaw { code, place, name, expected, .. } = self;
        let value = expected.as_deref().unwrap_or("the value that is shown");
        match code {
            FlawCode::DomainMissing => {
                "register the domain, renew it, or correct the name servers that it is delegated to".to_owned()
            }
            FlawCode::DnssecBroken => {
                "sign the domain again, or take its DS record away at the registrar".to_owned()
            }
            FlawCode::NameServersFail => {
                "have the domain's name servers answer: a delegation to servers that do not know the domain is the usual cause"
                    .to_owned()
            }
            FlawCode::NameServersDisagree => {
                "wait until the change has reached all of the domain's name servers; nothing else is needed".to_owned()
            }
            FlawCode::RecordMisplaced => format!(
                "make the {place} record at {name}: most DNS panels put the domain behind what is typed in, so type the part \
                 before it"
            ),
            FlawCode::ValueMisspelt => format!("write {value}, without quotes, spaces and names around it"),
            FlawCode::ValueWrong => format!("replace the value by {value}"),
            FlawCode::CnameInPlaceOfTxt => {
                format!("take the CNAME record at {name} away and make a TXT record there with {value}")
            }
            FlawCode::TargetMisspelt => {
                format!("write the target as {value}., with a dot at its end: without it the domain is put behind it")
            }
            FlawCode::CnameChain => format!("make {name} a CNAME of {value} itself"),
            FlawCode::ProxiedElsewhere => format!(
                "switch that network's proxy off for this record and point it to {value}, or show by the TXT record whose the \
                 name is"
            ),
            FlawCode::CnameElsewhere | FlawCode::AddressElsewhere => {
                format!("replace the record at {name} by a CNAME to {value}")
            }
            FlawCode::AddressShared => {
                format!("make the TXT record, or a CNAME from {name} to {value}")
            }
            FlawCode::RecordMissing => format!("make a {place} record at {name} with {value}"),
            FlawCode::Ipv6Elsewhere => {
                format!("take the AAAA record at {name} away, or replace it by an address of this platform")
            }
            FlawCode::CaaForbids => format!("add a CAA record at {name}: {value}"),
            FlawCode::Port80Closed => "let port 80 be reached from everywhere".to_owned(),
            FlawCode::HttpRedirects => {
                format!("answer {name} at port 80 with the token itself, before any redirect to https")
            }
            FlawCode::HttpTokenMissing => format!("put a file there whose content is {value}"),
            FlawCode::HttpTokenWrong => format!("have the file's content be {value} and nothing else"),
        }
    }
}
