// What a build of React Router (which Remix has become) is for a server: routes with loaders and actions, rendered.
import { renderToReadableStream } from "react-dom/server.edge";
import { Form, Links, Meta, Outlet, Scripts, ServerRouter, createRequestHandler, data, redirect, useActionData, useLoaderData, useRouteError } from "react-router";

const root = {
  default: () => <html lang="en"><head><Meta /><Links /></head><body><Outlet /><Scripts /></body></html>,
  meta: () => [{ title: "A shop" }],
  ErrorBoundary() { const error = useRouteError(); return <html><body>{`failed: ${error.status ?? ""} ${error.data ?? error.message}`}</body></html>; },
};
const home = { default: () => <h1>{useLoaderData().greeting}</h1>, loader: ({ request, context }) => ({ greeting: `hello from ${new URL(request.url).pathname}` }), headers: () => ({ "x-home": "yes" }) };
const item = {
  default() { const { id } = useLoaderData(); const done = useActionData(); return <><p>{`item ${id}`}</p>{done && <b>{`added ${done.count}`}</b>}<Form method="post"><input name="count" /></Form></>; },
  loader: ({ params }) => { if (params.id === "none") throw data("no such item", { status: 404 }); return { id: params.id }; },
  action: async ({ request }) => ({ count: (await request.formData()).get("count") }),
};
const away = { loader: () => redirect("/items/1") };
const raw = { loader: () => Response.json({ raw: true }) };
const route = (id, parentId, path, module, more = {}) => ({ id, parentId, path, module, ...more });
const routes = Object.fromEntries([route("root", undefined, "", root), route("home", "root", undefined, home, { index: true }), route("item", "root", "items/:id", item), route("away", "root", "away", away), route("raw", "root", "raw", raw)].map((each) => [each.id, each]));
const assetsOf = ({ id, parentId, path, index, module }) => [id, { id, parentId, path, index, hasAction: "action" in module, hasLoader: "loader" in module, hasClientAction: false, hasClientLoader: false, hasClientMiddleware: false, hasDefaultExport: "default" in module, hasErrorBoundary: "ErrorBoundary" in module, module: `/${id}.js`, imports: [] }];

const build = {
  entry: { module: { async default(request, status, headers, context) {
    const stream = await renderToReadableStream(<ServerRouter context={context} url={request.url} nonce="n" />, { onError() {} });
    await stream.allReady;
    headers.set("content-type", "text/html");
    return new Response(stream, { status, headers });
  } } },
  routes,
  assets: { version: "1", url: "/manifest.js", entry: { module: "/entry.js", imports: [] }, routes: Object.fromEntries(Object.values(routes).map(assetsOf)) },
  assetsBuildDirectory: "build", publicPath: "/", basename: "/", future: {}, ssr: true, isSpaMode: false, prerender: [], routeDiscovery: { mode: "initial" },
};
const handler = createRequestHandler(build, "production");

export default { fetch: (request) => handler(request) };

export const asks = [["/"], ["/items/7"], ["/items/none"], ["/away"], ["/raw"], ["/nothing"], ["/items/7.data"], ["/items/7", { method: "POST", form: { count: "3" } }]];
