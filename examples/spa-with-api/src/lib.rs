//! The API of a page, and the guard before its members' files.

use wasmyard::{Env, Request, Response, Result};

#[wasmyard::main]
async fn fetch(req: Request, env: Env) -> Result<Response> {
    let path = req.path().to_owned();
    if let Some(api) = path.strip_prefix("/api/") {
        return answer(api);
    }
    // Everything else that comes here is under /members/.
    if req.header("cookie").is_none_or(|cookies| !cookies.split("; ").any(|cookie| cookie == "member=yes")) {
        return Ok(Response::text("For members only.\n").with_status(401));
    }
    let file = env.assets()?.fetch(req).await?;
    Ok(file.with_header("cache-control", "private")?)
}

fn answer(path: &str) -> Result<Response> {
    let note = path.strip_prefix("notes/").and_then(|id| id.parse::<u32>().ok());
    match note {
        Some(id) => {
            let json = format!("{{\"id\":{id},\"text\":\"Note {id}\"}}\n");
            Ok(Response::new(json).with_header("content-type", "application/json")?)
        }
        None => Ok(Response::text("There is no such note.\n").with_status(404)),
    }
}
