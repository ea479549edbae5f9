// Headers, Request, Response.

const name = (work) => { try { return work(); } catch (error) { return error.name; } };
const asyncName = async (work) => { try { return await work(); } catch (error) { return error.name; } };

export default {
  headers: () => { const headers = new Headers({ "X-B": "2", "x-a": " 1 " }); headers.append("x-b", "3"); return [[...headers], headers.get("X-B"), headers.has("none"), headers.get("none")]; },
  headers_cookies: () => { const headers = new Headers(); headers.append("set-cookie", "a=1"); headers.append("Set-Cookie", "b=2"); return [headers.getSetCookie(), headers.get("set-cookie"), [...headers]]; },
  headers_of: () => [[...new Headers([["a", "1"], ["a", "2"]])], [...new Headers(new Map([["b", "1"]]))], [...new Headers(new Headers({ c: 1 }))], [...new Headers(undefined)]],
  headers_broken: () => [() => new Headers({ "a b": "1" }), () => new Headers({ a: "\n" + "x\ny" }), () => new Headers([["a"]]), () => new Headers("a"), () => new Headers(null), () => new Headers({ "": "x" }), () => new Headers().append("a"), () => new Headers({ a: "\u0100" }).get("a")].map((each) => name(() => { const made = each(); return made instanceof Headers ? "taken" : made; })),
  headers_delete: () => { const headers = new Headers({ a: 1, b: 2 }); headers.delete("A"); headers.set("b", "x"); headers.set("B", "y"); return [...headers]; },
  headers_tag: () => [Object.prototype.toString.call(new Headers()), [...new Headers({ b: 1, a: 2 }).keys()], [...new Headers({ b: 1, a: 2 }).values()]],
  request: () => { const request = new Request("https://a.test/x", { method: "post", body: "b", headers: { a: 1 } }); return [request.method, request.url, [...request.headers], request.redirect, request.bodyUsed, request.signal instanceof AbortSignal]; },
  request_methods: () => ["get", "Post", "patch", "CUSTOM", "a b", "CONNECT", "TRACE"].map((method) => name(() => new Request("https://a.test/", { method }).method)),
  request_of_a_request: async () => { const first = new Request("https://a.test/", { method: "PUT", body: "x", headers: { a: 1 } }); const second = new Request(first, { headers: { b: 2 } }); return [second.method, [...second.headers], await second.text(), first.bodyUsed]; },
  request_broken: () => [() => new Request("nonsense"), () => new Request("https://a.test/", { body: "x" }), () => new Request("https://a.test/", { method: "HEAD", body: "x" }), () => new Request("https://a.test/", { redirect: "strange" }), () => new Request("https://a.test/", { redirect: "error" }), () => new Request(), () => new Request("https://u:p@a.test/")].map((each) => name(() => each() instanceof Request)),
  request_clone: async () => { const request = new Request("https://a.test/", { method: "POST", body: "x" }); const clone = request.clone(); return [await request.text(), await clone.text(), await asyncName(async () => request.clone() && "taken")]; },
  request_types: () => ["text", new URLSearchParams("a=1"), new Blob(["x"], { type: "a/b" }), new Blob(["x"]), new Uint8Array(1), new ArrayBuffer(1)].map((body) => new Request("https://a.test/", { method: "POST", body }).headers.get("content-type")),
  response: async () => { const response = new Response("b", { status: 201, statusText: "Made", headers: { a: 1 } }); return [response.status, response.statusText, response.ok, response.type, response.url, response.redirected, [...response.headers], await response.text(), response.bodyUsed]; },
  response_status: () => [100, 101, 199, 200, 204, 205, 304, 599, 600, 999, "201", NaN].map((status) => name(() => new Response(null, { status }).status)),
  response_null_status: () => [204, 205, 304].map((status) => name(() => new Response("x", { status }).status)),
  response_status_text: () => name(() => new Response(null, { statusText: "\n" }).statusText),
  response_json: async () => { const response = Response.json({ a: [1] }, { status: 202, headers: { b: 1 } }); return [response.status, [...response.headers], await response.text(), name(() => Response.json(undefined)), name(() => Response.json(1n))]; },
  response_redirect: () => { const response = Response.redirect("https://a.test/x", 307); return [response.status, response.headers.get("location"), name(() => Response.redirect("https://a.test/", 200)), name(() => Response.redirect("nonsense"))]; },
  response_error: () => { const response = Response.error(); return [response.status, response.type, response.ok]; },
  response_clone: async () => { const response = new Response("x", { status: 201, statusText: "y" }); const clone = response.clone(); return [clone.status, clone.statusText, await clone.text(), await response.text()]; },
  response_types: () => ["text", new URLSearchParams("a=1"), new Blob(["x"], { type: "a/b" }), new Uint8Array(1), null].map((body) => new Response(body).headers.get("content-type")),
  response_of_strange: async () => Promise.all([5, {}, true, [1]].map((body) => new Response(body).text())),
  read_as: async () => [await new Response("[1]").json(), await new Response("é").arrayBuffer(), await new Response("é").bytes(), (await new Response("a", { headers: { "content-type": "x/y" } }).blob()).type, await new Response(null).text(), await new Response().arrayBuffer()],
  read_bom: async () => [(await new Response(new Uint8Array([0xef, 0xbb, 0xbf, 0x41])).text()).length, await asyncName(() => new Response(new Uint8Array([0xef, 0xbb, 0xbf, 0x31])).json())],
  read_broken_json: () => asyncName(() => new Response("{").json()),
  read_nothing_as_json: () => asyncName(() => new Response(null).json()),
  immutable: async ({ request }) => [name(() => request.headers.set("a", "1")), name(() => Response.redirect("https://a.test/").headers.set("a", "1"))],
  fetch_nonsense: async () => [await asyncName(() => fetch("nonsense")), await asyncName(() => fetch("ftp://a.test/"))],
  fetch_data: async () => asyncName(async () => (await fetch("data:text/plain,hello")).text()),
  tags: () => [new Request("https://a.test/"), new Response()].map((each) => Object.prototype.toString.call(each)),
  accessors: () => ["cache", "credentials", "destination", "integrity", "mode", "referrer", "keepalive", "duplex"].map((each) => String(new Request("https://a.test/")[each])),
};
