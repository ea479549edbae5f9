// A customer's worker: greets with its own variable, and asks somebody outside.

import { page } from "./lib/page.js";

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname === "/outside") {
      const answer = await fetch("https://api.example.com/items", { headers: { accept: "application/json" } });
      return new Response(`the outside says ${await answer.text()}\n`);
    }
    return new Response(page(env.GREETING ?? "Hello", pathname));
  },
};
