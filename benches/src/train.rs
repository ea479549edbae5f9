//! What a build that is guided by a profile is trained with: visitors of every chain, for a while each. The server writes
//! its profile when it ends, as an instrumented program does.

use std::time::Duration;

use crate::load::busy;
use crate::servers::wasmyard::{Budget, Site};
use crate::{Error, guest};

const CONNECTIONS: usize = 16;

/// Serves and asks, for so long each.
///
/// # Errors
/// When the server does not start, does not answer, or does not end.
pub fn train(time: Duration) -> Result<(), Error> {
    let mut site = Site::new("site-train", Budget::AsShipped)?;
    site.guarded()?;
    site.customer("work", &guest("bench_work")?)?;
    let platform = site.serve()?;
    for host in ["customer-a.apps", "customer-a", "customer-a.tail", "customer-a.reused", "caller.guarded"] {
        busy(&platform.aim(&format!("{host}.localhost")), CONNECTIONS, time)?;
    }
    let mut work = platform.aim("work.apps.localhost");
    work.expected = None;
    work.path = "/spin/100000".into();
    busy(&work, CONNECTIONS, time)?;
    platform.process.end()
}
