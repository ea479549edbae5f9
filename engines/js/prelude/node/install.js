// Node.js for scripts: its modules, and the three global names that the product has of it.

import { Buffer, nodeModules, process, sourceOf } from "./index.js";

/** Names and sources of the modules. */
export function installNode(scope) {
  const modules = nodeModules(scope);
  const find = (name) => modules[String(name).replace(/^node:/, "")];
  Object.defineProperty(scope, Symbol.for("wasmyard.module"), { value: find, configurable: false });
  process.getBuiltinModule = find;
  for (const [name, value] of Object.entries({ Buffer, process, global: scope })) {
    Object.defineProperty(scope, name, { value, writable: true, configurable: true, enumerable: false });
  }
  return Object.entries(modules).map(([name, module]) => [`node:${name}`, sourceOf(name, module)]);
}
