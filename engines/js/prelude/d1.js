// `env.DB`: an SQL database that the script is bound to.

import { host } from "./host.js";

/** Names of moments: what a session can begin with beside its two words. */
const BOOKMARK = /^[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{32}$/i;

function failed(text, word = "D1_ERROR") {
  return new Error(`${word}: ${text}`, { cause: new Error(text) });
}

/** What a value is bound as. */
function bound(value) {
  if (value === null || typeof value === "number" || typeof value === "string") return value;
  if (typeof value === "boolean") return value ? 1 : 0;
  if (value instanceof ArrayBuffer) return value;
  if (ArrayBuffer.isView(value)) return value.buffer.slice(value.byteOffset, value.byteOffset + value.byteLength);
  if (Array.isArray(value) && value.every((byte) => typeof byte === "number" && byte >= 0 && byte < 256)) {
    return Uint8Array.from(value).buffer;
  }
  throw failed(`Type '${typeof value}' not supported for value '${String(value)}'`, "D1_TYPE_ERROR");
}

/** What one statement answered, with its rows as they came. */
function told([columns, rows, duration, changes, last_row_id, rows_read, rows_written, size_after, changed_db]) {
  const meta = {
    served_by: "wasmyard", served_by_primary: true, timings: { sql_duration_ms: duration }, duration, changes,
    last_row_id, changed_db, size_after, rows_read, rows_written,
  };
  return { columns, rows, meta };
}

function objects({ columns, rows, meta }) {
  const results = rows.map((row) => {
    const object = {};
    for (let at = 0; at < columns.length; at++) object[columns[at]] = row[at];
    return object;
  });
  return { success: true, meta, results };
}

/** The way to a database, which prepared statements share: hands statements over, all of them in one transaction. */
class Way {
  #open; #handle;
  constructor(open, session) { this.#open = open; this.session = session; }
  run(statements) {
    const flat = [];
    for (const { sql, params } of statements) flat.push(sql, params);
    const answer = host.d1Run((this.#handle ??= this.#open()), flat);
    if (answer[0] === null) {
      const error = failed(answer[2]);
      error.index = answer[3];
      throw error;
    }
    if (this.session) this.session.bookmark = answer[0];
    return answer.slice(1).map(told);
  }
  in(session) { return new Way(this.#open, session); }
}

class D1PreparedStatement {
  #way; #sql; #params;
  constructor(way, sql, params = []) { this.#way = way; this.#sql = String(sql); this.#params = params; }
  bind(...values) { return new D1PreparedStatement(this.#way, this.#sql, values.map(bound)); }
  #one() { return this.#way.run([D1PreparedStatement._parts(this)])[0]; }
  async all() { return objects(this.#one()); }
  async run() { return objects(this.#one()); }
  async raw(options) {
    const { columns, rows } = this.#one();
    return options?.columnNames ? [columns, ...rows] : rows;
  }
  async first(column) {
    const row = objects(this.#one()).results[0];
    if (row === undefined) return null;
    if (column === undefined) return row;
    if (!Object.hasOwn(row, column)) throw new Error(`D1_COLUMN_NOTFOUND: Column not found (${column})`, { cause: new Error("Column not found") });
    return row[column];
  }
  static _parts(statement) { return { sql: statement.#sql, params: statement.#params }; }
}

function batch(way, statements) {
  const parts = Array.from(statements, (statement) => {
    if (!(statement instanceof D1PreparedStatement)) throw failed("batch() takes a list of prepared statements");
    return D1PreparedStatement._parts(statement);
  });
  if (parts.length === 0) throw failed("No SQL statements detected.");
  return way.run(parts).map(objects);
}

class D1DatabaseSession {
  #way; #state;
  constructor(way, bookmark) {
    this.#state = { bookmark };
    this.#way = way.in(this.#state);
  }
  prepare(sql) { return new D1PreparedStatement(this.#way, sql); }
  async batch(statements) { return batch(this.#way, statements); }
  getBookmark() { return this.#state.bookmark; }
}

export class D1Database {
  #way;
  constructor(open) { this.#way = new Way(open); }
  prepare(sql) { return new D1PreparedStatement(this.#way, sql); }
  async batch(statements) { return batch(this.#way, statements); }
  async exec(text) {
    const sql = String(text);
    let sets;
    try {
      sets = this.#way.run([{ sql, params: [] }]);
    } catch (error) {
      if (error.index === undefined) throw error;
      const lines = sql.trim().split("\n");
      const at = error.index;
      throw failed(`Error in line ${at + 1}: ${lines[at] ?? ""}: ${error.cause.message}`, "D1_EXEC_ERROR");
    }
    return { count: sets.length, duration: sets.reduce((sum, { meta }) => sum + meta.duration, 0) };
  }
  withSession(constraint) {
    const from = constraint === undefined || constraint === null ? "first-unconstrained" : String(constraint).trim();
    if (from === "first-primary" || from === "first-unconstrained") return new D1DatabaseSession(this.#way, null);
    if (!BOOKMARK.test(from)) throw failed(`"${from}" is neither first-primary nor first-unconstrained nor a bookmark`);
    return new D1DatabaseSession(this.#way, from);
  }
  async dump() { throw failed("dump() is not there any more: export the database with `wasmyard d1 export`", "D1_DUMP_ERROR"); }
}
