//! Notes by their paths: put, read, listed, deleted. They are kept in the KV namespace behind the binding `NOTES`.

use wasmyard::{Env, Kv, KvError, KvList, KvPut, Request, Response, Result};

/// A note is no book.
const MOST_BYTES: usize = 26 << 20;

#[wasmyard::main]
async fn fetch(req: Request, env: Env) -> Result<Response> {
    let notes = env.kv("NOTES")?;
    match answer(req, &notes).await {
        Ok(response) => Ok(response),
        // What the visitor did wrong, and what only a later try helps against.
        Err(error) => match error.downcast_ref::<KvError>() {
            Some(KvError::InvalidArgument(why)) => Ok(Response::text(format!("{why}\n")).with_status(400)),
            Some(KvError::ExceededQuota(why)) => Ok(Response::text(format!("{why}\n")).with_status(507)),
            Some(KvError::Overloaded(why)) => Ok(Response::text(format!("{why}\n")).with_status(503)),
            _ => Err(error),
        },
    }
}

async fn answer(req: Request, notes: &Kv) -> Result<Response> {
    let key = req.path().trim_start_matches('/').to_owned();
    match req.method().as_str() {
        "GET" if key.is_empty() => list(&req, notes).await,
        "GET" => match notes.get_entry(&key).await? {
            Some(note) => {
                let about = note.metadata.unwrap_or_default();
                Ok(Response::new(note.value).with_header("about", about)?)
            }
            None => Ok(Response::text("There is no such note.\n").with_status(404)),
        },
        "PUT" => {
            let mut options = KvPut::new();
            if let Some(seconds) = req.query_parameter("ttl") {
                options = options.expiration_ttl(seconds.parse()?);
            }
            if let Some(about) = req.header("about") {
                options = options.metadata(about);
            }
            let note = req.into_body().bytes_up_to(MOST_BYTES).await?;
            notes.put_with(&key, note, options).await?;
            Ok(Response::empty().with_status(204))
        }
        "DELETE" => {
            notes.delete(&key).await?;
            Ok(Response::empty().with_status(204))
        }
        _ => Ok(Response::text("GET, PUT or DELETE a note.\n").with_status(405)),
    }
}

/// A line for each note. A header says where the next page begins.
async fn list(req: &Request, notes: &Kv) -> Result<Response> {
    let mut options = KvList::new().prefix(req.query_parameter("prefix").unwrap_or_default());
    if let Some(cursor) = req.query_parameter("cursor") {
        options = options.cursor(cursor);
    }
    if let Some(limit) = req.query_parameter("limit") {
        options = options.limit(limit.parse()?);
    }
    let page = notes.list(options).await?;
    let lines: String = page.keys.iter().map(|key| format!("{}\n", key.name)).collect();
    Ok(Response::text(lines).with_header("cursor", page.cursor.unwrap_or_default())?)
}
