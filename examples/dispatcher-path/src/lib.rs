//! A dispatcher: the header `x-script`, or else the first segment of the path, names the script that answers.
//! It lets in only who knows the token, and leaves its mark on request and response.

use wasmyard::{DispatchError, Env, Limits, Request, Response, Result};

/// For demonstration. A real dispatcher would read a secret: `env.var("TOKEN")`.
const AUTHORIZATION: &str = "Bearer demo";

const LIMITS: Limits = Limits::new().cpu_ms(20).subrequests(10);

#[wasmyard::main]
async fn fetch(mut req: Request, env: Env) -> Result<Response> {
    if req.header("authorization").as_deref() != Some(AUTHORIZATION) {
        let refusal = Response::text("a token is needed: authorization: Bearer demo\n").with_status(401);
        return Ok(refusal.with_header("www-authenticate", "Bearer")?);
    }
    let Some(script) = script(&mut req) else {
        return Ok(Response::text("name a script: /<script>/... or x-script: <script>\n").with_status(404));
    };
    // The script has no business with the token.
    req.headers_mut().remove("authorization");
    req.set_header("x-dispatched-by", "dispatcher-path")?;
    match env.namespace("DISPATCHER")?.get(&script).limits(LIMITS).fetch(req).await {
        Ok(response) => Ok(response.with_header("x-script", &script)?),
        Err(DispatchError::WorkerNotFound(_)) => {
            Ok(Response::text(format!("no such script: {script}\n")).with_status(404))
        }
        Err(DispatchError::InvalidArgument(rule)) => Ok(Response::text(format!("{rule}\n")).with_status(400)),
        Err(other) => Err(other.into()),
    }
}

/// The script that is asked for. Its name is taken off the path, so that the script sees its own paths.
fn script(req: &mut Request) -> Option<String> {
    if let Some(script) = req.header("x-script") {
        return Some(script);
    }
    let whole = req.path_and_query().strip_prefix('/')?;
    let (script, rest) = whole.split_at(whole.find(['/', '?']).unwrap_or(whole.len()));
    if script.is_empty() {
        return None;
    }
    let (script, rest) = (script.to_owned(), rest.to_owned());
    req.set_path_and_query(if rest.starts_with('/') { rest } else { format!("/{rest}") });
    Some(script)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(url: &str) -> (Option<String>, String) {
        let mut req = Request::get(url).expect("a URL");
        let script = script(&mut req);
        (script, req.path_and_query().to_owned())
    }

    #[test]
    fn the_first_segment_names_the_script_and_is_taken_off() {
        let some = |name: &str, path: &str| (Some(name.to_owned()), path.to_owned());
        assert_eq!(split("http://x/shop/cart?id=1"), some("shop", "/cart?id=1"));
        assert_eq!(split("http://x/shop"), some("shop", "/"));
        assert_eq!(split("http://x/shop?a=/b"), some("shop", "/?a=/b"));
        assert_eq!(split("http://x/"), (None, "/".to_owned()));
    }

    #[test]
    fn a_header_names_the_script_and_leaves_the_path() {
        let mut req = Request::get("http://x/a/b").expect("a URL");
        req.set_header("x-script", "shop").expect("a header");
        assert_eq!(script(&mut req).as_deref(), Some("shop"));
        assert_eq!(req.path(), "/a/b");
    }
}
