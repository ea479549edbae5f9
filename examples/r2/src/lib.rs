//! Files by their paths: put, read, listed, deleted. They are kept in the bucket behind the binding `FILES`, and pass through
//! this worker in pieces.

use wasmyard::{Body, Env, R2, R2HttpMetadata, R2List, R2Put, Request, Response, Result};

#[wasmyard::main]
async fn fetch(req: Request, env: Env) -> Result<Response> {
    let files = env.r2("FILES")?;
    let key = req.path().trim_start_matches('/').to_owned();
    match req.method().as_str() {
        "GET" if key.is_empty() => list(&req, &files).await,
        "GET" => get(&files, &key).await,
        "PUT" => put(req, &files, &key).await,
        "DELETE" => {
            files.delete(&[&key]).await?;
            Ok(Response::empty().with_status(204))
        }
        _ => Ok(Response::text("GET, PUT or DELETE a file.\n").with_status(405)),
    }
}

async fn get(files: &R2, key: &str) -> Result<Response> {
    let Some(found) = files.get(key).await? else {
        return Ok(Response::text("There is no such file.\n").with_status(404));
    };
    let Some(mut content) = found.body else { return Ok(Response::empty()) };
    let body = Body::from_writer(|mut out| async move {
        while let Some(piece) = content.next().await? {
            out.write(piece).await?;
        }
        Ok(())
    });
    let kind =
        found.object.http_metadata.content_type.unwrap_or_else(|| "application/octet-stream".to_owned());
    let etag = format!("\"{}\"", found.object.etag);
    Ok(Response::new(body).with_header("content-type", kind)?.with_header("etag", etag)?)
}

async fn put(req: Request, files: &R2, key: &str) -> Result<Response> {
    let content_type = req.header("content-type");
    let http_metadata = R2HttpMetadata { content_type, ..R2HttpMetadata::default() };
    let mut writer = files.start_put(key, R2Put { http_metadata, ..R2Put::default() }).await?;
    let mut content = req.into_body();
    while let Some(piece) = content.chunk().await? {
        writer.write(piece).await?;
    }
    let made = writer.finish().await?;
    Ok(Response::text(made.map(|made| made.etag).unwrap_or_default()))
}

/// A line for each file, and for each folder of them.
async fn list(req: &Request, files: &R2) -> Result<Response> {
    let prefix = req.query_parameter("prefix").map(|prefix| prefix.to_string());
    let options = R2List { prefix, delimiter: Some("/".to_owned()), ..R2List::default() };
    let page = files.list(options).await?;
    let names = page.delimited_prefixes.into_iter().chain(page.objects.into_iter().map(|object| object.key));
    Ok(Response::text(names.map(|name| name + "\n").collect::<String>()))
}
