//! What a script keeps things in that is its own: made for it when it is deployed, under a name that nobody chose, and gone
//! some time after it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fields::Fields;
use super::{
    BindingDecl, BindingError, BindingKind, BindingType, BucketName, D1, DatabaseId, KvNamespace,
    KvNamespaceId, Queue, QueueName, R2Bucket,
};
use crate::name::BindingName;

/// The field of a binding that asks for it.
const OWN: &str = "own";

/// What a script can have of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StorageKind {
    /// A namespace of keys and values.
    KvNamespace,
    /// An SQL database.
    D1,
    /// A queue.
    Queue,
    /// A bucket of objects.
    R2Bucket,
}

/// Which one, once it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// A namespace of keys and values.
    Kv(KvNamespaceId),
    /// An SQL database.
    Database(DatabaseId),
    /// A queue.
    Queue(QueueName),
    /// A bucket of objects.
    Bucket(BucketName),
}

impl StorageKind {
    /// The type of the binding that leads to it.
    #[must_use]
    pub const fn binding_type(self) -> BindingType {
        match self {
            StorageKind::KvNamespace => BindingType::KvNamespace,
            StorageKind::D1 => BindingType::D1,
            StorageKind::Queue => BindingType::Queue,
            StorageKind::R2Bucket => BindingType::R2Bucket,
        }
    }

    /// What bindings of this type lead to; none of those that a script cannot have for itself.
    #[must_use]
    pub const fn of(binding: BindingType) -> Option<StorageKind> {
        match binding {
            BindingType::KvNamespace => Some(StorageKind::KvNamespace),
            BindingType::D1 => Some(StorageKind::D1),
            BindingType::Queue => Some(StorageKind::Queue),
            BindingType::R2Bucket => Some(StorageKind::R2Bucket),
            _ => None,
        }
    }

    /// What stands for one while a version is judged, before anything is made for it.
    #[must_use]
    pub fn stand_in(self) -> Option<Stored> {
        Some(match self {
            StorageKind::KvNamespace => Stored::Kv(KvNamespaceId::parse(&"0".repeat(32))?),
            StorageKind::D1 => Stored::Database(DatabaseId::parse("00000000-0000-0000-0000-000000000000")?),
            StorageKind::Queue => Stored::Queue(QueueName::parse(OWN)?),
            StorageKind::R2Bucket => Stored::Bucket(BucketName::parse(OWN)?),
        })
    }
}

impl Stored {
    /// The binding of that name that leads to it.
    #[must_use]
    pub fn bound(self, name: BindingName) -> BindingDecl {
        let kind = match self {
            Stored::Kv(namespace_id) => BindingKind::KvNamespace(KvNamespace { namespace_id }),
            Stored::Database(database_id) => BindingKind::D1(D1 { database_id }),
            Stored::Queue(queue_name) => BindingKind::Queue(Queue { queue_name, delivery_delay: None }),
            Stored::Bucket(bucket_name) => {
                BindingKind::R2Bucket(R2Bucket { bucket_name, jurisdiction: None })
            }
        };
        BindingDecl { name, kind }
    }
}

/// What a binding asks for of a script's own; none where it does not.
pub(super) fn asked(fields: &Fields<'_>, kind: &str) -> Result<Option<StorageKind>, BindingError> {
    match fields.get(OWN) {
        None | Some(Value::Bool(false)) => return Ok(None),
        Some(Value::Bool(true)) => {}
        Some(_) => return Err(fields.wrong(OWN, "true or false")),
    }
    let Some(binding) = BindingType::from_wire(kind) else { return Ok(None) };
    let Some(storage) = StorageKind::of(binding) else {
        let types = "left out: only kv_namespace, d1, queue and r2_bucket can be a script's own";
        return Err(fields.wrong(OWN, types));
    };
    if binding.fields().iter().any(|field| fields.get(field).is_some()) {
        return Err(fields
            .wrong(OWN, "the only field beside type and name: what is a script's own has no other name"));
    }
    Ok(Some(storage))
}
