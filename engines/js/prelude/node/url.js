// node:url: the URL standard, and of the older functions what is written with it.

import { URL, URLSearchParams } from "../url.js";
import { querystring } from "./querystring.js";

const invalid = (message, code) => Object.assign(new TypeError(message), { code });

function fileURLToPath(url) {
  const parsed = typeof url === "string" ? new URL(url) : url;
  if (parsed.protocol !== "file:") throw invalid("The URL must be of scheme file", "ERR_INVALID_URL_SCHEME");
  if (parsed.hostname) throw invalid('File URL host must be "localhost" or empty on linux', "ERR_INVALID_FILE_URL_HOST");
  if (/%2f/i.test(parsed.pathname)) throw invalid("File URL path must not include encoded / characters", "ERR_INVALID_FILE_URL_PATH");
  return decodeURIComponent(parsed.pathname);
}

function pathToFileURL(path) {
  const absolute = path.startsWith("/") ? path : `/bundle/${path}`;
  return new URL(`file://${absolute.replace(/%/g, "%25").replace(/\\/g, "%5C").replace(/\n/g, "%0A").replace(/\r/g, "%0D").replace(/\t/g, "%09").replace(/\?/g, "%3F").replace(/#/g, "%23")}`);
}

const hostOf = (domain) => URL.parse(`http://${domain}`)?.hostname ?? "";

/** The parts of a URL by their older names. */
function parse(text, parseQuery = false) {
  const url = URL.parse(String(text));
  const relative = url ? null : /^([^?#]*)(\?[^#]*)?(#.*)?$/s.exec(String(text));
  const search = url ? url.search || null : relative[2] ?? null;
  const query = search ? search.slice(1) : null;
  const pathname = url ? url.pathname : relative[1] || null;
  return {
    protocol: url?.protocol ?? null, slashes: url ? url.href.startsWith(`${url.protocol}//`) || null : null,
    auth: url?.username ? decodeURIComponent(url.username) + (url.password ? `:${decodeURIComponent(url.password)}` : "") : null,
    host: url?.host ?? null, port: url?.port || null, hostname: url?.hostname ?? null, hash: (url ? url.hash : relative[3]) || null, search,
    query: parseQuery ? querystring.parse(query ?? "") : query, pathname, path: (pathname ?? "") + (search ?? "") || null, href: url?.href ?? String(text),
  };
}

function format(url, options) {
  if (typeof url === "string") return URL.parse(url)?.href ?? url;
  if (url instanceof URL) {
    const made = new URL(url.href);
    if (options?.auth === false) { made.username = ""; made.password = ""; }
    if (options?.fragment === false) made.hash = "";
    if (options?.search === false) made.search = "";
    return made.href;
  }
  const protocol = url.protocol ? (url.protocol.endsWith(":") ? url.protocol : `${url.protocol}:`) : "";
  const host = url.host ?? (url.hostname ? `${url.hostname}${url.port ? `:${url.port}` : ""}` : "");
  const query = url.search ?? (url.query && typeof url.query === "object" ? querystring.stringify(url.query) : url.query ?? "");
  const search = query && !query.startsWith("?") ? `?${query}` : query;
  const hash = url.hash && !url.hash.startsWith("#") ? `#${url.hash}` : url.hash ?? "";
  const slashes = host && (url.slashes || /^(https?|ftp|wss?|file):$/.test(protocol) || protocol === "") ? "//" : "";
  const path = url.pathname && host && !url.pathname.startsWith("/") ? `/${url.pathname}` : url.pathname ?? "";
  return `${protocol}${slashes}${url.auth ? `${encodeURIComponent(url.auth).replace(/%3A/i, ":")}@` : ""}${host}${path}${search}${hash}`;
}

function resolve(from, to) {
  const base = new URL(from, "resolve://");
  const made = new URL(to, base);
  return made.protocol === "resolve:" ? made.pathname + made.search + made.hash : made.href;
}

export const url = {
  URL, URLSearchParams, fileURLToPath, pathToFileURL, domainToASCII: hostOf, parse, format, resolve,
  urlToHttpOptions: (from) => ({ protocol: from.protocol, hostname: from.hostname, hash: from.hash, search: from.search, pathname: from.pathname, path: from.pathname + from.search, href: from.href, ...(from.port ? { port: Number(from.port) } : {}) }),
};
