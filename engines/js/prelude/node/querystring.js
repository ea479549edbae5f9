// node:querystring.

const unescape = (text) => { try { return decodeURIComponent(text); } catch { return text.replace(/%([0-9a-fA-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16))); } };
const escape = (text) => encodeURIComponent(String(text).toWellFormed());

const text = (value) => (typeof value === "string" || typeof value === "boolean" || typeof value === "bigint" || (typeof value === "number" && Number.isFinite(value)) ? String(value) : "");

function stringify(object, separator = "&", equals = "=", options) {
  if (typeof object !== "object" || object === null) return "";
  const written = options?.encodeURIComponent ?? querystring.escape;
  return Object.keys(object).flatMap((key) => {
    const values = Array.isArray(object[key]) ? object[key] : [object[key]];
    return values.map((value) => `${written(key)}${equals}${written(text(value))}`);
  }).join(separator);
}

function parse(query, separator = "&", equals = "=", options) {
  const made = Object.create(null);
  if (typeof query !== "string" || query === "") return made;
  const read = options?.decodeURIComponent ?? querystring.unescape;
  const most = options?.maxKeys ?? 1000;
  const pairs = query.split(separator);
  for (const pair of most > 0 ? pairs.slice(0, most) : pairs) {
    if (!pair) continue;
    const at = pair.indexOf(equals);
    const [key, value] = (at < 0 ? [pair, ""] : [pair.slice(0, at), pair.slice(at + equals.length)]).map((each) => read(each.replace(/\+/g, " ")));
    if (!(key in made)) made[key] = value;
    else if (Array.isArray(made[key])) made[key].push(value);
    else made[key] = [made[key], value];
  }
  return made;
}

export const querystring = { parse, decode: parse, stringify, encode: stringify, escape, unescape };
