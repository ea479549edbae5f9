//! URLs and queries (URL standard), as the crate `url` has them.

use rquickjs_core::{Array, Ctx, Function, Object, Result, Value};
use url::quirks;
use url::{Url, form_urlencoded};

pub(super) fn add<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    host.set("parseUrl", Function::new(ctx.clone(), parse)?)?;
    host.set("setUrl", Function::new(ctx.clone(), set)?)?;
    host.set("parseQuery", Function::new(ctx.clone(), parse_query)?)?;
    host.set("writeQuery", Function::new(ctx.clone(), write_query)?)?;
    Ok(())
}

/// The parts of a URL, or null.
fn parse<'js>(ctx: Ctx<'js>, text: String, base: Option<String>) -> Result<Value<'js>> {
    let base = match base.map(|base| Url::parse(&base)) {
        Some(Err(_)) => return Ok(Value::new_null(ctx)),
        Some(Ok(base)) => Some(base),
        None => None,
    };
    match Url::options().base_url(base.as_ref()).parse(&text) {
        Ok(url) => parts(&ctx, &url),
        Err(_) => Ok(Value::new_null(ctx)),
    }
}

/// The parts of a URL of which one is another, or null where that cannot be.
fn set<'js>(ctx: Ctx<'js>, url: String, part: String, value: String) -> Result<Value<'js>> {
    let Ok(mut url) = Url::parse(&url) else { return Ok(Value::new_null(ctx)) };
    let done = match part.as_str() {
        "protocol" => quirks::set_protocol(&mut url, &value).is_ok(),
        "username" => quirks::set_username(&mut url, &value).is_ok(),
        "password" => quirks::set_password(&mut url, &value).is_ok(),
        "host" => quirks::set_host(&mut url, &value).is_ok(),
        "hostname" => quirks::set_hostname(&mut url, &value).is_ok(),
        "port" => quirks::set_port(&mut url, &value).is_ok(),
        "pathname" => {
            quirks::set_pathname(&mut url, &value);
            true
        }
        "search" => {
            quirks::set_search(&mut url, &value);
            true
        }
        "hash" => {
            quirks::set_hash(&mut url, &value);
            true
        }
        _ => false,
    };
    if done { parts(&ctx, &url) } else { Ok(Value::new_null(ctx)) }
}

fn parts<'js>(ctx: &Ctx<'js>, url: &Url) -> Result<Value<'js>> {
    let list = Array::new(ctx.clone())?;
    let origin = quirks::origin(url);
    let all = [
        quirks::href(url),
        quirks::protocol(url),
        quirks::username(url),
        quirks::password(url),
        quirks::host(url),
        quirks::hostname(url),
        quirks::port(url),
        quirks::pathname(url),
        quirks::search(url),
        quirks::hash(url),
        &origin,
    ];
    for (index, part) in all.into_iter().enumerate() {
        list.set(index, part)?;
    }
    Ok(list.into_value())
}

/// Names and values in turn.
fn parse_query(ctx: Ctx<'_>, query: String) -> Result<Array<'_>> {
    let list = Array::new(ctx)?;
    for (index, (name, value)) in form_urlencoded::parse(query.as_bytes()).enumerate() {
        list.set(index * 2, &*name)?;
        list.set(index * 2 + 1, &*value)?;
    }
    Ok(list)
}

fn write_query(flat: Vec<String>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for pair in flat.chunks_exact(2) {
        query.append_pair(&pair[0], &pair[1]);
    }
    query.finish()
}
