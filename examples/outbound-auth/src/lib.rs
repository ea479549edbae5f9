//! What customers' scripts may reach, and as whom: requests to the platform's own API get a token that the customers
//! never see, some hosts are blocked, one is answered here, and everything else passes as it is.

mod token;

use wasmyard::{Env, Request, Response, Result};

/// The platform's own API: requests to it are signed in as the customer.
const API: &str = "api.example.internal";
/// Answered here.
const ABOUT: &str = "about.example.internal";

#[wasmyard::main]
async fn outbound(mut req: Request, env: Env) -> Result<Response> {
    let customer = env.caller().map(|caller| caller.script).unwrap_or_default();
    let blocked = env.var("BLOCKED_HOSTS").unwrap_or_default();
    let host = req.host();
    if blocked.split(',').map(str::trim).any(|rule| covers(rule, host)) {
        println!("{customer} was kept from {host}");
        return Ok(Response::text(format!("{host} is blocked on this platform\n")).with_status(403));
    }
    match host {
        ABOUT => Ok(Response::text(format!("you are {customer}\n"))),
        API => {
            // Over plain HTTP anybody on the way could read the token.
            if req.scheme().is_none_or(|scheme| scheme.as_str() != "https") && env.var("ALLOW_HTTP").is_err()
            {
                return Ok(Response::text("use https for this API\n").with_status(400));
            }
            let token = token::signed(&customer, env.var("API_KEY")?.as_bytes())?;
            req.set_header("authorization", format!("Bearer {token}"))?;
            Ok(wasmyard::fetch(req).await?)
        }
        _ => Ok(wasmyard::fetch_last(req)?),
    }
}

/// `example.com` is that host, `*.example.com` everything below it. The platform gives hosts in one spelling.
fn covers(rule: &str, host: &str) -> bool {
    match rule.strip_prefix('*') {
        Some(suffix) => suffix.starts_with('.') && host.ends_with(suffix),
        None => !rule.is_empty() && rule == host,
    }
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn rules_cover_a_host_or_what_is_below_it() {
        assert!(covers("evil.test", "evil.test") && !covers("evil.test", "not-evil.test"));
        assert!(covers("*.evil.test", "a.b.evil.test") && !covers("*.evil.test", "evil.test"));
        assert!(!covers("*.evil.test", "notevil.test") && !covers("", "") && !covers("*", "evil.test"));
    }
}
