// Modules of Node.js (the product's `nodejs_compat`), as far as they are here. All of them are made with the engine: what
// a script imports is one line that hands over what is there already.

import { Buffer, buffer } from "./buffer.js";
import events from "./events.js";
import assert from "./assert.js";
import { asyncHooks } from "./async-hooks.js";
import { crypto } from "./crypto.js";
import { diagnosticsChannel } from "./diagnostics-channel.js";
import path from "path-browserify";
import { process } from "./process.js";
import { querystring } from "./querystring.js";
import stream from "readable-stream";
import stringDecoder from "string_decoder";
import { timers, timersPromises } from "./timers.js";
import { url } from "./url.js";
import { util } from "./util.js";

/** Web streams by their names in Node.js. */
const web = (scope) => {
  const names = ["ByteLengthQueuingStrategy", "CompressionStream", "CountQueuingStrategy", "DecompressionStream", "ReadableStream", "ReadableStreamBYOBReader", "ReadableStreamBYOBRequest", "ReadableStreamDefaultController", "ReadableStreamDefaultReader", "TextDecoderStream", "TextEncoderStream", "TransformStream", "TransformStreamDefaultController", "WritableStream", "WritableStreamDefaultController", "WritableStreamDefaultWriter"];
  return Object.fromEntries(names.map((name) => [name, scope[name]]));
};

export function nodeModules(scope) {
  path.posix = path;
  return {
    "assert": assert, "assert/strict": assert.strict, "async_hooks": asyncHooks, "buffer": buffer, "crypto": crypto,
    "diagnostics_channel": diagnosticsChannel, "events": events, "path": path, "path/posix": path, "process": process,
    "querystring": querystring, "stream": stream, "stream/promises": stream.promises, "stream/web": web(scope),
    "string_decoder": stringDecoder, "timers": timers, "timers/promises": timersPromises, "url": url, "util": util,
    "util/types": util.types,
  };
}

export { Buffer, process };

const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;

/** The text of a module that hands over what is there. */
export function sourceOf(name, module) {
  const names = Object.keys(module).filter((each) => each !== "default" && IDENTIFIER.test(each));
  const declared = names.map((each, at) => `${each}: v${at}`).join(", ");
  const exported = names.map((each, at) => `v${at} as ${each}`).join(", ");
  return `const it = globalThis[Symbol.for("wasmyard.module")](${JSON.stringify(name)});\nconst { ${declared} } = it;\nexport { it as default, ${exported} };\n`;
}
