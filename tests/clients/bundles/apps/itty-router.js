import { AutoRouter, cors, error, json, text, withParams } from "itty-router";

const { preflight, corsify } = cors({ origin: "https://shop.example" });
const router = AutoRouter({ base: "/v1", before: [preflight, withParams], finally: [corsify] });
router
  .get("/items/:id", ({ id, query }) => ({ id, query }))
  .get("/greedy/:path+", ({ path }) => ({ path }))
  .get("/optional/:a?", ({ a }) => ({ a: a ?? null }))
  .get("/file.:extension", ({ extension }) => ({ extension }))
  .post("/echo", async (request) => json(await request.json(), { status: 202 }))
  .get("/text", () => text("text"))
  .get("/refused", () => error(418, "short and stout"))
  .get("/thrown", () => { throw new Error("thrown"); });

export default { fetch: (request, ...rest) => router.fetch(request, ...rest) };

export const asks = [
  ["/v1/items/5?a=1&b=2&b=3"], ["/v1/greedy/a/b/c"], ["/v1/optional"], ["/v1/optional/x"], ["/v1/file.txt"], ["/v1/text"], ["/v1/refused"], ["/v1/thrown"], ["/v1/nothing"], ["/items/5"],
  ["/v1/echo", { method: "POST", body: '{"deep":{"er":[true,null]}}', headers: { "content-type": "application/json", origin: "https://shop.example" } }],
  ["/v1/items/5", { method: "OPTIONS", headers: { origin: "https://shop.example" } }],
];
