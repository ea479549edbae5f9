//! The bucket `NOTES`, through `wasi:keyvalue`: what a component does that knows nothing of this platform.
//!
//! `generated.rs` was made from `sdk/wit/deps/keyvalue.wit` by wit-bindgen, with a world that imports the three interfaces.

#[allow(unsafe_code, dead_code, unused_imports, clippy::all, clippy::restriction, reason = "generated")]
#[rustfmt::skip]
mod generated;

use generated::wasi::keyvalue::store::{Bucket, open};
use generated::wasi::keyvalue::{atomics, batch, store};
use wasmyard::{Env, Error, Request, Response, Result};

#[wasmyard::main]
async fn fetch(req: Request, _env: Env) -> Result<Response> {
    let name = req.query_parameter("bucket").unwrap_or_else(|| "NOTES".to_owned());
    let bucket = match open(&name) {
        Ok(bucket) => bucket,
        Err(error) => return Ok(Response::text(format!("{error:?}\n")).with_status(404)),
    };
    let method = req.method().as_str().to_owned();
    let key = req.path().trim_start_matches('/').to_owned();
    let body = req.into_body().bytes().await?;
    answer(&bucket, &method, &key, body).map_err(|error| Error::msg(format!("{error:?}")))
}

fn answer(bucket: &Bucket, method: &str, key: &str, body: Vec<u8>) -> Result<Response, store::Error> {
    Ok(match (method, key) {
        ("GET", "") => Response::text(list(bucket)?),
        ("POST", "batch") => Response::text(several(bucket)?),
        ("POST", key) => {
            let delta = String::from_utf8_lossy(&body).parse().unwrap_or(0);
            Response::text(match atomics::increment(bucket, key, delta) {
                Ok(sum) => sum.to_string(),
                Err(error) => format!("{error:?}"),
            })
        }
        ("HEAD", key) => Response::empty().with_status(if bucket.exists(key)? { 200 } else { 404 }),
        ("PUT", key) => {
            bucket.set(key, &body)?;
            Response::empty().with_status(204)
        }
        ("DELETE", key) => {
            bucket.delete(key)?;
            Response::empty().with_status(204)
        }
        (_, key) => match bucket.get(key)? {
            Some(value) => Response::new(value),
            None => Response::empty().with_status(404),
        },
    })
}

/// The keys, page after page; and what a cursor of nobody's says.
fn list(bucket: &Bucket) -> Result<String, store::Error> {
    let (mut keys, mut pages, mut cursor) = (0, 0, None);
    loop {
        let page = bucket.list_keys(cursor)?;
        keys += page.keys.len();
        pages += 1;
        cursor = page.cursor;
        if cursor.is_none() {
            let wrong = bucket.list_keys(Some(7)).is_err();
            return Ok(format!("{keys} keys on {pages} pages, wrong cursor refused: {wrong}\n"));
        }
    }
}

fn several(bucket: &Bucket) -> Result<String, store::Error> {
    let pairs = [("x".to_owned(), b"1".to_vec()), ("y".to_owned(), b"2".to_vec())];
    batch::set_many(bucket, &pairs)?;
    let keys = ["y", "nobody", "x"].map(str::to_owned);
    let found = batch::get_many(bucket, &keys)?;
    batch::delete_many(bucket, &keys)?;
    let shown: Vec<String> = found
        .into_iter()
        .map(|pair| {
            pair.map_or("none".to_owned(), |(key, value)| {
                format!("{key}={}", String::from_utf8_lossy(&value))
            })
        })
        .collect();
    Ok(format!("{}, {} left\n", shown.join(" "), bucket.list_keys(None)?.keys.len()))
}
