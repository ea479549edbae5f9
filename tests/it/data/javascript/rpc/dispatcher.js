// Calls methods of the scripts of a namespace.

import { WorkerEntrypoint, RpcTarget } from "cloudflare:workers";
class Door extends RpcTarget {
  #secret = "SECRET";
  secret = "SECRET field";
  open() { return "opened"; }
}
export default {
  async fetch(request, env, ctx) {
    const [, work, ...rest] = new URL(request.url).pathname.split("/");
    const user = (limits) => env.NS.get(rest[0], {}, { limits });
    try {
      switch (work) {
        case "call": return Response.json({ gave: await user()[rest[1]](...rest.slice(2)) });
        case "limited": return Response.json({ gave: await user({ cpuMs: 20 }).spin() });
        case "twice": return Response.json({ gave: [await user().add(1, 2), await user().add(3, 4)] });
        case "lend": return Response.json({ gave: await user().pries(new Door(), () => "called back") });
        case "hold": { using counter = await user().counter(); return Response.json({ gave: [await counter.next(), await counter.next()] }); }
        case "proxy": return await user().fetch(request);
        case "caught": return Response.json({ gave: await user().answers().catch((error) => error.message) });
      }
    } catch (error) {
      return Response.json({ threw: [error.name, error.message] }, { status: 500 });
    }
  },
};
