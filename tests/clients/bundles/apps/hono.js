import { Hono } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { cors } from "hono/cors";
import { etag } from "hono/etag";
import { HTTPException } from "hono/http-exception";
import { basicAuth } from "hono/basic-auth";
import { html } from "hono/html";
import { stream } from "hono/streaming";
import { validator } from "hono/validator";
import { sign, verify } from "hono/jwt";

const app = new Hono();
app.use("/api/*", cors({ origin: "https://shop.example" }));
app.use("/tagged", etag());
app.use("/private/*", basicAuth({ username: "alice", password: "open sesame" }));
app.get("/", (c) => c.text(`hello ${c.env.NAME ?? "nobody"}`));
app.get("/users/:id{[0-9]+}", (c) => c.json({ id: Number(c.req.param("id")), q: c.req.query("q") ?? null, all: c.req.queries("t") ?? [] }));
app.get("/files/*", (c) => c.text(c.req.path));
app.post("/api/items", async (c) => c.json({ got: await c.req.json() }, 201));
app.post("/form", async (c) => { const form = await c.req.parseBody(); return c.json({ a: form.a, file: form.file instanceof File ? `${form.file.name} ${await form.file.text()}` : null }); });
app.post("/checked", validator("json", (value, c) => (typeof value.n === "number" ? value : c.text("no number", 400))), (c) => c.json(c.req.valid("json")));
app.get("/cookies", (c) => { setCookie(c, "seen", "yes", { path: "/", httpOnly: true, maxAge: 60 }); return c.text(getCookie(c, "seen") ?? "none"); });
app.get("/tagged", (c) => c.text("with a tag"));
app.get("/page", (c) => c.html(html`<p>${"<escaped>"}</p>`));
app.get("/stream", (c) => stream(c, async (out) => { for (const part of ["one ", "two ", "three"]) await out.write(part); }));
app.get("/private/room", (c) => c.text("inside"));
app.get("/jwt", async (c) => { const token = await sign({ sub: "a", exp: 4102444800 }, "secret", "HS256"); return c.json([token, await verify(token, "secret", "HS256")]); });
app.get("/gone", () => { throw new HTTPException(410, { message: "gone for good" }); });
app.get("/broken", () => { throw new TypeError("broken"); });
app.onError((error, c) => (error instanceof HTTPException ? error.getResponse() : c.text(`caught ${error.name}`, 500)));
app.notFound((c) => c.text("nothing here", 404));
const inner = new Hono().basePath("/inner");
inner.get("/a", (c) => c.text("inner a"));
app.route("/", inner);

export default app;

export const asks = [
  ["/"], ["/users/7?q=x&t=1&t=2"], ["/users/seven"], ["/files/a/b.txt"], ["/inner/a"], ["/page"], ["/stream"], ["/jwt"], ["/gone"], ["/broken"],
  ["/api/items", { method: "POST", body: '{"a":[1,2]}', headers: { "content-type": "application/json", origin: "https://shop.example" } }],
  ["/api/items", { method: "OPTIONS", headers: { origin: "https://shop.example", "access-control-request-method": "POST" } }],
  ["/form", { method: "POST", form: { a: "b", file: ["n.txt", "content"] } }],
  ["/checked", { method: "POST", body: '{"n":5}', headers: { "content-type": "application/json" } }],
  ["/checked", { method: "POST", body: '{"n":"5"}', headers: { "content-type": "application/json" } }],
  ["/cookies"], ["/cookies", { headers: { cookie: "seen=before; other=1" } }],
  ["/tagged"], ["/tagged", { headers: { "if-none-match": '"d0bd2ad9d5b1ac4ecf1d7f06f9e57ec0b0c5e8b6"' } }],
  ["/private/room"], ["/private/room", { headers: { authorization: `Basic ${btoa("alice:open sesame")}` } }],
];
