//! Lets each visitor in ten times a minute: the first segment of the path says who it is.

use wasmyard::{Env, Request, Response, Result};

#[wasmyard::main]
async fn fetch(req: Request, env: Env) -> Result<Response> {
    let visitor = req.path().trim_start_matches('/').split('/').next().unwrap_or_default().to_owned();
    Ok(match env.rate_limit("VISITS")?.limit(&visitor) {
        Ok(true) => Response::text(format!("Welcome, {visitor}.\n")),
        Ok(false) => Response::text("Come again in a minute.\n").with_status(429),
        Err(rule) => Response::text(format!("{rule}\n")).with_status(400),
    })
}
