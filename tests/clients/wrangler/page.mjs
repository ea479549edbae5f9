// Compares the table of docs/wrangler.md with how the commands ended, and writes it anew with WASMYARD_REFRESH=1.
//
// Usage: page.mjs PAGE TABLE...

import { readFile, writeFile } from "node:fs/promises";

const [page, ...files] = process.argv.slice(2);
const runs = await Promise.all(files.map(async (file) => JSON.parse(await readFile(file, "utf8"))));
const commands = [...new Set(runs.flatMap((run) => run.codes.map((row) => row.command)))];
const codeOf = (run, command) => run.codes.find((row) => row.command === command)?.code ?? "";
const rows = commands.map((command) => `| \`${command}\` | ${runs.map((run) => codeOf(run, command)).join(" | ")} |`);
const table = [
  `| command | ${runs.map((run) => run.version).join(" | ")} |`, `|---|${runs.map(() => "---|").join("")}`, ...rows, "",
].join("\n");
const text = await readFile(page, "utf8");
const start = text.indexOf("| command |");
const fresh = text.slice(0, start) + table;
if (text !== fresh) {
  if (process.env.WASMYARD_REFRESH !== "1") {
    console.error(`${page} does not say how the commands end: run this with WASMYARD_REFRESH=1\n${table}`);
    process.exit(1);
  }
  await writeFile(page, fresh);
}
