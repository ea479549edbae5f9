// Runs one case of a group, and says what it gave: the same file runs in Wasmyard and in workerd.

import blob from "./blob.js";
import caching from "./caching.js";
import compression from "./compression.js";
import crypto from "./crypto.js";
import encoding from "./encoding.js";
import events from "./events.js";
import fetching from "./fetching.js";
import globals from "./globals.js";
import html from "./html.js";
import intl from "./intl.js";
import messages from "./messages.js";
import node from "./node.js";
import streams from "./streams.js";
import url from "./url.js";

const groups = { blob, caching, compression, crypto, encoding, events, fetching, globals, html, intl, messages, node, streams, url };

/** What JSON has no word for, in words. */
function plain(value) {
  if (value === undefined) return "undefined";
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "symbol" || typeof value === "function") return String(typeof value);
  if (typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0))) return Object.is(value, -0) ? "-0" : String(value);
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof ArrayBuffer) return `bytes ${hex(new Uint8Array(value))}`;
  if (ArrayBuffer.isView(value)) return `bytes ${hex(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))}`;
  if (value instanceof Error) return `${value.name}`;
  if (Array.isArray(value)) return value.map(plain);
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined).map(([key, item]) => [key, plain(item)]));
}

function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export default {
  async fetch(request, env, ctx) {
    const [, group, name] = new URL(request.url).pathname.split("/");
    if (!group) return Response.json(Object.entries(groups).flatMap(([group, cases]) => Object.keys(cases).map((name) => `${group}/${name}`)));
    if (group === "echo") return new Response(request.body, { headers: { "x-method": request.method, "x-type": request.headers.get("content-type") ?? "" } });
    try {
      return Response.json({ gave: plain(await groups[group][name]({ request, env, ctx })) });
    } catch (error) {
      return Response.json({ threw: error instanceof Error ? error.name : typeof error });
    }
  },
};
