//! The code of the product's own pages, word for word, and what the pages say it does.

use http::Method;
use serde_json::json;

use super::{get, serving};
use crate::data::hostnames;
use crate::support::dns::NameServer;
use crate::support::{body, eventually, origin::Origin, request};

/// *Dynamic dispatch Worker*: routing by the subdomain.
const BY_SUBDOMAIN: &str = r"
export default {
  async fetch(request, env) {
    try {
      // parse the URL, read the subdomain
      let workerName = new URL(request.url).host.split('.')[0];
      let userWorker = env.dispatcher.get(workerName);
      return await userWorker.fetch(request);
    } catch (e) {
      if (e.message.startsWith('Worker not found')) {
        // we tried to get a worker that doesn't exist in our dispatch namespace
        return new Response('', { status: 404 });
      }


      // this could be any other exception from `fetch()` *or* an exception
      // thrown by the called worker (e.g. if the dispatched worker has
      // `throw MyException()`, you could check for that here).
      return new Response(e.message, { status: 500 });
    }
  },
};
";

/// *Custom limits*.
const WITH_LIMITS: &str = r"
export default {
 async fetch(request, env) {
   try {
     // parse the URL, read the subdomain
     let workerName = new URL(request.url).host.split('.')[0];
     let userWorker = env.dispatcher.get(
       workerName,
       {},
       {// set limits
         limits: {cpuMs: 10, subRequests: 5}
       }
     );
     return await userWorker.fetch(request);
   } catch (e) {
     if (e.message.startsWith('Worker not found')) {
       // we tried to get a worker that doesn't exist in our dispatch namespace
       return new Response('', { status: 404 });
     }
      return new Response(e.message, { status: 500 });
   }
 },
};
";

/// *Local development*: the user Worker, the dispatcher and the outbound Worker.
const USER_THAT_FETCHES: &str = r#"
export default {
  async fetch(request) {
    // make a subrequest to the internet
    const response = await fetch("https://example.com");
    return new Response(
      `user worker got "${await response.text()}" from fetch`,
    );
  },
};
"#;

const WITH_PARAMETERS: &str = r#"
export default {
  async fetch(request, env) {
    // get the user Worker, specifying parameters that the Outbound Worker will see when it intercepts a user worker's subrequest
    const customerScript = env.DISPATCH_NAMESPACE.get(
      "customer-worker-1",
      {},
      {
        outbound: {
          paramCustomerName: "customer-1",
        },
      },
    );
    // invoke user Worker
    return await customerScript.fetch(request);
  },
};
"#;

const OUTBOUND: &str = r"
export default {
  async fetch(request, env) {
    const { paramCustomerName } = env;
    // use the parameters passed by the dispatcher to know what this user this request is for
    // and return custom content back to the user worker
    return new Response(
      `intercepted a request for ${paramCustomerName} by the outbound`,
    );
  },
};
";

/// *Outbound Workers*: parameters in an object; the outbound worker reads what is in it by its own names.
const WITH_AN_OBJECT: &str = r"
export default {
  async fetch(request, env) {
    try {


    // parse the URL, read the subdomain
    let workerName = new URL(request.url).host.split('.')[0];


    let context_from_dispatcher = {
      'customer_name': workerName,
      'url': request.url,
      }


    let userWorker = env.dispatcher.get(
      workerName,
      {},
      {// outbound arguments. object name must match parameters in the binding
      outbound: {
       params_object: context_from_dispatcher,
         }
       }
    );
    return await userWorker.fetch(request);
    } catch (e) {
    if (e.message.startsWith('Worker not found')) {
      // we tried to get a worker that doesn't exist in our dispatch namespace
      return new Response('', { status: 404 });
    }
     return new Response(e.message, { status: 500 });
    }
  }
}
";

/// As the page's, up to where it asks another host.
const OUTBOUND_OF_AN_OBJECT: &str = r"
export default {
  // this event is fired when the dispatched Workers make a subrequest
  async fetch(request, env, ctx) {
    // env contains the values we set in `dispatcher.get()`
    const customer_name = env.customer_name;
    const original_url = env.url;
    return new Response(`${customer_name} ${original_url} ${env.params_object.customer_name}`);
  }
}
";

