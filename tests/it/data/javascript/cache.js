// Every call of the Cache API, by the path.
const PIECE = 100_000;
const URL_ = "https://x.test/page";
const fresh = (more) => ({ headers: { "cache-control": "max-age=600", ...more } });
const failed = (promise) => promise.then((value) => `nothing: ${value}`, (error) => `${error.name}: ${error.message}`);
const open = () => caches.open("c");

function stream(pieces, ends = true) {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at < pieces) controller.enqueue(new Uint8Array(PIECE).fill(65 + at++ % 26));
      else if (ends) controller.close();
      else controller.error(new Error("no more"));
    },
  });
}

async function shown(response) {
  if (response === undefined) return null;
  const headers = {};
  for (const name of ["cf-cache-status", "age", "content-length", "content-range", "content-type", "etag", "set-cookie", "x-mine"]) {
    if (response.headers.has(name)) headers[name] = response.headers.get(name);
  }
  return [response.status, headers, await response.text()];
}

const tests = {
  async whole() {
    const cache = await open();
    const response = new Response("hello", fresh({ etag: '"1"', "x-mine": "é" }));
    const before = await cache.match(URL_);
    const put = await cache.put(URL_, response);
    return [
      before === undefined, put === undefined, response.bodyUsed, await shown(await cache.match(new Request(URL_))),
      await shown(await (await caches.open("c")).match(new URL(URL_))), (await (await caches.open("d")).match(URL_)) === undefined,
      await cache.delete(URL_), await cache.delete(URL_), (await cache.match(URL_)) === undefined,
    ];
  },
  async refused() {
    const cache = await open();
    const used = new Response("x", fresh());
    await used.text();
    return [
      await failed(cache.put(new Request(URL_, { method: "POST" }), new Response("x", fresh()))),
      await failed(cache.put(URL_, new Response("x", { ...fresh(), status: 206 }))),
      await failed(cache.put(URL_, new Response("x", fresh({ vary: "accept, *" })))),
      await failed(cache.put(URL_, Response.error())),
      await failed(cache.put(URL_, "x")),
      await failed(cache.put("nowhere", new Response("x", fresh()))),
      await failed(cache.put("data:text/plain,x", new Response("x", fresh()))),
      await failed(cache.put(URL_, used)),
      await failed(cache.match(URL_, { ignoreSearch: true })),
      await failed(caches.open("n".repeat(1024))),
      ["add", "addAll", "matchAll", "keys"].filter((name) => name in cache), ["match", "has", "delete", "keys"].filter((name) => name in caches),
      await failed((async () => new Cache())()),
      await failed(cache.put(URL_, new Response(null, { status: 304 }))),
      (await cache.match(URL_)) === undefined,
    ];
  },
  async left() {
    const cache = await open();
    const kept = [];
    for (const headers of [
      { "cache-control": "no-store" }, { "cache-control": "private, max-age=9" }, { "cache-control": "no-cache" }, { "cache-control": "max-age=0" },
      { "cache-control": "max-age=9", "set-cookie": "a=b" }, { expires: "0" }, {},
      { "cache-control": "max-age=9, private=Set-Cookie", "set-cookie": "a=b" }, { expires: "Thu, 01 Jan 2099 00:00:00 GMT" },
    ]) {
      await cache.put(URL_, new Response("x", { headers }));
      kept.push((await shown(await cache.match(URL_)))?.[1]["set-cookie"] ?? await cache.delete(URL_));
    }
    await cache.put(URL_, new Response("x", { status: 500 }));
    return [...kept, (await cache.match(URL_)) === undefined];
  },
  async methods() {
    const cache = await open();
    await cache.put(URL_, new Response("x", fresh()));
    const post = () => new Request(URL_, { method: "POST", body: "y" });
    return [
      (await cache.match(post())) === undefined, await shown(await cache.match(post(), { ignoreMethod: true })), await cache.delete(post()),
      await cache.delete(post(), { ignoreMethod: true }),
    ];
  },
  async varies() {
    const cache = await open();
    const to = (language) => new Request(URL_, { headers: { "accept-language": language } });
    for (const language of ["en", "fr"]) await cache.put(to(language), new Response(language, fresh({ vary: "Accept-Language" })));
    const found = [];
    for (const language of ["fr", "en", "de"]) found.push((await shown(await cache.match(to(language))))?.[2] ?? null);
    return [...found, await cache.delete(URL_), (await cache.match(to("fr"))) === undefined];
  },
  async parts() {
    const cache = await open();
    await cache.put(URL_, new Response("0123456789", fresh({ etag: '"1"', "last-modified": "Sun, 06 Nov 1994 08:49:37 GMT" })));
    const asked = async (headers) => shown(await cache.match(new Request(URL_, { headers })));
    return [
      await asked({ "if-none-match": '"1"' }), await asked({ "if-modified-since": "Sun, 06 Nov 1994 08:49:37 GMT" }),
      await asked({ range: "bytes=2-4" }), await asked({ range: "bytes=20-" }), await asked({ range: "bytes=2-4", "if-range": '"2"' }),
    ];
  },
  async streams() {
    const cache = await open();
    const sizes = [];
    await cache.put(URL_, new Response(stream(30), fresh()));
    const long = await cache.match(URL_);
    sizes.push(long.headers.get("content-length"), (await long.arrayBuffer()).byteLength);
    await cache.put(URL_, new Response(new Uint8Array(2_000_000), fresh()));
    sizes.push((await (await cache.match(URL_)).blob()).size);
    const twice = new Response(stream(3), fresh());
    const [, text] = await Promise.all([cache.put(URL_, twice.clone()), twice.text()]);
    sizes.push(text.length, (await (await cache.match(URL_)).text()) === text);
    const broken = await failed(cache.put("https://x.test/broken", new Response(stream(9, false), fresh())));
    return [...sizes, broken, (await cache.match("https://x.test/broken")) === undefined];
  },
  /** Fetched, kept, and handed on from the cache. */
  async origin(env, url) {
    const cache = await open();
    const from = url.searchParams.get("from");
    const kept = await cache.match(from);
    if (kept) return kept;
    const response = await fetch(from);
    await cache.put(from, new Response(response.body, { ...fresh(), status: response.status }));
    return ["fetched"];
  },
  async large(env, url) {
    const cache = await open();
    const pieces = Number(url.searchParams.get("pieces"));
    if (pieces) { await cache.put(URL_, new Response(stream(pieces), fresh())); return ["put"]; }
    return (await cache.match(URL_)) ?? ["none"];
  },
  async default() {
    const cache = caches.default;
    return [
      await failed(cache.put(URL_, new Response("x", fresh()))), await failed(cache.match(URL_).then(shown).then(JSON.stringify)), await failed(cache.delete(URL_)),
      cache === caches.default,
    ];
  },
  async keep(env, url) {
    await (await open()).put(URL_, new Response(url.searchParams.get("text"), fresh()));
    return ["kept"];
  },
  async found() {
    return [(await shown(await (await open()).match(URL_)))?.[2] ?? null];
  },
  async count() {
    const cache = await open();
    let calls = 0;
    for (; calls < 100; calls++) {
      // Those that a rule answers do not count.
      await cache.match(new Request(URL_, { method: "POST" }));
      const answer = await failed(cache.match(URL_));
      if (!answer.startsWith("nothing")) return [calls, answer];
    }
    return [calls];
  },
};

// At the top a cache can be named, and not used.
const atTheTop = caches.default;
const top = await failed((async () => atTheTop.match(URL_))());
tests.top = async () => [top, String(caches), String(atTheTop), typeof Cache, typeof CacheStorage];

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const said = await tests[url.pathname.slice(1)](env, url);
    return said instanceof Response ? said : Response.json(said);
  },
};
