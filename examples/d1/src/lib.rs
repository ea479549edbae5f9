//! A guest book: signed, read, searched. It is kept in the SQL database behind the binding `DB`.

use wasmyard::{D1, D1Error, Env, Request, Response, Result};

/// An entry is no book.
const MOST_BYTES: usize = 4 << 10;

/// Made by whoever comes first.
const TABLES: &str = "CREATE TABLE IF NOT EXISTS guests (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL CHECK (name <> ''),
    said TEXT NOT NULL
);";

#[wasmyard::main]
async fn fetch(req: Request, env: Env) -> Result<Response> {
    let db = env.d1("DB")?;
    match answer(req, &db).await {
        Ok(response) => Ok(response),
        // What the visitor did wrong, and what only a later try helps against.
        Err(error) => match error.downcast_ref::<D1Error>() {
            Some(D1Error::Refused { text, .. }) => Ok(Response::text(format!("{text}\n")).with_status(400)),
            Some(D1Error::ExceededQuota(why)) => Ok(Response::text(format!("{why}\n")).with_status(507)),
            Some(D1Error::Overloaded(why)) => Ok(Response::text(format!("{why}\n")).with_status(503)),
            _ => Err(error),
        },
    }
}

async fn answer(req: Request, db: &D1) -> Result<Response> {
    match req.method().as_str() {
        "GET" => {
            let word = req.query_parameter("word").unwrap_or_default();
            let read = db
                .prepare("SELECT name, said FROM guests WHERE instr(said, ?) ORDER BY id DESC LIMIT 100")
                .bind(word);
            let made = db.prepare(TABLES);
            let found = db.batch([made, read]).await?.pop().unwrap_or_default();
            let line = |row: &Vec<wasmyard::D1Value>| {
                let text = |at: usize| row.get(at).and_then(|value| value.as_text()).unwrap_or_default();
                format!("{}: {}\n", text(0), text(1))
            };
            Ok(Response::text(found.rows.iter().map(line).collect::<String>()))
        }
        "POST" => {
            let name = req.query_parameter("name").unwrap_or_default();
            let said = req.into_body().bytes_up_to(MOST_BYTES).await?;
            let said = String::from_utf8_lossy(&said).into_owned();
            let sign = db.prepare("INSERT INTO guests (name, said) VALUES (?, ?)").bind(name).bind(said);
            let signed = db.batch([db.prepare(TABLES), sign]).await?;
            let id = signed.last().map(|result| result.meta.last_row_id).unwrap_or_default();
            Ok(Response::text(format!("{id}\n")).with_status(201))
        }
        _ => Ok(Response::text("GET the book, or POST to sign it.\n").with_status(405)),
    }
}