/// *Hostname routing*: by names in KV, and by the subdomain.
const BY_KV: &str = r"
export default {
  async fetch(request, env) {
    const hostname = new URL(request.url).hostname;


    // Get custom hostname metadata for routing decisions
    const hostnameData = await env.KV.get(`hostname:${hostname}`, { type: 'json' });


    if (!hostnameData?.workerName) {
      return new Response('Hostname not configured', { status: 404 });
    }


    // Route to the appropriate user Worker
    const userWorker = env.DISPATCHER.get(hostnameData.workerName);
    return await userWorker.fetch(request);
  }
};
";

const BY_SUBDOMAIN_OF_SAAS: &str = r"
export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const subdomain = url.hostname.split('.')[0];


    // Route based on subdomain
    if (subdomain && subdomain !== 'saas') {
      const userWorker = env.DISPATCHER.get(subdomain);
      return await userWorker.fetch(request);
    }


    return new Response('Invalid subdomain', { status: 400 });
  }
};
";

/// Puts what `BY_KV` reads.
const PUTS: &str = r"
export default {
  async fetch(request, env) {
    await env.KV.put('hostname:shop.kv.test', JSON.stringify({ workerName: 'hello' }));
    return new Response('put');
  },
};
";

const HELLO: &str = r#"
export default {
  async fetch(request, env) {
    return new Response("Hello world");
  },
};
"#;

/// Computes for longer than ten milliseconds; throws; asks more often than five times.
const GREEDY: &str = r"
export default {
  async fetch(request, env) {
    const path = new URL(request.url).pathname;
    if (path === '/throw') throw new Error('MyException');
    if (path === '/spin') { let n = 0; while (true) n++; }
    for (let i = 0; i < 6; i++) await (await fetch('https://example.com/' + i)).text();
    return new Response('six');
  },
};
";

const CONFIG: &str = r#"
    [limits]
    cpu_ms = 10000

    [scripts.by-subdomain]
    main = "by-subdomain.js"
    bindings = [{ type = "dispatch_namespace", name = "dispatcher", namespace = "testing" }]
    [scripts.with-limits]
    main = "with-limits.js"
    bindings = [{ type = "dispatch_namespace", name = "dispatcher", namespace = "testing", outbound = { worker = { service = "outbound" } } }]
    [scripts.with-parameters]
    main = "with-parameters.js"
    bindings = [{ type = "dispatch_namespace", name = "DISPATCH_NAMESPACE", namespace = "testing", outbound = { worker = { service = "outbound" }, params = [{ name = "paramCustomerName" }] } }]
    [scripts.outbound]
    main = "outbound.js"
    [scripts.with-an-object]
    main = "with-an-object.js"
    bindings = [{ type = "dispatch_namespace", name = "dispatcher", namespace = "testing", outbound = { worker = { service = "outbound-of-an-object" }, params = [{ name = "params_object" }] } }]
    [scripts.outbound-of-an-object]
    main = "outbound-of-an-object.js"
    [scripts.by-kv]
    main = "by-kv.js"
    bindings = [{ type = "dispatch_namespace", name = "DISPATCHER", namespace = "testing" }]
    [[scripts.by-kv.kv_namespaces]]
    binding = "KV"
    title = "hostnames"
    [scripts.puts]
    main = "puts.js"
    [[scripts.puts.kv_namespaces]]
    binding = "KV"
    title = "hostnames"
    [scripts.by-subdomain-of-saas]
    main = "by-subdomain-of-saas.js"
    bindings = [{ type = "dispatch_namespace", name = "DISPATCHER", namespace = "testing" }]

    [namespaces.testing.scripts.customer-worker-1]
    main = "user-that-fetches.js"
    [namespaces.testing.scripts.hello]
    main = "hello.js"
    [namespaces.testing.scripts.greedy]
    main = "greedy.js"

    [[routes]]
    pattern = "*.subdomain.test/*"
    script = "by-subdomain"
    [[routes]]
    pattern = "*.limits.test/*"
    script = "with-limits"
    [[routes]]
    pattern = "parameters.test/*"
    script = "with-parameters"
    [[routes]]
    pattern = "*.object.test/*"
    script = "with-an-object"
    [[routes]]
    pattern = "*.kv.test/*"
    script = "by-kv"
    [[routes]]
    pattern = "puts.test/*"
    script = "puts"
    [[routes]]
    pattern = "saas.test/*"
    script = "by-subdomain-of-saas"
    [[routes]]
    pattern = "*.saas.test/*"
    script = "by-subdomain-of-saas"
