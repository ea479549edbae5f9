// Whether two values are the same all the way down, strictly or by `==`.

const kind = (value) => Object.prototype.toString.call(value);

function same(one, other, strict) {
  return strict ? Object.is(one, other) : one == other || (one !== one && other !== other);
}

export function equal(one, other, strict, seen = new Map()) {
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return same(one, other, strict);
  if (one === other || seen.get(one) === other) return true;
  if (kind(one) !== kind(other) || (strict && Object.getPrototypeOf(one) !== Object.getPrototypeOf(other))) return false;
  seen.set(one, other);
  const deep = (left, right) => equal(left, right, strict, seen);
  if (one instanceof Date && !same(one.getTime(), other.getTime(), true)) return false;
  if (one instanceof RegExp && (String(one) !== String(other) || one.lastIndex !== other.lastIndex)) return false;
  if (one instanceof Error && (one.name !== other.name || one.message !== other.message || !deep(one.cause, other.cause))) return false;
  if (one instanceof Number || one instanceof String || one instanceof Boolean || one instanceof BigInt || one instanceof Symbol) {
    if (!Object.is(one.valueOf(), other.valueOf())) return false;
  }
  if (ArrayBuffer.isView(one) || one instanceof ArrayBuffer) {
    const bytes = (value) => (value instanceof ArrayBuffer ? new Uint8Array(value) : new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
    const [left, right] = [bytes(one), bytes(other)];
    return left.length === right.length && left.every((byte, at) => byte === right[at]);
  }
  if (one instanceof Map) {
    if (one.size !== other.size) return false;
    for (const [key, value] of one) {
      if (other.has(key) ? !deep(value, other.get(key)) : ![...other].some(([otherKey, otherValue]) => typeof key === "object" && deep(key, otherKey) && deep(value, otherValue))) return false;
    }
  }
  if (one instanceof Set) {
    if (one.size !== other.size) return false;
    for (const value of one) if (!other.has(value) && ![...other].some((each) => typeof value === "object" && deep(value, each))) return false;
  }
  const keys = Object.keys(one);
  if (Array.isArray(one) && one.length !== other.length) return false;
  if (keys.length !== Object.keys(other).length) return false;
  return keys.every((key) => Object.hasOwn(other, key) && deep(one[key], other[key]));
}
