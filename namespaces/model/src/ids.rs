//! Ids in the forms that v4 clients expect: 32 hex digits, or a UUID with dashes.
//!
//! Owns what an id may look like, so that no text of another shape is ever looked for. Never makes ids: who makes a
//! record makes its id.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text that is no id of its kind. Safe to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{value}\" is no id; {rule}")]
pub struct IdError {
    /// The text, shortened.
    pub value: String,
    /// What an id looks like.
    pub rule: &'static str,
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident, $keeps:path, $rule:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Reads an id.
            ///
            /// # Errors
            /// [`IdError`] with what an id looks like.
            pub fn parse(text: &str) -> Result<$name, IdError> {
                if $keeps(text.as_bytes()) {
                    return Ok($name(Arc::from(text)));
                }
                Err(IdError { value: crate::name::shorten(text), rule: $rule })
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                let text = String::deserialize(deserializer)?;
                $name::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

id_type! {
    /// The id of a zone.
    ZoneId, is_hex_32, "ids of zones have 32 of 0-9 and a-f"
}
id_type! {
    /// The id of a DNS record of a zone.
    DnsRecordId, is_hex_32, "ids of DNS records have 32 of 0-9 and a-f"
}
id_type! {
    /// The id of a custom hostname.
    CustomHostnameId, is_uuid, "ids of custom hostnames are UUIDs in lower case, with dashes"
}
id_type! {
    /// The id of the certificates that a custom hostname has together.
    CertificatePackId, is_uuid, "ids of certificate packs are UUIDs in lower case, with dashes"
}
id_type! {
    /// The id of a request for a certificate.
    CustomCsrId, is_uuid, "ids of custom CSRs are UUIDs in lower case, with dashes"
}

id_type! {
    /// The id of one certificate.
    CertificateId, is_uuid, "ids of certificates are UUIDs in lower case, with dashes"
}
id_type! {
    /// The id of certificates of authorities of clients.
    MtlsCertificateId, is_uuid, "ids of mTLS certificates are UUIDs in lower case, with dashes"
}
id_type! {
    /// The id of a store of secrets.
    SecretStoreId, is_hex_32, "ids of stores of secrets have 32 of 0-9 and a-f"
}
id_type! {
    /// The id of a secret in a store.
    StoredSecretId, is_hex_32, "ids of stored secrets have 32 of 0-9 and a-f"
}
id_type! {
    /// The id of a webhook.
    WebhookId, is_hex_32, "ids of webhooks have 32 of 0-9 and a-f"
}
id_type! {
    /// The id of a notification policy.
    AlertPolicyId, is_hex_32, "ids of notification policies have 32 of 0-9 and a-f"
}
id_type! {
    /// The id of something that is told.
    AlertEventId, is_hex_32, "ids of events have 32 of 0-9 and a-f"
}

id_type! {
    /// The id of a queue.
    QueueId, is_hex_32, "ids of queues have 32 of 0-9 and a-f"
}
id_type! {
    /// The id of a consumer of a queue.
    QueueConsumerId, is_hex_32, "ids of consumers have 32 of 0-9 and a-f"
}

fn is_hex_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

fn is_hex_32(text: &[u8]) -> bool {
    text.len() == 32 && text.iter().all(|byte| is_hex_digit(*byte))
}

fn is_uuid(text: &[u8]) -> bool {
    let is_right = |(place, byte): (usize, &u8)| match place {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => is_hex_digit(*byte),
    };
    text.len() == 36 && text.iter().enumerate().all(is_right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_shape() {
        let hex = "0123456789abcdef0123456789abcdef";
        let uuid = "1d74f419-c24c-4619-9ff2-489751b61d27";
        assert_eq!(ZoneId::parse(hex).unwrap().as_str(), hex);
        assert_eq!(CustomHostnameId::parse(uuid).unwrap().as_str(), uuid);
        for bad in [
            "",
            "0",
            uuid,
            &hex.to_uppercase(),
            &hex[1..],
            &format!("{hex}0"),
            "../../../../../../../../../../etc/",
        ] {
            assert!(ZoneId::parse(bad).is_err(), "{bad}");
        }
        for bad in ["", hex, &uuid.to_uppercase(), &uuid.replace('-', "0"), &uuid[1..], &format!("{uuid}0")] {
            assert!(CustomHostnameId::parse(bad).is_err(), "{bad}");
        }
    }
}
