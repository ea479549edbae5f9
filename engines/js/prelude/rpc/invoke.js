// What another script may reach of an object: methods and properties that its class declares, never what an instance holds
// of its own, and of plain objects what they hold.

import { Handlers, RpcTarget, WorkerEntrypoint } from "./targets.js";
import { invokeStub, isStub } from "./stubs.js";

/** Names that mean something else here, or that are the platform's to call. */
const RESERVED = new Set([
  "alarm", "connect", "constructor", "dup", "fetch", "queue", "scheduled", "tail", "test", "trace", "webSocketClose", "webSocketError",
  "webSocketMessage",
]);
const { prototype: OBJECT } = Object;
const ENDS = new Set([OBJECT, RpcTarget.prototype, WorkerEntrypoint.prototype, null]);

const missing = (name) => new TypeError(`The RPC receiver does not implement the method "${name}".`);

/** A property that the class of an object declares. */
function declared(object, name, own) {
  if (own || !Object.hasOwn(object, name)) {
    for (let each = own ? object : Object.getPrototypeOf(object); !ENDS.has(each); each = Object.getPrototypeOf(each)) {
      if (Object.hasOwn(each, name)) return Reflect.get(each, name, object);
    }
  }
  throw missing(name);
}

function lookup(object, name) {
  if (RESERVED.has(name)) throw new TypeError(`'${name}' is a reserved method and cannot be called over RPC.`);
  if (object instanceof Handlers) return declared(object.functions, name, true);
  if (object instanceof RpcTarget || object instanceof WorkerEntrypoint) return declared(object, name, false);
  if (typeof object === "function") {
    if (name !== "prototype" && Object.hasOwn(object, name)) return object[name];
  } else if (typeof object === "object" && object !== null) {
    const prototype = Object.getPrototypeOf(object);
    if ((prototype === OBJECT || prototype === null || Array.isArray(object)) && Object.hasOwn(object, name)) return object[name];
  }
  throw missing(name);
}

/** Calls what a path of names leads to from an object, or gives it where there are no arguments. */
export async function invoke(target, path, args) {
  let owner, value = target;
  for (let at = 0; at < path.length; at++) {
    if (isStub(value)) return invokeStub(value, path.slice(at), args);
    owner = value;
    value = lookup(value, path[at]);
    if (at + 1 < path.length) value = await value;
  }
  if (args === null) return value;
  if (typeof value !== "function") throw new TypeError(`"${path.at(-1) ?? ""}" is not a function.`);
  if (!(owner instanceof Handlers)) return Reflect.apply(value, owner, args);
  if (args.length !== 1) {
    throw new TypeError(`Attempted to call RPC function "${path.at(-1)}" with the wrong number of arguments. When calling a top-level handler function that is not declared as part of a class, you must always send exactly one argument. In order to support variable numbers of arguments, the server must use class-based syntax (extending WorkerEntrypoint) instead.`);
  }
  return Reflect.apply(value, owner.functions, [args[0], owner.env, owner.ctx]);
}
