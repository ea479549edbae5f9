//! Whether what somebody brings can be served.

use super::super::record::{KeyKind, MOST_LEAVES};
use super::{Pair, PutError, Served};

/// Whether pairs are for the name that they are to serve.
pub(super) fn check(served: &Served) -> Result<(), PutError> {
    one_of_a_kind(&served.pairs)?;
    match served.pairs.iter().find(|pair| !pair.is_for(&served.name)) {
        Some(pair) => Err(PutError::OtherName { name: served.name.clone(), others: pair.names().to_vec() }),
        None => Ok(()),
    }
}

/// Whether pairs are one for each kind of key at most.
pub(super) fn one_of_a_kind(pairs: &[Pair]) -> Result<(), PutError> {
    let of = |kind| pairs.iter().filter(|pair| pair.kind == kind).count();
    let is_right = !pairs.is_empty() && pairs.len() <= MOST_LEAVES;
    if is_right && of(KeyKind::Elliptic) <= 1 && of(KeyKind::Rsa) <= 1 {
        Ok(())
    } else {
        Err(PutError::Kinds)
    }
}
