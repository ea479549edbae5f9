// The Cache API, as far as nothing is kept: workerd has no cache of its own behind it.

const URL_ = "https://a.test/page";
const fresh = (more) => ({ headers: { "cache-control": "max-age=60", ...more } });
const said = async (work) => { try { return String(await work()); } catch (error) { return `${error.name}: ${error.message}`; } };
const put = (request, response) => said(() => caches.default.put(request, response));

export default {
  names: () => [String(caches), String(caches.default), caches.default === caches.default, caches instanceof CacheStorage, caches.default instanceof Cache],
  no_constructors: async () => [await said(() => new Cache()), await said(() => new CacheStorage())],
  opened: async () => [(await caches.open("a")) instanceof Cache, (await caches.open("")) instanceof Cache, await said(() => caches.open("a".repeat(1023))), await said(() => caches.open("a".repeat(1024)))],
  put_of_another_method: () => put(new Request(URL_, { method: "POST" }), new Response("x", fresh())),
  put_of_a_part: () => put(URL_, new Response("x", { ...fresh(), status: 206 })),
  put_that_varies_by_all: async () => [await put(URL_, new Response("x", fresh({ vary: "*" }))), await put(URL_, new Response("x", fresh({ vary: "accept, *" })))],
  put_of_an_error: () => put(URL_, Response.error()),
  put_of_a_304: async () => { const response = new Response(null, { status: 304 }); return [await put(URL_, response), response.bodyUsed]; },
  put_of_no_response: async () => [(await put(URL_, "x")).split(":")[0], (await put(URL_)).split(":")[0]],
  put_of_no_url: async () => (await put("page", new Response("x", fresh()))).split(":")[0],
  match_of_another_method: () => said(() => caches.default.match(new Request(URL_, { method: "POST" }))),
  delete_of_another_method: () => said(() => caches.default.delete(new Request(URL_, { method: "PUT" }))),
  options: async () => [await said(() => caches.default.match(new Request(URL_, { method: "POST" }), { ignoreSearch: true })), await said(() => caches.default.match(new Request(URL_, { method: "POST" }), {})), await said(() => caches.default.delete(new Request(URL_, { method: "POST" }), { ignoreVary: true }))],
  not_there: () => ["add", "addAll", "matchAll", "keys"].map((name) => typeof caches.default[name]),
};