"#;

#[tokio::test]
async fn the_pages_own_code_does_what_the_pages_say() {
    let files = [
        ("by-subdomain.js", BY_SUBDOMAIN),
        ("with-limits.js", WITH_LIMITS),
        ("with-parameters.js", WITH_PARAMETERS),
        ("outbound.js", OUTBOUND),
        ("with-an-object.js", WITH_AN_OBJECT),
        ("outbound-of-an-object.js", OUTBOUND_OF_AN_OBJECT),
        ("by-kv.js", BY_KV),
        ("puts.js", PUTS),
        ("by-subdomain-of-saas.js", BY_SUBDOMAIN_OF_SAAS),
        ("user-that-fetches.js", USER_THAT_FETCHES),
        ("hello.js", HELLO),
        ("greedy.js", GREEDY),
    ];
    let server = serving(&files, CONFIG).await;
    for (host, path, status, text) in [
        ("hello.subdomain.test", "/", 200, "Hello world"),
        ("nobody.subdomain.test", "/", 404, ""),
        ("greedy.subdomain.test", "/throw", 500, "MyException"),
        ("hello.limits.test", "/", 200, "Hello world"),
        ("nobody.limits.test", "/", 404, ""),
        (
            "parameters.test",
            "/",
            200,
            "user worker got \"intercepted a request for customer-1 by the outbound\" from fetch",
        ),
        (
            "customer-worker-1.object.test",
            "/a?b=c",
            200,
            "user worker got \"customer-worker-1 http://customer-worker-1.object.test/a?b=c customer-worker-1\" from fetch",
        ),
        ("shop.kv.test", "/", 404, "Hostname not configured"),
        ("saas.test", "/", 400, "Invalid subdomain"),
        ("hello.saas.test", "/", 200, "Hello world"),
    ] {
        let answer = get(&server, host, path).await;
        assert_eq!((answer.status, answer.text()), (status, text), "{host}{path}: {}", server.log());
    }
    assert_eq!(get(&server, "puts.test", "/").await.text(), "put");
    assert_eq!(get(&server, "shop.kv.test", "/").await.text(), "Hello world");
    // What a page calls an exception: CPU time, and a sixth subrequest.
    let spun = get(&server, "greedy.limits.test", "/spin").await;
    assert_eq!(spun.status, 500);
    assert!(spun.text().contains("CPU"), "{}", spun.text());
    let asked = get(&server, "greedy.limits.test", "/").await;
    assert_eq!(asked.status, 500);
    assert!(asked.text().to_lowercase().contains("subrequests"), "{}", asked.text());
}

/// *Custom metadata*: the page's own, which stands before the customer's origin.
const BEFORE_THE_ORIGIN: &str = r#"
export default {
  /**
   * Fetch and add a X-Customer-Id header to the origin based on hostname
   * @param {Request} request
   */
  async fetch(request, env, ctx) {
    const customer_id = request.cf.hostMetadata.customer_id;
    const newHeaders = new Headers(request.headers);
    newHeaders.append("X-Customer-Id", customer_id);


    const init = {
      headers: newHeaders,
      method: request.method,
    };
    return fetch(request.url, init);
  },
};
"#;

