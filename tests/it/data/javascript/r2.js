// Every call of an R2 binding, by the path.
const PIECE = 100_000;

function stream(pieces) {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at === pieces) return controller.close();
      controller.enqueue(new Uint8Array(PIECE).fill(65 + at++));
    },
  });
}

const shown = (object) => object && {
  key: object.key, size: object.size, etag: object.etag, httpEtag: object.httpEtag, version: typeof object.version,
  uploaded: object.uploaded instanceof Date, httpMetadata: object.httpMetadata, customMetadata: object.customMetadata,
  checksums: object.checksums.toJSON(), storageClass: object.storageClass, range: object.range,
};
const failed = async (promise) => promise.then(() => "nothing", (error) => error.message);

const tests = {
  async whole({ B }) {
    const made = await B.put("a/å b", "hello", {
      httpMetadata: { contentType: "text/plain", cacheExpiry: new Date(86_400_000) }, customMetadata: { by: "me" },
      sha1: "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d",
    });
    const got = await B.get("a/å b");
    const headers = new Headers();
    got.writeHttpMetadata(headers);
    return [shown(made), shown(got), await got.text(), got.bodyUsed, [...headers], shown(await B.head("a/å b")), await B.get("none"), await B.head("none")];
  },
  async values({ B }) {
    const read = async (value) => { await B.put("v", value); return (await B.get("v")).text(); };
    return [
      await read("text"), await read(new TextEncoder().encode("buffer").buffer), await read(new Uint8Array([120, 97, 98]).subarray(1)),
      await read(new Blob(["blob"])), await read(null), await read(new Response("body").body),
      await failed(B.put("v", 7)), await (await B.get("v")).json().catch((error) => error.name),
    ];
  },
  async streams({ B }) {
    const made = await B.put("long", stream(10), { md5: undefined });
    const object = await B.get("long");
    let [bytes, last] = [0, 0];
    for await (const chunk of object.body) { bytes += chunk.byteLength; last = chunk.at(-1); }
    const copied = await B.put("copy", (await B.get("long")).body);
    return [made.size, bytes, last, copied.etag === made.etag, await failed(object.text())];
  },
  async breaks({ B }) {
    const broken = new ReadableStream({ pull(controller) { controller.error(new Error("no more")); } });
    return [await failed(B.put("broken", broken)), await B.head("broken")];
  },
  async ranges({ B }) {
    await B.put("r", "0123456789");
    const read = async (range) => { const object = await B.get("r", { range }); return [await object.text(), object.range, object.size]; };
    return [
      await read({ offset: 2, length: 3 }), await read({ offset: 7 }), await read({ suffix: 2 }),
      await read(new Headers({ range: "bytes=1-3" })), await failed(B.get("r", { range: { offset: 10 } })),
    ];
  },
  async conditions({ B }) {
    const made = await B.put("c", "x");
    const without = await B.get("c", { onlyIf: { etagDoesNotMatch: made.etag } });
    const byHeaders = await B.get("c", { onlyIf: new Headers({ "if-none-match": made.httpEtag }) });
    return [
      "body" in without, without.key, "body" in byHeaders, await (await B.get("c", { onlyIf: { etagMatches: made.etag } })).text(),
      await B.put("c", "y", { onlyIf: { etagMatches: "other" } }), await B.put("c", stream(3), { onlyIf: { etagMatches: "other" } }),
      await (await B.get("c")).text(), await B.get("c", { onlyIf: { uploadedAfter: new Date(Date.now() + 60_000) } }).then((object) => "body" in object),
    ];
  },
  async checksums({ B }) {
    return [
      await failed(B.put("s", "x", { md5: "00000000000000000000000000000000" })),
      await failed(B.put("s", "x", { md5: "00", sha1: "00" })),
      await failed(B.put("s", "x", { md5: new Uint8Array(16), sha1: new Uint8Array(20) })),
      await B.head("s"),
    ];
  },
  async lists({ B }) {
    for (const key of ["l/a", "l/b/1", "l/b/2", "l/c"]) await B.put(key, key, { customMetadata: { key } });
    const page = await B.list({ prefix: "l/", delimiter: "/", limit: 2 });
    const next = await B.list({ prefix: "l/", delimiter: "/", cursor: page.cursor });
    await B.delete(["l/a", "l/b/1"]);
    await B.delete("l/b/2");
    const left = await B.list({ prefix: "l/", include: ["customMetadata"] });
    return [
      page.objects.map((object) => object.key), page.delimitedPrefixes, page.truncated, next.objects.map((object) => object.key),
      next.truncated, left.objects.map((object) => [object.key, object.customMetadata.key]),
    ];
  },
  async parts({ B }) {
    const upload = await B.createMultipartUpload("m", { httpMetadata: { contentType: "x/y" }, customMetadata: { a: "b" } });
    const resumed = B.resumeMultipartUpload("m", upload.uploadId);
    const parts = [await resumed.uploadPart(1, new Uint8Array(5 << 20)), await upload.uploadPart(2, stream(2))];
    const early = await B.head("m");
    const object = await resumed.complete(parts);
    const read = await B.get("m", { range: { offset: (5 << 20) - 1, length: 3 } });
    const other = await B.createMultipartUpload("n");
    await other.uploadPart(1, "x");
    await other.abort();
    const small = await B.createMultipartUpload("n");
    const both = [await small.uploadPart(1, "x"), await small.uploadPart(2, "y")];
    return [
      early, object.size, object.etag.endsWith("-2"), object.httpMetadata, object.customMetadata, [...new Uint8Array(await read.arrayBuffer())],
      await failed(other.uploadPart(2, "x")), (await failed(small.complete(both))).includes("10011"), await failed(small.uploadPart(0, "x")),
    ];
  },
  async counted({ B }) {
    let count = 0;
    const error = await failed((async () => { for (;;) { await B.head("x"); count++; } })());
    return [count, error];
  },
};

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    if (url.pathname === "/send") { const object = await env.B.get(url.searchParams.get("key")); return new Response(object.body, { headers: { etag: object.httpEtag } }); }
    if (url.pathname === "/take") return new Response(String((await env.B.put("taken", request.body)).size));
    if (url.pathname === "/what") return new Response(typeof env.B);
    return Response.json(await tests[url.pathname.slice(1)](env));
  },
};
