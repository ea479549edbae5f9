// The console: lines in the script's log.

import { host } from "./host.js";

function quote(text) {
  const inner = JSON.stringify(text).slice(1, -1);
  return text.includes("'") && !text.includes('"') ? `"${inner}"` : `'${inner.replace(/\\"/g, '"').replace(/'/g, "\\'")}'`;
}

/** A value as people read it. */
export function inspect(value, depth = 0, seen = []) {
  switch (typeof value) {
    case "string": return depth === 0 ? value : quote(value);
    case "bigint": return `${value}n`;
    case "symbol": return value.toString();
    case "function": return value.name ? `[Function: ${value.name}]` : "[Function]";
    case "object": break;
    default: return String(value);
  }
  if (value === null) return "null";
  if (seen.includes(value)) return "[Circular]";
  if (value instanceof Error) {
    const stack = value.stack ? `\n${String(value.stack).trimEnd()}` : "";
    return `${value.name}: ${value.message}${stack}`;
  }
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString();
  if (value instanceof RegExp) return String(value);
  if (depth > 4) return Array.isArray(value) ? "[Array]" : "[Object]";
  const inside = [...seen, value];
  const deeper = (inner) => inspect(inner, depth + 1, inside);
  if (Array.isArray(value)) return `[ ${value.slice(0, 100).map(deeper).join(", ")} ]`.replace("[  ]", "[]");
  if (value instanceof Map) return `Map(${value.size}) { ${[...value].map(([key, item]) => `${deeper(key)} => ${deeper(item)}`).join(", ")} }`;
  if (value instanceof Set) return `Set(${value.size}) { ${[...value].map(deeper).join(", ")} }`;
  if (ArrayBuffer.isView(value)) return `${value.constructor?.name}(${value.length ?? value.byteLength}) [ ${[...(value.slice?.(0, 50) ?? [])].join(", ")} ]`;
  const entries = typeof value.entries === "function" && value[Symbol.toStringTag] ? [...value.entries()] : Object.entries(value);
  const name = value.constructor?.name;
  const body = entries.slice(0, 100).map(([key, item]) => `${/^[A-Za-z_$][\w$]*$/.test(key) ? key : quote(String(key))}: ${deeper(item)}`).join(", ");
  return `${name && name !== "Object" ? `${name} ` : ""}${body ? `{ ${body} }` : "{}"}`;
}

export function formatArgs(args) {
  if (typeof args[0] !== "string" || !args[0].includes("%")) return args.map((value) => inspect(value)).join(" ");
  let next = 1;
  const text = args[0].replace(/%([sdifjoOc%])/g, (match, kind) => {
    if (kind === "%") return "%";
    if (next >= args.length) return match;
    const value = args[next++];
    switch (kind) {
      case "s": return typeof value === "string" ? value : inspect(value, 1);
      case "d": case "i": return String(kind === "i" ? Math.trunc(Number(value)) : Number(value));
      case "f": return String(Number(value));
      case "j": return JSON.stringify(value);
      case "c": return "";
      default: return inspect(value, 1);
    }
  });
  return [text, ...args.slice(next).map((value) => inspect(value))].join(" ");
}

const write = (level) => (...args) => {
  let text;
  try {
    text = formatArgs(args);
  } catch (error) {
    text = `(what was logged cannot be shown: ${error?.message})`;
  }
  host.log(level, text.toWellFormed());
};

const counts = new Map();
const log = write("log");
const error = write("error");

export const console = {
  log, error, info: write("info"), debug: write("debug"), warn: write("warn"), trace: error, dir: log, dirxml: log, table: log,
  assert(condition, ...args) { if (!condition) error("Assertion failed", ...args); },
  count(label = "default") { counts.set(label, (counts.get(label) ?? 0) + 1); log(`${label}: ${counts.get(label)}`); },
  countReset(label = "default") { counts.delete(label); },
  group: log, groupCollapsed: log, groupEnd() {}, clear() {},
  time() {}, timeEnd() {}, timeLog() {}, timeStamp() {},
};