#[tokio::test]
async fn a_script_before_an_origin_tells_it_which_customer_it_serves() {
    let (dns, origin) = (NameServer::start().await, Origin::start().await);
    let config = format!(
        r#"
        [server]
        reserved_names = true
        [hostnames]
        name_servers = ["{dns}"]
        [origins]
        name_servers = ["{dns}"]
        allow_private = ["127.0.0.0/8"]
        http_port = {port}
        [scripts.front]
        main = "front.js"
        [scripts.forwards]
        main = "forwards.js"
        [[routes]]
        pattern = "*/*"
        script = "front"
        [[routes]]
        pattern = "named.customer.test/*"
        script = "forwards"
        "#,
        dns = dns.address,
        port = origin.address.port(),
    );
    let forwards = "export default { fetch: (request) => fetch(request) }";
    let server = serving(&[("front.js", BEFORE_THE_ORIGIN), ("forwards.js", forwards)], &config).await;
    let api = server.api();
    let zone = hostnames::zone_named(&api, "saas.test").await;
    api.patch(&format!("{zone}/settings/ssl"), &json!({"value": "flexible"})).await.result();
    let records = format!("{zone}/dns_records");
    let record = json!({"type": "A", "name": "origin", "content": "127.0.0.1", "proxied": true});
    api.post(&records, &record).await.result();
    let fallback = json!({"origin": "origin.saas.test"});
    api.put(&format!("{zone}/custom_hostnames/fallback_origin"), &fallback).await.result();
    for name in ["shop.customer.test", "named.customer.test"] {
        dns.cname(name, "service.saas.test");
        let metadata = json!({"customer_id": "12345", "redirect_to_https": true, "security_tag": "low"});
        let new = json!({"hostname": name, "custom_metadata": metadata});
        let made = api.post(&format!("{zone}/custom_hostnames"), &new).await;
        let path = format!("{zone}/custom_hostnames/{}", made.envelope["result"]["id"].as_str().unwrap());
        hostnames::becomes(&api, &path, "active").await;
    }
    let answer = get(&server, "shop.customer.test", "/cart?x=1").await;
    assert_eq!((answer.status, answer.text()), (200, "origin"), "{}", server.log());
    let seen = origin.seen().pop().unwrap();
    assert_eq!((seen.header("host"), seen.target.as_str()), ("shop.customer.test", "/cart?x=1"));
    assert_eq!((seen.header("x-customer-id"), seen.header("cf-connecting-ip")), ("12345", "127.0.0.1"));
    // A route for the name itself makes no difference; and a request goes on as it came, with its body.
    let sent = request(Method::POST, "named.customer.test", "/form").body(body("sent")).unwrap();
    let answer = server.send(sent).await;
    assert_eq!((answer.status, answer.text()), (200, "origin"), "{}", server.log());
    let seen = origin.seen().pop().unwrap();
    assert_eq!((seen.header("host"), &seen.body[..]), ("named.customer.test", &b"sent"[..]));
    let line = server.logged("the visit", |line| line["host"] == "named.customer.test").await;
    assert_eq!((&line["script"], &line["origin"]), (&json!("forwards"), &json!("origin.saas.test")));
    // An origin that does not answer is a page with the product's status, and no exception.
    api.post(&records, &json!({"type": "AAAA", "name": "none", "content": "100::", "proxied": true}))
        .await
        .result();
    api.put(&format!("{zone}/custom_hostnames/fallback_origin"), &json!({"origin": "none.saas.test"}))
        .await
        .result();
    let told = get(&server, "shop.customer.test", "/").await;
    assert!((520..=530).contains(&told.status), "{} {}", told.status, told.text());
}

/// *Custom metadata*, where the script is the origin itself: what it would send, and what it knows.
const WITH_METADATA: &str = r#"
export default {
  async fetch(request, env, ctx) {
    const customer_id = request.cf.hostMetadata.customer_id;
    const newHeaders = new Headers(request.headers);
    newHeaders.append("X-Customer-Id", customer_id);


    const init = {
      headers: newHeaders,
      method: request.method,
    };
    const sent = new Request(request.url, init);
    return Response.json([sent.url, sent.method, sent.headers.get("x-customer-id"), request.cf.hostMetadata]);
  },
};
"#;

/// A customer's name of a zone whose fallback origin is a Worker (*Workers as your fallback origin*: an originless record
/// and the route `*/*`), with the metadata of the page.
#[tokio::test]
async fn a_worker_is_the_fallback_origin_and_reads_what_is_known_of_the_customers_name() {
    let dns = NameServer::start().await;
    let config = format!(
        r#"
        [server]
        reserved_names = true
        [hostnames]
        name_servers = ["{}"]
        [scripts.service]
        main = "service.js"
        [[routes]]
        pattern = "*/*"
        script = "service"
        [namespaces.production.scripts.customer]
        main = "customer.js"
        [[routes]]
        pattern = "*.customers.test/*"
        namespace = "production"
        "#,
        dns.address
    );
    let customer = "export default { fetch: (request) => new Response(String(request.cf)) }";
    let server = serving(&[("service.js", WITH_METADATA), ("customer.js", customer)], &config).await;
    let api = server.api();
    let zone = hostnames::zone_named(&api, "saas.test").await;
    dns.cname("shop.customer.test", "service.saas.test");
    let metadata = json!({"customer_id": "12345", "redirect_to_https": true, "security_tag": "low"});
    let new = json!({"hostname": "shop.customer.test", "custom_metadata": metadata});
    let made = api.post(&format!("{zone}/custom_hostnames"), &new).await;
    let path = format!("{zone}/custom_hostnames/{}", made.envelope["result"]["id"].as_str().unwrap());
    hostnames::becomes(&api, &path, "active").await;
    let answer = get(&server, "shop.customer.test", "/cart?x=1").await;
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(answer.text()).unwrap(),
        json!(["http://shop.customer.test/cart?x=1", "GET", "12345", metadata])
    );
    // What is known of a name is the platform's, and no customer's script sees it.
    assert_eq!(get(&server, "customer.customers.test", "/").await.text(), "undefined");
}

