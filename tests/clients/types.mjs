// The types of `sdk/js`, held to what a running server has: each global, and each member of each class, in both directions; what
// docs/javascript.md lists; a worker in TypeScript, and the template in JavaScript with what `wasmyard types` writes for it.
//
// Usage: types.mjs API VISITORS; WASMYARD_TYPESCRIPT is the folder of the package typescript, WASMYARD_PROGRAM the program,
// WASMYARD_API_TOKEN the token.

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import assert from "node:assert/strict";

const ts = createRequire(import.meta.url)(process.env.WASMYARD_TYPESCRIPT);
const [api, visitors] = process.argv.slice(2);
const here = import.meta.dirname;
const sdk = resolve(here, "../../sdk/js");
const folder = mkdtempSync(join(tmpdir(), "wasmyard-types-"));

/** What a script sees: the names of globals, and the members of what they are. */
const LOOKS = `
const members = (object) => {
  const names = new Set();
  for (let at = object; at && at !== Object.prototype && at !== Function.prototype; at = Object.getPrototypeOf(at)) {
    for (const name of Object.getOwnPropertyNames(at)) names.add(name);
  }
  return [...names];
};
const about = (value) => {
  if (typeof value === "function" && value.prototype && Object.getOwnPropertyDescriptor(value, "prototype").writable === false) {
    return { statics: members(value), members: members(value.prototype) };
  }
  return typeof value === "object" && value !== null ? { members: members(value) } : {};
};
export default {
  fetch() {
    const found = {};
    for (const name of members(globalThis)) found[name] = about(globalThis[name]);
    for (const name of Object.getOwnPropertyNames(WebAssembly)) found["WebAssembly." + name] = about(WebAssembly[name]);
    return Response.json(found);
  },
};`;

async function looked() {
  const form = new FormData();
  form.set("metadata", JSON.stringify({ main_module: "worker.js" }));
  form.set("worker.js", new Blob([LOOKS], { type: "application/javascript+module" }), "worker.js");
  const headers = { authorization: `Bearer ${process.env.WASMYARD_API_TOKEN}` };
  const put = await fetch(`${api}/accounts/local/workers/scripts/types`, { method: "PUT", headers, body: form });
  assert.equal(put.status, 200, await put.text());
  const { hostname, port } = new URL(visitors);
  return new Promise((done, failed) => {
    http.get({ hostname, port, path: "/", headers: { host: "types.test" } }, async (response) => {
      let text = "";
      for await (const piece of response.setEncoding("utf8")) text += piece;
      done(JSON.parse(text));
    }).on("error", failed);
  });
}

const OPTIONS = {
  target: ts.ScriptTarget.ES2024, lib: ["lib.esnext.d.ts"], types: [], module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler, strict: true, noEmit: true,
};
const TYPES = ts.sys.readDirectory(sdk, [".d.ts"]);

/** What the compiler says of files. */
function said(files, options) {
  const program = ts.createProgram(files, { ...OPTIONS, ...options });
  const host = { getCurrentDirectory: () => folder, getCanonicalFileName: (name) => name, getNewLine: () => "\n" };
  return ts.formatDiagnostics(ts.getPreEmitDiagnostics(program), host);
}

/** The type of a value by its name, `WebAssembly.Module` among them; undefined where there is none. */
function find(checker, name) {
  const [first, second] = name.split(".");
  const symbol = checker.resolveName(first, undefined, ts.SymbolFlags.Value, false);
  if (!symbol || second === undefined) return symbol;
  return checker.getExportsOfModule(symbol).find((each) => each.name === second && each.flags & ts.SymbolFlags.Value);
}

const shown = (names) => [...names].filter((name) => !name.startsWith("_") && !["constructor", "prototype", "length", "name"].includes(name)).sort();

/** Names that are the language's, where the compiler's library does not have them yet. */
const OF_THE_LANGUAGE = new Set(["Float16Array", "Iterator", "AsyncDisposableStack", "DisposableStack", "SuppressedError", "InternalError", "escape", "unescape"]);
/** Of these only what workers use is declared. */
const IN_PART = new Set(["Buffer", "process", "global", "globalThis", "self"]);

