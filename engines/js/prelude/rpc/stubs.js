// Stubs: what stands here for something of another script. Every name is a method or a property of it, but those that all
// objects have, and `then`: a stub can be awaited without being called.

import { invoke } from "./invoke.js";

/**
 * By stub: `{ session, id, gone }` for something of another script's, `{ local }` for something of this one's,
 * `{ parent, name }` for a property, `{ promise }` for what a call will return.
 */
const states = new WeakMap();
const { prototype: OBJECT } = Object;
/** By class of bindings: how a call by such a binding begins. */
const bindings = [];
/** Makes both ends of a session in this script. */
let loopback;

export function onLoopback(make) { loopback = make; }
/** Has objects of a class be called: `begin` gives a session whose other side's first object is what is called. */
export function onBinding(kind, begin) { bindings.push([kind, begin]); }

/** What stands behind the prototype of everything that has methods elsewhere. */
export function anyName() {
  return new Proxy(Object.create(null), {
    get: (_, name, receiver) => (typeof name === "symbol" || name in OBJECT ? Reflect.get(OBJECT, name, receiver)
      : name === "then" || name === "toJSON" ? undefined : made(RpcProperty, { parent: receiver, name })),
    has: (_, name) => name in OBJECT,
    set: (_, name, value, receiver) => Reflect.defineProperty(receiver, name, { value, writable: true, enumerable: true, configurable: true }),
    getPrototypeOf: () => OBJECT,
  });
}

/** A function that calls what it stands for. */
function made(kind, state) {
  const stub = (...args) => promised(() => send(stub, args));
  delete stub.name;
  delete stub.length;
  Object.setPrototypeOf(stub, kind.prototype);
  states.set(stub, state);
  return stub;
}

export const isStub = (value) => typeof value === "function" && states.has(value);
export const stateOf = (stub) => states.get(stub);

/** A promise that has any name: those are sent on to what it will be. */
function promised(begin) {
  let promise;
  try { promise = begin(); } catch (error) { promise = Promise.reject(error); }
  return made(RpcPromise, { promise });
}

/** What a chain of properties begins with, and their names. */
function base(stub) {
  const path = [];
  for (;;) {
    const state = states.get(stub);
    if (state?.parent === undefined) return [stub, path.reverse()];
    path.push(state.name);
    stub = state.parent;
  }
}

/** Calls, or asks for a property where there are no arguments. */
function send(stub, args) {
  const [begin, path] = base(stub);
  return invokeStub(begin, path, args);
}

export function invokeStub(stub, path, args) {
  const state = states.get(stub);
  if (state === undefined) {
    const binding = bindings.find(([kind]) => stub instanceof kind);
    if (!binding) throw new TypeError("Illegal invocation");
    return binding[1](stub).call(0, path, args);
  }
  if (state.parent !== undefined) {
    const [begin, before] = base(stub);
    return invokeStub(begin, [...before, ...path], args);
  }
  if (state.promise) return state.promise.then((value) => invoke(value, path, args)).catch((error) => { throw marked(error); });
  if (state.gone) throw new Error("RPC stub used after being disposed.");
  if (state.session) return state.session.call(state.id, path, args);
  return (state.own ??= loopback(state.local)).call(0, path, args);
}

/** An error that comes from elsewhere. */
export function marked(error) {
  if (typeof error === "object" && error !== null) try { error.remote = true; } catch { /* it cannot be marked */ }
  return error;
}

export function importStub(session, id) { return made(RpcStub, { session, id, gone: false }); }
export function localStub(local) { return made(RpcStub, { local, gone: false }); }

export function dispose(stub) {
  const state = states.get(stub);
  if (!state || state.gone) return;
  if (state.promise) { state.promise.then((value) => value?.[Symbol.dispose]?.(), () => {}); return; }
  state.gone = true;
  state.session?.release(state.id);
  state.own?.close();
}

/** A stub behind a stream: who reads that to its end lets go of it. */
export function keepForStream(stub) {
  if (!isStub(stub)) throw new TypeError("The other script sends a stream that is none.");
  states.get(stub).forStream = true;
}

export class RpcStub {
  constructor(target) { return localStub(target); }
  dup() {
    const state = states.get(this);
    if (state.gone) throw new Error("RPC stub used after being disposed.");
    if (!state.session) return localStub(state.local);
    state.session.hold(state.id);
    return importStub(state.session, state.id);
  }
  [Symbol.dispose]() { dispose(this); }
}

export class RpcProperty {
  constructor() { throw new TypeError("Illegal constructor"); }
  then(kept, broken) { return property(this).then(kept, broken); }
  catch(broken) { return property(this).catch(broken); }
  finally(done) { return property(this).finally(done); }
}

async function property(stub) {
  return send(stub, null);
}

export class RpcPromise {
  constructor() { throw new TypeError("Illegal constructor"); }
  then(kept, broken) { return states.get(this).promise.then(kept, broken); }
  catch(broken) { return states.get(this).promise.catch(broken); }
  finally(done) { return states.get(this).promise.finally(done); }
  [Symbol.dispose]() { dispose(this); }
}

for (const kind of [RpcStub, RpcProperty, RpcPromise]) Object.setPrototypeOf(kind.prototype, anyName());