/// *Outbound Workers*: the page's own, which signs requests to the customers' API and tells a log of all of them. What it
/// calls to make a token is the platform builder's, and not on the page.
const THAT_SIGNS: &str = r"
export default {
  // this event is fired when the dispatched Workers make a subrequest
  async fetch(request, env, ctx) {
    // env contains the values we set in `dispatcher.get()`
    const customer_name = env.customer_name;
    const original_url = env.url;


    // log the request
    ctx.waitUntil(fetch(
      'https://logs.example.com',
      {
        method: 'POST',
        body: JSON.stringify({
          customer_name,
          original_url,
        }),
      },
    ));


    const url = new URL(original_url);
    if (url.host === 'api.example.com') {
      // pre-auth requests to our API
      const jwt = make_jwt_for_customer(customer_name);


      let headers = new Headers(request.headers);
      headers.set('Authorization', `Bearer ${jwt}`);


      // clone the request to set new headers using existing body
      let new_request = new Request(request, {headers});


      return fetch(new_request)
    }


    return fetch(request)
  }
};

function make_jwt_for_customer(name) { return `token-of-${name}`; }
";

#[tokio::test]
async fn an_outbound_worker_signs_what_a_customer_sends_and_tells_of_it() {
    let dispatcher = WITH_AN_OBJECT;
    let internet = "export default { fetch: (request) => new Response(request.headers.get('authorization') ?? 'nobody') }";
    let logs = "export default { async fetch(request) { console.log('told', await request.text()); return new Response(''); } }";
    let server = serving(
        &[
            ("dispatcher.js", dispatcher),
            ("outbound.js", THAT_SIGNS),
            ("user.js", USER_THAT_FETCHES),
            ("internet.js", internet),
            ("logs.js", logs),
        ],
        r#"
        [limits]
        cpu_ms = 10000
        [scripts.dispatcher]
        main = "dispatcher.js"
        bindings = [{ type = "dispatch_namespace", name = "dispatcher", namespace = "testing", outbound = { worker = { service = "outbound" }, params = [{ name = "params_object" }] } }]
        [scripts.outbound]
        main = "outbound.js"
        [scripts.internet]
        main = "internet.js"
        [scripts.logs]
        main = "logs.js"
        [namespaces.testing.scripts.api]
        main = "user.js"
        [namespaces.testing.scripts.shop]
        main = "user.js"
        [[routes]]
        pattern = "api.example.com/*"
        script = "dispatcher"
        [[routes]]
        pattern = "shop.example.com/*"
        script = "dispatcher"
        [[routes]]
        pattern = "example.com/*"
        script = "internet"
        [[routes]]
        pattern = "logs.example.com/*"
        script = "logs"
        "#,
    )
    .await;
    let signed = get(&server, "api.example.com", "/").await;
    assert_eq!(signed.text(), "user worker got \"Bearer token-of-api\" from fetch", "{}", server.log());
    let passed = get(&server, "shop.example.com", "/a").await;
    assert_eq!(passed.text(), "user worker got \"nobody\" from fetch", "{}", server.log());
    for told in [
        r#"told {"customer_name":"api","original_url":"http://api.example.com/"}"#,
        r#"told {"customer_name":"shop","original_url":"http://shop.example.com/a"}"#,
    ] {
        let escaped = told.replace('"', "\\\"");
        eventually("the log is told", || async { server.log().contains(&escaped).then_some(()) }).await;
    }
}
