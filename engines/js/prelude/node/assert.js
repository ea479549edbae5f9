// node:assert.

import { equal } from "./equal.js";
import { util } from "./util.js";

export class AssertionError extends Error {
  constructor({ message, actual, expected, operator }) {
    super(message ?? `${util.inspect(actual)} ${operator} ${util.inspect(expected)}`);
    this.name = "AssertionError";
    this.code = "ERR_ASSERTION";
    this.generatedMessage = message === undefined;
    Object.assign(this, { actual, expected, operator });
  }
}

function check(holds, actual, expected, operator, message) {
  if (holds) return;
  if (message instanceof Error) throw message;
  throw new AssertionError({ message, actual, expected, operator });
}

function matches(error, expected) {
  if (expected === undefined) return true;
  if (expected instanceof RegExp) return expected.test(String(error));
  if (typeof expected === "function") {
    if (expected.prototype !== undefined && error instanceof expected) return true;
    if (Error.isPrototypeOf(expected) || expected === Error) return false;
    return expected(error) === true;
  }
  return Object.keys(expected).concat(expected instanceof Error ? ["name", "message"] : []).every((key) => {
    const [wanted, given] = [expected[key], error?.[key]];
    return wanted instanceof RegExp && typeof given === "string" ? wanted.test(given) : equal(given, wanted, true);
  });
}

function threw(error, expected, message) {
  if (typeof expected === "string") return;
  check(matches(error, expected), error, expected, "throws", message);
}

const nothing = Symbol("nothing");
const caught = (work) => { try { work(); return nothing; } catch (error) { return error; } };
const caughtLater = async (work) => { try { await (typeof work === "function" ? work() : work); return nothing; } catch (error) { return error; } };
const told = (expected, message) => (typeof expected === "string" ? expected : message);

function ok(value, message) {
  check(value, value, true, "==", arguments.length === 0 ? "No value argument passed to `assert.ok()`" : message);
}

const assert = function (value, message) { check(value, value, true, "==", message); };
export default assert;

Object.assign(assert, {
  AssertionError, ok,
  fail(message) { check(false, undefined, undefined, "fail", message ?? "Failed"); },
  equal: (actual, expected, message) => check(actual == expected || (actual !== actual && expected !== expected), actual, expected, "==", message),
  notEqual: (actual, expected, message) => check(actual != expected, actual, expected, "!=", message),
  strictEqual: (actual, expected, message) => check(Object.is(actual, expected), actual, expected, "strictEqual", message),
  notStrictEqual: (actual, expected, message) => check(!Object.is(actual, expected), actual, expected, "notStrictEqual", message),
  deepEqual: (actual, expected, message) => check(equal(actual, expected, false), actual, expected, "deepEqual", message),
  notDeepEqual: (actual, expected, message) => check(!equal(actual, expected, false), actual, expected, "notDeepEqual", message),
  deepStrictEqual: (actual, expected, message) => check(equal(actual, expected, true), actual, expected, "deepStrictEqual", message),
  notDeepStrictEqual: (actual, expected, message) => check(!equal(actual, expected, true), actual, expected, "notDeepStrictEqual", message),
  match: (text, expression, message) => check(typeof text === "string" && expression.test(text), text, expression, "match", message),
  doesNotMatch: (text, expression, message) => check(typeof text !== "string" || !expression.test(text), text, expression, "doesNotMatch", message),
  ifError(value) {
    if (value !== null && value !== undefined) check(false, value, null, "ifError", `ifError got unwanted exception: ${value?.message ?? util.inspect(value)}`);
  },
  throws(work, expected, message) {
    const error = caught(work);
    check(error !== nothing, undefined, expected, "throws", told(expected, message) ?? "Missing expected exception.");
    threw(error, expected, message);
  },
  async rejects(work, expected, message) {
    const error = await caughtLater(work);
    check(error !== nothing, undefined, expected, "rejects", told(expected, message) ?? "Missing expected rejection.");
    threw(error, expected, message);
  },
  doesNotThrow(work, expected, message) { const error = caught(work); check(error === nothing, error, expected, "doesNotThrow", told(expected, message)); },
  async doesNotReject(work, expected, message) { const error = await caughtLater(work); check(error === nothing, error, expected, "doesNotReject", told(expected, message)); },
});
assert.strict = Object.assign((value, message) => assert(value, message), assert, {
  equal: assert.strictEqual, notEqual: assert.notStrictEqual, deepEqual: assert.deepStrictEqual, notDeepEqual: assert.notDeepStrictEqual,
});
assert.strict.strict = assert.strict;
