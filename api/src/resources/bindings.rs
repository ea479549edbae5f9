//! Owns the listing of a script's bindings.

use axum::extract::State;

use crate::envelope::{Answer, Reply};
use crate::lists::Paging;
use crate::state::SharedState;
use crate::target::{QueryOf, Target};
use crate::views::binding::{View, views};

pub(crate) async fn list(
    State(shared): SharedState,
    Target(key): Target,
    QueryOf(query): QueryOf<Paging>,
) -> Answer<Vec<View>> {
    let script = shared.control.existing(&key).await?;
    Ok(Reply::list(views(&script.version.bindings), query.page))
}