function compare(found) {
  const ours = ts.createProgram(TYPES, OPTIONS).getTypeChecker();
  const empty = join(folder, "empty.ts");
  ts.sys.writeFile(empty, "");
  const plain = ts.createProgram([empty], OPTIONS).getTypeChecker();
  const faults = [];
  let checked = 0;
  for (const [name, { members, statics }] of Object.entries(found)) {
    if (name.startsWith("WebAssembly.") ? false : find(plain, name) || OF_THE_LANGUAGE.has(name)) continue;
    const symbol = find(ours, name);
    checked++;
    if (!symbol) { faults.push(`${name} has no type`); continue; }
    if (IN_PART.has(name) || !members) continue;
    const type = ours.getTypeOfSymbol(symbol);
    const made = statics ? ours.getDeclaredTypeOfSymbol(symbol) : type;
    const declared = new Set(made.getProperties().filter((each) => !each.valueDeclaration || !(ts.getCombinedModifierFlags(each.valueDeclaration) & ts.ModifierFlags.Private)).map((each) => each.name).filter((each) => !each.startsWith("__@")));
    const isError = symbol.name.endsWith("Error") || name === "DOMException";
    for (const each of shown(members)) if (!declared.has(each) && !isError) faults.push(`${name}.prototype.${each} has no type`);
    for (const each of declared) if (!members.includes(each) && !isError) faults.push(`${name}.prototype.${each} is declared and not there`);
    if (!statics) continue;
    const declaredStatics = new Set(type.getProperties().map((each) => each.name));
    for (const each of shown(statics)) if (!declaredStatics.has(each) && !isError) faults.push(`${name}.${each} has no type`);
    for (const each of shown(declaredStatics)) if (!statics.includes(each) && !isError) faults.push(`${name}.${each} is declared and not there`);
  }
  // Everything that is declared has to be there.
  for (const symbol of ours.getSymbolsInScope(ts.createSourceFile("x.ts", "", OPTIONS.target), ts.SymbolFlags.Value)) {
    const file = symbol.valueDeclaration?.getSourceFile().fileName;
    if (file?.startsWith(sdk) && !symbol.name.startsWith('"') && !(symbol.name in found)) faults.push(`${symbol.name} is declared and not there`);
  }
  assert.equal(faults.join("\n"), "");
  return checked;
}

/** Every name that the page says is there has a type. */
function ofThePage() {
  const page = readFileSync(join(here, "../../docs/javascript.md"), "utf8");
  const table = page.split("| name of the minimum common API |")[1].split("\n\n")[0].split("\n").slice(2);
  const names = table.filter((row) => !row.includes("| not there |")).flatMap((row) => [...row.split(" | ")[0].matchAll(/`([^`]+)`/g)].map((match) => match[1]));
  assert.ok(names.length > 60, `${names.length} names`);
  const lines = names.map((name, at) => `export const v${at}: unknown = ${name};`);
  const file = join(folder, "page.ts");
  ts.sys.writeFile(file, lines.join("\n"));
  assert.equal(said([file, ...TYPES]), "");
  return names.length;
}

try {
  const globals = compare(await looked());
  const names = ofThePage();
  // As a project has it: a package, by its name.
  mkdirSync(join(folder, "project/node_modules/@wasmyard"), { recursive: true });
  symlinkSync(sdk, join(folder, "project/node_modules/@wasmyard/types"));
  cpSync(join(here, "types/worker.ts"), join(folder, "project/worker.ts"));
  assert.equal(said([join(folder, "project/worker.ts")], { types: ["@wasmyard/types"], typeRoots: [join(folder, "project/node_modules")] }), "");
  // And without it: the template, with what the program writes.
  cpSync(join(here, "../../cli/templates/javascript"), join(folder, "template"), { recursive: true });
  execFileSync(process.env.WASMYARD_PROGRAM, ["types"], { cwd: join(folder, "template"), stdio: "pipe" });
  const scripts = ts.sys.readDirectory(join(folder, "template"), [".js", ".ts"]);
  assert.equal(said(scripts, { allowJs: true, checkJs: true, noImplicitAny: false, useUnknownInCatchVariables: false }), "");
  console.log(`types: ok, ${globals} globals, ${names} names of the page`);
} finally {
  rmSync(folder, { recursive: true });
}
