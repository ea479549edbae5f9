//! What the protocol has and is not here. It is refused by name: a request for the tags of an object must not put or read the
//! object, and nobody may believe that a content is sealed which is not.

use axum::body::Body;
use http::Response;

use super::document_of;
use crate::fault::Fault;
use crate::request::Asked;
use crate::xml::Xml;

/// Parameters that ask for something else than the object or the list.
const RESOURCES: [&str; 29] = [
    "accelerate",
    "acl",
    "analytics",
    "annotation",
    "attributes",
    "cors",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "lifecycle",
    "logging",
    "metadataConfiguration",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "renameObject",
    "replication",
    "requestPayment",
    "restore",
    "retention",
    "select",
    "session",
    "versions",
    "website",
];

/// What fields begin with that would have to be kept to.
const FIELDS: [&str; 5] = [
    "x-amz-server-side-encryption-customer-",
    "x-amz-copy-source-server-side-encryption-customer-",
    "x-amz-object-lock-",
    "x-amz-tagging",
    "x-amz-website-redirect-location",
];

/// Refuses what is not here.
pub(super) fn refuse(asked: &Asked<'_>) -> Result<(), Fault> {
    let is_read = *asked.method == http::Method::GET;
    let tags = ["tagging", "torrent", "versioning"].into_iter();
    let mut resources = RESOURCES.into_iter().chain(tags).filter(|name| asked.has(name));
    if let Some(name) = resources.find(|name| *name != "tagging" || !is_read || asked.key.is_none()) {
        return Err(Fault::MISSING.saying(format!("there is no {name:?} of buckets or objects here")));
    }
    if asked.parameter("versionId").is_some_and(|version| !matches!(version, "" | "null")) {
        return Err(Fault::MISSING.saying("objects have one version here; ask without versionId"));
    }
    let mut names = asked.headers.keys().map(http::HeaderName::as_str);
    // To copy the tags or to leave them out is the same.
    let mut refused = |name: &&str| {
        *name != "x-amz-tagging-directive" && FIELDS.iter().any(|field| name.starts_with(field))
    };
    match names.find(&mut refused) {
        Some(name) => {
            Err(Fault::MISSING.saying(format!("the field {name} asks for what is not here; send without it")))
        }
        None => Ok(()),
    }
}

/// The tags of an object: clients that copy large ones ask for them.
pub(super) fn no_tags() -> Response<Body> {
    let mut xml = Xml::new();
    xml.begin("Tagging").open("TagSet").close("TagSet").close("Tagging");
    document_of(xml)
}
