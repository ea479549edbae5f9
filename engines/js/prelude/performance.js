// High Resolution Time, and the marks of User Timing. The clock stands still between waits, as the product's does.

import { host } from "./host.js";
import { EventTarget } from "./event-target.js";

const make = Symbol("make");
/** More marks than anybody looks at: the oldest are forgotten. */
const MOST = 1000;

export class PerformanceEntry {
  #facts;
  constructor(key, facts) {
    if (key !== make) throw new TypeError("Illegal constructor");
    this.#facts = facts;
  }
  get name() { return this.#facts.name; }
  get entryType() { return this.#facts.entryType; }
  get startTime() { return this.#facts.startTime; }
  get duration() { return this.#facts.duration; }
  get detail() { return this.#facts.detail; }
  toJSON() { return { name: this.name, entryType: this.entryType, startTime: this.startTime, duration: this.duration, detail: this.detail }; }
  get [Symbol.toStringTag]() { return "PerformanceEntry"; }
}
export class PerformanceMark extends PerformanceEntry {
  constructor(name, options) {
    if (arguments.length === 0) throw new TypeError("A mark needs a name.");
    super(make, { name: String(name), entryType: "mark", startTime: options?.startTime ?? host.now(), duration: 0, detail: options?.detail ?? null });
  }
  get [Symbol.toStringTag]() { return "PerformanceMark"; }
}
export class PerformanceMeasure extends PerformanceEntry {
  get [Symbol.toStringTag]() { return "PerformanceMeasure"; }
}

export class Performance extends EventTarget {
  #entries = [];
  constructor(key) {
    if (key !== make) throw new TypeError("Illegal constructor");
    super();
  }
  get timeOrigin() { return 0; }
  now() { return host.now(); }
  toJSON() { return { timeOrigin: 0 }; }
  #add(entry) {
    this.#entries.push(entry);
    if (this.#entries.length > MOST) this.#entries.shift();
    return entry;
  }
  #timeOf(mark, otherwise) {
    if (mark === undefined) return otherwise;
    if (typeof mark === "number") return mark;
    const found = this.#entries.findLast((entry) => entry.entryType === "mark" && entry.name === String(mark));
    if (!found) throw new DOMException(`There is no mark ${JSON.stringify(String(mark))}.`, "SyntaxError");
    return found.startTime;
  }
  mark(name, options) { return this.#add(new PerformanceMark(name, options)); }
  measure(name, from, to) {
    const options = typeof from === "object" && from !== null ? from : { start: from, end: to };
    const end = this.#timeOf(options.end, options.duration !== undefined && options.start !== undefined ? this.#timeOf(options.start) + options.duration : host.now());
    const start = this.#timeOf(options.start, options.duration !== undefined ? end - options.duration : 0);
    return this.#add(new PerformanceMeasure(make, { name: String(name), entryType: "measure", startTime: start, duration: end - start, detail: options.detail ?? null }));
  }
  #clear(type, name) { this.#entries = this.#entries.filter((entry) => entry.entryType !== type || (name !== undefined && entry.name !== String(name))); }
  clearMarks(name) { this.#clear("mark", name); }
  clearMeasures(name) { this.#clear("measure", name); }
  clearResourceTimings() {}
  getEntries() { return [...this.#entries].sort((one, other) => one.startTime - other.startTime); }
  getEntriesByName(name, type) { return this.getEntries().filter((entry) => entry.name === String(name) && (type === undefined || entry.entryType === type)); }
  getEntriesByType(type) { return this.getEntries().filter((entry) => entry.entryType === type); }
  get [Symbol.toStringTag]() { return "Performance"; }
}

export const performance = new Performance(make);
