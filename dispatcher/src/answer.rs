//! Who answers a visit. A script does, an origin outside, or a route with a status of its own, for which nothing has to be
//! done.

pub(crate) mod origin;
pub(crate) mod script;
